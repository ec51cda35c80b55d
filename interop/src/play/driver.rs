//! A peer: a program around a library of somebody else.
//!
//! It reads one job a line from its standard input and answers each with one line, both JSON:
//!
//! ```text
//! {"op":"versions"}                                                        -> {"ok":{"PACKAGE":"VERSION",..}}
//! {"op":"pack","kind":KIND,"enc":ENC,"message":{..},"from":DID,"to":DID,
//!  "sign_by":KID,"documents":[..],"secrets":[{"kid":KID,"jwk":{..}}]}      -> {"ok":{"packed":TEXT}}
//! {"op":"unpack","packed":TEXT,"documents":[..],"secrets":[..]}
//!                                        -> {"ok":{"message":{..},"sender":KID,"signer":KID}}
//! {"op":"forwarded","packed":TEXT,"documents":[..],"secrets":[..]}         -> {"ok":{"next":DID,"packed":TEXT}}
//! whatever the library refuses                                             -> {"error":TEXT}
//! what this program does not know how to ask the library for               -> {"absent":TEXT}
//! ```
//!
//! `kind`, `enc` and documents are those of [`super::case`] and [`super::identity`]. `sender` is the key that encrypted,
//! `signer` the one that signed; a member that the library does not tell is missing, and `null` says that there is none.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// How long a peer may think about one job. The first one loads its library.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why a peer did not do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal(pub String);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A running peer. It is ended when this is dropped.
#[derive(Debug)]
pub struct Driver {
    name: String,
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Driver {
    /// Starts it.
    ///
    /// # Panics
    /// When there is no such program: a peer that is missing has not passed.
    pub fn start(name: &str, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}; {command:?}"));
        let (input, output) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        let (lines, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        });
        Self { name: name.to_owned(), child, input, answers }
    }

    /// Gives it one job.
    ///
    /// # Errors
    /// What the peer says instead.
    ///
    /// # Panics
    /// When the program is gone or answers something else than an answer.
    pub fn ask(&mut self, job: &Value) -> Result<Value, Refusal> {
        let name = &self.name;
        writeln!(self.input, "{job}").unwrap_or_else(|error| panic!("{name} is gone: {error}"));
        let line = self
            .answers
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("{name} does not answer ({error}): {job}"));
        let mut answer: Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{name} says {line}: {error}"));
        match (answer["error"].as_str(), answer["absent"].as_str()) {
            (Some(text), _) => Err(Refusal(text.to_owned())),
            (_, Some(text)) => Err(Refusal(format!("not offered: {text}"))),
            _ if answer["ok"].is_object() => Ok(answer["ok"].take()),
            _ => panic!("{name} says {line}"),
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
