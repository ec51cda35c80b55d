"""Compute with each kind of secure number, in several runtimes of one process.

    python3 kinds.py SEED

Party i puts in (SEED + 7 i) mod 101. The lines, the same at every party but for the last:

    integers SUM_OF_SQUARES SORTED ...
    fixed SUM_OF_PRODUCTS_WITH_A_QUARTER
    prime PRODUCT_MODULO_101
    binary PRODUCT_IN_GF(256)
    told PARTY ...                   who answered after the barriers
    only SUM|None                    the sum, at party 0 alone
"""

import logging
import sys

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)

from mpyc.runtime import mpc  # noqa: E402  (it reads its own arguments and leaves the others)

BARRIERS = 5


async def integers(own):
    secure = mpc.SecInt(64)
    async with mpc:
        values = mpc.input(secure(own))
        total = mpc.sum([value * value for value in values])
        ordered = mpc.sorted(values)
        print('integers', int(await mpc.output(total)), *map(int, await mpc.output(ordered)), flush=True)


async def fixed(own):
    secure = mpc.SecFxp(64, 32)
    async with mpc:
        values = mpc.input(secure(own))
        total = mpc.sum([value * secure(0.25) for value in values])
        print('fixed', float(await mpc.output(total)), flush=True)


async def fields(own):
    prime, binary = mpc.SecFld(101), mpc.SecFld(2**8)
    async with mpc:
        product = mpc.prod(mpc.input(prime(own or 1)))
        print('prime', int(await mpc.output(product)), flush=True)
        product = mpc.prod(mpc.input(binary(own or 1)))
        print('binary', int(await mpc.output(product)), flush=True)


async def talk(own):
    secure = mpc.SecInt(32)
    async with mpc:
        for number in range(BARRIERS):
            await mpc.barrier(f'barrier {number}')
        print('told', *await mpc.transfer(mpc.pid), flush=True)
        total = mpc.sum(mpc.input(secure(own)))
        print('only', await mpc.output(total, receivers=0), flush=True)


def main():
    own = (int(sys.argv[1]) + 7 * mpc.pid) % 101
    for part in (integers, fixed, fields, talk):
        mpc.run(part(own))


main()
