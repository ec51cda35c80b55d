"""session.json: whole conversations, and records that close a session."""

from . import frames
from .frames import encode_all, frame
from .hello import Hello
from .make_epochs import Log, ends
from .noise import SUITES
from .primitives import Source
from .vectors import must, outcome_of


def small(source):
    return Hello([source(8) for _ in range(4)], 16384, 64)


def conversation(suite):
    """From message 1 to CLOSE, with a stream each way, a change of epoch, a lost connection and a resumption."""
    setting, both, about = ends(suite, "conversation", hello=small)
    source, log = Source(f"conversation {suite}"), Log(both)
    initiator, responder = both

    def ack(end):
        return frame("ACK", rx_next=end.seq_in)

    def data(stream, content):
        return frame("STREAM_DATA", stream=stream, data=content)

    log.send(0, [frame("CONFIRM"), frame("STREAM_OPEN", stream=1, context=source(32)), data(1, b"hello")])
    log.send(1, [ack(responder), data(1, b"welcome"), frame("NEW_CID", cid=source(8))])
    log.send(0, [ack(initiator), data(1, bytes(59))], "all that the window of 64 allows")
    log.send(1, [ack(responder), frame("WINDOW", stream=1, limit=128)])
    log.send(0, [data(1, bytes(range(64))), frame("STREAM_FIN", stream=1)])
    log.send(1, [frame("STREAM_OPEN", stream=2, context=source(32)), data(2, b"from the responder")])
    log.send(1, [ack(responder), frame("STREAM_FIN", stream=1), frame("PING", id=1)], "stream 1 is over")
    log.send(0, [ack(initiator), frame("PONG", id=1), frame("WINDOW", stream=1, limit=999)], "late: ignored (ST-07)")
    log.send(0, [frame("STREAM_RESET", stream=2, code=0x101)])
    log.send(1, [frame("RATCHET_REQ")])
    log.send(0, [ack(initiator), initiator.begin_ratchet()])
    log.send(0, [frame("STREAM_OPEN", stream=3, context=source(32)), data(3, b"still epoch 0")])
    log.send(1, [ack(responder), responder.reply])
    log.send(1, [data(3, b"epoch 1 from the responder")])
    # Both ends had more to say when the connection broke: of what follows nothing arrives.
    for who, content in ((0, [ack(initiator), data(3, b"epoch 1, lost")]), (0, [data(3, b"and more"), frame("PAD", count=9)]),
                         (1, [data(3, b"lost too"), frame("PING", id=2)])):
        row = {"from": "ir"[who], "connection": "A", "outcome": "lost", "epoch": 1, "seq": both[who].seq_out,
               "frames": [frames.shown(one) for one in content]}
        log.rows.append({**row, "record": both[who].seal(content)})

    def resuming(who, name, data, expected):
        outcome = both[1 - who].receive(name, data)
        assert outcome == expected, (outcome, expected)
        log.rows.append({"from": "ir"[who], "connection": name, "resume": data, "outcome": outcome, "salt": data[9:25],
                         "nonce": both[who].connections[name].nonce})

    for end in both:
        end.connect("B")
    resuming(0, "B", initiator.resume("B"), "answer")
    resuming(1, "B", responder.reply_resume, "adopt, answer")
    resuming(0, "B", initiator.reply_resume, "adopt")
    old = initiator.again()
    log.pass_on(0, "B", old[0], "commit", note="the same record with another cid")
    log.pass_on(0, "B", old[0], "drop", note="once more: a duplicate")
    log.pass_on(0, "B", old[1], "commit")
    for record in responder.again():
        log.pass_on(1, "B", record, "commit")
    log.send(1, [ack(responder), data(3, b"on the new connection")])
    log.send(0, [ack(initiator), frame("STREAM_FIN", stream=3), frame("PONG", id=2)])
    log.send(1, [ack(responder), frame("STREAM_FIN", stream=3)])
    log.send(0, [ack(initiator), initiator.close_frame(0)])
    assert responder.closed and initiator.seq_in == responder.seq_out and responder.seq_in == initiator.seq_out
    return {**about, "steps": log.rows, "initiator_drawn": initiator.drawn, "responder_drawn": responder.drawn, "delivered": [[frames.shown(one) for one in end.delivered] for end in both]}


