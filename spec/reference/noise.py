"""The Noise Protocol Framework, revision 34, as far as handshake.md, section 3, needs it: pattern KK, with a trace of every step."""

from .primitives import AES, CHACHA, KeyPair, Kem, Refused, aead_open, aead_seal, check_key, dh, hmac_sha256, kem_encapsulate, sha256

# id: protocol name, cipher family, whether a KEM is beside the Diffie-Hellman
SUITES = {
    1: ("Noise_KK_25519_ChaChaPoly_SHA256", CHACHA, False),
    2: ("Noise_KK_25519_AESGCM_SHA256", AES, False),
    3: ("Noise_KKhfs_25519+MLKEM768_ChaChaPoly_SHA256", CHACHA, True),
    4: ("Noise_KKhfs_25519+MLKEM768_AESGCM_SHA256", AES, True),
}
PATTERNS = {
    False: (("e", "es", "ss"), ("e", "ee", "se")),
    True: (("e", "es", "e1", "ss"), ("e", "ee", "ekem1", "se")),
}
EK, CT = 1184, 1088


class Symmetric:
    """CipherState and SymmetricState in one; both ends of one handshake have the same."""

    def __init__(self, suite):
        name, self.family, _ = SUITES[suite]
        name = name.encode()
        self.h = name + bytes(32 - len(name)) if len(name) <= 32 else sha256(name)
        self.ck, self.k, self.n = self.h, None, 0

    def hkdf(self, ikm):
        temp = hmac_sha256(self.ck, ikm)
        first = hmac_sha256(temp, b"\x01")
        return first, hmac_sha256(temp, first + b"\x02")

    def mix_key(self, ikm):
        self.ck, self.k = self.hkdf(ikm)
        self.n = 0

    def mix_hash(self, x):
        self.h = sha256(self.h + x)

    def nonce(self):
        order = "little" if self.family == CHACHA else "big"
        return bytes(4) + self.n.to_bytes(8, order)

    def encrypt_and_hash(self, plaintext):
        out = plaintext
        if self.k is not None:
            out = aead_seal(self.family, self.k, self.nonce(), self.h, plaintext)
            self.n += 1
        self.mix_hash(out)
        return out

    def decrypt_and_hash(self, sealed):
        out = sealed
        if self.k is not None:
            out = aead_open(self.family, self.k, self.nonce(), self.h, sealed)
            self.n += 1
        self.mix_hash(sealed)
        return out

    def split(self):
        return self.hkdf(b"")


class Handshake:
    """One end. `ephemeral` and `kem` are what a real one would take from its generator: a key pair's private part; for the
    initiator d || z, for the responder the randomness of the encapsulation."""

    def __init__(self, suite, initiator, prologue, static, remote_static, ephemeral, kem=None, forge=False):
        self.suite, self.initiator = suite, initiator
        self.hybrid = SUITES[suite][2]
        self.s, self.rs = static, remote_static
        self.e, self.re, self.e1, self.re1 = KeyPair(ephemeral), None, None, None
        self.kem, self.forge = kem, forge
        if remote_static[:31] + bytes([remote_static[31] & 0x7F]) == static.public:
            raise Refused("the peer's static key is our own")
        self.sym = Symmetric(suite)
        self.steps = []
        self.step("initialize")
        self.sym.mix_hash(prologue)
        self.step("prologue")
        for who, key in zip("is", (static.public, remote_static) if initiator else (remote_static, static.public)):
            self.sym.mix_hash(key)
            self.step("initiator static" if who == "i" else "responder static")

    def step(self, token, **more):
        sym = self.sym
        k = "" if sym.k is None else sym.k.hex()
        self.steps.append({"step": token, "h": sym.h.hex(), "ck": sym.ck.hex(), "k": k, "n": sym.n,
                           **{name: value.hex() for name, value in more.items()}})

    def diffie_hellman(self, token):
        """The first letter is the initiator's key, the second the responder's."""
        mine, theirs = token if self.initiator else token[::-1]
        ours = {"e": self.e, "s": self.s}[mine].private
        out = dh(ours, {"e": self.re, "s": self.rs}[theirs], self.forge)
        self.sym.mix_key(out)
        return out

    def write(self, payload, e_public=None, ek=None):
        """Message 1 of the initiator or message 2 of the responder. The last two arguments falsify what is sent."""
        number = 1 if self.initiator else 2
        message = b""
        for token in PATTERNS[self.hybrid][number - 1]:
            more = {}
            if token == "e":
                public = e_public or self.e.public
                message += public
                self.sym.mix_hash(public)
            elif token == "e1":
                self.e1 = Kem(self.kem)
                message += self.sym.encrypt_and_hash(ek or self.e1.ek)
            elif token == "ekem1":
                ct, ss = kem_encapsulate(self.re1, self.kem)
                message += self.sym.encrypt_and_hash(ct)
                self.sym.mix_key(ss)
                more = {"ciphertext": ct, "secret": ss}
            elif e_public:
                # Whoever sends a point of low order knows every result that it enters.
                out = bytes(32) if token[0 if self.initiator else 1] == "e" else dh(self.s.private, self.rs)
                self.sym.mix_key(out)
                more = {"secret": out}
            else:
                more = {"secret": self.diffie_hellman(token)}
            self.step(f"{number} {token}", **more)
        message += self.sym.encrypt_and_hash(payload)
        self.step(f"{number} payload")
        return message

    def read(self, message):
        """The payload. On Refused this object is of no more use; a caller keeps a copy (HS-05)."""
        number = 2 if self.initiator else 1
        if len(message) > 4096:
            raise Refused("too long")

        def take(length):
            nonlocal message
            if len(message) < length:
                raise Refused("cut short")
            head, message = message[:length], message[length:]
            return head

        for token in PATTERNS[self.hybrid][number - 1]:
            if token == "e":
                self.re = take(32)
                self.sym.mix_hash(self.re)
            elif token == "e1":
                self.re1 = self.sym.decrypt_and_hash(take(EK + 16))
                check_key(self.re1)
            elif token == "ekem1":
                self.sym.mix_key(self.e1.decapsulate(self.sym.decrypt_and_hash(take(CT + 16))))
            else:
                self.diffie_hellman(token)
            self.step(f"{number} {token}")
        if len(message) < 16:
            raise Refused("cut short")
        payload = self.sym.decrypt_and_hash(message)
        self.step(f"{number} payload")
        return payload

    def finish(self):
        """k1, k2, h."""
        return *self.sym.split(), self.sym.h
