//! Fetches the document of a did:web, and other texts from where a DID says.
//!
//! Specification: `spec/connect.md`, CN-65 and CN-66; the did:web method; decision record 0010.
//!
//! ```text
//! did:web --> https URL --DNS--> addresses --policy--> dial --TLS--> GET --> so many bytes --> document whose id is the DID
//!                 ^------------------- at most three redirects, each under the same rules -------'
//! ```
//!
//! A DID comes from a stranger, and with it the host that is asked. So what is checked is the address that is dialled, after
//! DNS: a name that leads into the local network, or to the address where a cloud keeps its secrets, is not asked.
//!
//! Not its concern: remembering documents (`core::did_cache`), the other methods (`io::did`).

use std::time::Duration;

use didagent_didcomm::did::{DidDocument, MAX_DOCUMENT_BYTES, web};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderName};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use crate::core::did_cache::lifetime;
use crate::core::did_document;
use crate::failure::{Failure, Kind};
use crate::io::dial::{MAX_ADDRESSES, is_public, resolve};

/// How long everything may take, redirects included: a page takes less than a second, and somebody waits for this one.
const TOTAL: Duration = Duration::from_secs(10);
/// Most redirects that are followed: from a bare name to `www`, and from there to where files are kept, and one to spare.
const MAX_REDIRECTS: usize = 3;
/// Longest head of an answer, in bytes; hyper takes no less than 8 KiB.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Most fields in it.
const MAX_FIELDS: usize = 100;

/// Which hosts may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// Those of the public internet.
    Public,
    /// Also those of local networks, because the person says so.
    Any,
}

/// A document as it came.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) document: DidDocument,
    pub(crate) json: String,
    /// How long it may be remembered, in seconds.
    pub(crate) lifetime: u64,
}

/// What a site is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// What it is called in a sentence for people.
    pub(crate) name: &'static str,
    /// Its media types, for `Accept`.
    pub(crate) accept: &'static str,
    /// Most bytes that are read of it.
    pub(crate) most: usize,
}

/// A text as it came.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    /// How long it may be remembered, in seconds.
    pub(crate) lifetime: u64,
}

const DOCUMENT: Wanted = Wanted {
    name: "document",
    accept: "application/did+json, application/did+ld+json, application/json",
    most: MAX_DOCUMENT_BYTES,
};

/// Fetches the document of `did`, a did:web.
///
/// # Errors
/// One of the kinds of DIDs (`E09..`).
pub(crate) async fn fetch(did: &str, hosts: Hosts) -> Result<Fetched, Failure> {
    let url = web::url(did).map_err(|error| did_document::failure(did, &error))?;
    let Text { text: json, lifetime } = fetch_text(&url, DOCUMENT, hosts).await?;
    let document = DidDocument::from_json(did, json.as_bytes())
        .map_err(|error| did_document::failure(did, &error).hint("tell whoever runs the web site"))?;
    Ok(Fetched { document, json, lifetime })
}

/// Fetches a text from a place that a stranger names.
///
/// # Errors
/// One of the kinds of DIDs (`E09..`).
pub(crate) async fn fetch_text(url: &Url, wanted: Wanted, hosts: Hosts) -> Result<Text, Failure> {
    let tls = TlsConnector::from(std::sync::Arc::new(tls_config()?));
    fetch_within(TOTAL, url, wanted, hosts, &tls).await
}

async fn fetch_within(
    limit: Duration,
    url: &Url,
    wanted: Wanted,
    hosts: Hosts,
    tls: &TlsConnector,
) -> Result<Text, Failure> {
    match timeout(limit, follow(url.clone(), wanted, hosts, tls)).await {
        Ok(result) => result,
        Err(_) => Err(unreachable_at(url, &format!("no answer within {} s", limit.as_secs_f32()))),
    }
}

