"""session.md, section 12.2: RESUME and RESUME_RSP."""

from .primitives import Refused, aead_open, aead_seal, hkdf_expand, u64
from .record import RESUME, RESUME_RSP
from .schedule import label

LENGTH = {RESUME: 73, RESUME_RSP: 89}


def key_of(k_resume, byte0, salt):
    return hkdf_expand(k_resume, label("resume key") + bytes([byte0]) + salt, 32)


def seal(family, k_resume, byte0, cid, salt, generation, rx_next, nonce, echo=b""):
    plaintext = u64(generation) + u64(rx_next) + nonce + echo
    head = bytes([byte0]) + cid + salt
    out = head + aead_seal(family, key_of(k_resume, byte0, salt), bytes(12), head, plaintext)
    assert len(out) == LENGTH[byte0]
    return out


def open_with(family, keys, message):
    """`keys`: k_resume of the sender's direction, newest epoch first. Gives generation, rx_next, nonce, echo."""
    if message[0] not in LENGTH or len(message) != LENGTH[message[0]]:
        raise Refused("length")
    head = message[:25]
    for k_resume in keys:
        try:
            key = key_of(k_resume, message[0], head[9:])
            plain = aead_open(family, key, bytes(12), head, message[25:])
        except Refused:
            continue
        return int.from_bytes(plain[:8], "big"), int.from_bytes(plain[8:16], "big"), plain[16:32], plain[32:]
    raise Refused("tag")


def proposal(highest, initiator):
    """The lowest generation above `highest` of this end's parity."""
    odd = 1 if initiator else 0
    return highest + 1 if (highest + 1) % 2 == odd else highest + 2
