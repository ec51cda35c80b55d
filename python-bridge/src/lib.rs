//! The local TCP bridge between unmodified MPyC and named streams.
//!
//! MPyC believes that it talks TCP to the other parties. This crate makes each of those conversations a stream to an
//! authenticated party instead. It knows what MPyC, a party index (pid) and a local port are; it knows no session, no
//! DID and no message format. Specification: `spec/bridge.md`.
//!
//! ```text
//! MPyC of party me --dials--> 127.0.0.1:listener of j  [first bytes = me]  Mesh::open(j) --> stream to j > me
//! stream from j < me --> Bridge::incoming(j)  [first bytes = j]  --dials--> 127.0.0.1:own port, MPyC of party me
//! ```
//!
//! * [`plan`]: which port stands for which party, as MPyC's arguments.
//! * [`first_bytes`]: the check of the pid that opens each connection.
//! * [`launch`]: rewrites a Python command line to run under the launcher, which keeps MPyC's port on loopback.
//! * [`manifest`]: what a party would run, and how it differs from another one.
//! * [`io`]: the listeners, dials and pumps; the only sockets and files of this crate.
//!
//! Not its concern: who the parties are and in which order (the roster), how a stream travels, whether all parties run
//! the same program (it only compares), starting and stopping the Python process, and deadlines on a whole run.

pub mod first_bytes;
pub mod io;
pub mod launch;
pub mod manifest;
pub mod plan;
pub mod programs;
