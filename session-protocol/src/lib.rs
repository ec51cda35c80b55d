//! The session protocol: Noise KK handshake, ratcheted records and streams, without any I/O.
