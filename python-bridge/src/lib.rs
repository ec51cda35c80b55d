//! The local TCP bridge between unmodified MPyC and session streams.
