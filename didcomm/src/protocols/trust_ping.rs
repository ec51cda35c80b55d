//! Trust Ping 2.0: is somebody there who can read this?
//!
//! Specification: DIDComm Messaging v2.1, "Trust Ping Protocol 2.0".

use serde::{Deserialize, Serialize};

use super::{Body, body, types};
use crate::message::Message;

/// Asks for an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Whether an answer is wanted; so by default.
    #[serde(default = "yes")]
    pub response_requested: bool,
}
body!(Ping, types::PING);

/// Answers a ping.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PingResponse {}
body!(PingResponse, types::PING_RESPONSE);

impl PingResponse {
    /// Makes the answer to `ping`, in its thread.
    pub fn to_ping(id: impl Into<String>, ping: &Message) -> Message {
        Self {}.message(id).thid(ping.thread())
    }
}

fn yes() -> bool {
    true
}
