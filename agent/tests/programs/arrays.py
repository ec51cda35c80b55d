"""Compute with secure arrays of numpy, some of them of megabytes.

    python3 arrays.py SIZE

The matrices of party i have SIZE x SIZE entries: entry (r, c) is (r + 2 c + i) mod 7. Prints, the same at every party:

    product TRACE SUM         of the product of the first two parties' matrices
    last SUM                  of the last party's matrix after a pass through all parties
"""

import logging
import sys

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)

import numpy as np  # noqa: E402
from mpyc.runtime import mpc  # noqa: E402  (it reads its own arguments and leaves the others)


async def main():
    size = int(sys.argv[1])
    row, column = np.indices((size, size))
    secure = mpc.SecInt(32)
    own = (row + 2 * column + mpc.pid) % 7
    async with mpc:
        matrices = mpc.input(secure.array(own))
        product = await mpc.output(matrices[0] @ matrices[1])
        last = await mpc.output(matrices[-1])
    print('product', int(np.trace(product)), int(np.sum(product)), flush=True)
    print('last', int(np.sum(last)), flush=True)


mpc.run(main())
