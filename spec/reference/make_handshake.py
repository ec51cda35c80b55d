"""handshake-<suite>.json."""

import copy

from . import schedule
from .hello import FIELDS, Hello, prologue
from .noise import SUITES, Handshake
from .primitives import KeyPair, Kem, Source
from .vectors import epoch, flips, must, outcome_of, pair, root

EXPORTS = ((b"didagent-relay-token/1", b"", 32), (b"a label", b"a context", 16), (b"a label", b"a context", 80))
LONGEST = (b"", b"", 8160)

# One point of each order that divides 8, and encodings of them that are not the smallest; all give zero.
LOW_ORDER = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)


def plain_hello(source, prev_sid=b""):
    return Hello([source(8) for _ in range(4)], prev_sid=prev_sid)


class Setting:
    """What both ends of one handshake bring along."""

    def __init__(self, suite, name, offered=None, pthid=b"invitation-1", invitation=None, context=b"room-7",
                 hellos=(plain_hello, plain_hello)):
        source = Source(f"handshake {suite} {name}")
        self.suite, self.name, self.source = suite, name, source
        self.hybrid = SUITES[suite][2]
        self.statics = KeyPair(source(32)), KeyPair(source(32))
        self.ephemerals = source(32), source(32)
        self.seed, self.randomness = (source(64), source(32)) if self.hybrid else (None, None)
        self.fields = dict(zip(FIELDS, (
            b"did:peer:2.initiator", b"did:peer:2.responder", b"did:peer:2.initiator#key-2", b"did:peer:2.responder#key-2",
            f"thread-{suite}".encode(), pthid, source(32) if invitation is None else invitation,
            bytes(offered or [suite]), context)))
        self.prologue = prologue(self.fields)
        self.hellos = hellos[0](source), hellos[1](source)

    def end(self, initiator, prologue=None, forge=False):
        who = 0 if initiator else 1
        return Handshake(self.suite, initiator, prologue or self.prologue, self.statics[who], self.statics[1 - who].public,
                         self.ephemerals[who], self.seed if initiator else self.randomness, forge)

    def run(self):
        """Both ends after both messages, and the messages."""
        initiator, responder = self.end(True), self.end(False)
        one = initiator.write(self.hellos[0].encode())
        assert Hello.decode(responder.read(one)) == self.hellos[0]
        two = responder.write(self.hellos[1].encode())
        assert Hello.decode(initiator.read(two)) == self.hellos[1]
        assert initiator.finish() == responder.finish()
        return initiator, responder, one, two


def settings(suite):
    def with_extensions(source):
        return Hello([source(8)], 16384, 4096, extensions=[(1, b""), (2, source(5)), (0xFFFF, source(40))])

    def with_all(source):
        return Hello([source(8) for _ in range(8)], 2048, 1, source(32), [(7, b"x")])

    def again(source):
        return plain_hello(source, source(32))

    return [
        Setting(suite, "four cids"),
        Setting(suite, "several suites offered, extensions from the responder", [suite, *(s for s in SUITES if s != suite)],
                hellos=(plain_hello, with_extensions)),
        Setting(suite, "empty pthid, invitation and context, everything in the initiator's hello", pthid=b"", invitation=b"", context=b"",
                hellos=(with_all, plain_hello)),
        Setting(suite, "prev_sid from both", hellos=(again, again)),
    ]


def hello_json(hello):
    return {"cids": hello.cids, "max_record": hello.max_record, "stream_window": hello.stream_window,
            "prev_sid": hello.prev_sid, "extensions": [{"type": t, "value": v} for t, v in hello.extensions],
            "encoded": hello.encode()}


