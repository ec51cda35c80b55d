//! Reads a credential from a file or from stdin.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use didagent_didcomm::credential::MAX_CREDENTIAL_BYTES;
use tokio::io::AsyncReadExt as _;

use crate::failure::{Failure, Kind};

/// Reads the text in this file; `-` is stdin. A file may end with white space; one that is longer than a credential is none.
///
/// # Errors
/// [`Kind::CredentialUnreadable`] when it cannot be read as text.
pub(crate) async fn read(path: &Path) -> Result<String, Failure> {
    let failed = |why: &dyn std::fmt::Display| {
        let message = format!("{} cannot be read as a credential: {why}", path.display());
        Failure::new(Kind::CredentialUnreadable, message)
            .hint("give the file that the issuer sent, or `-` and the text on stdin")
    };
    let most = u64::try_from(2 * MAX_CREDENTIAL_BYTES).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        tokio::io::stdin().take(most).read_to_end(&mut bytes).await
    } else {
        File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    read.map_err(|error| failed(&error))?;
    String::from_utf8(bytes).map_err(|_| failed(&"it is no text"))
}
