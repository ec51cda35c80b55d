"""Fail with exit code 3, `before` or `after` MPyC has connected the parties, or be `killed` by a signal after it has.

    python3 fail.py before|after|killed
"""

import os
import signal
import sys

from mpyc.runtime import mpc


async def main():
    how = sys.argv[1]
    if how != 'before':
        await mpc.start()
    if how == 'killed':
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(3)


mpc.run(main())