def parties(setting):
    """What both ends bring along, both messages, and what both have then: enough to make the ends again."""
    initiator, responder, one, two = setting.run()
    k1, k2, h = initiator.finish()
    both, first = schedule.first(k1, k2, h)
    out = {
        "suite": setting.suite, "protocol": SUITES[setting.suite][0],
        "name": setting.name, "prologue": setting.prologue, "fields": setting.fields,
        "initiator": {"static": pair(setting.statics[0]), "ephemeral": pair(initiator.e), "hello": hello_json(setting.hellos[0])},
        "responder": {"static": pair(setting.statics[1]), "ephemeral": pair(responder.e), "hello": hello_json(setting.hellos[1])},
        "message_1": one, "message_2": two, "h": h, "k1": k1, "k2": k2, "root": root(both), "epoch_0": epoch(first),
    }
    if setting.hybrid:
        kem = Kem(setting.seed)
        out["kem"] = {"seed": setting.seed, "encapsulation_key": kem.ek, "randomness": setting.randomness}
    return out


def case(setting, longest=False):
    initiator, responder, _, _ = setting.run()
    exporter = schedule.first(*initiator.finish())[0].exporter
    # The writer's trace has what was computed; the reader's must have the same h, ck and k at each step.
    steps = [step for step in initiator.steps if step["step"][0] != "2"] + [s for s in responder.steps if s["step"][0] == "2"]
    for mine, theirs in zip(initiator.steps, responder.steps):
        assert {x: mine[x] for x in ("step", "h", "ck", "k", "n")} == {x: theirs[x] for x in ("step", "h", "ck", "k", "n")}
    exports = [{"label": name, "context": context, "length": length, "value": schedule.export(exporter, name, context, length)}
               for name, context, length in (*EXPORTS, LONGEST)[: 4 if longest else 3]]
    return {**parties(setting), "steps": steps, "exports": exports}


def refused(setting):
    """Messages that must be refused, by a reader that is as in the first case."""
    initiator, responder, one, two = setting.run()
    waiting = setting.end(True)
    waiting.write(setting.hellos[0].encode())

    def read(message, to_initiator=False, prologue=None):
        reader = copy.deepcopy(waiting) if to_initiator else setting.end(False, prologue)
        return outcome_of(lambda: Hello.decode(reader.read(message)) and "accept")

    def at(number, name, requirement, message):
        cases.append(must(f"message {number}: {name}", requirement, message, "reject", read(message, number == 2), message=number))

    cases = []
    last = {"first byte of the payload": 32, "tag": -1}
    hybrid = {"first byte of e1": 32, "tag of e1": 32 + 1199, "first byte of the payload": 32 + 1200, "tag": -1}
    for name, message in flips(one, {"e": 0, **(hybrid if setting.hybrid else last)}):
        at(1, f"a bit of {name}", "HS-02", message)
    answer = {"first byte of ekem1": 32, "tag of ekem1": 32 + 1103, "first byte of the payload": 32 + 1104, "tag": -1}
    for name, message in flips(two, {"e": 0, **(answer if setting.hybrid else last)}):
        at(2, f"a bit of {name}", "HS-02", message)
    for number, message in ((1, one), (2, two)):
        at(number, "empty", "HS-02", b"")
        at(number, "only e", "HS-02", message[:32])
        at(number, "last byte missing", "HS-02", message[:-1])
        at(number, "one byte more", "HS-02", message + b"\0")
        at(number, "the other message", "HS-02", two if number == 1 else one)
    at(1, "4097 bytes", "HS-02", one + bytes(4097 - len(one)))
    for point in map(bytes.fromhex, LOW_ORDER[: 2 if setting.hybrid else None]):
        at(1, f"e has low order: {point.hex()[:4]}..{point.hex()[-2:]}", "HS-09",
           setting.end(True, forge=True).write(setting.hellos[0].encode(), e_public=point))
        writer = setting.end(False, forge=True)
        writer.read(one)
        at(2, f"e has low order: {point.hex()[:4]}..{point.hex()[-2:]}", "HS-09", writer.write(setting.hellos[1].encode(), e_public=point))
    for name, change in (("version 2", lambda p: b"\2" + p[1:]), ("empty", lambda p: b""), ("no cids", lambda p: b"\1\0" + p[10:])):
        at(1, f"hello: {name}", "HS-07", setting.end(True).write(change(setting.hellos[0].encode())))
    if setting.hybrid:
        ek = Kem(setting.seed).ek
        for name, bad in (("the first number is 3329", bytes([0x01, (ek[1] & 0xF0) | 0x0D]) + ek[2:]),
                          ("the last number is 4095", ek[:1150] + bytes([ek[1150] | 0xF0, 0xFF]) + ek[1152:])):
            at(1, f"encapsulation key: {name}", "HS-14", setting.end(True).write(setting.hellos[0].encode(), ek=bad))
        writer = setting.end(False)
        writer.read(one)
        writer.re1 = Kem(Source("another key")(64)).ek
        at(2, "encapsulated to another key", "HS-14", writer.write(setting.hellos[1].encode()))
    return cases


