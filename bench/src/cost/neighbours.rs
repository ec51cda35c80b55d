//! Other people's channels for the same 64 bytes: Noise without a ratchet, WireGuard's packets, and Olm's Double Ratchet.

use boringtun::noise::{Tunn, TunnResult};
use boringtun::x25519;
use snow::{Builder, TransportState};
use vodozemac::olm::{Account, OlmMessage, Session, SessionConfig};

use super::bare::Cipher;

/// `snow`'s transport after KK: one key for each direction, a counter for a nonce, no ratchet.
#[derive(Debug)]
pub struct Noise {
    sender: TransportState,
    receiver: TransportState,
    record: Vec<u8>,
    opened: Vec<u8>,
}

impl Noise {
    /// Both ends of a handshake with fresh static keys.
    ///
    /// # Panics
    /// If `snow` refuses its own messages.
    pub fn new(cipher: Cipher) -> Self {
        let [sender, receiver] = Self::handshake(&StaticKeys::generate(cipher));
        Self { sender, receiver, record: vec![0; 65_535], opened: vec![0; 65_535] }
    }

    /// A whole handshake, both ends.
    ///
    /// # Panics
    /// If `snow` refuses its own messages.
    pub fn handshake(keys: &StaticKeys) -> [TransportState; 2] {
        let StaticKeys { name, initiator, responder } = keys;
        fn side<'a>(name: &str, local: &'a snow::Keypair, remote: &'a snow::Keypair) -> Builder<'a> {
            let builder = Builder::new(name.parse().expect("a Noise name"));
            let builder = builder.local_private_key(&local.private).expect("a key");
            builder.remote_public_key(&remote.public).expect("a key")
        }
        let mut initiator_side = side(name, initiator, responder).build_initiator().expect("an initiator");
        let mut responder_side = side(name, responder, initiator).build_responder().expect("a responder");
        let (mut message, mut payload) = ([0; 256], [0; 256]);
        let length = initiator_side.write_message(&[], &mut message).expect("message 1");
        responder_side.read_message(&message[..length], &mut payload).expect("message 1");
        let length = responder_side.write_message(&[], &mut message).expect("message 2");
        initiator_side.read_message(&message[..length], &mut payload).expect("message 2");
        [initiator_side, responder_side].map(|side| side.into_transport_mode().expect("a finished handshake"))
    }

    /// Seals and opens one message.
    ///
    /// # Panics
    /// If it does not arrive.
    pub fn carry(&mut self, payload: &[u8]) -> usize {
        let length = self.sender.write_message(payload, &mut self.record).expect("a sealed message");
        self.receiver.read_message(&self.record[..length], &mut self.opened).expect("an opened message")
    }
}

/// The static keys of two parties, for `snow`.
pub struct StaticKeys {
    name: &'static str,
    initiator: snow::Keypair,
    responder: snow::Keypair,
}

impl std::fmt::Debug for StaticKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StaticKeys").field("name", &self.name).finish_non_exhaustive()
    }
}

impl StaticKeys {
    /// Fresh ones.
    ///
    /// # Panics
    /// If `snow` has no generator.
    pub fn generate(cipher: Cipher) -> Self {
        let name = match cipher {
            Cipher::ChaChaPoly => "Noise_KK_25519_ChaChaPoly_SHA256",
            Cipher::AesGcm => "Noise_KK_25519_AESGCM_SHA256",
        };
        let fresh =
            || Builder::new(name.parse().expect("a Noise name")).generate_keypair().expect("a key pair");
        Self { name, initiator: fresh(), responder: fresh() }
    }
}

/// Olm: a Double Ratchet with a key of its own for each message, AES-CBC and HMAC.
///
/// All messages go one way, as in a session's measurement, so the Diffie-Hellman ratchet stands still.
pub struct Olm {
    sender: Session,
    receiver: Session,
}

impl std::fmt::Debug for Olm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Olm").finish_non_exhaustive()
    }
}

