"""Open a number again and again: a run that lasts as long as a test needs it.

    python3 rounds.py ROUNDS

Prints `pid N` when it starts, `running` after the first round, and `rounds ROUNDS` at the end. A round takes at least a
tenth of a second.
"""

import asyncio
import os
import sys

print('pid', os.getpid(), flush=True)

from mpyc.runtime import mpc  # noqa: E402  (a test must know the process before it can fail)


async def main():
    secure = mpc.SecInt(32)
    rounds = int(sys.argv[1])
    async with mpc:
        for number in range(rounds):
            assert await mpc.output(mpc.input(secure(number), senders=0)) == number
            if number == 0:
                print('running', flush=True)
            await asyncio.sleep(0.1)
    print('rounds', rounds, flush=True)


mpc.run(main())
