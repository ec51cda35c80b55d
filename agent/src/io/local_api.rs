//! The local socket of a home: how other commands on the same home attach to its engine.
//!
//! One line of JSON is asked, lines of JSON are answered:
//!
//! ```text
//! {"request":"ports"}      -> {"ports":["-P","127.0.0.1:20007",...]}   once everybody is ready
//! {"request":"supervise"}  -> {"stop":true}                           if the program is to be stopped
//! ```
//!
//! The connection of a supervisor stays open: when the engine dies, however it dies, the supervisor sees the end of it and
//! stops the program. Only the owner of the home may connect.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::failure::{Failure, Kind};
use crate::io::home::Home;
use crate::io::os::{self, LocalListener, LocalStream};

/// Longest line in bytes, either way: sixteen ports are 400 bytes.
const MAX_LINE: u64 = 64 * 1024;

/// How long a client may take for its line.
const REQUEST: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
enum Request {
    Ports,
    Supervise,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Answer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ports: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    stop: bool,
}

/// What the engine tells those who attach.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    /// MPyC's arguments, once everybody is ready.
    pub(crate) ports: Option<Vec<String>>,
    /// The program is to be stopped.
    pub(crate) stop: bool,
}

/// Listens on the home's local socket and answers from `shown` until the task is dropped with the runtime.
///
/// # Errors
/// [`Kind::HomeUnusable`] when the socket cannot be made.
pub(crate) fn serve(home: &Home, shown: watch::Receiver<Shown>) -> Result<Serving, Failure> {
    let path = os::local_socket_path(home.path());
    let listener = os::bind_local(&path).map_err(|error| {
        Failure::new(Kind::HomeUnusable, format!("cannot listen on {}: {error}", path.display()))
    })?;
    Ok(Serving(tokio::spawn(accept(listener, shown))))
}

/// The serving socket; it closes and its file goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Serving(tokio::task::JoinHandle<()>);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(listener: LocalListener, shown: watch::Receiver<Shown>) {
    loop {
        match listener.accept().await {
            Ok(stream) => {
                tokio::spawn(answer(stream, shown.clone()));
            }
            // Out of file descriptors or the like: others may free some.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(mut stream: LocalStream, mut shown: watch::Receiver<Shown>) {
    let (read, mut write) = stream.split();
    let mut lines = BufReader::new(read).take(MAX_LINE).lines();
    let Ok(Ok(Some(line))) = timeout(REQUEST, lines.next_line()).await else { return };
    let Ok(request) = serde_json::from_str::<Request>(&line) else { return };
    let answer = match request {
        Request::Ports => match shown.wait_for(|shown| shown.ports.is_some()).await {
            Ok(shown) => Answer { ports: shown.ports.clone(), ..Answer::default() },
            Err(_) => return,
        },
        Request::Supervise => {
            tokio::select! {
                stopped = shown.wait_for(|shown| shown.stop) => if stopped.is_err() { return },
                // The supervisor hung up: the program has ended.
                _ = lines.next_line() => return,
            }
            Answer { stop: true, ..Answer::default() }
        }
    };
    let mut line = serde_json::to_vec(&answer).unwrap_or_default();
    line.push(b'\n');
    if write.write_all(&line).await.is_ok() && matches!(request, Request::Supervise) {
        // Held open: its end is what tells the supervisor that the engine died.
        let _ = lines.next_line().await;
    }
}

/// Asks the engine of `home` for MPyC's arguments; waits until everybody is ready.
///
/// # Errors
/// [`Kind::NoEngine`] when no engine holds the home, or it ends before everybody is ready.
pub(crate) async fn ports(home: &Home) -> Result<Vec<String>, Failure> {
    let none = || {
        Failure::new(
            Kind::NoEngine,
            format!("no didagent is running with the home {}", home.path().display()),
        )
        .hint("start `didagent invite` or `didagent join` first, with the same --home")
    };
    let stream = os::connect_local(&os::local_socket_path(home.path())).await.map_err(|_| none())?;
    let answer = ask(stream, &Request::Ports).await;
    answer.and_then(|answer| answer.ports).ok_or_else(|| {
        Failure::new(Kind::NoEngine, "the engine of this home ended before everybody was ready")
    })
}

/// The supervisor's end of the local socket.
#[derive(Debug)]
pub(crate) struct Supervision(BufReader<LocalStream>);

impl Supervision {
    /// Attaches to the engine whose local socket is at `path`.
    pub(crate) async fn attach(path: &std::path::Path) -> std::io::Result<Self> {
        let mut stream = os::connect_local(path).await?;
        send(&mut stream, &Request::Supervise).await?;
        Ok(Self(BufReader::new(stream)))
    }

    /// Waits until the engine wants the program stopped. Returns `false` when the engine is gone instead.
    pub(crate) async fn stop_wanted(&mut self) -> bool {
        let mut line = String::new();
        match (&mut self.0).take(MAX_LINE).read_line(&mut line).await {
            Ok(_) => serde_json::from_str::<Answer>(&line).is_ok_and(|answer| answer.stop),
            Err(_) => false,
        }
    }
}

async fn ask(mut stream: LocalStream, request: &Request) -> Option<Answer> {
    send(&mut stream, request).await.ok()?;
    let mut lines = BufReader::new(stream).take(MAX_LINE).lines();
    let line = lines.next_line().await.ok().flatten()?;
    serde_json::from_str(&line).ok()
}

async fn send(stream: &mut LocalStream, request: &Request) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line).await
}
