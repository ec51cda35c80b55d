"""Everybody learns the sum and the product of all numbers, and who has the largest one; nobody learns the numbers.

    python3 largest.py NUMBER
"""

import sys

from mpyc.runtime import mpc


async def main():
    secure = mpc.SecInt(32)
    async with mpc:
        numbers = mpc.input(secure(int(sys.argv[1])))
        results = [mpc.sum(numbers), mpc.prod(numbers), mpc.argmax(numbers)[0]]
        total, product, winner = await mpc.output(results)
    print('sum', int(total), 'product', int(product), 'winner', int(winner), flush=True)


mpc.run(main())
