//! `didagent did`: DIDs and their documents.
//!
//! Schema of the document: `spec/schemas/did-document.schema.json`.

use super::args::ResolveArgs;
use crate::core::did_document;
use crate::failure::{Failure, Kind};
use crate::io::did::{Asking, resolve as resolve_did};
use crate::io::home::Home;

/// Returns the document for stdout. What stands in the way of writing to its subject is said on stderr.
pub(super) async fn resolve(home: &Home, args: &ResolveArgs) -> Result<String, Failure> {
    let asking = Asking { hosts: args.hosts(), fresh: args.fresh };
    let document = resolve_did(home, args.did.trim(), asking).await?;
    if document.key_agreement_kids().next().is_none() {
        eprintln!(
            "  note: no X25519 key for key agreement, so no message can be encrypted to it; as a party or a mediator it is \
             refused ({})",
            Kind::NoKeyAgreement.code()
        );
    }
    Ok(if args.json { did_document::to_json(&document) } else { did_document::to_text(&document) })
}
