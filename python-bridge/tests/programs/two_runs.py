"""Starts and stops MPyC's runtime twice in one process, as some programs do, and prints both results."""

import sys

from mpyc.runtime import mpc

secure = mpc.SecInt(32)
for factor in (1, 10):
    mpc.run(mpc.start())
    total = mpc.run(mpc.output(mpc.sum(mpc.input(secure(factor * (mpc.pid + 1))))))
    mpc.run(mpc.shutdown())
    print(f'run with factor {factor}: {total}', file=sys.stderr, flush=True)
