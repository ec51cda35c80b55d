//! Codes of CLOSE. Specification: `spec/streams.md`, section 4.

/// The session did what it was for.
pub const DONE: u32 = 0x00;
/// A frame of a type that this version does not have.
pub const FRAME_UNKNOWN: u32 = 0x01;
/// A record without frames, that ends inside a frame, or with a frame after CLOSE.
pub const FRAME_MALFORMED: u32 = 0x02;
/// CONFIRM is missing, repeated or from the responder.
pub const CONFIRM: u32 = 0x03;
/// An ACK for records that were never sent.
pub const ACK_BEYOND: u32 = 0x04;
/// A CLOSE whose final number is not that of its record.
pub const FINAL_SEQ: u32 = 0x05;
/// The epoch has no more records.
pub const RECORD_LIMIT: u32 = 0x06;
/// A header flag that this version does not have.
pub const FLAGS: u32 = 0x07;
/// Never sent: the connection ended without CLOSE.
pub const PATH_LOST: u32 = 0x08;
/// A RATCHET, RATCHET_ACK or RATCHET_REQ that does not fit the epoch, the suite, the role or the time.
pub const RATCHET: u32 = 0x09;
/// A REHS that does not fit, or does not authenticate.
pub const REHS: u32 = 0x0a;
/// A NEW_CID that repeats one, or one too many.
pub const CID: u32 = 0x0b;
/// Stream data beyond the credit.
pub const STREAM_CREDIT: u32 = 0x10;
/// More streams open than allowed.
pub const STREAM_LIMIT: u32 = 0x11;
/// Data or FIN on a stream after its FIN.
pub const STREAM_FINISHED: u32 = 0x12;
/// A frame for a stream that was never opened.
pub const STREAM_UNKNOWN: u32 = 0x13;
/// A stream opened under an id that is not the opener's next one.
pub const STREAM_ID: u32 = 0x14;
/// The first code that is the application's.
pub const APPLICATION: u32 = 0x100;
