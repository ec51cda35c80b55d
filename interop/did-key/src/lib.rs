//! The crate `did-key` and ours read the same did:key: `tests/did_key.rs`. There is nothing here but tests.
