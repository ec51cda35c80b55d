//! The matrix: kinds of envelopes, each with curves, content encryptions and signatures.

/// Curves of key agreement.
pub const CURVES: [&str; 4] = ["X25519", "P-256", "P-384", "P-521"];

/// Content encryptions.
pub const ENCRYPTIONS: [&str; 3] = ["A256CBC-HS512", "A256GCM", "XC20P"];

/// Signatures.
pub const SIGNATURES: [&str; 3] = ["EdDSA", "ES256", "ES256K"];

/// What kind of envelope: the ones that DIDComm Messaging v2.1, "IANA Media Types", allows, and a forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Neither signed nor encrypted.
    Plain,
    /// JWS.
    Signed,
    /// JWE that does not tell the sender.
    Anon,
    /// JWE of a sender who is known to the recipient.
    Auth,
    /// Anoncrypt around authcrypt.
    AnonAuth,
    /// Anoncrypt around a JWS.
    AnonSign,
    /// Authcrypt around a JWS.
    AuthSign,
    /// Authcrypt in a forward, for a mediator whose DID is the URI of the recipient's service.
    Forward,
    /// The same, for a mediator whose key is a routing key of the recipient's service.
    ForwardKeys,
}

impl Kind {
    /// As it stands in jobs and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Signed => "sign",
            Self::Anon => "anon",
            Self::Auth => "auth",
            Self::AnonAuth => "anon(auth)",
            Self::AnonSign => "anon(sign)",
            Self::AuthSign => "auth(sign)",
            Self::Forward => "forward",
            Self::ForwardKeys => "forward(keys)",
        }
    }

    /// Whether the recipient learns who encrypted it.
    pub const fn authenticates(self) -> bool {
        matches!(self, Self::Auth | Self::AnonAuth | Self::AuthSign) || self.forwards()
    }

    /// Whether a mediator passes it on.
    pub const fn forwards(self) -> bool {
        matches!(self, Self::Forward | Self::ForwardKeys)
    }

    /// Whether somebody signed it.
    pub const fn signs(self) -> bool {
        matches!(self, Self::Signed | Self::AnonSign | Self::AuthSign)
    }
}

/// One conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Case {
    /// The envelope.
    pub kind: Kind,
    /// Of the keys of both sides; also without encryption the documents list such a key.
    pub curve: &'static str,
    /// Of the outer layer.
    pub enc: Option<&'static str>,
    /// Of the JWS; also without one the documents list such a key.
    pub sign: &'static str,
}

impl Case {
    /// Kind, then what matters of the rest: `anon(sign) X25519 XC20P EdDSA`.
    pub fn name(&self) -> String {
        let curve = self.enc.is_some().then_some(self.curve);
        let sign = self.kind.signs().then_some(self.sign);
        [Some(self.kind.name()), curve, self.enc, sign].into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// All of them.
pub fn all() -> Vec<Case> {
    let case = |kind, curve, enc, sign| Case { kind, curve, enc, sign };
    let cbc = ENCRYPTIONS[0];
    let mut cases = vec![case(Kind::Plain, "X25519", None, "EdDSA")];
    cases.extend(SIGNATURES.map(|sign| case(Kind::Signed, "X25519", None, sign)));
    for curve in CURVES {
        cases.extend(ENCRYPTIONS.map(|enc| case(Kind::Anon, curve, Some(enc), "EdDSA")));
    }
    cases.extend(CURVES.map(|curve| case(Kind::Auth, curve, Some(cbc), "EdDSA")));
    cases.extend(ENCRYPTIONS.map(|enc| case(Kind::AnonAuth, "X25519", Some(enc), "EdDSA")));
    cases.extend(["P-256", "P-384", "P-521"].map(|curve| case(Kind::AnonAuth, curve, Some(cbc), "EdDSA")));
    for kind in [Kind::AnonSign, Kind::AuthSign] {
        cases.extend(SIGNATURES.map(|sign| case(kind, "X25519", Some(cbc), sign)));
    }
    cases.extend(CURVES.map(|curve| case(Kind::Forward, curve, Some(cbc), "EdDSA")));
    // XC20P on top is what ours and SICPA's libraries write unless they are asked for something else.
    cases.push(case(Kind::Forward, "X25519", Some("XC20P"), "EdDSA"));
    cases.push(case(Kind::ForwardKeys, "X25519", Some(cbc), "EdDSA"));
    cases.push(case(Kind::ForwardKeys, "X25519", Some("XC20P"), "EdDSA"));
    cases
}

#[cfg(test)]
mod tests {
    use super::all;

    #[test]
    fn names_tell_the_cases_apart() {
        let mut names: Vec<_> = all().iter().map(super::Case::name).collect();
        names.sort();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.contains(&"auth(sign) X25519 A256CBC-HS512 ES256K".to_owned()));
    }
}
