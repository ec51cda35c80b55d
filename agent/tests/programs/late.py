"""Start MPyC only once a file exists, then add up everybody's number.

    python3 late.py ... FILE NUMBER

MPyC takes its own arguments away when it is imported, so these are the last ones.
"""

import logging
import os
import sys
import time

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)

file, number = sys.argv[-2], int(sys.argv[-1])
print('waiting', flush=True)
while not os.path.exists(file):
    time.sleep(0.02)

from mpyc.runtime import mpc  # noqa: E402  (it would parse arguments and start its clock too early)


async def main():
    secure = mpc.SecInt(32)
    async with mpc:
        total = await mpc.output(mpc.sum(mpc.input(secure(number))))
    print('sum', int(total), flush=True)


mpc.run(main())
