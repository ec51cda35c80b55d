//! Why a credential or a status list does not count.

/// Why a credential, or the credential that a status list is, does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// It is damaged, too long, or contradicts itself.
    #[error("it cannot be read: {what}")]
    Malformed {
        /// Which part of it.
        what: &'static str,
    },
    /// It is a proper one of a kind that is not read here.
    #[error("it is of a kind that is not read here: {what}")]
    Unsupported {
        /// Which part of it.
        what: &'static str,
    },
    /// There is no document of the issuer.
    #[error("the document of its issuer is not known")]
    NoDocument,
    /// The issuer's document does not list the key under assertionMethod.
    #[error("the document of its issuer does not list the key that signed it")]
    UnlistedKey,
    /// The issuer did not sign it.
    #[error("its issuer's signature does not verify")]
    BadSignature,
    /// It does not count yet.
    #[error("it is not valid yet")]
    NotYet {
        /// From when it counts, UTC seconds.
        from: u64,
    },
    /// It does not count any more.
    #[error("it has expired")]
    Expired {
        /// Until when it counted, UTC seconds.
        until: u64,
    },
}

impl CredentialError {
    pub(super) const fn malformed(what: &'static str) -> Self {
        Self::Malformed { what }
    }

    pub(super) const fn unsupported(what: &'static str) -> Self {
        Self::Unsupported { what }
    }
}

/// What a status list says against a credential, or why it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// The list itself does not count.
    #[error("its status list does not count: {0}")]
    List(#[from] CredentialError),
    /// The list is another one than the credential names.
    #[error("its status list is another list")]
    OtherList,
    /// The list is of another issuer than the credential.
    #[error("its status list is of another issuer")]
    OtherIssuer,
    /// The list is for another purpose.
    #[error("its status list is for another purpose")]
    OtherPurpose,
    /// The list is shorter than a list may be, larger than one that is read, or ends before the credential's entry.
    #[error("its status list does not have its entry")]
    Length,
    /// The issuer has taken the credential back for good.
    #[error("its issuer has revoked it")]
    Revoked,
    /// The issuer has taken the credential back for now.
    #[error("its issuer has suspended it")]
    Suspended,
}
