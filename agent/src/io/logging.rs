//! The log: on stderr, one line an event, with UTC time and the spans that it is in.
//!
//! Spans carry the ids: `room` (first characters of its id, own index), `mediator` (host), `session` (party and first bytes
//! of the session's id), `bridge` (party). What no filter lets through: keys, plaintext, links, tokens and bodies are
//! never given to the log.
//!
//! Only our own packages write to it. The packages that carry our bytes (tungstenite, rustls) log through the `log` crate,
//! some of them whole frames; nothing here connects that crate to this log, and no filter can.

use tracing_subscriber::EnvFilter;

use crate::failure::{Failure, Kind};

/// What is logged without a filter: our own errors.
const DEFAULT: &str = "error";

/// Begins to log on stderr what `filter` names. Never colours: a log is read by people and programs alike.
///
/// # Errors
/// [`Kind::Usage`] when the filter cannot be read.
pub(crate) fn start(filter: Option<&str>) -> Result<(), Failure> {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(read(filter.unwrap_or(DEFAULT))?)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    // A second call, which only a test makes, keeps the first.
    let _ = subscriber.try_init();
    Ok(())
}

fn read(filter: &str) -> Result<EnvFilter, Failure> {
    let refused = |why: &str| {
        Failure::new(Kind::Usage, format!("the log filter {filter} cannot be read: {why}"))
            .hint("--log info, --log debug, or a part of the program: --log didagent::io=trace")
    };
    for directive in filter.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        let is_level = ["off", "error", "warn", "info", "debug", "trace"]
            .iter()
            .any(|level| directive.eq_ignore_ascii_case(level));
        // A misspelt level would be taken for the name of a part that does not exist, and nothing would be logged.
        if !is_level && !directive.contains(['=', '[']) && !directive.starts_with("didagent") {
            return Err(refused(&format!("{directive} is neither a level nor a part of this program")));
        }
    }
    EnvFilter::try_new(filter).map_err(|error| refused(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_parts_are_filters_and_misspelt_ones_are_not() {
        for good in
            ["info", "TRACE", "off", "", "didagent", "didagent=debug,info", "didagent::io[session]=trace"]
        {
            assert!(read(good).is_ok(), "{good}");
        }
        for bad in ["inof", "verbose", "didagent=loud", "info,debgu", "a b", "[", "didagent[=x"] {
            let failure = read(bad).map(drop).unwrap_err();
            assert_eq!(failure.kind, Kind::Usage, "{bad}");
            assert!(failure.message.contains(bad), "{}", failure.message);
        }
    }
}
