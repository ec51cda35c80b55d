"""The average of everybody's number, without showing the numbers.

    python3 average.py [NUMBER] [--show-input]

Each party puts in one whole number from 0 to 1000: the one given, or a random one. All parties learn the average, to
two decimal places, rounded half up; the program opens the sum to compute it. Who knows the average and how many parties
there are can compute the sum back (to within the rounding), so no more is revealed by opening it, but no less either: with
two parties each learns the other's number, and all parties but one together learn the last one's. A number given on the
command line can be seen by other users of this computer; a random one cannot.

A party whose program is changed can put in anything. The range is checked only where the number is entered.
"""

import argparse
import logging
import secrets
import sys

# MPyC would log to standard output, which is for the result.
logging.basicConfig(format='{asctime} {message}', style='{', level=logging.INFO, stream=sys.stderr)

from mpyc.runtime import mpc  # noqa: E402  (it reads its own arguments and leaves the others)

LARGEST = 1000


def number(text):
    value = int(text)
    if not 0 <= value <= LARGEST:
        raise argparse.ArgumentTypeError(f'must be from 0 to {LARGEST}')
    return value


def in_hundredths(total, count):
    """The average of count numbers with this total, as text, rounded half up; in whole numbers throughout."""
    hundredths = (200 * total + count) // (2 * count)
    return f'{hundredths // 100}.{hundredths % 100:02d}'


async def main():
    parser = argparse.ArgumentParser(description='The average of all parties\' numbers.')
    parser.add_argument('number', nargs='?', type=number, help=f'from 0 to {LARGEST}; random if left out')
    parser.add_argument('--show-input', action='store_true', help='write the own number to standard error')
    arguments = parser.parse_args()
    own = secrets.randbelow(LARGEST + 1) if arguments.number is None else arguments.number
    if arguments.show_input:
        print(f'input of party {mpc.pid}: {own}', file=sys.stderr, flush=True)

    secure = mpc.SecInt(32)
    count = len(mpc.parties)
    async with mpc:
        total = await mpc.output(mpc.sum(mpc.input(secure(own))))
    print(f'average of {count} inputs: {in_hundredths(int(total), count)}', flush=True)


if __name__ == '__main__':
    mpc.run(main())
