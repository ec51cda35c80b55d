//! The only clocks, random generators, sockets, files, tasks and processes of the agent.
#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "this is the io module")]

pub(crate) mod alarm;
pub(crate) mod board;
mod clock;
pub(crate) mod credential_file;
pub(crate) mod demo;
mod dial;
pub(crate) mod did;
pub(crate) mod did_web;
#[cfg(feature = "webvh")]
pub mod did_webvh;
pub mod engine;
mod fetch;
mod fetched;
pub mod home;
pub(crate) mod links;
pub(crate) mod local_api;
pub(crate) mod logging;
mod mediator_time;
pub(crate) mod message;
mod metered;
mod nonce;
mod one_use;
pub(crate) mod os;
pub(crate) mod party_lists;
mod peer;
pub(crate) mod ping;
pub(crate) mod program;
mod python_env;
mod runtime;
mod standstill;
mod status_list;
pub(crate) mod stdout;
pub(crate) mod supervise;
pub(crate) mod transcripts;
mod typed;
mod websocket;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::core::pasted::is_whole;
use crate::failure::{Failure, Kind};

/// The system's random generator. Checked once to work, so that later use cannot fail in the middle of a protocol.
pub(crate) type SystemRng = rand_core::UnwrapErr<getrandom::SysRng>;

/// Returns the system's random generator.
pub(crate) fn system_rng() -> Result<SystemRng, Failure> {
    getrandom::fill(&mut [0; 8]).map_err(|error| {
        Failure::new(Kind::Other, format!("the system's random generator does not work: {error}"))
    })?;
    Ok(rand_core::UnwrapErr(getrandom::SysRng))
}

/// Returns the time in UTC seconds; a clock before 1970 counts as 1970.
pub(crate) fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Returns a generator for a part that keeps its own; [`system_rng`] has checked that it works.
pub(crate) fn fresh_rng() -> SystemRng {
    rand_core::UnwrapErr(getrandom::SysRng)
}

/// Returns eight random bytes as a number.
pub(crate) fn random_u64(rng: &mut SystemRng) -> u64 {
    use rand_core::Rng as _;
    rng.next_u64()
}

/// Says whether this machine has instructions for AES-GCM, for the block and for the tag.
pub(crate) fn has_aes_instructions() -> bool {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    return std::arch::is_x86_feature_detected!("aes") && std::arch::is_x86_feature_detected!("pclmulqdq");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("aes")
        && std::arch::is_aarch64_feature_detected!("pmull");
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// Makes the runtime of a command.
///
/// # Errors
/// [`Kind::Other`] when the system gives no threads or no poller.
pub(crate) fn runtime() -> Result<runtime::Runtime, Failure> {
    // wss needs a provider; the choice is a decision record, not a feature flag of a dependency.
    let _ = rustls::crypto::ring::default_provider().install_default();
    runtime::Runtime::start()
}

/// Ends this process with the demo that started it, if one did.
pub(crate) fn end_with_parent() {
    os::end_with_parent();
}

/// So long that an answer that is there already comes first.
pub(crate) async fn a_moment() {
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
}

/// Waits for something, but for no longer than `limit`; `None` if that was too short.
pub(crate) async fn within<T>(limit: std::time::Duration, what: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(limit, what).await.ok()
}

/// Returns the name of the user, or `party` if the system does not tell.
pub(crate) fn user_name() -> String {
    let name = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|variable| std::env::var(variable).ok());
    let name = name.filter(|name| !name.is_empty()).or_else(os::account_name);
    name.filter(|name| crate::core::room::roster::is_showable(name)).unwrap_or_else(|| "party".to_owned())
}

/// Most that is read from stdin, in bytes: a link has at most 16 KiB.
const MAX_STDIN: usize = 64 * 1024;

/// Reads a link from stdin: one line that a person pastes, or what a file has up to the end of the link. What follows is the program's.
///
/// # Errors
/// [`Kind::LinkNotALink`] when there is nothing.
pub(crate) async fn read_link_from_stdin() -> Result<String, Failure> {
    use std::io::IsTerminal as _;
    // Whoever types waits for an answer after each line.
    let at_terminal = std::io::stdin().is_terminal();
    let read = move || {
        let mut text = String::new();
        while let Some(line) = os::read_line(MAX_STDIN.saturating_sub(text.len())) {
            text.push_str(&line);
            if at_terminal || is_whole(&text) {
                break;
            }
        }
        text
    };
    let line = tokio::task::spawn_blocking(read).await.unwrap_or_default();
    if line.trim().is_empty() {
        return Err(Failure::new(Kind::LinkNotALink, "no link was given")
            .hint("paste the whole line that starts with http, or give it as an argument in quotes"));
    }
    Ok(line)
}

/// Says whether there is a person who can be asked.
pub(crate) fn can_ask() -> bool {
    use std::io::IsTerminal as _;
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Waits for a line of the terminal, and says whether it is a yes.
pub(crate) async fn says_yes() -> bool {
    let line = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    let line = line.await.ok().and_then(Result::ok).unwrap_or_default();
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}
