//! `didagent identity`: this home's identity, and the document that an organisation publishes for it.

use didagent_didcomm::did::web;

use super::args::{IdentityCommand, Method, SiteArgs};
use crate::core::did_document;
use crate::core::identity::Identity;
use crate::core::invite::read_mediator_link;
use crate::failure::{Failure, Kind};
use crate::io;
use crate::io::home::{Home, MediatorChoice};

/// Returns what goes to stdout: the identity, the did:web, or the document to publish.
pub(super) fn run(home: &Home, command: &IdentityCommand) -> Result<String, Failure> {
    match command {
        IdentityCommand::Show { address, mediator, site } => {
            let (identity, did) = (home.identity_or_new()?, site_did(site)?);
            match did {
                _ if *address => address_at(&identity, &mediators(home, mediator)?),
                Some(did) => document(&identity, &did, &mediators(home, mediator)?),
                None => Ok(identity.did().to_owned()),
            }
        }
        IdentityCommand::New { method, site } => new(home, *method, site),
    }
}

fn new(home: &Home, method: Method, site: &SiteArgs) -> Result<String, Failure> {
    let did = match (method, site_did(site)?) {
        (Method::Key, None) => None,
        (Method::Web, Some(did)) => Some(did),
        (Method::Key, Some(_)) => {
            return Err(Failure::new(Kind::Usage, "a did:key has no web site")
                .hint("--method web, or without --domain"));
        }
        (Method::Web, None) => {
            return Err(Failure::new(Kind::Usage, "a did:web needs the name of the web site")
                .hint("didagent identity new --method web --domain example.org"));
        }
    };
    if let Some(identity) = home.identity()? {
        let message = format!("this home has an identity already: {}", identity.did());
        let hint = match &site.domain {
            None => "use another home with --home DIR".to_owned(),
            Some(domain) => {
                let path = site.path.as_ref().map_or_else(String::new, |path| format!(" --path '{path}'"));
                format!("its document: didagent identity show --domain '{domain}'{path} > did.json")
            }
        };
        return Err(Failure::new(Kind::Usage, message).hint(hint));
    }
    let identity = home.identity_or_new()?;
    let Some(did) = did else { return Ok(identity.did().to_owned()) };
    let file = home.write_did_document(&document(&identity, &did, &mediators(home, &[])?)?)?;
    let url = web::url(&did).map_err(|error| did_document::failure(&did, &error))?;
    eprintln!("  upload    {}", file.display());
    eprintln!("  to        {url}");
    eprintln!("  then try  didagent did resolve {did} --fresh");
    eprintln!("  keep      {}  it holds the secret keys", home.path().join("identity.json").display());
    eprintln!("  in rooms  this home is {}", identity.did());
    eprintln!("            unless you add to invite or join: --as {did}");
    eprintln!(
        "            Whoever resolves that sees that this key is yours; a stolen key counts until the document"
    );
    eprintln!("            on the web site is replaced.");
    Ok(did)
}

fn site_did(site: &SiteArgs) -> Result<Option<String>, Failure> {
    let Some(domain) = &site.domain else { return Ok(None) };
    let path = site.path.as_deref().unwrap_or_default();
    web::encode(domain, path).map(Some).map_err(|error| {
        Failure::new(Kind::Usage, format!("no did:web can be made of this web site: {error}"))
            .hint("a name like example.org, and a folder like departments/audit, without https:// and spaces")
    })
}

/// Returns the home's mediators, or those that are given, which are the home's from now on.
fn mediators(home: &Home, given: &[String]) -> Result<Vec<String>, Failure> {
    let given = given.iter().map(|link| read_mediator_link(link, io::unix_now()));
    let choice = match MediatorChoice::of(given.collect::<Result<_, _>>()?) {
        Some(choice) => {
            home.write_mediator(&choice)?;
            Some(choice)
        }
        None => home.mediator()?,
    };
    Ok(choice.map(MediatorChoice::all).unwrap_or_default())
}

fn address_at(identity: &Identity, mediators: &[String]) -> Result<String, Failure> {
    if mediators.is_empty() {
        return Err(Failure::new(
            Kind::NoMediator,
            "this home has no mediator yet, so nothing can be written to it",
        )
        .hint("didagent identity show --address --mediator LINK   (`didagent mediator serve` prints one)"));
    }
    Ok(identity.connection_of(mediators).did)
}

fn document(identity: &Identity, did: &str, mediators: &[String]) -> Result<String, Failure> {
    Ok(did_document::to_json(&did_document::published(identity, did, mediators)?))
}
