//! A web site on loopback whose certificate is by an authority of its own.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::PATIENCE;

/// A running web site.
pub struct Site {
    /// Its port on loopback; its name is `localhost`.
    pub port: u16,
    /// The authority's certificate, as PEM.
    pub authority: String,
    shared: Arc<Shared>,
    server: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// What is answered, by path: a whole HTTP answer.
    answers: Mutex<HashMap<String, Vec<u8>>>,
    /// The heads of all requests.
    requests: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Site {
    /// Starts a site that has nothing yet.
    pub fn start() -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = authority.self_signed(&authority_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &authority, &authority_key).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let (config, serving) = (Arc::new(config), shared.clone());
        let server = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.over.load(Ordering::Acquire) {
                    return;
                }
                // A client that hangs up is part of some tests.
                let _ = serve(stream.unwrap(), &config, |head| serving.answer_to(head));
            }
        });
        Self { port, authority: authority.pem(), shared, server: Some(server) }
    }

    /// Writes the authority to a file for `SSL_CERT_FILE`.
    pub fn write_authority(&self, path: &Path) {
        std::fs::write(path, &self.authority).unwrap();
    }

    /// The did:web of a folder of this site; an empty one for the site itself.
    pub fn did(&self, folder: &str) -> String {
        let folder = if folder.is_empty() { String::new() } else { format!(":{folder}") };
        format!("did:web:localhost%3A{}{folder}", self.port)
    }

    /// Puts a file onto the site; `headers` are whole lines.
    pub fn put(&self, path: &str, headers: &str, body: &str) {
        let length = body.len();
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
        self.answer(path, answer.as_bytes());
    }

    /// Says what is answered to a path, byte for byte.
    pub fn answer(&self, path: &str, answer: &[u8]) {
        self.shared.answers.lock().unwrap().insert(path.to_owned(), answer.to_vec());
    }

    /// The paths that were asked for since the last look.
    pub fn asked(&self) -> Vec<String> {
        let heads = std::mem::take(&mut *self.shared.requests.lock().unwrap());
        heads.iter().map(|head| head.split(' ').nth(1).unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Release);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.server.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn answer_to(&self, head: String) -> Vec<u8> {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        self.requests.lock().unwrap().push(head);
        let answer = self.answers.lock().unwrap().get(&path).cloned();
        answer.unwrap_or_else(|| b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec())
    }
}

fn serve(
    stream: TcpStream,
    config: &Arc<ServerConfig>,
    answer_to: impl FnOnce(String) -> Vec<u8>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let connection = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).map_err(std::io::Error::other)?;
    stream.write_all(&answer_to(head))?;
    stream.conn.send_close_notify();
    stream.flush()
}
