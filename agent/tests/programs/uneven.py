"""Take part in a run in a way that does not, or does, fit with the others'.

    python3 uneven.py never 0           end well without MPyC
    python3 uneven.py quits 0           open a number, then end well without MPyC's shutdown
    python3 uneven.py opens COUNT       open COUNT numbers, in one run of MPyC
    python3 uneven.py late SECONDS      open a number, end MPyC, then work alone for so long
    python3 uneven.py twice SECONDS     open a number, end MPyC, wait, and open a number in a second run of MPyC

Prints `opened` after each number and `over` at the end.
"""

import logging
import os
import sys
import time

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)

# MPyC's arguments stand in front until it takes them away.
how, number = sys.argv[-2], float(sys.argv[-1])
if how == 'never':
    print('over', flush=True)
    sys.exit(0)

from mpyc.runtime import mpc  # noqa: E402  (not for a party that does without it)


async def opened(count):
    secure = mpc.SecInt(32)
    for _ in range(count):
        assert await mpc.output(mpc.sum(mpc.input(secure(1)))) == len(mpc.parties)
        print('opened', flush=True)


async def main():
    if how == 'quits':
        await mpc.start()
        await opened(1)
        os._exit(0)
    async with mpc:
        await opened(int(number) if how == 'opens' else 1)
    if how in ('late', 'twice'):
        time.sleep(number)
    if how == 'twice':
        async with mpc:
            await opened(1)


mpc.run(main())
print('over', flush=True)
