//! The words about credentials: what authorities say of parties.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CredentialCommand {
    /// Keep a credential that an authority gave you; `join` and `invite` show it by themselves where it is required
    #[command(after_help = "Examples:
  didagent credential add credential.jwt
  didagent credential add - < credential.jwt
  didagent --home ~/.work credential add credential.jwt")]
    Add {
        /// The file with the credential, a JWT; `-` reads it from stdin
        file: PathBuf,
    },
    /// List the credentials that this home holds, and those that it has issued
    #[command(after_help = "Examples:
  didagent credential list
  didagent credential list --json
  didagent --home ~/.work credential list")]
    List {
        /// Write one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Forget a credential that this home holds
    #[command(after_help = "Examples:
  didagent credential remove 3f1c9a07
  didagent --home ~/.work credential remove 3f1c9a07
  didagent credential remove 0b77e2d4")]
    Remove {
        /// Its name in `credential list`
        name: String,
    },
    /// Issue a credential as this home's did:web, or did:key; prints it
    ///
    /// The others look up the document of the did:web to verify it, so that must be on its web site, with this home's key in it: see
    /// `didagent identity new --method web`. The first one also writes the list of those that are revoked, which belongs beside the
    /// document: until it is there, nobody admits anybody with a credential of this home. What a did:key has issued cannot be revoked.
    #[command(after_help = "Examples:
  didagent credential issue --to did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK > credential.jwt
  didagent credential issue --to did:web:bank.example --valid 90d --role auditor > credential.jwt
  didagent credential issue --to did:web:bank.example --as did:web:authority.example --valid 1d > credential.jwt")]
    Issue(IssueArgs),
    /// Revoke a credential that this home has issued: writes the list that belongs on the web site
    #[command(after_help = "Examples:
  didagent credential revoke urn:uuid:5c0f1a3e-9d1b-4a52-8a43-0d0b7a4f6e11
  didagent credential revoke 5c0f1a3e
  didagent --home ~/.authority credential revoke 5c0f1a3e")]
    Revoke {
        /// Its name in `credential list`, or the beginning of it
        id: String,
    },
}

/// What a credential says.
#[derive(Debug, Args)]
pub(in crate::cli) struct IssueArgs {
    /// Whom it is about: the did:key that `didagent identity show` prints there, or the did:web as which that one takes part
    #[arg(long, value_name = "DID")]
    pub(in crate::cli) to: String,
    /// For how long it counts: a number with d or h
    #[arg(long, default_value = "90d", value_name = "TIME")]
    pub(in crate::cli) valid: Validity,
    /// What that one is, in a few words; members of a room see it
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) role: Option<String>,
    /// Issue as this did:web; as the one that this home was made with if not given, or else its did:key
    #[arg(long = "as", value_name = "DID")]
    pub(in crate::cli) as_did: Option<String>,
}

/// For how long a credential counts, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Validity(pub(in crate::cli) u64);

impl std::str::FromStr for Validity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, hours) = match (text.strip_suffix('d'), text.strip_suffix('h')) {
            (Some(number), _) => (number, 24),
            (_, Some(number)) => (number, 1),
            _ => return Err("give a number with d or h, such as 90d".to_owned()),
        };
        let number: u64 = number.parse().map_err(|_| "give a number with d or h, such as 90d".to_owned())?;
        match number.checked_mul(hours) {
            // Ten years: whoever is trusted for longer gets a new one.
            Some(hours) if (1..=3653 * 24).contains(&hours) => Ok(Self(hours * 3600)),
            _ => Err("give at least 1h and at most 3653d".to_owned()),
        }
    }
}

/// Whose credentials the parties of a room show.
#[derive(Debug, Args)]
pub(in crate::cli) struct RequireArgs {
    /// Admit only parties, this one included, that hold a credential of this issuer, a did:web or did:key; given more than once, of
    /// any of them. `didagent credential add` keeps one
    #[arg(long, value_name = "DID")]
    pub(in crate::cli) require_issuer: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_has_limits() {
        for (text, seconds) in [("1h", 3600), ("90d", 7_776_000), ("3653d", 315_619_200)] {
            assert_eq!(text.parse(), Ok(Validity(seconds)), "{text}");
        }
        for text in ["", "0d", "90", "d", "-1d", "3654d", "1m", "99999999999999999999d"] {
            assert!(text.parse::<Validity>().is_err(), "{text}");
        }
    }
}
