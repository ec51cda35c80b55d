"""epochs.json and resume.json."""

from dataclasses import replace

from . import epochs, frames, record, resume
from .frames import encode, frame, shown
from .make_handshake import Setting, parties, plain_hello
from .noise import SUITES
from .primitives import KeyPair, Kem, Source
from .session import End
from .vectors import epoch, must, outcome_of


def ends(suite, name, hello=plain_hello):
    """Two ends after a handshake, CONFIRM and its answer, with what a reader of the vectors needs to make them too."""
    setting = Setting(suite, name, hellos=(hello, hello))
    initiator, _, _, _ = setting.run()
    keys = initiator.finish()
    both = [End(suite, who == 0, setting.prologue, setting.statics[who], setting.statics[1 - who].public, keys,
                setting.hellos[who], setting.hellos[1 - who], Source(f"{name} {suite} {who}")) for who in (0, 1)]
    return setting, both, parties(setting)


class Log:
    """Sends from one end to the other and writes down what went."""

    def __init__(self, both, initiator_first=True):
        self.both, self.rows = both, []

    def send(self, who, content, note="", connection=None):
        sender, receiver = self.both[who], self.both[1 - who]
        before, seq = sender.sending.number, sender.seq_out
        data = sender.seal(content)
        self.pass_on(who, connection or sender.current, data, "commit", epoch=before, seq=seq, note=note,
                     frames=[shown(one) for one in content], guard=guard_of(sender, data))
        return data

    def pass_on(self, who, connection, data, expected, **more):
        outcome = self.both[1 - who].receive(connection, data)
        assert outcome == expected, (outcome, expected, more)
        self.rows.append({"from": "ir"[who], "connection": connection, "record": data, "outcome": outcome, **more})


def guard_of(sender, data):
    return record.unmask(sender.family, sender.root.hp[sender.out], data)[0]


def confirmed(suite, name):
    setting, both, about = ends(suite, name)
    log = Log(both)
    log.send(0, [frame("CONFIRM")])
    log.send(1, [frame("ACK", rx_next=1), frame("PING", id=1)])
    log.send(0, [frame("ACK", rx_next=1), frame("PONG", id=1)])
    return setting, both, about, log


def step(log, rehs=False):
    """One change of epoch, with a record of the old epoch on the way in each direction, and all that was computed."""
    initiator, responder = log.both
    before = initiator.sending
    request = initiator.begin_rehs() if rehs else initiator.begin_ratchet()
    kept = initiator.outstanding
    log.send(0, [request], "epoch i, asks")
    log.send(0, [frame("PING", id=2)], "still epoch i")
    log.send(1, [frame("PING", id=3)], "still epoch i")
    answer = responder.reply
    log.send(1, [frame("ACK", rx_next=responder.seq_in), answer], "the responder's last of epoch i")
    log.send(1, [frame("PING", id=4)], "the responder's first of epoch i+1")
    log.send(0, [frame("ACK", rx_next=initiator.seq_in), frame("PING", id=5)], "the initiator's first of epoch i+1")
    log.send(1, [frame("ACK", rx_next=responder.seq_in), frame("PONG", id=5)])
    after = initiator.sending
    assert after == responder.sending == responder.receiving
    assert [e.number for e in initiator.known] == [e.number for e in responder.known] == [after.number]
    out = {"before": epoch(before), "after": epoch(after), "request": encode(request), "answer": encode(answer)}
    if rehs:
        handshake = kept[2]
        k1, k2, h = handshake.finish()
        out |= {"prologue": epochs.prologue_within(initiator.prologue, initiator.root.sid, after.number, before.split), "h": h, "ikm": k1 + k2,
                "steps": handshake.steps}
    else:
        ikm, _ = epochs.finish_ratchet(initiator.suite, before, *kept[1:], answer)
        out |= {"ikm": ikm}
    return out | {"initiator_drawn": initiator.drawn, "responder_drawn": responder.drawn}


def make_epochs():
    suites = []
    for suite in SUITES:
        setting, both, about, log = confirmed(suite, "epochs")
        steps = [step(log), step(log), step(log, rehs=True)]
        suites.append({**about, "steps": steps, "records": log.rows, "must_fail": epoch_failures(suite)})
    return {"suites": suites}


