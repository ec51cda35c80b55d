//! DIDs, DIDComm v2 envelopes and the messages that agent and mediator exchange.

mod base64url;
pub mod credential;
pub mod did;
pub mod envelope;
pub mod keys;
pub mod link;
pub mod message;
pub mod protocols;
pub mod short_link;
pub mod showable;

pub use did::Resolver;
pub use envelope::Secrets;
pub use showable::{is_invisible, showable};
