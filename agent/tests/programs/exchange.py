"""Exchange a few tens of kilobytes of shares and some text whose plaintext a test knows.

    python3 exchange.py NUMBER MARK

Each party puts in NUMBER and sends MARK, a text, to everybody. Prints the sum of all products of the numbers with
themselves, `squares N`, and the marks in the order of the parties, `marks A B ...`.
"""

import logging
import sys

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)

from mpyc.runtime import mpc  # noqa: E402  (it reads its own arguments and leaves the others)

ROUNDS = 25


async def main():
    number, mark = int(sys.argv[1]), sys.argv[2]
    # Large field elements: shares are uniform, so almost every stretch of a message is unlike any other.
    secure = mpc.SecInt(128)
    async with mpc:
        total = secure(0)
        for _ in range(ROUNDS):
            numbers = mpc.input([secure(number)] * 4)
            squares = [entry[0] * entry[0] for entry in numbers]
            total = mpc.sum(squares)
            checked = await mpc.output(total)
        marks = await mpc.transfer(mark)
    print('squares', int(checked), flush=True)
    print('marks', *marks, flush=True)


mpc.run(main())