/// The authorities that the machine trusts, as for a mediator's websocket.
pub(super) fn tls_config() -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        let message =
            "this machine has no list of certificate authorities, so no web site can prove who it is";
        return Err(Failure::new(Kind::DidUnreachable, message).hint("install the package ca-certificates"));
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// What a server said.
enum Answer {
    Text(Text),
    Elsewhere(Url),
}

async fn follow(url: Url, wanted: Wanted, hosts: Hosts, tls: &TlsConnector) -> Result<Text, Failure> {
    let mut next = url.clone();
    for _ in 0..=MAX_REDIRECTS {
        match ask(&next, wanted, hosts, tls).await? {
            Answer::Text(text) => return Ok(text),
            Answer::Elsewhere(url) => next = url,
        }
    }
    Err(unreachable_at(&url, "it sends people on and on to other places"))
}

async fn ask(url: &Url, wanted: Wanted, hosts: Hosts, tls: &TlsConnector) -> Result<Answer, Failure> {
    let stream = connect(url, hosts, tls).await?;
    let failed = |error: hyper::Error| unreachable_at(url, &error.to_string());
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    let request = request(url, wanted)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        read(url, wanted, response).await
    };
    let (mut exchange, mut connection) = (std::pin::pin!(exchange), std::pin::pin!(connection));
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // The server hung up; what it said before may still be unread.
        _ = &mut connection => exchange.await,
    }
}

async fn connect(url: &Url, hosts: Hosts, tls: &TlsConnector) -> Result<TlsStream<TcpStream>, Failure> {
    let mut candidates =
        resolve(url.as_str()).await.map_err(|error| unreachable_at(url, &error.to_string()))?;
    candidates.retain(|address| hosts == Hosts::Any || is_public(address.ip()));
    if candidates.is_empty() {
        let host = url.host_str().unwrap_or_default();
        let message = format!("{host} is on a local network, which a DID may not make this machine ask");
        return Err(Failure::new(Kind::DidHostRefused, message)
            .hint("if it is your own network: the same command with --allow-private-hosts"));
    }
    let name = url.host_str().and_then(|host| ServerName::try_from(host.to_owned()).ok());
    let name = name.ok_or_else(|| unreachable_at(url, "its name is none for a certificate"))?;
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for candidate in candidates.into_iter().take(MAX_ADDRESSES) {
        match TcpStream::connect(candidate).await {
            Ok(stream) => {
                let secured = tls.connect(name, stream).await;
                return secured
                    .map_err(|error| unreachable_at(url, &format!("no secure connection: {error}")));
            }
            Err(error) => last = error,
        }
    }
    Err(unreachable_at(url, &last.to_string()))
}

fn request(url: &Url, wanted: Wanted) -> Result<Request<Empty<Bytes>>, Failure> {
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    Request::get(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, wanted.accept)
        .header(header::USER_AGENT, concat!("didagent/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|error| unreachable_at(url, &error.to_string()))
}

async fn read(
    url: &Url,
    wanted: Wanted,
    response: Response<hyper::body::Incoming>,
) -> Result<Answer, Failure> {
    let Wanted { name, most, .. } = wanted;
    let field = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    match response.status() {
        StatusCode::OK => {}
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => return redirect(url, field(header::LOCATION)),
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            let message = format!("there is no {name} at {url} (HTTP status {})", response.status().as_u16());
            return Err(Failure::new(Kind::DidNotFound, message)
                .hint("ask whoever gave you the DID whether it is still in use"));
        }
        status => return Err(unreachable_at(url, &format!("HTTP status {}", status.as_u16()))),
    }
    if field(header::CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(unreachable_at(url, "it compresses what was asked for as it is"));
    }
    let lifetime = lifetime(field(header::CACHE_CONTROL));
    let too_large = || {
        let message = format!("the {name} at {url} is larger than {} KiB", most / 1024);
        Failure::new(Kind::DidDocumentBroken, message)
    };
    let body = response.into_body();
    // What is announced as too large is not read at all.
    if body.size_hint().lower() > u64::try_from(most).unwrap_or(u64::MAX) {
        return Err(too_large());
    }
    let body = Limited::new(body, most).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() { too_large() } else { unreachable_at(url, &error.to_string()) }
    })?;
    let text = String::from_utf8(body.to_bytes().into()).map_err(|_| {
        Failure::new(Kind::DidDocumentBroken, format!("what is at {url} is no text, and so no {name}"))
    })?;
    Ok(Answer::Text(Text { text, lifetime }))
}

