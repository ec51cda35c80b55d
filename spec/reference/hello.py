"""handshake.md: the prologue (section 2) and the hello (section 4)."""

from dataclasses import dataclass, field

from .primitives import Refused, lp, u16, u32

FIELDS = ("initiator", "responder", "initiator_kid", "responder_kid", "thid", "pthid", "invitation", "suites", "context")


def prologue(values):
    """`values` maps each field's name to its bytes."""
    return b"didagent-session/1" + b"".join(lp(values[name]) for name in FIELDS)


@dataclass
class Hello:
    cids: list
    max_record: int = 65536
    stream_window: int = 1 << 20
    prev_sid: bytes = b""
    extensions: list = field(default_factory=list)

    def encode(self):
        out = bytes([1, len(self.cids)]) + b"".join(self.cids) + u32(self.max_record) + u32(self.stream_window)
        out += bytes([len(self.prev_sid)]) + self.prev_sid
        return out + b"".join(u16(kind) + u16(len(value)) + value for kind, value in self.extensions)

    @staticmethod
    def decode(data):
        def take(length):
            nonlocal data
            if len(data) < length:
                raise Refused("hello cut short")
            head, data = data[:length], data[length:]
            return head

        def number(length):
            return int.from_bytes(take(length), "big")

        if number(1) != 1:
            raise Refused("version")
        count = number(1)
        if not 1 <= count <= 8:
            raise Refused("number of cids")
        cids = [take(8) for _ in range(count)]
        if len(set(cids)) != count:
            raise Refused("a cid twice")
        max_record, window, length = number(4), number(4), number(1)
        if not 2048 <= max_record <= 65536 or window < 1 or length not in (0, 32):
            raise Refused("value")
        prev_sid, extensions = take(length), []
        while data:
            kind = number(2)
            if extensions and kind <= extensions[-1][0]:
                raise Refused("order of extensions")
            extensions.append((kind, take(number(2))))
        return Hello(cids, max_record, window, prev_sid, extensions)
