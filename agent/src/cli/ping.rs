//! `didagent ping`: one line for each answer, and what they come to.

use std::io::Write as _;

use serde_json::{Value, json};

use super::args::PingArgs;
use super::json::{error, write_line};
use crate::core::status::WHY_RELAY;
use crate::core::who::short;
use crate::failure::{Failure, Kind};
use crate::io::home::Home;
use crate::io::local_api::{Reply, Way};
use crate::io::ping::{self, Pinged, Request, Summary};

pub(super) async fn run(home: Home, args: PingArgs) -> u8 {
    let request = Request {
        home,
        name: args.name.clone(),
        mediators: args.mediator,
        count: args.count,
        interval: args.interval.0,
        patience: args.timeout.0,
    };
    let json = args.json;
    let mut last = None;
    let summary = ping::run(request, &mut |pinged| {
        if let Pinged::Lost(_, failure) = pinged {
            last = Some(failure.clone());
        }
        if json { write_line(&event(pinged)) } else { say(&line(pinged)) }
    })
    .await;
    let outcome = summary.and_then(|summary| {
        if json {
            write_line(&done_event(&args.name, &summary))
        } else {
            say(&done(&args.name, &summary))
        }
        match last.filter(|_| summary.times.is_empty()) {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    });
    match outcome {
        Ok(()) => 0,
        Err(failure) => fail(&failure, json),
    }
}

fn fail(failure: &Failure, json: bool) -> u8 {
    if json {
        write_line(&error(failure))
    } else {
        eprintln!("{}", failure.screen())
    }
    failure.kind.exit()
}

fn say(line: &str) {
    // A closed pipe is the reader's choice, not a failure.
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn line(pinged: &Pinged) -> String {
    match pinged {
        Pinged::Reply(number, reply) => {
            let Reply { name, identity, way, via, rtt_ms } = reply;
            let identity = identity.as_deref().map(short).unwrap_or_default();
            let way = match way {
                Way::Session => format!("over the session, relay via {via} ({WHY_RELAY})"),
                Way::Didcomm => format!("by DIDComm message through {via} (no session stands)"),
            };
            format!("{number}  {name} {identity}  {rtt_ms:.1} ms  {way}")
        }
        Pinged::Lost(number, failure) => format!("{number}  no answer: {}", failure.message),
    }
}

fn done(name: &str, summary: &Summary) -> String {
    let Summary { sent, times } = summary;
    match spread(times) {
        Some([low, middle, high]) => format!(
            "{name}: {} of {sent} answered, min/avg/max {low:.1}/{middle:.1}/{high:.1} ms",
            times.len()
        ),
        None => format!("{name}: 0 of {sent} answered"),
    }
}

fn event(pinged: &Pinged) -> Value {
    match pinged {
        Pinged::Reply(number, reply) => json!({
            "v": 1,
            "type": "ping.reply",
            "number": number,
            "name": reply.name,
            "identity": reply.identity,
            "way": reply.way,
            "path": match reply.way { Way::Session => "relay", Way::Didcomm => "mailbox" },
            "via": reply.via,
            "rtt_ms": reply.rtt_ms,
        }),
        Pinged::Lost(number, failure) => json!({
            "v": 1,
            "type": "ping.lost",
            "number": number,
            "message": failure.message,
        }),
    }
}

fn done_event(name: &str, summary: &Summary) -> Value {
    let spread = spread(&summary.times);
    json!({
        "v": 1,
        "type": "ping.done",
        "name": name,
        "sent": summary.sent,
        "answered": summary.times.len(),
        "min_ms": spread.map(|[low, _, _]| low),
        "avg_ms": spread.map(|[_, middle, _]| middle),
        "max_ms": spread.map(|[_, _, high]| high),
        "code": if spread.is_some() { 0 } else { Kind::NoAnswer.exit() },
    })
}

/// Returns the least, the average and the greatest.
fn spread(times: &[f64]) -> Option<[f64; 3]> {
    let count = f64::from(u32::try_from(times.len()).ok().filter(|count| *count > 0)?);
    let low = times.iter().copied().fold(f64::INFINITY, f64::min);
    let high = times.iter().copied().fold(0.0, f64::max);
    let average = times.iter().sum::<f64>() / count;
    Some([low, (average * 1000.0).round() / 1000.0, high])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_has_the_least_the_average_and_the_greatest() {
        assert_eq!(spread(&[2.0, 1.0, 4.5]), Some([1.0, 2.5, 4.5]));
        assert_eq!(spread(&[]), None);
        let summary = Summary { sent: 3, times: vec![1.0, 2.0] };
        assert_eq!(done("bob", &summary), "bob: 2 of 3 answered, min/avg/max 1.0/1.5/2.0 ms");
        assert_eq!(done("bob", &Summary { sent: 2, times: vec![] }), "bob: 0 of 2 answered");
    }
}
