"""Everybody gives a number; what all of them make together is opened, and nothing else.

    python vote.py 42
"""

import sys

from mpyc.runtime import mpc


async def main():
    number = int(sys.argv[1])
    secint = mpc.SecInt(32)
    await mpc.start()
    numbers = mpc.input(secint(number))
    total = await mpc.output(mpc.sum(numbers))
    print(f'sum of {len(numbers)} inputs: {total}', flush=True)
    await mpc.shutdown()

mpc.run(main())