def other_prologues(setting):
    """Each field with one byte more: message 1 of the first case must be refused by a responder with this prologue."""
    *_, one, _ = setting.run()
    cases = []
    for name in FIELDS:
        fields = {**setting.fields, name: setting.fields[name] + b"\1"}
        other = prologue(fields)
        actual = outcome_of(lambda: setting.end(False, other).read(one))
        cases.append(must(f"{name} differs", "HS-01", one, "reject", actual, prologue=other))
    marked = setting.prologue + b"didagent-session/1 null-cipher"
    actual = outcome_of(lambda: setting.end(False, marked).read(one))
    cases.append(must("a build without encryption", "HS-12", one, "reject", actual, prologue=marked))
    return cases


def own_keys(setting):
    """Static keys of a peer that an end must refuse, being its own."""
    cases = []
    for name, key in (("the same bytes", setting.statics[0].public),
                      ("with the top bit set", setting.statics[0].public[:31] + bytes([setting.statics[0].public[31] | 0x80]))):
        actual = outcome_of(lambda: Handshake(setting.suite, True, setting.prologue, setting.statics[0], key, setting.ephemerals[0], setting.seed))
        cases.append(must(name, "HS-08", key, "reject", actual))
    return cases


def hellos():
    """Encodings of a hello that must be refused (HS-07)."""
    source = Source("hellos")
    a, b = source(8), source(8)
    good = Hello([a, b], 16384, 65536, source(32), [(1, b"x"), (3, b"")])
    data = good.encode()
    cases = []

    def bad(name, data):
        cases.append(must(name, "HS-07", data, "reject", outcome_of(lambda: Hello.decode(data) and "accept")))

    for length in range(len(data)):
        # After prev_sid and after the first extension a shorter hello ends well.
        if length not in (59, 64):
            bad(f"cut to {length} bytes", data[:length])
    bad("one byte more", data + b"\0")
    bad("version 0", b"\0" + data[1:])
    bad("nine cids", Hello([source(8) for _ in range(9)]).encode())
    bad("no cids", Hello([]).encode())
    bad("a cid twice", Hello([a, b, a]).encode())
    for size in (0, 1024, 2047, 65537, 2**32 - 1):
        bad(f"max_record {size}", Hello([a], size).encode())
    bad("stream_window 0", Hello([a], 2048, 0).encode())
    for length in (1, 31, 33):
        bad(f"prev_sid of {length} bytes", Hello([a], 2048, 1, bytes(length)).encode())
    bad("extensions in descending order", Hello([a], extensions=[(2, b""), (1, b"")]).encode())
    bad("an extension twice", Hello([a], extensions=[(2, b""), (2, b"")]).encode())
    bad("an extension longer than what is left", Hello([a], extensions=[(2, b"abc")]).encode()[:-1])
    return {"good": hello_json(good), "must_fail": cases}


def make(suite):
    made = settings(suite)
    out = {"suite": suite, "protocol": SUITES[suite][0], "cases": [case(setting, setting.suite == 1 and setting is made[0]) for setting in made],
           "must_fail": {"messages": refused(made[0]), "prologues": other_prologues(made[0]), "static_keys": own_keys(made[0])}}
    if suite == 1:
        out["hello"] = hellos()
    return out

