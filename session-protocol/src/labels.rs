//! Every label of the key schedule and the prologue, in one tree. Specification: `spec/session.md`, section 2.
//!
//! A label is used for one purpose with one input layout; a changed layout takes a new major version.

/// Opens the Noise prologue.
pub(crate) const PROLOGUE: &[u8] = b"didagent-session/1";

/// Appended to the prologue by a build that does not encrypt records, and by no other.
pub(crate) const NULL_CIPHER: &[u8] = b"didagent-session/1 null-cipher";

/// Session identifier, epoch 0.
pub(crate) const SID: &[u8] = b"didagent-session/1 sid";
/// First chain key of an epoch, initiator to responder.
pub(crate) const CHAIN_I2R: &[u8] = b"didagent-session/1 ck i2r";
/// First chain key of an epoch, responder to initiator.
pub(crate) const CHAIN_R2I: &[u8] = b"didagent-session/1 ck r2i";
/// Header mask key, initiator to responder, for the whole session.
pub(crate) const HEADER_I2R: &[u8] = b"didagent-session/1 hp i2r";
/// Header mask key, responder to initiator, for the whole session.
pub(crate) const HEADER_R2I: &[u8] = b"didagent-session/1 hp r2i";
/// Exporter secret, epoch 0.
pub(crate) const EXPORTER: &[u8] = b"didagent-session/1 exporter";
/// Salt of the next epoch.
pub(crate) const ROOT: &[u8] = b"didagent-session/1 rk";
/// What only equal epochs share, in the prologue of a handshake inside the session.
pub(crate) const SPLIT: &[u8] = b"didagent-session/1 rehs";
/// Resume key of an epoch, messages of the initiator.
pub(crate) const RESUME_I2R: &[u8] = b"didagent-session/1 resume i2r";
/// Resume key of an epoch, messages of the responder.
pub(crate) const RESUME_R2I: &[u8] = b"didagent-session/1 resume r2i";

/// Key of one RESUME or RESUME_RSP.
pub(crate) const RESUME_KEY: &[u8] = b"didagent-session/1 resume key";

/// Input of the chain step that yields a record's message key.
pub(crate) const STEP_MESSAGE: u8 = 0x01;
/// Input of the chain step that yields the next chain key.
pub(crate) const STEP_CHAIN: u8 = 0x02;
/// First byte of the input that yields the guard of a short record.
pub(crate) const STEP_GUARD: u8 = 0x03;

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides NA-03, SE-02.
    #[test]
    fn labels_are_distinct_and_of_one_tree() {
        let all = [
            NULL_CIPHER,
            SID,
            CHAIN_I2R,
            CHAIN_R2I,
            HEADER_I2R,
            HEADER_R2I,
            EXPORTER,
            ROOT,
            SPLIT,
            RESUME_I2R,
            RESUME_R2I,
            RESUME_KEY,
        ];
        for (i, label) in all.iter().enumerate() {
            assert!(label.starts_with(b"didagent-session/1 "));
            assert!(all.iter().skip(i + 1).all(|other| other != label));
        }
    }
}
