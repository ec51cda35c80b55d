"""records.json, frames.json and padding.json."""

from . import frames, padding, record, schedule
from .frames import Violation, encode, frame, shown
from .noise import SUITES
from .primitives import Refused, Source
from .vectors import flips, must, outcome_of, sealed

# Where a direction begins: epoch and seq. The chain of an epoch begins with its first record.
STARTS = ((0, 0), (1, 1), (7, 2**48 - 1), (255, 2**48), (256, 2**63 + 5), (0xFFFFFFFE, 2**64 - 4))


def examples(source):
    """One frame of each type and some with other contents."""
    return [
        frame("PAD", count=1), frame("PAD", count=30), frame("ACK", rx_next=0), frame("ACK", rx_next=2**64 - 1),
        frame("PING", id=7), frame("PONG", id=2**63), frame("CONFIRM"), frame("CLOSE", code=0, final_seq=0),
        frame("CLOSE", code=0x100, final_seq=2**48), frame("RATCHET", epoch=1, e=source(32), ek=b""),
        frame("RATCHET", epoch=2**32 - 1, e=source(32), ek=source(1184)), frame("RATCHET_ACK", epoch=1, e=source(32), ct=b""),
        frame("RATCHET_ACK", epoch=256, e=source(32), ct=source(1088)), frame("RATCHET_REQ"),
        frame("REHS", step=1, epoch=1, message=source(48)), frame("REHS", step=2, epoch=2, message=source(1152)),
        frame("NEW_CID", cid=source(8)), frame("STREAM_OPEN", stream=1, context=source(32)),
        frame("STREAM_DATA", stream=1, data=b"x"), frame("STREAM_DATA", stream=2**32 - 1, data=source(300)),
        frame("STREAM_FIN", stream=2), frame("STREAM_RESET", stream=3, code=0x101), frame("WINDOW", stream=4, limit=2**40),
    ]


def unreadable(source):
    """(name, requirement, plaintext, code's name)."""
    yield "no frame", "ST-03", b"", "FRAME_MALFORMED"
    for one in examples(source):
        data = encode(one)
        places = range(1, len(data)) if len(data) < 80 else (1, 4, 5, 36, 37, 38, 39, len(data) - 1)
        for length in () if one["type"] == "PAD" else places:
            yield f"{one['type']} of {len(data)} bytes cut to {length}", "ST-03", data[:length], "FRAME_MALFORMED"
    for byte in (0x0B, 0x0F, 0x15, 0x40, 0x80, 0xFF):
        yield f"type {byte:#04x}", "ST-02", bytes([byte]), "FRAME_UNKNOWN"
        yield f"type {byte:#04x} after a good frame", "ST-02", encode(frame("PING", id=1)) + bytes([byte]) + bytes(9), "FRAME_UNKNOWN"
    yield "empty data", "ST-01", bytes([0x11]) + bytes(4) + b"\0\0", "FRAME_MALFORMED"
    yield "a frame after CLOSE", "ST-01", encode(frame("CLOSE", code=0, final_seq=0)) + encode(frame("CONFIRM")), "FRAME_MALFORMED"
    yield ("a frame after CLOSE and PAD", "ST-01",
           encode(frame("CLOSE", code=0, final_seq=0)) + b"\0\0" + encode(frame("PING", id=1)), "FRAME_MALFORMED")


def make_frames():
    source = Source("frames")
    good = []
    for one in examples(source):
        assert frames.decode(encode(one)) == [one]
        good.append({"frame": shown(one), "bytes": encode(one)})
    together = [frame("ACK", rx_next=5), frame("STREAM_DATA", stream=1, data=b"ab"), frame("CLOSE", code=0, final_seq=9), frame("PAD", count=3)]
    assert frames.decode(frames.encode_all(together)) == together
    bad = []
    for name, requirement, plaintext, code in unreadable(source):
        actual = outcome_of(lambda: frames.decode(plaintext) and "accept")
        bad.append(must(name, requirement, plaintext, {"close": frames.CODES[code], "name": code}, actual))
    return {"codes": frames.CODES, "frames": good, "must_fail": bad,
            "several": {"frames": [shown(one) for one in together], "bytes": frames.encode_all(together)}}


def make_padding():
    lengths = sorted({n for size in (*padding.SMALL, *(2**k for k in range(11, 17))) for n in (size - 1, size, size + 1)}
                     | set(range(1, 70000, 1237)) | {1, 2, 1055, 1056, 1057, 1536, 16384 - 37, 16384, 65536 - 37, 70000})
    rows = []
    for n in lengths:
        rows.append({"length": n, "buckets": padding.bucket(n), "off": n})
        if n <= 1536:
            rows[-1]["constant_1536"] = padding.size("constant", n, 65499, 1536)
    capped = [{"length": n, "max_record": most, "buckets": padding.size("buckets", n, most - record.OVERHEAD)}
              for most in (2048, 16384, 65536)
              for n in (1, 900, most - record.OVERHEAD - 1, most - record.OVERHEAD)]
    return {"sizes": rows, "capped": capped}


