//! What a person types while a room is open: `q` for the QR code, an answer to a question.
//!
//! Whole lines, so the terminal keeps its modes: there is nothing to put back when the command is killed, and Ctrl-C, Ctrl-Z and
//! what is typed look as everywhere. A key alone, without Enter, would need raw modes, which nobody restores after `kill -9`.
//!
//! ```text
//! terminal --poll--> thread --lines--> engine        until the program starts: from then on stdin is the program's alone
//! ```
//!
//! Not its concern: what a line means (`engine`).

use std::io::PipeWriter;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::io::os;

/// Lines that wait for the engine; a person types no faster.
const LINES: usize = 4;

/// How long the thread may take to notice that it is to end: it only waits.
const STOP: Duration = Duration::from_secs(1);

/// Lines of the terminal, as long as they are ours to read.
#[derive(Debug, Default)]
pub(crate) struct Typed {
    lines: Option<mpsc::Receiver<String>>,
    /// The thread ends when this is closed.
    stop: Option<PipeWriter>,
}

impl Typed {
    /// Begins to read the terminal; without one, or without a thread, nothing ever comes.
    pub(crate) fn listen() -> Self {
        let Ok((stopped, stop)) = std::io::pipe() else { return Self::default() };
        let (sender, lines) = mpsc::channel(LINES);
        let read = move || os::read_typed(&stopped, |line| sender.blocking_send(line).is_ok());
        match std::thread::Builder::new().name("typed".into()).spawn(read) {
            Ok(_) => Self { lines: Some(lines), stop: Some(stop) },
            Err(_) => Self::default(),
        }
    }

    /// Waits for the next line. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> String {
        if let Some(lines) = &mut self.lines {
            match lines.recv().await {
                Some(line) => return line,
                None => self.lines = None,
            }
        }
        std::future::pending().await
    }

    /// Leaves the terminal to others. When this returns nobody here reads it any more.
    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(mut lines) = self.lines.take() {
            // Closed by the thread as its last deed. What was typed and not taken is lost, as it was meant for us.
            let ended = async { while lines.recv().await.is_some() {} };
            let _ = tokio::time::timeout(STOP, ended).await;
        }
    }
}
