//! `spec/interop.md`: what they read of ours and what we read of theirs, and why not.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::case::all;
use super::expected::{Expected, Known, Whose};
use super::forge::FORGERIES;
use super::round::Way;
use super::verdict::Verdicts;

const HEAD: &str = "\
# Other people's DIDComm software and ours

Made by the tests in `interop/`, which fail when it is not up to date; `DIDAGENT_INTEROP_WRITE=1 cargo xtask test --only interop`
writes it. Each row is one kind of message from Alice to Bob, with keys of one curve, written by one side and read by the other;
it counts as read if headers and body came out as they went in, and the sender and the signer were who they are. *forward* is an
authcrypt in an anoncrypt for a mediator who is the URI of Bob's service, *forward(keys)* for one whose key is in its
`routingKeys`: the writing side wraps it, and the reading side plays the mediator and then Bob. Curves and content encryption are
those of the outer layer.

`yes`: it was read. `wrong`: a rule is broken. `lacks`: something is missing that the specification asks for. `opt`: something is
missing that the specification leaves open. `ours`: it is ours that does not do it. The numbers are those of the notes.
";

const FORGED: &str = "
## What they make of forgeries

Bob is given envelopes that contradict themselves, and has the documents of all who are named. Each differs in one thing from an
envelope of the same form which is right. `refused`: as it must be, and the right one is read. `wrong`: it was handed out like a
right one; of `from_prior` that is so too where a library leaves it to the program that is built on it. `-`: the right one is not
read either, so its refusal says nothing. That a reader tells which key encrypted or signed does not count: the
specification wants an error. `affinidi-messaging-didcomm` is told by its caller who may have signed: Alice. Peers of the soak tests are not asked, nor is Credo (`@credo-ts/didcomm`), which has DIDComm 1 only.

";

/// Everything that was found out about one peer: for each case in each way the entry that explains why it does not work.
#[derive(Debug)]
pub struct Column<'a> {
    /// What is known of it.
    pub expected: &'a Expected,
    /// The entry, if there is one, by way and name of the case.
    pub found: BTreeMap<(Way, String), Option<&'a Known>>,
    /// On forgeries, if it was asked.
    pub verdicts: Option<Verdicts>,
}

/// Writes the chapter; `ours` are our own verdicts on forgeries.
pub fn markdown(columns: &[Column<'_>], ours: &Verdicts) -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## Who was asked\n\n| peer | versions | where and how it runs |\n|---|---|---|\n");
    for Column { expected, .. } in columns {
        let versions: Vec<_> =
            expected.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
        line(&mut text, &[expected.title.clone(), versions.join(", "), expected.about.clone()]);
    }
    let mut notes = Notes::default();
    for (way, title) in [(Way::ToThem, "What they read of ours"), (Way::ToUs, "What we read of theirs")] {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## {title}\n\n");
        let titles = columns.iter().map(|column| column.expected.title.clone());
        line(&mut text, &["message".to_owned()].into_iter().chain(titles).collect::<Vec<_>>());
        let _ = writeln!(text, "|{}", "---|".repeat(columns.len() + 1));
        for case in all() {
            let name = case.name();
            let cells = columns.iter().map(|column| match column.found.get(&(way, name.clone())) {
                Some(Some(known)) => format!("{} {}", verdict(known.whose), notes.number(column, known)),
                Some(None) => "yes".to_owned(),
                None => "not tried".to_owned(),
            });
            line(&mut text, &[name.clone()].into_iter().chain(cells).collect::<Vec<_>>());
        }
    }
    forgeries(&mut text, columns, ours);
    text.push_str("\n## Notes\n\n| | peer | what is said | why | specification |\n|---|---|---|---|---|\n");
    for (number, (peer, known)) in notes.of.iter().enumerate() {
        let said = format!("`{}`", known.says);
        line(
            &mut text,
            &[(number + 1).to_string(), peer.clone(), said, known.why.clone(), known.section.clone()],
        );
    }
    text
}

fn forgeries(text: &mut String, columns: &[Column<'_>], ours: &Verdicts) {
    let asked = columns.iter().filter_map(|of| Some((of.expected.title.clone(), of.verdicts.as_ref()?)));
    let (titles, verdicts): (Vec<_>, Vec<_>) = [("ours".to_owned(), ours)].into_iter().chain(asked).unzip();
    text.push_str(FORGED);
    let head = ["form", "forgery"].map(str::to_owned).into_iter().chain(titles);
    line(text, &head.chain(["specification".to_owned()]).collect::<Vec<_>>());
    // Writing to a String cannot fail.
    let _ = writeln!(text, "|{}", "---|".repeat(verdicts.len() + 3));
    for (number, forgery) in FORGERIES.iter().enumerate() {
        let cells = verdicts.iter().map(|of| of.of[number].name());
        let cells = [forgery.form, forgery.name].into_iter().chain(cells).chain([forgery.section]);
        line(text, &cells.map(str::to_owned).collect::<Vec<_>>());
    }
}

fn line(text: &mut String, cells: &[String]) {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

const fn verdict(whose: Whose) -> &'static str {
    match whose {
        Whose::Wrong => "wrong",
        Whose::Lacks => "lacks",
        Whose::Optional => "opt",
        Whose::Ours => "ours",
    }
}

/// Numbered as they come.
#[derive(Default)]
struct Notes<'a> {
    of: Vec<(String, &'a Known)>,
}

impl<'a> Notes<'a> {
    fn number(&mut self, column: &Column<'a>, known: &'a Known) -> usize {
        if let Some(at) = self.of.iter().position(|(_, noted)| std::ptr::eq(*noted, known)) {
            return at + 1;
        }
        // What ours does not do is the same beside every peer.
        let peer = if known.whose == Whose::Ours { "ours".to_owned() } else { column.expected.title.clone() };
        self.of.push((peer, known));
        self.of.len()
    }
}
