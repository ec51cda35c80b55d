//! The listener: from a configuration to a running mediator.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use didagent_didcomm::protocols::out_of_band::{Invitation, InvitationError, InvitationParts};
use didagent_didcomm::protocols::types;
use rand_core::Rng as _;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep, timeout};
use tracing::Instrument as _;
use url::Url;

use super::engine::Engine;
use super::keys::{Identity, KeyError, KeyPair};
use super::{http, rng};
use crate::core::features::Part;
use crate::core::limits::{GOODBYE, Limits, MAX_SOCKETS};

/// Pause after the system refused a connection, usually because there are no file descriptors left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a mediator needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// URL for clients; `None` for `http://` and the address that it listens on. A port 0 in it becomes the real port.
    pub public_url: Option<String>,
    /// Directory of its keys; `None` for keys in memory.
    pub data: Option<PathBuf>,
    /// What it does not serve; empty for everything.
    pub without: Vec<Part>,
    /// Whether it serves the board on which hosts post rooms for strangers.
    pub lobby: bool,
}

/// Why a mediator does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The public URL is unusable.
    #[error("the public URL {url:?} is not an http, https, ws or wss URL with a host")]
    PublicUrl {
        /// The URL.
        url: String,
    },
    /// Listening on all addresses says nothing about how clients reach it.
    #[error("give --public-url: it listens on all addresses, and clients need one that leads here")]
    PublicUrlNeeded,
    /// The keys are unusable.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The invitation cannot be made, because the URL is very long.
    #[error("cannot make the invitation: {0}")]
    Invitation(#[from] InvitationError),
    /// The runtime or its signal handlers cannot be set up.
    #[error("cannot start: {0}")]
    Runtime(#[source] std::io::Error),
}

impl ServeError {
    /// Returns something to try, for people; every line of it can work.
    pub(super) fn hint(&self) -> Option<String> {
        use std::io::ErrorKind::{AddrInUse, AddrNotAvailable, PermissionDenied, StorageFull};
        let hint = match self {
            Self::Listen { address, source } => match source.kind() {
                AddrInUse => format!(
                    "another program listens there; give another port, or a free one: --listen {}",
                    SocketAddr::new(address.ip(), 0)
                ),
                AddrNotAvailable => {
                    "this machine does not have that address: --listen 127.0.0.1:8080".to_owned()
                }
                PermissionDenied => "use a port above 1023, and a proxy in front of it".to_owned(),
                _ => return None,
            },
            Self::PublicUrl { .. } | Self::PublicUrlNeeded => {
                "--public-url https://med.example.org, with your own host".to_owned()
            }
            Self::Keys(KeyError::Io { source, .. }) => match source.kind() {
                StorageFull => "make room on that disk, or give another folder with --data".to_owned(),
                _ => "give a folder that this user may write with --data, or none to keep keys in memory"
                    .to_owned(),
            },
            _ => return None,
        };
        Some(hint)
    }
}

/// A mediator that listens and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    engine: Arc<Engine>,
    link: String,
    /// How many connections are served at the same time.
    sockets: usize,
}

impl Server {
    /// Listens, loads or makes the keys, and makes the invitation.
    ///
    /// # Errors
    /// Each of [`ServeError`] but `Runtime`.
    pub async fn bind(config: Config) -> Result<Self, ServeError> {
        if config.public_url.is_none() && config.listen.ip().to_canonical().is_unspecified() {
            return Err(ServeError::PublicUrlNeeded);
        }
        let listen = |source| ServeError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let (page, endpoint) = public_urls(config.public_url, address)?;

        let keys = match &config.data {
            Some(directory) => KeyPair::load_or_create(directory)?,
            None => {
                tracing::warn!(
                    "no --data directory: the keys are in memory, and the invitation ends with this run"
                );
                KeyPair::generate()
            }
        };
        let identity = Identity::new(keys, &endpoint)?;
        let mut seed = [0; 32];
        rng().fill_bytes(&mut seed);
        let link = invitation(identity.did())?.to_url(&page)?;
        let engine =
            Arc::new(Engine::new(identity, &page, Limits::default(), (&config.without, config.lobby), seed));
        tracing::info!(%address, "listening; mail and accounts are in memory");
        Ok(Self { listener, address, engine, link, sockets: MAX_SOCKETS })
    }

    /// Returns the address that it listens on.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Returns the mediator's DID.
    pub fn did(&self) -> &str {
        self.engine.identity().did()
    }

    /// Returns the link to give to clients.
    pub fn invitation_link(&self) -> &str {
        &self.link
    }

    /// Serves until `stop` resolves, then says goodbye to all clients.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let permits = Arc::new(Semaphore::new(self.sockets));
        let posts = Arc::new(http::Posts::default());
        let mut tasks = JoinSet::new();
        let timer = self.engine.clone();
        let timer = tokio::spawn(async move { timer.keep_time().await });
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                accepted = self.listener.accept() => accepted,
                // Ended tasks are collected as they end, or the set would grow for ever.
                Some(_) = tasks.join_next() => continue,
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accept");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(permit) = permits.clone().try_acquire_owned() else {
                tracing::warn!(sockets = self.sockets, "full: connection refused");
                turn_away(&stream);
                continue;
            };
            tracing::debug!(%from, "connected");
            // Records are small and somebody waits for each.
            let _ = stream.set_nodelay(true);
            let (engine, posts) = (self.engine.clone(), posts.clone());
            let span = tracing::debug_span!("connection", %from);
            let serving = async move {
                http::serve(&engine, &posts, stream, from.ip()).await;
                drop(permit);
            };
            tasks.spawn(serving.instrument(span));
        }
        tracing::info!("stopping");
        drop(self.listener);
        self.engine.stop();
        let all = async { while tasks.join_next().await.is_some() {} };
        if timeout(GOODBYE + GOODBYE, all).await.is_err() {
            tracing::debug!("some clients did not say goodbye");
        }
        timer.abort();
    }
}

