"""How vectors are written: JSON with sorted keys, bytes as hex, the same each time."""

import json

from . import schedule
from .frames import Violation
from .primitives import Refused


def plain(value):
    """Bytes become hex; numbers that not every JSON reader keeps become decimal strings."""
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    return value


def text(value):
    return json.dumps(plain(value), indent=1, sort_keys=True, ensure_ascii=True) + "\n"


def pair(keys):
    return {"private": keys.private, "public": keys.public}


def epoch(one):
    return {"number": one.number, "prk": one.prk, "context": one.context, "rk": one.rk, "split": one.split,
            **{f"ck_{d}": one.ck[d] for d in schedule.DIRECTIONS}, **{f"resume_{d}": one.resume[d] for d in schedule.DIRECTIONS}}


def root(one):
    return {"sid": one.sid, "exporter": one.exporter, **{f"hp_{d}": one.hp[d] for d in schedule.DIRECTIONS}}


def sealed(one):
    return {"header": one.header, "nonce": one.nonce, "aad": one.aad, "mask": one.mask, "tag": one.tag, "record": one.bytes}


def outcome_of(action):
    """What an end does with what it is given, as the vectors name it."""
    try:
        return action()
    except Refused:
        return "reject"
    except Violation as violation:
        return {"close": violation.code, "name": violation.name}


def flips(data, places):
    """(name, changed bytes) for each named place: one bit of the byte at that index."""
    for name, at in places.items():
        changed = bytearray(data)
        changed[at] ^= 1
        yield name, bytes(changed)


def must(name, requirement, data, expected, actual, **more):
    """A must-fail case; the reference itself does what is written."""
    assert actual == expected, (name, expected, actual)
    return {"name": name, "requirement": requirement, "bytes": data, "outcome": expected, **more}