def closing():
    """Each a record to an end of the same session. `before` are records that went before it, from both."""
    cases = []

    def case(name, requirement, to, content, expected, confirm=True, flags=0, before=()):
        _, both, about = ends(1, "records that close", hello=small)
        log = Log(both)
        if confirm:
            log.send(0, [frame("CONFIRM"), frame("STREAM_OPEN", stream=1, context=bytes(32)), frame("STREAM_DATA", stream=1, data=bytes(10))])
            log.send(1, [frame("ACK", rx_next=1), frame("STREAM_DATA", stream=1, data=bytes(10))])
        for who, those in before:
            log.send(who, those)
        content = content(both) if callable(content) else content
        data = both[1 - to].seal([], plaintext=encode_all(content) if isinstance(content, list) else content, flags=flags)
        actual = outcome_of(lambda: both[to].receive("A", data))
        if expected != "commit":
            expected = {"close": frames.CODES[expected], "name": expected}
        cases.append(must(name, requirement, data, expected, actual, to="ir"[to], before=log.rows))
        return about

    ping, fin, reset = frame("PING", id=1), frame("STREAM_FIN", stream=1), frame("STREAM_RESET", stream=1, code=0x100)

    def bytes_on(stream, count=1):
        return frame("STREAM_DATA", stream=stream, data=bytes(count))

    def opening(stream):
        return frame("STREAM_OPEN", stream=stream, context=bytes(32))

    case("the first record has no CONFIRM", "HS-10", 1, [ping], "CONFIRM", confirm=False)
    case("CONFIRM is second in the first record", "HS-10", 1, [ping, frame("CONFIRM")], "CONFIRM", confirm=False)
    case("CONFIRM twice in the first record", "HS-10", 1, [frame("CONFIRM")] * 2, "CONFIRM", confirm=False)
    case("CONFIRM in a later record", "HS-10", 1, [frame("CONFIRM")], "CONFIRM")
    case("CONFIRM from the responder", "HS-10", 0, [frame("CONFIRM")], "CONFIRM")
    case("a flag", "SE-14", 1, [ping], "FLAGS", flags=1)
    case("no frame", "ST-03", 1, b"", "FRAME_MALFORMED")
    case("an unknown frame after data that is then not delivered", "ST-02", 1, encode_all([bytes_on(1)]) + b"\x7f", "FRAME_UNKNOWN")
    for to in (0, 1):
        case("ACK of one more than was sealed", "SE-09", to, lambda both: [frame("ACK", rx_next=both[to].seq_out + 1)], "ACK_BEYOND")
    case("ACK of 2^64 - 1", "SE-09", 1, [frame("ACK", rx_next=2**64 - 1)], "ACK_BEYOND")
    case("CLOSE with the seq before its own", "SE-11", 1, [frame("CLOSE", code=0, final_seq=0)], "FINAL_SEQ")
    case("CLOSE with the seq after its own", "SE-11", 1, [frame("CLOSE", code=0, final_seq=2)], "FINAL_SEQ")
    case("NEW_CID with a cid of the hello", "SE-50", 1, lambda both: [frame("NEW_CID", cid=both[0].cids[1])], "CID")
    case("NEW_CID with the cid that is in use", "SE-50", 1, lambda both: [frame("NEW_CID", cid=both[1].connections["A"].cid)], "CID")
    case("NEW_CID twice the same", "SE-50", 1, [frame("NEW_CID", cid=bytes(8))] * 2, "CID")
    source = Source("cids")
    case("eighteen cids", "SE-50", 1, [frame("NEW_CID", cid=source(8)) for _ in range(14)], "CID")
    case("RATCHET_REQ from the initiator", "SE-21", 1, [frame("RATCHET_REQ")], "RATCHET")
    case("data beyond the window", "ST-06", 1, [bytes_on(1, 55)], "STREAM_CREDIT")
    case("data beyond the window in two frames", "ST-06", 1, [bytes_on(1, 54), bytes_on(1)], "STREAM_CREDIT")
    case("a 257th stream", "ST-05", 1, [opening(n) for n in range(3, 515, 2)], "STREAM_LIMIT")
    case("data after FIN", "ST-08", 1, [fin, bytes_on(1)], "STREAM_FINISHED")
    case("FIN after FIN", "ST-08", 1, [fin], "STREAM_FINISHED", before=[(0, [fin])])
    for one in (bytes_on(3), frame("STREAM_FIN", stream=3), frame("STREAM_RESET", stream=3, code=0), frame("WINDOW", stream=3, limit=1),
                bytes_on(2), bytes_on(0)):
        case(f"{one['type']} on stream {one['stream']}, never opened", "ST-07", 1, [one], "STREAM_UNKNOWN")
    for stream in (0, 1, 2, 5):
        case(f"STREAM_OPEN of {stream}", "ST-05", 1, [opening(stream)], "STREAM_ID")
    case("STREAM_OPEN of 4 by the responder", "ST-05", 0, [opening(4)], "STREAM_ID")
    # These close nothing.
    over = [(0, [fin]), (1, [fin])]
    case("frames for a stream that is over", "ST-07", 1, [bytes_on(1), fin, reset, frame("WINDOW", stream=1, limit=1)], "commit", before=over)
    case("frames for a stream that was reset", "ST-07", 1, [bytes_on(1, 100), fin], "commit", before=[(1, [reset])])
    case("a PONG that nobody waits for", "ST-09", 1, [frame("PONG", id=9)], "commit")
    case("a lower limit", "ST-06", 1, [frame("WINDOW", stream=1, limit=1)], "commit")
    case("an ACK below the highest", "SE-09", 1, [frame("ACK", rx_next=0)], "commit", before=[(0, [frame("ACK", rx_next=1)])])
    about = case("all that the window allows", "ST-06", 1, [bytes_on(1, 54)], "commit")
    return {**about, "cases": cases}


def make():
    return {"conversations": [conversation(suite) for suite in SUITES], "must_fail": closing()}