/// Tells a client to come back later, if that can be said without waiting.
fn turn_away(stream: &TcpStream) {
    const BUSY: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 10\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let _ = stream.try_write(BUSY);
}

/// Returns the base of the invitation link (http or https) and the WebSocket endpoint (ws or wss).
fn public_urls(public_url: Option<String>, address: SocketAddr) -> Result<(String, String), ServeError> {
    let text = public_url.unwrap_or_else(|| format!("http://{address}"));
    let error = || ServeError::PublicUrl { url: text.clone() };
    let mut url = Url::parse(&text).map_err(|_| error())?;
    if !url.has_host() {
        return Err(error());
    }
    if url.port() == Some(0) {
        url.set_port(Some(address.port())).map_err(|()| error())?;
    }
    url.set_fragment(None);
    let (page, socket) = match url.scheme() {
        "http" | "ws" => ("http", "ws"),
        "https" | "wss" => ("https", "wss"),
        _ => return Err(error()),
    };
    let with = |scheme: &str| {
        let mut url = url.clone();
        url.set_scheme(scheme).map_err(|()| error()).map(|()| String::from(url))
    };
    Ok((with(page)?, with(socket)?))
}

fn invitation(did: &str) -> Result<Invitation, InvitationError> {
    let mut id = [0; 16];
    rng().fill_bytes(&mut id);
    Invitation::new(InvitationParts {
        id: didagent_didcomm::protocols::b64url_encode(id),
        from: did.to_owned(),
        goal_code: Some(types::GOAL_MEDIATE.to_owned()),
        goal: Some("use this mediator".to_owned()),
        accept: vec![types::PROFILE_DIDCOMM_V2.to_owned()],
        ..InvitationParts::default()
    })
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;
    use tokio::sync::oneshot;

    use super::{Config, ServeError, Server, public_urls};
    use crate::core::limits::MAX_SOCKETS;

    /// Decides RL-03.
    #[tokio::test]
    async fn a_connection_more_than_there_is_room_for_is_told_to_come_back() {
        let config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            public_url: None,
            data: None,
            without: Vec::new(),
            lobby: false,
        };
        let mut server = Server::bind(config).await.unwrap();
        assert_eq!(server.sockets, MAX_SOCKETS);
        server.sockets = 2;
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        let health = async || {
            let mut client = TcpStream::connect(address).await.unwrap();
            let _ = client.write_all(b"GET /health HTTP/1.1\r\nHost: m\r\n\r\n").await;
            let mut answer = String::new();
            // The answer of one that is turned away can be followed by a reset.
            let _ = client.read_to_string(&mut answer).await;
            answer
        };
        // Connections are accepted in the order in which they are made.
        let kept = TcpStream::connect(address).await.unwrap();
        assert!(health().await.starts_with("HTTP/1.1 200 "));
        let other = TcpStream::connect(address).await.unwrap();
        let mut refused = TcpStream::connect(address).await.unwrap();
        let mut answer = String::new();
        refused.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("\r\nRetry-After: "), "{answer}");
        drop((kept, other));
        let again = async {
            while !health().await.starts_with("HTTP/1.1 200 ") {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(10), again).await.unwrap();
        stop.send(()).unwrap();
        running.await.unwrap();
    }

    #[tokio::test]
    async fn all_addresses_need_a_public_url_however_they_are_written() {
        for listen in ["0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0"] {
            let config = Config {
                listen: listen.parse().unwrap(),
                public_url: None,
                data: None,
                without: Vec::new(),
                lobby: false,
            };
            let error = Server::bind(config).await.err();
            assert!(matches!(error, Some(ServeError::PublicUrlNeeded)), "{listen}: {error:?}");
        }
    }

    #[test]
    fn public_urls_follow_the_scheme_and_the_real_port() {
        let address = "127.0.0.1:4711".parse().unwrap();
        let urls = |url: Option<&str>| public_urls(url.map(str::to_owned), address);
        let pair = |page: &str, socket: &str| (page.to_owned(), socket.to_owned());
        assert_eq!(urls(None).unwrap(), pair("http://127.0.0.1:4711/", "ws://127.0.0.1:4711/"));
        assert_eq!(
            urls(Some("https://med.example.org/a?b#c")).unwrap(),
            pair("https://med.example.org/a?b", "wss://med.example.org/a?b")
        );
        assert_eq!(
            urls(Some("ws://localhost:0")).unwrap(),
            pair("http://localhost:4711/", "ws://localhost:4711/")
        );
        for bad in ["", "med.example.org", "ftp://med.example.org", "http://"] {
            assert!(urls(Some(bad)).is_err(), "{bad}");
        }
    }
}
