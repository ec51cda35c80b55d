"""What others specified: X25519, AEADs, HKDF, ML-KEM-768. And the deterministic source of everything that is random."""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.exceptions import InvalidTag
from kyber_py.ml_kem import ML_KEM_768

CHACHA, AES = "ChaChaPoly", "AESGCM"


class Refused(Exception):
    """What was received is not accepted. Nothing else changes."""


class Source:
    """Random bytes that are the same each time: SHAKE-256 of a name."""

    def __init__(self, name):
        self.name, self.count = name, 0

    def __call__(self, length):
        self.count += 1
        return hashlib.shake_256(f"didagent vectors: {self.name}: {self.count}".encode()).digest(length)


def u16(n):
    return n.to_bytes(2, "big")


def u32(n):
    return n.to_bytes(4, "big")


def u64(n):
    return n.to_bytes(8, "big")


def lp(x):
    """LP of chapter 0.3."""
    return u32(len(x)) + x


def sha256(x):
    return hashlib.sha256(x).digest()


def hmac_sha256(key, x):
    return hmac.new(key, x, hashlib.sha256).digest()


def hkdf_extract(salt, ikm):
    return hmac_sha256(salt, ikm)


def hkdf_expand(prk, info, length):
    assert length <= 255 * 32
    block, out = b"", b""
    for i in range(1, (length + 31) // 32 + 1):
        block = hmac_sha256(prk, block + info + bytes([i]))
        out += block
    return out[:length]


def aead_seal(family, key, nonce, aad, plaintext):
    cipher = ChaCha20Poly1305(key) if family == CHACHA else AESGCM(key)
    return cipher.encrypt(nonce, plaintext, aad)


def aead_open(family, key, nonce, aad, sealed):
    cipher = ChaCha20Poly1305(key) if family == CHACHA else AESGCM(key)
    try:
        return cipher.decrypt(nonce, sealed, aad)
    except InvalidTag:
        raise Refused("tag") from None


def first_block(family, key, block):
    """The mask of session.md, section 4, before it is cut: `block` is the tag of a record."""
    if family == CHACHA:
        # This package takes counter (little-endian) and nonce as one value, in just this order.
        cipher, zeros = Cipher(algorithms.ChaCha20(key, block), None), bytes(64)
    else:
        cipher, zeros = Cipher(algorithms.AES(key), modes.ECB()), block
    encryptor = cipher.encryptor()
    return encryptor.update(zeros) + encryptor.finalize()


class KeyPair:
    """X25519."""

    def __init__(self, private):
        self.private = private
        self.public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def dh(private, public, forge=False):
    """Refuses an all-zero result; or returns it, for vectors that must be refused."""
    try:
        return X25519PrivateKey.from_private_bytes(private).exchange(X25519PublicKey.from_public_bytes(public))
    except ValueError:
        if forge:
            return bytes(32)
        raise Refused("a Diffie-Hellman result is zero") from None


class Kem:
    """An ML-KEM-768 key pair from its 64 bytes d || z. Made twice, by two packages that must agree."""

    def __init__(self, seed):
        self.seed = seed
        self.ek, self.dk = ML_KEM_768.key_derive(seed)
        self.private = mlkem.MLKEM768PrivateKey.from_seed_bytes(seed)
        assert self.private.public_key().public_bytes_raw() == self.ek

    def decapsulate(self, ct):
        ss = self.private.decapsulate(ct)
        assert ss == ML_KEM_768.decaps(self.dk, ct)
        return ss


def check_key(ek):
    """FIPS 203, section 7.2. Both packages must agree."""
    numbers = [ek[i] | ek[i + 1] << 8 | ek[i + 2] << 16 for i in range(0, 1152, 3)]
    good = len(ek) == 1184 and all(n & 0xFFF < 3329 and n >> 12 < 3329 for n in numbers)
    try:
        mlkem.MLKEM768PublicKey.from_public_bytes(ek)
        assert good
    except ValueError:
        assert not good
    if not good:
        raise Refused("encapsulation key")


def kem_encapsulate(ek, m):
    """Ciphertext and shared secret from 32 bytes of randomness."""
    check_key(ek)
    kem = type(ML_KEM_768)({"k": 3, "eta_1": 2, "eta_2": 2, "du": 10, "dv": 4})
    kem.random_bytes = lambda length: m[:length]
    ss, ct = kem.encaps(ek)
    return ct, ss