/// Where a server sends people: only to another name under https.
fn redirect(url: &Url, location: Option<&str>) -> Result<Answer, Failure> {
    let to = location.and_then(|location| url.join(location).ok());
    let Some(to) = to else {
        return Err(unreachable_at(url, "it sends people elsewhere without saying where"));
    };
    let is_name = matches!(to.host(), Some(Host::Domain(_)));
    if to.scheme() != "https" || !is_name || !to.username().is_empty() || to.password().is_some() {
        let message = format!("{url} sends people to {to}, which is no https address with a name");
        return Err(Failure::new(Kind::DidHostRefused, message).hint("tell whoever runs the web site"));
    }
    Ok(Answer::Elsewhere(to))
}

fn unreachable_at(url: &Url, why: &str) -> Failure {
    Failure::new(Kind::DidUnreachable, format!("cannot get the document at {url}: {why}"))
        .hint("check the DID, and that this machine may connect outwards; then the same again in a minute")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides CN-66.
    #[test]
    fn redirects_lead_to_names_under_https_only() {
        let url = Url::parse("https://example.org/.well-known/did.json").unwrap();
        let to = |location: &str| match redirect(&url, Some(location)) {
            Ok(Answer::Elsewhere(url)) => Ok(url.to_string()),
            Ok(Answer::Text(_)) => panic!("a document"),
            Err(failure) => Err(failure.kind),
        };
        assert_eq!(to("https://www.example.org/d.json").as_deref(), Ok("https://www.example.org/d.json"));
        assert_eq!(to("/did.json").as_deref(), Ok("https://example.org/did.json"));
        for refused in [
            "http://example.org/did.json",
            "https://127.0.0.1/did.json",
            "https://[::1]/did.json",
            "https://user@example.org/did.json",
            "file:///etc/passwd",
            "data:application/json,{}",
        ] {
            assert_eq!(to(refused), Err(Kind::DidHostRefused), "{refused}");
        }
        assert_eq!(redirect(&url, None).err().map(|failure| failure.kind), Some(Kind::DidUnreachable));
    }

    /// A connector that trusts nobody, and a listener with its address.
    async fn stranger() -> (TlsConnector, tokio::net::TcpListener, Url) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let url = Url::parse(&format!("https://localhost:{port}/did.json")).unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let tls =
            ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        (TlsConnector::from(std::sync::Arc::new(tls)), listener, url)
    }

    /// Decides CN-66.
    #[tokio::test]
    async fn a_name_that_leads_home_is_not_dialled() {
        let (tls, listener, url) = stranger().await;
        let refused = connect(&url, Hosts::Public, &tls).await.unwrap_err();
        assert_eq!(refused.kind, Kind::DidHostRefused);
        // With the person's word it is: the listener hangs up.
        let hang_up = async { listener.accept().await.map(drop) };
        let (dialled, _) = tokio::join!(connect(&url, Hosts::Any, &tls), hang_up);
        assert_eq!(dialled.unwrap_err().kind, Kind::DidUnreachable);
    }

    /// Decides CN-66.
    #[tokio::test]
    async fn a_silent_server_is_left() {
        let (tls, _listener, url) = stranger().await;
        let limit = Duration::from_millis(50);
        let left = fetch_within(limit, &url, DOCUMENT, Hosts::Any, &tls).await.unwrap_err();
        assert_eq!(left.kind, Kind::DidUnreachable);
        assert!(left.message.contains("no answer within"), "{}", left.message);
    }
}
