"""Open numbers for a minute; when asked to end, drop every connection at once and take two seconds to end.

    python3 falls.py

Prints `pid N` when it starts and `running` after the first round.
"""

import asyncio
import os
import signal
import time

print('pid', os.getpid(), flush=True)

from mpyc.runtime import mpc  # noqa: E402  (a test must know the process before it can fail)


def fall(*_):
    os.closerange(3, 1024)
    time.sleep(2)
    os._exit(0)


async def main():
    secure = mpc.SecInt(32)
    async with mpc:
        signal.signal(signal.SIGTERM, fall)
        for number in range(600):
            assert await mpc.output(mpc.input(secure(number), senders=0)) == number
            if number == 0:
                print('running', flush=True)
            await asyncio.sleep(0.1)


mpc.run(main())