impl Olm {
    /// Two ends after a message each way.
    ///
    /// # Panics
    /// If the library refuses its own messages.
    pub fn new() -> Self {
        let (alice, mut bob) = (Account::new(), Account::new());
        bob.generate_one_time_keys(1);
        let one_time_key = *bob.one_time_keys().values().next().expect("one key");
        let version = SessionConfig::version_1;
        let sender = alice.create_outbound_session(version(), bob.curve25519_key(), one_time_key);
        let mut sender = sender.expect("an outbound session");
        let OlmMessage::PreKey(first) = sender.encrypt("first").expect("a message") else {
            panic!("the first message carries keys")
        };
        let inbound = bob.create_inbound_session(version(), alice.curve25519_key(), &first);
        let mut receiver = inbound.expect("an inbound session").session;
        let answer = receiver.encrypt("second").expect("a message");
        sender.decrypt(&answer).expect("the answer");
        Self { sender, receiver }
    }

    /// Seals and opens one message.
    ///
    /// # Panics
    /// If it does not arrive.
    pub fn carry(&mut self, payload: &[u8]) -> usize {
        let message = self.sender.encrypt(payload).expect("a sealed message");
        self.receiver.decrypt(&message).expect("an opened message").len()
    }
}

impl Default for Olm {
    fn default() -> Self {
        Self::new()
    }
}

/// `boringtun`: WireGuard's packets, one key for each direction and two minutes, a counter for a nonce, no ratchet.
pub struct Tunnel {
    sender: Tunn,
    receiver: Tunn,
    packet: Vec<u8>,
    opened: Vec<u8>,
}

impl std::fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tunnel").finish_non_exhaustive()
    }
}

impl Tunnel {
    /// Two ends with a session between them.
    ///
    /// # Panics
    /// If the handshake does not end.
    pub fn new() -> Self {
        let (alice, bob) = (x25519::StaticSecret::from([1; 32]), x25519::StaticSecret::from([2; 32]));
        let [alice_public, bob_public] = [&alice, &bob].map(x25519::PublicKey::from);
        let mut sender = Tunn::new(alice, bob_public, None, None, 1, None);
        let mut receiver = Tunn::new(bob, alice_public, None, None, 2, None);
        let (mut there, mut back) = ([0; 2048], [0; 2048]);
        let TunnResult::WriteToNetwork(initiation) = sender.format_handshake_initiation(&mut there, false)
        else {
            panic!("no initiation")
        };
        let TunnResult::WriteToNetwork(response) = receiver.decapsulate(None, initiation, &mut back) else {
            panic!("no response")
        };
        let mut keepalive = [0; 2048];
        let TunnResult::WriteToNetwork(keepalive) = sender.decapsulate(None, response, &mut keepalive) else {
            panic!("no keepalive")
        };
        let TunnResult::Done = receiver.decapsulate(None, keepalive, &mut there) else {
            panic!("the keepalive is no packet of data")
        };
        Self { sender, receiver, packet: vec![0; 65_600], opened: vec![0; 65_600] }
    }

    /// Seals and opens one packet. It must be an IP packet, so it is wrapped as one before: see [`ip_packet`].
    ///
    /// # Panics
    /// If it does not arrive.
    pub fn carry(&mut self, packet: &[u8]) -> usize {
        let TunnResult::WriteToNetwork(sealed) = self.sender.encapsulate(packet, &mut self.packet) else {
            panic!("nothing was sealed")
        };
        match self.receiver.decapsulate(None, sealed, &mut self.opened) {
            TunnResult::WriteToTunnelV4(opened, _) => opened.len(),
            other => panic!("nothing was opened: {other:?}"),
        }
    }
}

impl Default for Tunnel {
    fn default() -> Self {
        Self::new()
    }
}

/// An IPv4 packet of so many bytes in all: a tunnel carries nothing else.
pub fn ip_packet(bytes: u16) -> Vec<u8> {
    let mut packet = vec![0; usize::from(bytes)];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&bytes.to_be_bytes());
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload;

    #[test]
    fn every_neighbour_delivers_what_it_was_given() {
        for cipher in Cipher::ALL {
            let mut noise = Noise::new(cipher);
            assert_eq!((noise.carry(&payload(64)), noise.carry(&payload(64))), (64, 64));
            assert_eq!(noise.opened[..64], payload(64));
        }
        let mut olm = Olm::new();
        assert_eq!((olm.carry(&payload(64)), olm.carry(&payload(64))), (64, 64));
        let mut tunnel = Tunnel::new();
        assert_eq!((tunnel.carry(&ip_packet(64)), tunnel.carry(&ip_packet(64))), (64, 64));
        assert_eq!(tunnel.opened[..64], ip_packet(64));
    }
}
