"""Two parties learn the sum and the product of their numbers, and who has the larger one; not the numbers.

    python3 duel.py NUMBER
"""

import sys

from mpyc.runtime import mpc


async def main():
    secure = mpc.SecInt(32)
    async with mpc:
        first, second = mpc.input(secure(int(sys.argv[1])))
        results = [first + second, first * second, mpc.argmax([first, second])[0]]
        total, product, winner = await mpc.output(results)
    print('sum', int(total), 'product', int(product), 'winner', int(winner), flush=True)


mpc.run(main())
