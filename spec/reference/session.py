"""One end of a session: what it does with what it receives. Sending is the caller's choice; every rule of receiving is here."""

from . import epochs, frames, record, resume, schedule
from .frames import Violation, frame
from .noise import SUITES
from .primitives import Refused

ASKS_NOT = ("ACK", "PAD", "PONG")
AGREES = ("RATCHET", "RATCHET_ACK", "REHS")


class Streams:
    """streams.md, sections 2 and 3, as a receiver sees them."""

    def __init__(self, initiator, window, peer_window):
        self.next_mine, self.next_theirs = (1, 2) if initiator else (2, 1)
        self.window, self.peer_window = window, peer_window
        self.open = {}

    def opened(self, stream, mine):
        self.open[stream] = {"mine": mine, "in": 0, "limit": self.window, "granted": self.peer_window, "fin_in": False, "fin_out": False}

    def find(self, stream):
        """None for one that is over."""
        if stream in self.open:
            return self.open[stream]
        limit = self.next_mine if stream % 2 == self.next_mine % 2 else self.next_theirs
        if stream == 0 or stream >= limit:
            raise Violation("STREAM_UNKNOWN")
        return None

    def over_if_finished(self, stream):
        if self.open[stream]["fin_in"] and self.open[stream]["fin_out"]:
            del self.open[stream]

    def receive(self, one):
        """Gives what the application gets, if anything."""
        kind, stream = one["type"], one["stream"]
        if kind == "STREAM_OPEN":
            if stream != self.next_theirs:
                raise Violation("STREAM_ID")
            if sum(not state["mine"] for state in self.open.values()) == 256:
                raise Violation("STREAM_LIMIT")
            self.next_theirs += 2
            self.opened(stream, mine=False)
            return one
        state = self.find(stream)
        if state is None:
            return None
        if kind in ("STREAM_DATA", "STREAM_FIN") and state["fin_in"]:
            raise Violation("STREAM_FINISHED")
        if kind == "STREAM_DATA":
            state["in"] += len(one["data"])
            if state["in"] > state["limit"]:
                raise Violation("STREAM_CREDIT")
        elif kind == "STREAM_FIN":
            state["fin_in"] = True
            self.over_if_finished(stream)
        elif kind == "STREAM_RESET":
            del self.open[stream]
        else:
            state["granted"] = max(state["granted"], one["limit"])
            return None
        return one

    def sent(self, one):
        kind, stream = one["type"], one["stream"]
        if kind == "STREAM_OPEN":
            self.next_mine = stream + 2
            self.opened(stream, mine=True)
        elif stream not in self.open:
            return
        elif kind == "STREAM_FIN":
            self.open[stream]["fin_out"] = True
            self.over_if_finished(stream)
        elif kind == "STREAM_RESET":
            del self.open[stream]
        elif kind == "WINDOW":
            self.open[stream]["limit"] = max(self.open[stream]["limit"], one["limit"])


class Connection:
    def __init__(self, cid):
        self.cid, self.nonce, self.answered = cid, None, set()
        self.proposal = self.generation = 0


