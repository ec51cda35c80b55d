//! `didagent message`: one line about what became of it.

use std::io::Write as _;

use serde_json::json;

use super::args::MessageArgs;
use super::json::write_line;
use super::{fail, fail_as};
use crate::io::home::Home;
use crate::io::message::{self, Request, Sent};

pub(super) async fn run(home: Home, args: MessageArgs) -> u8 {
    let request = Request { home, to: args.to, text: args.text, mediators: args.mediator };
    match message::run(request).await {
        Ok(sent) if args.json => {
            let Sent { id, via, taken } = sent;
            write_line(&json!({"v": 1, "type": "message.sent", "id": id, "via": via, "taken": taken}));
            0
        }
        Ok(sent) => {
            // A closed pipe is the reader's choice, not a failure.
            let _ = writeln!(std::io::stdout(), "{}", line(&sent));
            0
        }
        Err(failure) if args.json => fail_as(&failure, true),
        Err(failure) => fail(&failure),
    }
}

fn line(sent: &Sent) -> String {
    let via = &sent.via;
    match sent.taken {
        true => format!("{via} has taken it; whether it is read is not told"),
        false => format!("given to {via}, which did not say whether it has taken it"),
    }
}