def epoch_failures(suite):
    """Each to an end of a fresh session, as the next record after those in `before`, from both, and the one in `asked`, if any:
    the initiator's RATCHET or REHS. `to`: who gets it. `drawn`: what the initiator drew for what it asked."""
    hybrid = SUITES[suite][2]
    cases, shared = [], {}

    def case(name, requirement, to, content, code, outstanding=None):
        _, both, about, log = confirmed(suite, "epochs that fail")
        shared.update(about, before=log.rows[:])
        if outstanding:
            log.send(0, [both[0].begin_ratchet() if outstanding == "RATCHET" else both[0].begin_rehs()])
        content = content(both) if callable(content) else content
        data = both[1 - to].seal([], plaintext=frames.encode_all(content))
        actual = outcome_of(lambda: both[to].receive("A", data))
        expected = {"close": frames.CODES[code], "name": code}
        cases.append(must(name, requirement, data, expected, actual, to="ir"[to], asked=log.rows[len(shared["before"]):], drawn=both[0].drawn))

    e, ek, ct = KeyPair(Source("e")(32)).public, Kem(Source("ek")(64)).ek if hybrid else b"", bytes(1088) if hybrid else b""
    good = {"epoch": 1, "e": e, "ek": ek}
    for number in (0, 2, 257):
        case(f"RATCHET to epoch {number}", "SE-20", 1, [frame("RATCHET", **{**good, "epoch": number})], "RATCHET")
    case("RATCHET with e = 0", "SE-20", 1, [frame("RATCHET", **{**good, "e": bytes(32)})], "RATCHET")
    wrong = b"" if hybrid else Kem(Source("ek")(64)).ek
    case("RATCHET with the KEM part of the other suites", "SE-20", 1, [frame("RATCHET", **{**good, "ek": wrong})], "RATCHET")
    if hybrid:
        bad = bytes([0x01, (ek[1] & 0xF0) | 0x0D]) + ek[2:]
        case("RATCHET with a number of ek that is 3329", "SE-20", 1, [frame("RATCHET", **{**good, "ek": bad})], "RATCHET")
    case("two RATCHETs in one record", "ST-10", 1, [frame("RATCHET", **good)] * 2, "FRAME_MALFORMED")
    case("RATCHET from the responder", "SE-21", 0, [frame("RATCHET", **good)], "RATCHET")
    case("a second RATCHET", "SE-21", 1, [frame("RATCHET", **good)], "RATCHET", "RATCHET")
    case("RATCHET while a REHS waits", "SE-31", 1, [frame("RATCHET", **good)], "RATCHET", "REHS")
    answer = {"epoch": 1, "e": e, "ct": ct}
    case("RATCHET_ACK that nothing asked for", "SE-20", 0, [frame("RATCHET_ACK", **answer)], "RATCHET")
    case("RATCHET_ACK from the initiator", "SE-20", 1, [frame("RATCHET_ACK", **answer)], "RATCHET")
    for number in (0, 2):
        case(f"RATCHET_ACK for epoch {number}", "SE-20", 0, [frame("RATCHET_ACK", **{**answer, "epoch": number})], "RATCHET", "RATCHET")
    case("RATCHET_ACK with e = 0", "SE-20", 0, [frame("RATCHET_ACK", **{**answer, "e": bytes(32)})], "RATCHET", "RATCHET")
    case("RATCHET_ACK with the KEM part of the other suites", "SE-20", 0,
         [frame("RATCHET_ACK", **{**answer, "ct": b"" if hybrid else bytes(1088)})], "RATCHET", "RATCHET")
    case("REHS 2 for a RATCHET", "SE-30", 0, [frame("REHS", step=2, epoch=1, message=bytes(48))], "REHS", "RATCHET")

    def changed(change):
        def made(both):
            return [change(both[0].begin_rehs())]
        return made

    flipped = lambda one: {**one, "message": one["message"][:-1] + bytes([one["message"][-1] ^ 1])}  # noqa: E731
    case("REHS 1 with a bit of its tag flipped", "SE-30", 1, changed(flipped), "REHS")
    case("REHS 1 for another epoch than its prologue's", "SE-30", 1, changed(lambda one: {**one, "epoch": 2}), "REHS")
    for number in (0, 3):
        case(f"REHS step {number}", "SE-30", 1, changed(lambda one: {**one, "step": number}), "REHS")
    case("REHS 1 from the responder", "SE-30", 0, [frame("REHS", step=1, epoch=1, message=bytes(48))], "REHS")
    case("REHS 2 that nothing asked for", "SE-30", 0, [frame("REHS", step=2, epoch=1, message=bytes(48))], "REHS")

    def answered(both):
        one = both[1].reply
        return [flipped(one)]

    case("REHS 2 with a bit of its tag flipped", "SE-30", 0, answered, "REHS", "REHS")

    def of_another_epoch(both):
        both[0].sending = replace(both[0].sending, split=bytes(32))
        one = both[0].begin_rehs()
        return [one]

    case("REHS 1 by somebody who holds another root", "SE-33", 1, of_another_epoch, "REHS")
    return {**shared, "cases": cases}


