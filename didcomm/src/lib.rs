//! DIDs, DIDComm v2 envelopes and the messages that agent and mediator exchange.

pub mod message;
