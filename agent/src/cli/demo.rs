//! The demo's screen: what each party shows, side by side, and what came out.

use serde_json::{Value, json};

use super::args::DemoArgs;
use super::json::{error, milliseconds, write_line};
use crate::core::who::short;
use crate::failure::Failure;
use crate::io::demo::{self, Outcome, PartyOutcome, Progress, Wish, python_shown};

pub(super) async fn run(args: DemoArgs) -> u8 {
    let DemoArgs { parties, program, patience, json, arguments } = args;
    let wish = Wish { parties: usize::from(parties), program, patience: patience.duration(), arguments };
    let outcome = if json {
        demo::run(&wish, &mut |progress| write_line(&progress_event(&progress))).await
    } else {
        eprintln!(
            "  {parties} parties on this machine, each with an identity of its own, and a mediator between them"
        );
        demo::run(&wish, &mut |progress| show(&progress)).await
    };
    match (outcome, json) {
        (Ok(outcome), true) => {
            write_line(&done_event(&outcome));
            outcome.code()
        }
        (Ok(outcome), false) => {
            summary(&outcome);
            outcome.code()
        }
        (Err(failure), json) => fail(&failure, json),
    }
}

fn fail(failure: &Failure, json: bool) -> u8 {
    if json {
        write_line(&error(failure));
    } else {
        eprintln!("{}", failure.screen());
    }
    failure.kind.exit()
}

fn show(progress: &Progress) {
    match progress {
        Progress::Preparing(text) => eprintln!("  {text}"),
        Progress::Python(python) => eprintln!("  python  {}", python_shown(python)),
        Progress::Started(command) => eprintln!("  $ {command}"),
        Progress::Event { party, event } => show_event(party, event),
        Progress::Stderr { party, line } => eprintln!("  {party:<5}! {line}"),
    }
}

fn show_event(party: &str, event: &Value) {
    let text = |name: &str| event.get(name).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        // Every party's table is the same; the host's stands for all.
        "room.ready" if event.get("index").and_then(Value::as_u64) == Some(0) => {
            eprintln!("  party  name   identity    path   RTT");
            for entry in event.get("parties").and_then(Value::as_array).into_iter().flatten() {
                let name = entry.get("name").and_then(Value::as_str).unwrap_or_default();
                let rtt = entry.get("rtt_ms").and_then(Value::as_f64);
                let index = entry.get("index").and_then(Value::as_u64).unwrap_or_default();
                let (path, rtt) = match entry.get("path").and_then(Value::as_str) {
                    Some("self") => ("host", String::new()),
                    _ => ("relay", rtt.map_or("?".to_owned(), |rtt| format!("{rtt:.1} ms"))),
                };
                let id = short(entry.get("identity").and_then(Value::as_str).unwrap_or_default());
                eprintln!("{}", format!("  {index:<5}  {name:<5}  {id}  {path:<5}  {rtt}").trim_end());
            }
            eprintln!("  {}", text("privacy"));
        }
        "run.output" => {
            // A closed pipe is the reader's choice, not a failure.
            println!("  {party:<5}  {}", text("line"));
        }
        "warning" => eprintln!("  {party:<5}  warning: {}", text("message")),
        "error" => eprintln!("  {party:<5}  {}", text("message")),
        _ => {}
    }
}

fn summary(outcome: &Outcome) {
    let bytes: u64 = outcome.parties.iter().map(|party| party.bytes_up).sum();
    let sessions = outcome.parties.len() * outcome.parties.len().saturating_sub(1) / 2;
    let sessions = if sessions == 1 { "the session".to_owned() } else { format!("{sessions} sessions") };
    eprintln!(
        "  {sessions} stood {:.2} s after the last party had joined",
        longest(outcome, |party| party.forming).as_secs_f64(),
    );
    for party in outcome.parties.iter().filter(|party| party.code != 0) {
        eprintln!("  {:<5}  {}", party.name, ending(party));
    }
    eprintln!(
        "  done in {:.2} s, of which MPyC ran {:.2} s; {bytes} bytes of MPyC's traffic, all of it sealed on the relay",
        outcome.elapsed.as_secs_f64(),
        longest(outcome, |party| party.mpyc).as_secs_f64(),
    );
}

/// Says how a party ended that did not end well.
fn ending(party: &PartyOutcome) -> String {
    match (party.program, &party.reason) {
        (Some(code), None) => format!("its program ended with exit code {code}"),
        (Some(code), Some(reason)) => {
            format!("its program ended with exit code {code}: {}", reason.message)
        }
        (None, Some(reason)) => format!("its program was stopped: {}", reason.message),
        (None, None) => format!("ended with exit code {}", party.code),
    }
}

fn longest(outcome: &Outcome, of: impl Fn(&PartyOutcome) -> std::time::Duration) -> std::time::Duration {
    outcome.parties.iter().map(of).max().unwrap_or_default()
}

fn progress_event(progress: &Progress) -> Value {
    match progress {
        Progress::Preparing(text) => json!({"v": 1, "type": "demo.preparing", "message": text}),
        Progress::Python(python) => json!({"v": 1, "type": "demo.python", "path": python.to_string_lossy()}),
        Progress::Started(command) => json!({"v": 1, "type": "demo.started", "command": command}),
        Progress::Event { party, event } => {
            json!({"v": 1, "type": "demo.party", "party": party, "event": event})
        }
        Progress::Stderr { party, line } => {
            json!({"v": 1, "type": "demo.stderr", "party": party, "line": line})
        }
    }
}

fn done_event(outcome: &Outcome) -> Value {
    let of_all = |value: fn(&PartyOutcome) -> Value| outcome.parties.iter().map(value).collect::<Vec<_>>();
    json!({
        "v": 1,
        "type": "demo.done",
        "code": outcome.code(),
        "parties": outcome.parties.len(),
        "results": of_all(|party| party.output.join("\n").into()),
        "truncated": outcome.parties.iter().any(|party| party.truncated),
        "names": of_all(|party| party.name.into()),
        "codes": of_all(|party| party.code.into()),
        "bytes": outcome.parties.iter().map(|party| party.bytes_up).sum::<u64>(),
        "elapsed_ms": milliseconds(outcome.elapsed),
        "forming_ms": milliseconds(longest(outcome, |party| party.forming)),
        "mpyc_ms": milliseconds(longest(outcome, |party| party.mpyc)),
    })
}
