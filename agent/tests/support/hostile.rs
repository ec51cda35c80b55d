//! Something else at the address of a mediator.

use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use tokio_tungstenite::tungstenite::{self, WebSocket};

use super::didagent;
use super::mediator::Mediator;

/// A server that does the same with every connection. Its thread ends with the test's process.
#[derive(Debug)]
pub struct Hostile {
    /// Its port.
    pub port: u16,
}

impl Hostile {
    /// Starts to listen. A connection is closed when `serve` returns.
    pub fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(stream));
            }
        });
        Self { port }
    }

    /// A WebSocket server.
    pub fn websocket(serve: impl Fn(WebSocket<TcpStream>) + Send + Sync + 'static) -> Self {
        Self::listen(move |stream| {
            if let Ok(socket) = tungstenite::accept(stream) {
                serve(socket);
            }
        })
    }

    /// The link of a mediator that is said to be at this server's address.
    pub fn link(&self) -> String {
        let mediator = Mediator::start_behind(&didagent(), self.port);
        mediator.link.clone()
    }
}