class End:
    def __init__(self, suite, initiator, prologue, static, remote_static, keys, hello, peer_hello, source):
        k1, k2, h = keys
        self.suite, self.family, self.initiator, self.prologue = suite, SUITES[suite][1], initiator, prologue
        self.static, self.remote_static, self.source = static, remote_static, source
        self.out, self.into = schedule.DIRECTIONS if initiator else schedule.DIRECTIONS[::-1]
        self.root, first = schedule.first(k1, k2, h)
        self.sending = self.receiving = first
        self.known, self.pending, self.outstanding, self.reply, self.drawn = [first], None, None, None, {}
        self.ck_out, self.ck_in, self.ck_pending = first.ck[self.out], first.ck[self.into], None
        self.seq_out = self.seq_in = self.una = 0
        self.heard_epoch = None
        self.kept, self.closed, self.delivered = {}, False, []
        self.cids, self.unused = list(hello.cids), list(peer_hello.cids)
        self.streams = Streams(initiator, hello.stream_window, peer_hello.stream_window)
        self.highest, self.adopted = 0, 0
        self.current, self.switched = "A", None
        self.connections = {"A": Connection(self.unused.pop(0))}

    # Sending

    def seal(self, content, guard=None, flags=0, plaintext=None):
        """Seals frames, or `plaintext` as it is, and follows what they say."""
        mk, self.ck_out = schedule.chain_step(self.ck_out)
        guard = guard or self.source(4)
        plaintext = frames.encode_all(content) if plaintext is None else plaintext
        out = record.seal(self.family, self.root.hp[self.out], mk, self.connections[self.current].cid, guard,
                          self.sending.number, self.seq_out, plaintext, flags=flags)
        self.kept[self.seq_out] = out.bytes
        self.seq_out += 1
        for one in content:
            if one["type"].startswith("STREAM") or one["type"] == "WINDOW":
                self.streams.sent(one)
            elif one["type"] == "NEW_CID":
                self.cids.append(one["cid"])
            elif one["type"] == "CLOSE":
                self.closed = True
            elif one["type"] == "RATCHET_ACK" or one["type"] == "REHS" and one["step"] == 2:
                self.sending, self.reply = self.pending, None
                self.ck_out, self.ck_pending = self.pending.ck[self.out], self.pending.ck[self.into]
                self.known = [self.pending, self.receiving]
        return out.bytes

    def again(self):
        """Kept records with the cid of the current connection."""
        cid = self.connections[self.current].cid
        return [record.with_cid(self.kept[seq], cid) for seq in sorted(self.kept)]

    def close_frame(self, code):
        return frame("CLOSE", code=code, final_seq=self.seq_out)

    def begin_ratchet(self):
        assert self.initiator and not self.outstanding and self.heard_epoch == self.sending.number
        self.draw()
        request, pair, kem = epochs.ratchet(self.suite, self.sending.number + 1, self.drawn["e"], self.drawn.get("kem"))
        self.outstanding = ("RATCHET", request, pair, kem)
        return request

    def within(self):
        self.draw()
        return epochs.handshake_within(self.suite, self.initiator, self.prologue, self.root.sid, self.sending, self.static,
                                       self.remote_static, self.drawn["e"], self.drawn.get("kem"))

    def draw(self):
        """What a change of epoch needs: an ephemeral, and in suites 3 and 4 the seed of a KEM pair or the encapsulation's randomness."""
        self.drawn = {"e": self.source(32)}
        if SUITES[self.suite][2]:
            self.drawn["kem"] = self.source(64 if self.initiator else 32)

    def begin_rehs(self):
        assert self.initiator and not self.outstanding and self.heard_epoch == self.sending.number
        handshake = self.within()
        request = epochs.rehs(1, self.sending.number + 1, handshake.write(b""))
        self.outstanding = ("REHS", request, handshake)
        return request

    # Receiving

    def receive(self, connection, data):
        """One of commit, reject, drop, gap, adopt, answer; or a Violation. Sealed answers are the caller's."""
        if not data or data[0] not in (record.DATA, record.RESUME, record.RESUME_RSP, record.UNKNOWN_CID):
            return "drop"
        if data[0] == record.UNKNOWN_CID:
            return "drop"
        if data[0] != record.DATA:
            return self.receive_resume(connection, data)
        try:
            if data[1:9] not in self.cids:
                raise Refused("cid")
            guard, low_epoch, flags, low_seq, header = record.unmask(self.family, self.root.hp[self.into], data)
            seq, epoch, ck = record.nearest(self.seq_in, low_seq), self.receiving, self.ck_in
            ahead = low_epoch == epoch.number + 1 & 0xFF
            if seq < self.seq_in:
                return "drop"
            if low_epoch != epoch.number & 0xFF and not ahead:
                raise Refused("other epoch")
            if seq > self.seq_in:
                return "gap" if connection == self.current else "drop"
            if ahead:
                epoch, ck = self.pending, self.ck_pending
            if ck is None:
                raise Refused("the next epoch is not pending")
            mk, next_ck = schedule.chain_step(ck)
            plaintext = record.open_with(self.family, mk, data, header, seq)
        except Refused:
            return "reject"
        self.seq_in += 1
        self.heard_epoch = epoch.number
        if epoch is self.pending:
            self.receiving, self.pending, self.ck_pending, self.known = epoch, None, None, [epoch]
        self.ck_in = next_ck
        self.accept(seq, flags, plaintext)
        return "commit"

    def accept(self, seq, flags, plaintext):
        if flags:
            raise Violation("FLAGS")
        content = frames.decode(plaintext)
        if not self.initiator and seq == 0 and content[0]["type"] != "CONFIRM":
            raise Violation("CONFIRM")
        if sum(one["type"] in AGREES for one in content) > 1:
            raise Violation("FRAME_MALFORMED")
        for index, one in enumerate(content):
            kind = one["type"]
            if kind == "CONFIRM" and (self.initiator or seq or index):
                raise Violation("CONFIRM")
            if kind in AGREES:
                self.agree(one)
            elif kind == "RATCHET_REQ" and self.initiator is False:
                raise Violation("RATCHET")
            elif kind == "ACK":
                if one["rx_next"] > self.seq_out:
                    raise Violation("ACK_BEYOND")
                self.acknowledged(one["rx_next"])
            elif kind == "CLOSE":
                if one["final_seq"] != seq:
                    raise Violation("FINAL_SEQ")
                self.closed = True
                self.delivered.append(one)
            elif kind == "NEW_CID":
                last = list(self.connections.values())[-1].cid
                if one["cid"] in (*self.unused, last) or len(self.unused) == 16:
                    raise Violation("CID")
                self.unused.append(one["cid"])
            elif kind.startswith("STREAM") or kind == "WINDOW":
                got = self.streams.receive(one)
                self.delivered += [got] if got else []

    def acknowledged(self, rx_next):
        self.una = max(self.una, rx_next)
        self.kept = {seq: kept for seq, kept in self.kept.items() if seq >= self.una}
        if self.switched is not None and self.una > self.switched:
            self.known, self.switched = self.known[:1], None

    def agree(self, one):
        """Sections 9 and 10 of session.md, for the end that `one` is meant for."""
        kind = "REHS" if one["type"] == "REHS" else "RATCHET"
        answers = one["type"] == "RATCHET_ACK" or kind == "REHS" and one["step"] == 2
        if answers != self.initiator or kind == "REHS" and one["step"] not in (1, 2):
            raise Violation(kind)
        if self.initiator:
            if not self.outstanding or self.outstanding[0] != kind or one["epoch"] != self.sending.number + 1:
                raise Violation(kind)
            if kind == "RATCHET":
                _, following = epochs.finish_ratchet(self.suite, self.sending, *self.outstanding[1:], one)
            else:
                _, following = self.read_rehs(self.outstanding[2], one)
            self.known, self.switched = [following, self.sending], self.seq_out
            self.sending = self.receiving = following
            self.ck_out, self.ck_in, self.outstanding = following.ck[self.out], following.ck[self.into], None
            return
        if self.pending or self.reply or one["epoch"] != self.sending.number + 1:
            raise Violation(kind)
        if kind == "RATCHET":
            self.draw()
            answer, _, self.pending = epochs.answer_ratchet(self.suite, self.sending, one, self.drawn["e"], self.drawn.get("kem"))
        else:
            handshake = self.within()
            self.read_rehs_message(handshake, one)
            answer = epochs.rehs(2, one["epoch"], handshake.write(b""))
            _, self.pending = epochs.after_rehs(self.sending, handshake)
        self.reply = answer

    def read_rehs_message(self, handshake, one):
        try:
            if handshake.read(one["message"]) != b"":
                raise Refused("payload")
        except Refused:
            raise Violation("REHS") from None

    def read_rehs(self, handshake, one):
        self.read_rehs_message(handshake, one)
        return epochs.after_rehs(self.sending, handshake)

    # Resumption

    def connect(self, name):
        """A further connection: a cid, a nonce and a proposed generation for it."""
        last = list(self.connections.values())[-1].cid
        connection = self.connections[name] = Connection(self.unused.pop(0) if self.unused else last)
        connection.nonce = self.source(16)
        self.highest = resume.proposal(max(self.highest, self.adopted), self.initiator)
        connection.proposal = connection.generation = self.highest

    def resume(self, name):
        return self.resume_message(name, record.RESUME)

    def resume_message(self, name, byte0, echo=b""):
        connection = self.connections[name]
        connection.nonce = connection.nonce or self.source(16)  # of the first, which takes none beforehand
        return resume.seal(self.family, self.receiving.resume[self.out], byte0, connection.cid, self.source(16),
                           connection.proposal, self.seq_in, connection.nonce, echo)

    def receive_resume(self, name, data):
        """adopt, answer or both ("adopt, answer"), or drop. The answer is in `reply_resume`."""
        self.reply_resume = None
        if data[1:9] not in self.cids:
            return "drop"
        connection = self.connections[name]
        try:
            keys = [epoch.resume[self.into] for epoch in self.known]
            generation, rx_next, nonce, echo = resume.open_with(self.family, keys, data)
        except Refused:
            return "drop"
        if rx_next > self.seq_out:
            return "drop"
        connection.generation = max(connection.generation, generation)
        done = []
        if data[0] == record.RESUME_RSP and echo == connection.nonce and connection.generation > self.adopted:
            self.adopted, self.current = connection.generation, name
            self.acknowledged(rx_next)
            done.append("adopt")
        if nonce not in connection.answered and len(connection.answered) < 8:
            connection.answered.add(nonce)
            self.reply_resume = self.resume_message(name, record.RESUME_RSP, nonce)
            done.append("answer")
        return ", ".join(done) or "drop"
