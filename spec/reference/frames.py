"""streams.md, section 1: frames, one table for both directions. A frame is a dict; bytes are bytes."""

from .primitives import u16

# type byte: name, fields in order. "u16 bytes" are a length and as many bytes.
LAYOUT = {
    0x00: ("PAD", ()),
    0x01: ("ACK", (("rx_next", 8),)),
    0x02: ("PING", (("id", 8),)),
    0x03: ("PONG", (("id", 8),)),
    0x04: ("CONFIRM", ()),
    0x05: ("CLOSE", (("code", 4), ("final_seq", 8))),
    0x06: ("RATCHET", (("epoch", 4), ("e", "32"), ("ek", "long"))),
    0x07: ("RATCHET_ACK", (("epoch", 4), ("e", "32"), ("ct", "long"))),
    0x08: ("RATCHET_REQ", ()),
    0x09: ("REHS", (("step", 1), ("epoch", 4), ("message", "long"))),
    0x0A: ("NEW_CID", (("cid", "8"),)),
    0x10: ("STREAM_OPEN", (("stream", 4), ("context", "32"))),
    0x11: ("STREAM_DATA", (("stream", 4), ("data", "long"))),
    0x12: ("STREAM_FIN", (("stream", 4),)),
    0x13: ("STREAM_RESET", (("stream", 4), ("code", 4))),
    0x14: ("WINDOW", (("stream", 4), ("limit", 8))),
}
TYPES = {name: (byte, fields) for byte, (name, fields) in LAYOUT.items()}

# streams.md, section 4
CODES = {
    "DONE": 0x00, "FRAME_UNKNOWN": 0x01, "FRAME_MALFORMED": 0x02, "CONFIRM": 0x03, "ACK_BEYOND": 0x04, "FINAL_SEQ": 0x05,
    "RECORD_LIMIT": 0x06, "FLAGS": 0x07, "PATH_LOST": 0x08, "RATCHET": 0x09, "REHS": 0x0A, "CID": 0x0B,
    "STREAM_CREDIT": 0x10, "STREAM_LIMIT": 0x11, "STREAM_FINISHED": 0x12, "STREAM_UNKNOWN": 0x13, "STREAM_ID": 0x14,
}


class Violation(Exception):
    """Closes the session with a code of streams.md, section 4."""

    def __init__(self, name):
        super().__init__(name)
        self.name, self.code = name, CODES[name]


def frame(name, **fields):
    return {"type": name, **fields}


def encode(one):
    byte, fields = TYPES[one["type"]]
    if one["type"] == "PAD":
        return bytes(one.get("count", 1))
    out = bytes([byte])
    for name, kind in fields:
        value = one[name]
        if isinstance(kind, int):
            out += value.to_bytes(kind, "big")
        elif kind == "long":
            out += u16(len(value)) + value
        else:
            assert len(value) == int(kind)
            out += value
    return out


def encode_all(frames):
    return b"".join(map(encode, frames))


def decode(data):
    """All frames of a record, or a Violation; a run of PAD is one frame."""
    if not data:
        raise Violation("FRAME_MALFORMED")
    frames = []

    def take(length):
        nonlocal data
        if len(data) < length:
            raise Violation("FRAME_MALFORMED")
        head, data = data[:length], data[length:]
        return head

    while data:
        byte = take(1)[0]
        if byte == 0:
            rest = data.lstrip(b"\0")
            frames.append(frame("PAD", count=1 + len(data) - len(rest)))
            data = rest
            continue
        if frames and any(one["type"] == "CLOSE" for one in frames):
            raise Violation("FRAME_MALFORMED")
        if byte not in LAYOUT:
            raise Violation("FRAME_UNKNOWN")
        name, fields = LAYOUT[byte]
        one = frame(name)
        for field, kind in fields:
            if isinstance(kind, int):
                one[field] = int.from_bytes(take(kind), "big")
            elif kind == "long":
                one[field] = take(int.from_bytes(take(2), "big"))
            else:
                one[field] = take(int(kind))
        if name == "STREAM_DATA" and not one["data"]:
            raise Violation("FRAME_MALFORMED")
        frames.append(one)
    return frames


def shown(one):
    """For the vectors: numbers of 64 bits as text, because JSON readers differ on them."""
    big = ("rx_next", "id", "final_seq", "limit")
    return {name: str(value) if name in big else value for name, value in one.items()}
