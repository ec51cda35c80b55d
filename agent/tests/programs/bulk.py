"""Exchange messages with MPyC's own message exchanger, nothing computed: each party to each other one.

    python3 bulk.py SIZE COUNT [SIZE COUNT ...]

COUNT messages of SIZE bytes for each pair of numbers, sent as fast as MPyC takes them, all pairs of parties at once. Byte
b of the whole traffic from party i to party j is (31 i + 7 j + b + b // 251) mod 256. Prints `pid N` at the start, then
for every other party in order `from PARTY SHA256`, the digest of all that came from it.
"""

import asyncio
import hashlib
import logging
import os
import sys

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)

from mpyc.runtime import mpc  # noqa: E402  (it reads its own arguments and leaves the others)

PERIOD = 251 * 256
# So many messages are handed to MPyC before it may do something else; it queues without a bound.
BATCH = 1000


def traffic(sender, receiver):
    """One period of the traffic, twice, so that any piece of up to a period is a slice."""
    period = bytes((31 * sender + 7 * receiver + b + b // 251) % 256 for b in range(PERIOD))
    return period + period


def piece(period, start, size):
    start %= PERIOD
    if size <= PERIOD:
        return period[start:start + size]
    whole = period[:PERIOD] * (size // PERIOD + 2)
    return whole[start:start + size]


async def send(peer, sizes):
    period = traffic(mpc.pid, peer)
    at = 0
    for number, size in enumerate(sizes):
        mpc.parties[peer].protocol.send(number + 1, piece(period, at, size))
        at += size
        if number % BATCH == BATCH - 1:
            await asyncio.sleep(0)


async def receive(peer, count):
    digest = hashlib.sha256()
    for number in range(count):
        message = mpc.parties[peer].protocol.receive(number + 1)
        digest.update(message if isinstance(message, bytes) else await message)
    return digest.hexdigest()


async def main():
    numbers = list(map(int, sys.argv[1:]))
    sizes = [size for size, count in zip(numbers[::2], numbers[1::2]) for _ in range(count)]
    others = [peer for peer in range(len(mpc.parties)) if peer != mpc.pid]
    print('pid', os.getpid(), flush=True)
    async with mpc:
        print('running', flush=True)
        sent = [asyncio.ensure_future(send(peer, sizes)) for peer in others]
        digests = await asyncio.gather(*(receive(peer, len(sizes)) for peer in others))
        await asyncio.gather(*sent)
    for peer, digest in zip(others, digests):
        print('from', peer, digest, flush=True)


mpc.run(main())
