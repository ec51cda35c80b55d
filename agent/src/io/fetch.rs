//! One HTTP request over a connection that we dial ourselves: for what is kept behind short links.
//!
//! Specification: `spec/invite.md`, IV-11 and IV-13; decision record 0010 for why the dialling is our own.
//!
//! Not its concern: what an answer means (`io::links`), DID documents (`io::did_web`).

use std::sync::Arc;

use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{self, HeaderName};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use crate::io::dial::{MAX_ADDRESSES, is_public, resolve};
use crate::io::did_web::{Hosts, tls_config};

/// Longest head of an answer, in bytes; the target of a redirect can be a full link.
const MAX_HEAD_BYTES: usize = 48 * 1024;
/// Most fields in it.
const MAX_FIELDS: usize = 100;

/// What is asked.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: &'a Url,
    pub(super) accept: &'static str,
    /// Value of `Authorization`; a secret.
    pub(super) authorization: Option<&'a str>,
    pub(super) hosts: Hosts,
    /// Most bytes of the body.
    pub(super) limit: usize,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) location: Option<String>,
    /// What a mediator says of a short link that is gone (RL-73).
    pub(super) link_state: Option<String>,
    pub(super) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The host is on a local network, and nobody here chose it.
    Local,
    /// Nobody answers, or not by HTTP.
    Unreachable(String),
    /// The answer is longer than allowed.
    TooLong,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Asks, and reads the whole answer. The caller limits the time.
pub(super) async fn ask(ask: &Ask<'_>) -> Result<Answer, NoAnswer> {
    let failed = |error: hyper::Error| NoAnswer::Unreachable(error.to_string());
    let stream = connect(ask.url, ask.hosts).await?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    let request = request(ask)?;
    let exchange = async {
        let response = sender.send_request(request).await.map_err(failed)?;
        read(response, ask.limit).await
    };
    let (mut exchange, mut connection) = (std::pin::pin!(exchange), std::pin::pin!(connection));
    tokio::select! {
        biased;
        answer = &mut exchange => answer,
        // The server hung up; what it said before may still be unread.
        _ = &mut connection => exchange.await,
    }
}

async fn connect(url: &Url, hosts: Hosts) -> Result<Box<dyn Stream>, NoAnswer> {
    let unreachable = |why: String| NoAnswer::Unreachable(why);
    let mut candidates = resolve(url.as_str()).await.map_err(|error| unreachable(error.to_string()))?;
    candidates.retain(|address| hosts == Hosts::Any || is_public(address.ip()));
    if candidates.is_empty() {
        return Err(NoAnswer::Local);
    }
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for candidate in candidates.into_iter().take(MAX_ADDRESSES) {
        match TcpStream::connect(candidate).await {
            Ok(stream) if url.scheme() == "https" => return secured(url, stream).await,
            Ok(stream) => return Ok(Box::new(stream)),
            Err(error) => last = error,
        }
    }
    Err(unreachable(last.to_string()))
}

async fn secured(url: &Url, stream: TcpStream) -> Result<Box<dyn Stream>, NoAnswer> {
    let unreachable = |why: String| NoAnswer::Unreachable(why);
    let name = match url.host() {
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).ok(),
        Some(Host::Ipv4(ip)) => Some(ServerName::from(std::net::IpAddr::from(ip))),
        Some(Host::Ipv6(ip)) => Some(ServerName::from(std::net::IpAddr::from(ip))),
        None => None,
    };
    let name = name.ok_or_else(|| unreachable("its name is none for a certificate".to_owned()))?;
    let tls = TlsConnector::from(Arc::new(tls_config().map_err(|failure| unreachable(failure.message))?));
    let stream = tls.connect(name, stream).await;
    Ok(Box::new(stream.map_err(|error| unreachable(format!("no secure connection: {error}")))?))
}

fn request(ask: &Ask<'_>) -> Result<Request<Empty<Bytes>>, NoAnswer> {
    let url = ask.url;
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let mut request = Request::builder()
        .method(&ask.method)
        .uri(path)
        .header(header::HOST, host)
        .header(header::ACCEPT, ask.accept)
        .header(header::USER_AGENT, concat!("didagent/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close");
    if let Some(authorization) = ask.authorization {
        request = request.header(header::AUTHORIZATION, authorization);
    }
    if ask.method == Method::POST {
        request = request.header(header::CONTENT_LENGTH, 0);
    }
    request.body(Empty::new()).map_err(|error| NoAnswer::Unreachable(error.to_string()))
}

async fn read(response: Response<hyper::body::Incoming>, limit: usize) -> Result<Answer, NoAnswer> {
    let field = |name: HeaderName| {
        response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let content_type = field(header::CONTENT_TYPE).unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (status, location) = (response.status().as_u16(), field(header::LOCATION));
    let link_state = field(HeaderName::from_static("link-state"));
    let body = Limited::new(response.into_body(), limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            NoAnswer::TooLong
        } else {
            NoAnswer::Unreachable(error.to_string())
        }
    })?;
    Ok(Answer { status, content_type, location, link_state, body: body.to_bytes().into() })
}
