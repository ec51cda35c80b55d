//! The demo's screen: what each party shows, side by side, and what came out.

use serde_json::{Value, json};

use super::args::DemoArgs;
use super::json::{error, milliseconds, write_line};
use super::screen::short;
use crate::failure::Failure;
use crate::io::demo::{self, Outcome, Progress, python_shown};

pub(super) async fn run(args: DemoArgs) -> u8 {
    let parties = usize::from(args.parties);
    let outcome = if args.json {
        demo::run(parties, &mut |progress| write_line(&progress_event(&progress))).await
    } else {
        eprintln!(
            "  {parties} parties on this machine, each with an identity of its own, and a mediator between them"
        );
        demo::run(parties, &mut |progress| show(&progress)).await
    };
    match (outcome, args.json) {
        (Ok(outcome), true) => {
            write_line(&done_event(&outcome));
            0
        }
        (Ok(outcome), false) => {
            summary(&outcome);
            0
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
        "run.output" => println!("  {party:<5}  {}", text("line")),
        "warning" => eprintln!("  {party:<5}  warning: {}", text("message")),
        "error" => eprintln!("  {party:<5}  {}", text("message")),
        _ => {}
    }
}

fn summary(outcome: &Outcome) {
    let bytes: u64 = outcome.parties.iter().map(|party| party.bytes_up).sum();
    let mpyc = outcome.parties.iter().map(|party| party.mpyc).max().unwrap_or_default();
    eprintln!(
        "  done in {:.2} s, of which MPyC ran {:.2} s; {bytes} bytes of MPyC's traffic, all of it sealed on the relay",
        outcome.elapsed.as_secs_f64(),
        mpyc.as_secs_f64(),
    );
}

fn progress_event(progress: &Progress) -> Value {
    match progress {
        Progress::Preparing(text) => json!({"v": 1, "type": "demo.preparing", "message": text}),
        Progress::Python(python) => json!({"v": 1, "type": "demo.python", "path": python.to_string_lossy()}),
        Progress::Started(command) => json!({"v": 1, "type": "demo.started", "command": command}),
        Progress::Event { party, event } => {
            json!({"v": 1, "type": "demo.party", "party": party, "event": event})
        }
    }
}

fn done_event(outcome: &Outcome) -> Value {
    let mpyc = outcome.parties.iter().map(|party| party.mpyc).max().unwrap_or_default();
    json!({
        "v": 1,
        "type": "demo.done",
        "parties": outcome.parties.len(),
        "results": outcome.parties.iter().map(|party| party.output.join("\n")).collect::<Vec<_>>(),
        "names": outcome.parties.iter().map(|party| party.name).collect::<Vec<_>>(),
        "bytes": outcome.parties.iter().map(|party| party.bytes_up).sum::<u64>(),
        "elapsed_ms": milliseconds(outcome.elapsed),
        "mpyc_ms": milliseconds(mpyc),
    })
}
