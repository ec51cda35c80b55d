"""A fixed number of rounds, one after the other: each multiplies two secrets, and every party sends to every other."""

import sys

from mpyc.runtime import mpc

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 1000


async def main():
    field = mpc.SecFld(modulus=2**61 - 1)
    async with mpc:
        secret = mpc.input(field(3), senders=0)
        product = secret
        for _ in range(ROUNDS):
            product = product * secret
        result = await mpc.output(product)
    expected = pow(3, ROUNDS + 1, 2**61 - 1)
    assert int(result) == expected, (result, expected)
    print(int(result))


mpc.run(main())
