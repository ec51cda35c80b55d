//! `didagent credential`: what authorities say of this home's parties, and what this home says of others as an authority.
//!
//! Specification: `spec/credentials.md`, sections 3 and 4; schema of the list: `spec/schemas/credentials.schema.json`. Not its
//! concern: what a credential is worth in a room (`core::credential`).

use std::path::Path;

use didagent_didcomm::credential::{Claims, Issue, Purpose, StatusEntry};
use didagent_didcomm::did::{did_of, jwk, key, web};
use didagent_didcomm::protocols::out_of_band::MAX_ISSUERS;
use didagent_didcomm::showable;
use serde_json::{Value, json};

use super::args::{CredentialCommand, IssueArgs};
use crate::core::clock::utc;
use crate::core::credential::held::{self, Holding};
use crate::core::credential::issued::{Entry, Issued, status_url};
use crate::core::did_document;
use crate::core::identity::Identity;
use crate::failure::{Failure, Kind};
use crate::io::credential_file;
use crate::io::home::Home;
use crate::io::{system_rng, unix_now};

/// Longest DID and role that are shown, in characters.
const SHOWN: usize = 200;

/// Longest role, in characters: it stands in a table.
const MAX_ROLE: usize = 60;

/// Does it, and returns what is printed.
///
/// # Errors
/// [`Kind::CredentialUnreadable`], [`Kind::CredentialUnknown`], [`Kind::Usage`], and those of the home.
pub(super) async fn run(home: &Home, command: CredentialCommand) -> Result<String, Failure> {
    match command {
        CredentialCommand::Add { file } => add(home, &file).await,
        CredentialCommand::List { json } => list(home, json),
        CredentialCommand::Remove { name } => {
            let _lock = home.lock_credentials()?;
            let mut held = home.held()?;
            held.remove(&name)?;
            home.write_held(&held)?;
            Ok(String::new())
        }
        CredentialCommand::Issue(args) => issue(home, &args),
        CredentialCommand::Revoke { id } => revoke(home, &id),
    }
}

/// Says whether these can be issuers.
///
/// # Errors
/// [`Kind::Usage`].
pub(super) fn check_issuers(issuers: &[String]) -> Result<(), Failure> {
    if issuers.len() > MAX_ISSUERS {
        let message = format!("an invitation names at most {MAX_ISSUERS} issuers");
        return Err(Failure::new(Kind::Usage, message).hint("--require-issuer did:web:authority.example"));
    }
    for issuer in issuers {
        let is_one = issuer == did_of(issuer)
            && (web::url(issuer).is_ok()
                || (issuer.starts_with(key::PREFIX) || issuer.starts_with(jwk::PREFIX))
                    && didagent_didcomm::did::resolve_offline(issuer).is_ok());
        if !is_one {
            let message = format!("{} is no did:web, did:key or did:jwk", showable(issuer, SHOWN));
            return Err(
                Failure::new(Kind::DidMalformed, message).hint("--require-issuer did:web:authority.example")
            );
        }
    }
    Ok(())
}

async fn add(home: &Home, file: &Path) -> Result<String, Failure> {
    let text = credential_file::read(file).await?;
    let claims = held::read(&text)?;
    let identity = home.identity_or_new()?;
    if claims.subject.starts_with(key::PREFIX) && claims.subject != identity.did() {
        let subject = showable(&claims.subject, SHOWN);
        let message = format!("the credential is about {subject}, and this home is {}", identity.did());
        return Err(Failure::new(Kind::Usage, message).hint(
            "send the issuer what `didagent identity show` prints, or use the other home: --home DIR",
        ));
    }
    let _lock = home.lock_credentials()?;
    let mut held = home.held()?;
    let holding = held.add(&text)?;
    home.write_held(&held)?;
    eprintln!("  {}", line(&holding, unix_now()));
    Ok(holding.name)
}

fn line(Holding { name, claims, .. }: &Holding, now: u64) -> String {
    let Claims { issuer, subject, role, .. } = claims;
    let role = role.as_ref().map(|role| format!(" as {}", showable(role, MAX_ROLE))).unwrap_or_default();
    let (issuer, subject) = (showable(issuer, SHOWN), showable(subject, SHOWN));
    format!("{name}  of {issuer} about {subject}{role}, {}", time(claims, now))
}

fn time(claims: &Claims, now: u64) -> String {
    match (claims.valid_from, claims.valid_until) {
        (Some(from), _) if now < from => format!("valid from {}", utc(from)),
        (_, Some(until)) if now >= until => format!("EXPIRED {}", utc(until)),
        (_, Some(until)) => format!("valid until {}", utc(until)),
        _ => "valid without end".to_owned(),
    }
}

