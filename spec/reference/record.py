"""session.md, sections 3 to 5 and 7: one record."""

from dataclasses import dataclass

from .primitives import Refused, aead_open, aead_seal, first_block, hmac_sha256, u32, u64

DATA, RESUME, RESUME_RSP, UNKNOWN_CID = 0x10, 0x11, 0x12, 0x13
HEADER, TAG = 21, 16
OVERHEAD = HEADER + TAG


def mask_of(family, hp, tag):
    return first_block(family, hp, tag)[:12]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


@dataclass
class Sealed:
    """A record with everything that was computed on the way."""

    header: bytes
    nonce: bytes
    aad: bytes
    mask: bytes
    tag: bytes
    bytes: bytes


def seal(family, hp, mk, cid, guard, epoch, seq, plaintext, byte0=DATA, flags=0):
    assert len(cid) == 8 and len(guard) == 4 and seq < 2**64 - 1
    header = guard + bytes([epoch & 0xFF, flags]) + (seq & (2**48 - 1)).to_bytes(6, "big")
    nonce, aad = guard + u64(seq), bytes([byte0]) + header
    sealed = aead_seal(family, mk, nonce, aad, plaintext)
    tag = sealed[-TAG:]
    mask = mask_of(family, hp, tag)
    return Sealed(header, nonce, aad, mask, tag, bytes([byte0]) + cid + xor(header, mask) + sealed)


def derived_guard(ck, epoch, seq, plaintext, byte0=DATA, flags=0):
    """The second way of SE-17."""
    rest = bytes([epoch & 0xFF, flags]) + (seq & (2**48 - 1)).to_bytes(6, "big")
    return hmac_sha256(ck, b"\x03" + bytes([byte0]) + rest + plaintext)[:4]


def with_cid(record, cid):
    return record[:1] + cid + record[9:]


def nearest(expected, low):
    """The u64 nearest to `expected` whose low 48 bits are `low`; of two equally near ones the lower."""
    base = (expected >> 48) << 48
    candidates = [n for n in (base - 2**48 + low, base + low, base + 2**48 + low) if 0 <= n < 2**64]
    return min(candidates, key=lambda n: (abs(n - expected), n))


def unmask(family, hp, record):
    """Guard, low byte of the epoch, flags, low 48 bits of seq; and the twelve bytes that they were in."""
    if len(record) < OVERHEAD or len(record) > 65536:
        raise Refused("length")
    header = xor(record[9:HEADER], mask_of(family, hp, record[-TAG:]))
    return header[:4], header[4], header[5], int.from_bytes(header[6:], "big"), header


def open_with(family, mk, record, header, seq):
    return aead_open(family, mk, header[:4] + u64(seq), record[:1] + header, record[HEADER:])


def framed(record):
    """As it goes over a byte stream."""
    return u32(len(record))[1:] + record
