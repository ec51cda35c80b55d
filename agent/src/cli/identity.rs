//! `didagent identity`: this home's identity, and the document that an organisation publishes for it.

use didagent_didcomm::did::web;

use super::args::{IdentityCommand, Method, SiteArgs};
use crate::core::did_document;
use crate::core::identity::Identity;
use crate::failure::{Failure, Kind};
use crate::io::home::Home;

/// Returns what goes to stdout: the identity, the did:web, or the document to publish.
pub(super) fn run(home: &Home, command: &IdentityCommand) -> Result<String, Failure> {
    match command {
        IdentityCommand::Show { site } => match site_did(site)? {
            Some(did) => document(home, &home.identity_or_new()?, &did),
            None => Ok(home.identity_or_new()?.did().to_owned()),
        },
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
    let file = home.write_did_document(&document(home, &identity, &did)?)?;
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

fn document(home: &Home, identity: &Identity, did: &str) -> Result<String, Failure> {
    let mediator = home.mediator()?.map(|choice| choice.did);
    Ok(did_document::to_json(&did_document::published(identity, did, mediator.as_deref())?))
}
