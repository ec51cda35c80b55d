"""session.md, sections 1, 2 and 6: from the handshake to keys."""

from dataclasses import dataclass

from .primitives import hkdf_expand, hkdf_extract, hmac_sha256, lp

DIRECTIONS = ("i2r", "r2i")


def label(name):
    return f"didagent-session/1 {name}".encode()


@dataclass
class Epoch:
    """What every epoch has; `ck` and `resume` by direction."""

    number: int
    prk: bytes
    context: bytes
    ck: dict
    rk: bytes
    split: bytes
    resume: dict


@dataclass
class Root:
    """What only epoch 0 has."""

    sid: bytes
    hp: dict
    exporter: bytes


def epoch(number, prk, context):
    def x(name):
        return hkdf_expand(prk, label(name) + context, 32)

    return Epoch(number, prk, context, {d: x(f"ck {d}") for d in DIRECTIONS}, x("rk"), x("rehs"),
                 {d: x(f"resume {d}") for d in DIRECTIONS})


def first(k1, k2, h):
    """Root and epoch 0."""
    prk = hkdf_extract(h, k1 + k2)

    def x(name):
        return hkdf_expand(prk, label(name) + h, 32)

    return Root(x("sid"), {d: x(f"hp {d}") for d in DIRECTIONS}, x("exporter")), epoch(0, prk, h)


def following(before, ikm, context):
    return epoch(before.number + 1, hkdf_extract(before.rk, ikm), context)


def export(exporter, name, context, length):
    return hkdf_expand(exporter, lp(name) + lp(context), length)


def chain_step(ck):
    """mk_n and ck_{n+1}."""
    return hmac_sha256(ck, b"\x01"), hmac_sha256(ck, b"\x02")