class Receiver:
    """What opens a record: one direction at one place."""

    def __init__(self, family, hp, epoch, ck, seq, cids, current=True, pending=None):
        self.family, self.hp, self.epoch, self.ck, self.seq = family, hp, epoch, ck, seq
        self.cids, self.current, self.pending = cids, current, pending

    def open(self, data):
        if not data or data[0] != record.DATA:
            return "drop"
        if data[1:9] not in self.cids:
            raise Refused("cid")
        guard, low_epoch, flags, low_seq, header = record.unmask(self.family, self.hp, data)
        seq, ahead = record.nearest(self.seq, low_seq), low_epoch == self.epoch + 1 & 0xFF
        if seq < self.seq:
            return "drop"
        if low_epoch != self.epoch & 0xFF and not ahead:
            raise Refused("other epoch")
        if seq > self.seq:
            return "gap" if self.current else "drop"
        if ahead:
            raise Refused("the next epoch, which is not pending here")
        mk, _ = schedule.chain_step(self.ck)
        plaintext = record.open_with(self.family, mk, data, header, seq)
        if flags:
            raise Violation("FLAGS")
        return plaintext


def family_records(suite):
    family = SUITES[suite][1]
    source = Source(f"records {family}")
    hp, rows, starts = source(32), [], []
    contents = [[one] for one in examples(source)]
    contents += [[frame("CONFIRM"), frame("PING", id=1), frame("PAD", count=16)], [frame("STREAM_DATA", stream=1, data=source(1200))]]
    for index, (epoch, seq) in enumerate(STARTS):
        # Every frame once from the first start on, three records from each other one.
        ck, cid, rows = source(32), source(8), []
        here = contents if index == 0 else contents[index * 3 : index * 3 + 3]
        for n, content in enumerate(here):
            mk, after = schedule.chain_step(ck)
            plaintext = frames.encode_all(content)
            made = record.seal(family, hp, mk, cid, source(4), epoch, seq + n, plaintext)
            receiver = Receiver(family, hp, epoch, ck, seq + n, [cid])
            assert receiver.open(made.bytes) == plaintext
            rows.append({"n": n, "ck": ck, "mk": mk, "ck_next": after, "seq": str(seq + n), "frames": [shown(one) for one in content],
                         "plaintext": plaintext, "derived_guard": record.derived_guard(ck, epoch, seq + n, plaintext), **sealed(made)})
            ck = after
        other = source(8)
        moved = record.with_cid(bytes(made.bytes), other)
        assert Receiver(family, hp, epoch, receiver.ck, receiver.seq, [other]).open(moved) == plaintext
        starts.append({"epoch": epoch, "cid": cid, "seq": str(seq), "records": rows,
                       "last_again": {"cid": other, "record": moved}, "framed": record.framed(moved)})
    return {"suites": [s for s in SUITES if SUITES[s][1] == family], "hp": hp, "starts": starts,
            "must_fail": refused(family, hp, source)}


def refused(family, hp, source):
    """Against one receiver of epoch 1 that expects seq 5."""
    ck, cid, foreign, epoch, seq = source(32), source(8), source(8), 1, 5
    mk, after = schedule.chain_step(ck)
    plaintext = encode(frame("PING", id=1))

    def sealed_as(mk=mk, epoch=epoch, seq=seq, plaintext=plaintext, **more):
        return record.seal(family, hp, mk, cid, source(4), epoch, seq, plaintext, **more).bytes

    good = sealed_as()
    cases = []

    def add(name, requirement, data, expected, current=True):
        receiver = Receiver(family, hp, epoch, ck, seq, [cid], current)
        cases.append(must(name, requirement, data, expected, outcome_of(lambda: receiver.open(data)), current=current))

    places = {"the guard's first byte": 9, "the guard's last byte": 12, "the epoch": 13, "the flags": 14, "the ciphertext": 21}
    for name, data in flips(good, places):
        add(f"a bit of {name}", "SE-06", data, "reject")
    # This bit makes 5 a 4, and seq is seen before the tag; a bit of the tag changes the whole mask, so anything may be seen.
    add("a bit of seq", "SE-07", next(flips(good, {"": 20}))[1], "drop")
    for length in (1, 9, 21, 36):
        add(f"cut to {length} bytes", "SE-04", good[:length], "reject")
    for byte in (0x00, 0x14, 0x1F, 0x20, 0xFF):
        add(f"byte 0 is {byte:#04x}", "SE-14", bytes([byte]) + good[1:], "drop")
    add("a cid never issued", "SE-05", record.with_cid(good, foreign), "reject")
    add("another key", "SE-06", sealed_as(mk=after), "reject")
    add("the epoch before", "SE-23", sealed_as(epoch=0), "reject")
    add("the epoch after", "SE-23", sealed_as(epoch=2), "reject")
    add("257 epochs on: the same low byte, another chain", "SE-04", sealed_as(mk=source(32), epoch=257), "reject")
    for below in (4, 0):
        add(f"seq {below}", "SE-07", sealed_as(seq=below), "drop")
    add("seq 4 of the epoch before", "SE-07", sealed_as(seq=4, epoch=0), "drop")
    add("seq 6 of the epoch before", "SE-07", sealed_as(seq=6, epoch=0), "reject")
    add("seq 6 of the epoch after", "SE-07", sealed_as(seq=6, epoch=2), "gap")
    for above in (6, 7, 2**40):
        add(f"seq {above}, on the current connection", "SE-07", sealed_as(seq=above), "gap")
        add(f"seq {above}, on another connection", "SE-07", sealed_as(seq=above), "drop", current=False)
    add("seq 2^48 + 5: the same low bits", "SE-04", sealed_as(seq=2**48 + 5), "reject")
    for flag in (0x01, 0x80):
        add(f"flag {flag:#04x}", "SE-14", sealed_as(flags=flag), {"close": frames.CODES["FLAGS"], "name": "FLAGS"})
    return {"hp": hp, "ck": ck, "cid": cid, "epoch": epoch, "seq": str(seq), "good": good, "good_plaintext": plaintext, "cases": cases}


def make():
    return {"families": {SUITES[suite][1]: family_records(suite) for suite in (1, 2)}}