fn list(home: &Home, as_json: bool) -> Result<String, Failure> {
    let (held, issued) = (home.held()?, home.issued()?);
    if as_json {
        let document = json!({
            "v": 1,
            "held": held.all().map(|one| holding(&one)).collect::<Vec<_>>(),
            "issued": issued.all().iter().map(given).collect::<Vec<_>>(),
        });
        return Ok(document.to_string());
    }
    let now = unix_now();
    let held = held.all().map(|one| line(&one, now));
    let issued = issued.all().iter().map(|entry| {
        let Entry { id, to, role, until, revoked, .. } = entry;
        let role = role.as_ref().map(|role| format!(" as {}", showable(role, MAX_ROLE))).unwrap_or_default();
        let state = if *revoked { "REVOKED".to_owned() } else { format!("valid until {}", utc(*until)) };
        format!("{}  issued to {}{role}, {state}", showable(id, SHOWN), showable(to, SHOWN))
    });
    Ok(held.chain(issued).collect::<Vec<_>>().join("\n"))
}

fn holding(Holding { name, claims, .. }: &Holding) -> Value {
    json!({
        "name": name,
        "id": claims.id,
        "issuer": claims.issuer,
        "subject": claims.subject,
        "role": claims.role,
        "valid_from": claims.valid_from,
        "valid_until": claims.valid_until,
    })
}

fn given(entry: &Entry) -> Value {
    let Entry { id, to, role, issuer, until, index, revoked } = entry;
    json!({
        "id": id,
        "to": to,
        "role": role,
        "issuer": issuer,
        "until": until,
        "revocable": index.is_some(),
        "revoked": revoked,
    })
}

/// Returns the identity under the name of the issuer.
fn issuer(home: &Home, as_did: Option<&str>) -> Result<Identity, Failure> {
    let identity = home.identity_or_new()?;
    let published = home.did_document()?;
    let published = published.as_ref().and_then(|document| document.get("id")).and_then(Value::as_str);
    let Some(did) = as_did.or(published) else { return Ok(identity) };
    web::url(did).map_err(|error| did_document::failure(did, &error))?;
    // As `identity new` and `identity show` name it in the document.
    Ok(identity.named(&format!("{did}#key-1")))
}

fn issue(home: &Home, args: &IssueArgs) -> Result<String, Failure> {
    let issuer = issuer(home, args.as_did.as_deref())?;
    check_subject(&args.to)?;
    if args.role.as_ref().is_some_and(|role| role.is_empty() || role.chars().count() > MAX_ROLE) {
        return Err(Failure::new(Kind::Usage, format!("a role has 1 to {MAX_ROLE} characters"))
            .hint("--role auditor"));
    }
    let now = unix_now();
    let until = now.saturating_add(args.valid.0);
    let _lock = home.lock_credentials()?;
    let mut issued = home.issued()?;
    let drawn =
        issued.draw((issuer.did(), &args.to, args.role.as_deref()), (now, until), &mut system_rng()?)?;
    let url = status_url(issuer.did());
    let status = url.as_ref().zip(drawn.index).map(|(url, index)| StatusEntry {
        purpose: Purpose::Revocation,
        index,
        list: url.to_string(),
    });
    let what = Issue {
        id: &drawn.id,
        subject: &args.to,
        role: args.role.as_deref(),
        valid_from: now,
        valid_until: until,
        status: status.as_ref(),
    };
    let text = issuer.issue(&what).ok_or_else(too_late)?;
    // Remembered before it is shown: what cannot be found again cannot be revoked.
    home.write_issued(&issued)?;
    eprintln!("  issued    {}  valid until {}", drawn.id, utc(until));
    publish(home, &issuer, &issued, now)?;
    eprintln!("  send it to {}, who runs: didagent credential add FILE", args.to);
    Ok(text)
}

fn revoke(home: &Home, id: &str) -> Result<String, Failure> {
    let _lock = home.lock_credentials()?;
    let mut issued = home.issued()?;
    let entry = issued.revoke(id)?;
    let issuer = home.identity_or_new()?.named(&format!("{}#key-1", entry.issuer));
    home.write_issued(&issued)?;
    eprintln!("  revoked   {}  of {}", entry.id, showable(&entry.to, SHOWN));
    publish(home, &issuer, &issued, unix_now())?;
    eprintln!("  it counts no more within five minutes of the upload");
    Ok(String::new())
}

/// Writes the list, and says where it belongs.
fn publish(home: &Home, issuer: &Identity, issued: &Issued, now: u64) -> Result<(), Failure> {
    let Some(url) = status_url(issuer.did()) else { return Ok(()) };
    let (bits, until) = issued.list(issuer.did());
    let list = issuer.issue_status_list(url.as_str(), &bits, now, until).ok_or_else(too_late)?;
    let file = home.write_status_list(&list)?;
    eprintln!("  upload    {}", file.display());
    eprintln!("  to        {url}");
    Ok(())
}

fn too_late() -> Failure {
    Failure::new(Kind::Usage, "it would end after the year 9999").hint("--valid 90d")
}

fn check_subject(did: &str) -> Result<(), Failure> {
    let checked = if did.starts_with(web::PREFIX) {
        web::url(did).map(drop)
    } else {
        key::decode_ed25519(did).map(drop)
    };
    checked.map_err(|_| {
        let message = format!("{} is no did:key of a party and no did:web", showable(did, SHOWN));
        Failure::new(Kind::DidMalformed, message)
            .hint("give what `didagent identity show` prints at that party")
    })
}
