"""session.md, sections 9 and 10: what goes into the next epoch."""

from . import schedule
from .frames import Violation, encode, frame
from .noise import SUITES, Handshake
from .primitives import KeyPair, Kem, Refused, dh, kem_encapsulate, lp, sha256, u32

def prologue_within(outer, sid, number, split):
    """prologue' of section 10; `split` is that of the epoch before."""
    return outer + lp(sid) + lp(u32(number)) + lp(split)


def ratchet(suite, number, e, kem_seed):
    """RATCHET and what answers to it needs: the pair, and in suites 3 and 4 the decapsulation key."""
    pair, kem = KeyPair(e), Kem(kem_seed) if SUITES[suite][2] else None
    return frame("RATCHET", epoch=number, e=pair.public, ek=kem.ek if kem else b""), pair, kem


def context_of(request, answer):
    return sha256(encode(request) + encode(answer))


def answer_ratchet(suite, before, request, e, randomness):
    """RATCHET_ACK, the IKM and the epoch that both make."""
    hybrid = SUITES[suite][2]
    if request["epoch"] != before.number + 1 or len(request["ek"]) != (1184 if hybrid else 0):
        raise Violation("RATCHET")
    try:
        ikm, ct = dh(e, request["e"]), b""
        if hybrid:
            ct, ss = kem_encapsulate(request["ek"], randomness)
            ikm += ss
    except Refused:
        raise Violation("RATCHET") from None
    answer = frame("RATCHET_ACK", epoch=request["epoch"], e=KeyPair(e).public, ct=ct)
    return answer, ikm, schedule.following(before, ikm, context_of(request, answer))


def finish_ratchet(suite, before, request, pair, kem, answer):
    hybrid = SUITES[suite][2]
    if answer["epoch"] != request["epoch"] or len(answer["ct"]) != (1088 if hybrid else 0):
        raise Violation("RATCHET")
    try:
        ikm = dh(pair.private, answer["e"])
    except Refused:
        raise Violation("RATCHET") from None
    if hybrid:
        ikm += kem.decapsulate(answer["ct"])
    return ikm, schedule.following(before, ikm, context_of(request, answer))


def handshake_within(suite, initiator, outer, sid, before, static, remote_static, ephemeral, kem=None):
    within = prologue_within(outer, sid, before.number + 1, before.split)
    return Handshake(suite, initiator, within, static, remote_static, ephemeral, kem)


def rehs(step, number, message):
    return frame("REHS", step=step, epoch=number, message=message)


def after_rehs(before, handshake):
    """IKM and epoch."""
    k1, k2, h = handshake.finish()
    return k1 + k2, schedule.following(before, k1 + k2, h)
