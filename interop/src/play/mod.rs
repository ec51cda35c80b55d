//! The same conversations with every peer: what ours writes they read, and the other way round.
//!
//! ```text
//! case::all() -- for each --> ours::pack ---> driver: unpack ---> does it say what was said?
//!                             ours::unpack <- driver: pack
//! ```
//!
//! A peer is a program around one library of somebody else ([`driver`] says what it reads and writes). What a peer, or ours, is
//! known not to do stands in [`expected`]. [`forge`] asks each of them to read what must be refused.

pub mod case;
pub mod driver;
pub mod expected;
pub mod forge;
pub mod identity;
pub mod ours;
pub mod peers;
pub mod record;
pub mod round;
pub mod table;
pub mod verdict;
