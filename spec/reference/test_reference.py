"""The reference against what others published, and against itself where the text gives a rule: `python -m unittest discover -s reference -t .`"""

import unittest

from . import frames, padding, record, resume, schedule
from .frames import frame
from .make_epochs import confirmed, ends, step
from .noise import SUITES, Handshake, Symmetric
from .primitives import AES, CHACHA, KeyPair, Refused, check_key, dh, hkdf_expand, hkdf_extract, kem_encapsulate


class Published(unittest.TestCase):
    def test_hkdf_rfc_5869_a_1(self):
        prk = hkdf_extract(bytes(range(13)), b"\x0b" * 22)
        okm = hkdf_expand(prk, bytes(range(0xF0, 0xFA)), 42)
        self.assertTrue(okm.hex().startswith("3cb25f25faacd57a90434f64d0362f2a") and okm.hex().endswith("34007208d5b887185865"))

    def test_x25519_rfc_7748_6_1(self):
        alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
        bob = KeyPair(bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))
        self.assertEqual(dh(alice, bob.public).hex(), "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742")

    def test_mask_chacha20_rfc_9001_a_5(self):
        key = bytes.fromhex("25a282b9e82f06f21f488917a4fc8f1b73573685608597d0efcb076b0ab7a7a4")
        self.assertEqual(record.mask_of(CHACHA, key, bytes.fromhex("5e5cd55c41f69080575d7999c25a5bfb"))[:5].hex(), "aefefe7d03")

    def test_mask_aes_256_fips_197_c_3(self):
        self.assertEqual(record.mask_of(AES, bytes(range(32)), bytes.fromhex("00112233445566778899aabbccddeeff")).hex(),
                         "8ea2b7ca516745bfeafc4990")

    def test_frames_of_the_table_have_its_sizes(self):
        sizes = {"PAD": 1, "ACK": 9, "CLOSE": 13, "RATCHET": 39, "NEW_CID": 9, "STREAM_OPEN": 37, "STREAM_FIN": 5, "WINDOW": 13}
        values = {1: 0, 4: 0, 8: 0, "8": bytes(8), "32": bytes(32), "long": b""}
        for name, size in sizes.items():
            one = frame(name, **{field: values[kind] for field, kind in frames.TYPES[name][1]})
            self.assertEqual(len(frames.encode(one)), size)


class Rules(unittest.TestCase):
    def test_padme_keeps_the_low_bits_zero(self):
        for length in range(1025, 70000, 7):
            size = padding.bucket(length)
            exponent = size.bit_length() - 1
            self.assertGreaterEqual(size, length)
            self.assertEqual(size % (1 << (exponent - exponent.bit_length())), 0)
            self.assertLess((size - length) / length, 0.12)

    def test_the_nearest_number(self):
        for expected, low, full in ((0, 0, 0), (5, 4, 4), (2**48 - 1, 0, 2**48), (2**48, 2**48 - 1, 2**48 - 1), (0, 2**48 - 1, 2**48 - 1)):
            self.assertEqual(record.nearest(expected, low), full)

    def test_names_up_to_32_bytes_are_padded_and_longer_ones_hashed(self):
        for suite, (name, _, hybrid) in SUITES.items():
            self.assertEqual(Symmetric(suite).h.startswith(name.encode()), not hybrid)

    def test_a_key_that_is_no_key(self):
        with self.assertRaises(Refused):
            check_key(b"\xff" * 1184)
        with self.assertRaises(Refused):
            kem_encapsulate(bytes(1183), bytes(32))

    def test_every_message_that_is_cut_is_refused(self):
        for suite in SUITES:
            setting, _, _ = ends(suite, "cut")
            message = setting.end(True).write(setting.hellos[0].encode())
            for length in range(0, len(message), 97):
                with self.assertRaises(Refused):
                    setting.end(False).read(message[:length])

    def test_ends_that_ratchet_agree_and_another_root_does_not(self):
        for suite in SUITES:
            _, both, _, log = confirmed(suite, "test")
            for rehs in (False, True, False):
                step(log, rehs)
            self.assertEqual(both[0].sending, both[1].sending)
            self.assertEqual(both[0].sending.number, 3)

    def test_two_connections_at_once_leave_both_ends_on_one(self):
        """Each end makes one; all messages cross. SE-54: whatever the order, both adopt the same last."""
        for order in range(24):
            _, both, _, _ = confirmed(1, "crossing")
            for end in both:
                end.connect("B"), end.connect("C")
            wire = [(1, "B", both[0].resume("B")), (0, "C", both[1].resume("C"))]
            while wire:
                to, name, data = wire.pop(order % len(wire))
                order //= 2
                if "answer" in both[to].receive(name, data):
                    wire.append((1 - to, name, both[to].reply_resume))
            self.assertEqual(both[0].current, both[1].current)

    def test_a_handshake_within_the_session_is_another_one(self):
        setting, both, _ = ends(1, "within")
        self.assertNotEqual(both[0].within().sym.h, setting.end(True).sym.h)
        self.assertIsInstance(both[0].within(), Handshake)

    def test_generations_have_the_parity_of_their_end(self):
        for highest in range(9):
            self.assertEqual([resume.proposal(highest, initiator) % 2 for initiator in (True, False)], [1, 0])

    def test_labels_are_distinct(self):
        names = ["sid", "exporter", "rk", "rehs", "resume key", *(f"{kind} {way}" for kind in ("hp", "ck", "resume") for way in schedule.DIRECTIONS)]
        self.assertEqual(len({schedule.label(name) for name in names}), len(names))


if __name__ == "__main__":
    unittest.main()
