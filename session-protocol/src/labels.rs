//! Every label of the key schedule and the prologue, in one tree. Specification: `spec/session.md`, section 2.
//!
//! A label is used for one purpose with one input layout; a changed layout takes a new major version. The labels of the
//! epoch ratchet and of resumption are reserved by the specification and join this file with their code.

/// Opens the Noise prologue.
pub(crate) const PROLOGUE: &[u8] = b"didagent-session/1";

/// Appended to the prologue by a build that does not encrypt records, and by no other.
pub(crate) const NULL_CIPHER: &[u8] = b"didagent-session/1 null-cipher";

/// Session identifier, epoch 0.
pub(crate) const SID: &[u8] = b"didagent-session/1 sid";
/// First chain key, initiator to responder.
pub(crate) const CHAIN_I2R: &[u8] = b"didagent-session/1 ck i2r";
/// First chain key, responder to initiator.
pub(crate) const CHAIN_R2I: &[u8] = b"didagent-session/1 ck r2i";
/// Header mask key, initiator to responder, for the whole session.
pub(crate) const HEADER_I2R: &[u8] = b"didagent-session/1 hp i2r";
/// Header mask key, responder to initiator, for the whole session.
pub(crate) const HEADER_R2I: &[u8] = b"didagent-session/1 hp r2i";
/// Exporter secret, epoch 0.
pub(crate) const EXPORTER: &[u8] = b"didagent-session/1 exporter";

/// Input of the chain step that yields a record's message key.
pub(crate) const STEP_MESSAGE: &[u8] = &[0x01];
/// Input of the chain step that yields the next chain key.
pub(crate) const STEP_CHAIN: &[u8] = &[0x02];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_distinct_and_of_one_tree() {
        let all = [NULL_CIPHER, SID, CHAIN_I2R, CHAIN_R2I, HEADER_I2R, HEADER_R2I, EXPORTER];
        for (i, label) in all.iter().enumerate() {
            assert!(label.starts_with(b"didagent-session/1 "));
            assert!(all.iter().skip(i + 1).all(|other| other != label));
        }
    }
}