def resume_json(end, name, data, byte0, echo=b""):
    connection, epoch_in = end.connections[name], end.receiving
    salt = data[9:25]
    return {"byte_0": byte0, "cid": connection.cid, "salt": salt, "epoch": epoch_in.number, "k_resume": epoch_in.resume[end.out],
            "key": resume.key_of(epoch_in.resume[end.out], byte0, salt), "aad": data[:25], "generation": str(connection.proposal),
            "rx_next": str(end.seq_in), "nonce": connection.nonce, "echo": echo, "message": data}


def make_resume():
    out = []
    for suite in (1, 2):
        _, both, about, log = confirmed(suite, "resume")
        rows = []
        for number in (0, 1):
            if number:
                about["epoch_1_from"] = step(log)
            for name, first in ((f"B{number}", 0), (f"C{number}", 1)):
                one, two = both[first], both[1 - first]
                one.connect(name), two.connect(name)
                asked = one.resume(name)
                rows.append({"from": "ir"[first], "connection": name, "outcome": "answer", **resume_json(one, name, asked, 0x11)})
                assert two.receive(name, asked) == "answer"
                answer = two.reply_resume
                rows.append({"from": "ri"[first], "connection": name, "outcome": "adopt, answer",
                             **resume_json(two, name, answer, 0x12, one.connections[name].nonce)})
                assert one.receive(name, answer) == "adopt, answer"
                last = one.reply_resume
                rows.append({"from": "ir"[first], "connection": name, "outcome": "adopt",
                             **resume_json(one, name, last, 0x12, two.connections[name].nonce)})
                assert two.receive(name, last) in ("adopt", "adopt, answer")
        out.append({**about, "messages": rows})
    return {"suites": out, "proposals": [{"highest": n, "initiator": resume.proposal(n, True), "responder": resume.proposal(n, False)}
                                         for n in range(6)], "must_fail": resume_failures()}


def resume_failures():
    """Each on a connection B to an end of a fresh session (suite 1), after the records `before` on A. Nothing may change."""
    cases, shared = [], {}

    def case(name, requirement, make, expected="drop", to=1):
        _, both, about, log = confirmed(1, "resume that fails")
        for end in both:
            end.connect("B")
        data = make(both)
        before = both[to].current, both[to].adopted, both[to].una, both[to].seq_in
        cases.append(must(name, requirement, data, expected, both[to].receive("B", data), to="ir"[to]))
        shared.update(about, before=log.rows)
        assert before == (both[to].current, both[to].adopted, both[to].una, both[to].seq_in)

    def message(end, byte0=0x11, generation=1, rx_next=None, echo=b"", k=None):
        k_resume = k or end.receiving.resume[end.out]
        return resume.seal(end.family, k_resume, byte0, end.connections["B"].cid, end.source(16), generation,
                           end.seq_in if rx_next is None else rx_next, end.source(16), echo)

    good = lambda both: both[0].resume("B")  # noqa: E731
    places = {"byte 0": 0, "the salt": 9, "the ciphertext": 25, "the tag": -1}
    for name, at in places.items():
        def flipped(both, at=at):
            data = bytearray(good(both))
            data[at] ^= 3 if at == 0 else 1
            return bytes(data)
        case(f"a bit of {name}", "SE-56", flipped)
    case("another of the receiver's cids", "SE-56", lambda both: record.with_cid(good(both), both[1].cids[3]))
    case("a cid never issued", "SE-05", lambda both: record.with_cid(good(both), bytes(8)))
    for change, name in ((lambda d: d[:-1], "72 bytes"), (lambda d: d + b"\0", "74 bytes"), (lambda d: d[:1], "1 byte"),
                         (lambda d: b"\x12" + d[1:], "RESUME as RESUME_RSP")):
        case(name, "SE-56", lambda both, change=change: change(good(both)))
    case("RESUME_RSP as RESUME", "SE-56", lambda both: b"\x11" + message(both[0], 0x12, echo=bytes(16))[1:])
    case("reflected", "SE-54", lambda both: both[1].resume("B"))
    case("rx_next beyond what was sealed", "SE-55", lambda both: message(both[0], rx_next=both[1].seq_out + 1))
    case("rx_next 2^64 - 1", "SE-55", lambda both: message(both[0], rx_next=2**64 - 1))
    case("the key of the other direction", "SE-54", lambda both: message(both[0], k=both[0].receiving.resume[both[0].into]))

    def wrong_echo(both):
        both[1].resume("B")
        return message(both[0], 0x12, 1, echo=bytes(16))

    case("RESUME_RSP with another echo: answered, not adopted", "SE-54", wrong_echo, "answer")
    return {**shared, "cases": cases}

