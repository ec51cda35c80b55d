"""Fail with exit code 3, `before` or `after` MPyC has connected the parties.

    python3 fail.py before|after
"""

import sys

from mpyc.runtime import mpc


async def main():
    if sys.argv[1] == 'after':
        await mpc.start()
    sys.exit(3)


mpc.run(main())
