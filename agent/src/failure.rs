//! Everything that can stop a person, as one table: a code, an exit code, what happened, and one thing to try.
//!
//! Exit codes: 0 ok, 1 other, 2 usage or missing prerequisite, 3 refused, 4 manifest mismatch, 5 network or mediator
//! unreachable, 6 timed out waiting, 7 peer lost, 8 identity or signature, 125 we stopped the program, 126 and 127 as
//! the shell, 130 Ctrl-C.

use std::fmt;

use didagent_didcomm::showable;

/// Longest message or hint in characters: ours take one or two lines, and a path may be long.
const MAX_CHARS: usize = 2000;

macro_rules! failures {
    ($($variant:ident = $code:literal, $exit:literal, $about:literal;)*) => {
        /// What kind of failure it is. The code is stable: `didagent explain CODE` describes it offline.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Kind {
            $(#[doc = $about] $variant,)*
        }

        impl Kind {
            /// All kinds, in the order of their codes.
            pub const ALL: &'static [Kind] = &[$(Kind::$variant,)*];

            /// Returns the stable code, for example `E0203`.
            pub fn code(self) -> &'static str {
                match self { $(Kind::$variant => $code,)* }
            }

            /// Returns the exit code of a command that ends for this reason before a program was started.
            pub fn exit(self) -> u8 {
                match self { $(Kind::$variant => $exit,)* }
            }

            /// Returns the paragraph that `didagent explain` prints.
            pub fn about(self) -> &'static str {
                match self { $(Kind::$variant => $about,)* }
            }
        }
    };
}

failures! {
    Other = "E0001", 1, "Something failed that has no code of its own; the message says what.";
    Usage = "E0002", 2, "The command line does not make sense; the message names the part.";
    Interrupted = "E0003", 130, "Ctrl-C, a termination signal, or a reader of `--json` that closed its pipe ended the command. The other parties were told.";
    LinkNotALink = "E0201", 2, "The text is not an invitation link. A link starts with http:// or https:// and has `/r/` and `#` in it, or `_oob=`. Paste the whole line that `didagent invite` printed.";
    LinkDamaged = "E0202", 2, "The link was cut or changed on its way, so it cannot be trusted to lead to the right person. Ask for the link again, and paste all of it.";
    LinkExpired = "E0203", 3, "The invitation's time is over, or its link was for one use and somebody has used it; the message says which. Ask the host to run `didagent invite` again; `--expires` sets how long a link works. A link for one use that somebody else has used has been read by somebody else: tell the host.";
    LinkForeign = "E0204", 3, "The link is a proper DIDComm invitation, but to something else than what this command does: `join` wants the link of a room, `--mediator` the link of a mediator.";
    LinkUnknown = "E0205", 3, "The mediator knows no such link. Either the link was damaged on its way, or the mediator was restarted while the host was away: it keeps links in memory, and a host that is back brings its own again.";
    LinkSwapped = "E0206", 8, "The part of a short link behind # commits to the invitation, and what the mediator gave is another one: it is broken, or somebody there wants you in another room. Nothing was joined. Ask the host for a link that needs no server: `didagent invite --full`.";
    MediatorUnreachable = "E0301", 5, "No connection to the mediator could be made. Check the address, that the mediator runs, and that this machine may connect outwards.";
    MediatorLost = "E0302", 5, "The connection to the mediator broke, and nothing could go on without it. While people wait for each other the agent tries for a minute to get it back, in a run for as long as `--patience` says; a room that is full and not ready yet ends.";
    MediatorForeign = "E0303", 5, "Something answered at the mediator's address, but it did not speak as a DIDComm mediator on a websocket.";
    MediatorRefused = "E0304", 3, "The mediator refused a request; the message has its reason.";
    NoMediator = "E0305", 2, "This home has no mediator yet. Give one with `--mediator LINK`; `didagent mediator serve` starts one and prints its link.";
    ClockWrong = "E0306", 2, "This machine and another one disagree about the time by more than a minute. Messages say until when they count, so the two cannot talk. Compare both times that the message shows with a watch, and set the clock that is wrong; `timedatectl` shows a Linux machine's.";
    HostSilent = "E0401", 6, "The host did not answer. Its `didagent invite` must be running while others join.";
    RoomRefused = "E0402", 3, "The host refused the request to join; the message has the reason (the room is full, the invitation is another one, ...).";
    RosterRefused = "E0403", 8, "The roster that the host sent does not fit: it is not signed by the inviter, or it does not name this party as it is. Nothing was started.";
    NotReady = "E0404", 6, "Not all parties became ready in time; the message names those who are missing.";
    PeerLost = "E0405", 7, "Another party left, or nothing was heard of it for longer than `--patience` says; the message names it and says why.";
    PeerFailed = "E0406", 7, "Another party's program failed; the message names it and has its exit code.";
    Agreement = "E0407", 4, "The parties do not agree about what to run; the message names the item and the party.";
    WordsRefused = "E0408", 8, "Somebody with `--confirm` compared the four words and said that they are not the same, so the room ended for everybody before anything started. If it was no mistake, somebody sits between you: do not use the same link again, and tell each other the next one on another way.";
    Unconfirmed = "E0409", 6, "Somebody with `--confirm` did not say in time whether the four words are the same, so the room ended before anything started. `--confirm-within` sets how long a person may take.";
    EndedEarly = "E0411", 7, "Another party's program has ended while MPyC here still needs it, so this program would wait for ever and was stopped. The programs or their arguments differ, or the other one gave up without an error.";
    Standstill = "E0412", 7, "This machine stood still, asleep or suspended, for so long that the other parties counted it as lost. Nobody else is to blame. Keep it awake during a run.";
    HandshakeFailed = "E0501", 8, "The session handshake with a party failed: the keys or the facts that both sides hash differ.";
    PythonMissing = "E0601", 2, "No python3 with the venv module was found. The message has the line that installs it.";
    MpycMissing = "E0602", 2, "The Python that would run the program has no MPyC. The message has the line that installs it.";
    CommandNotFound = "E0603", 127, "The program after `--` was not found.";
    CommandNotExecutable = "E0604", 126, "The program after `--` was found but cannot be executed.";
    PortsBusy = "E0605", 1, "No free local ports were found for the bridge.";
    ProgramUnclear = "E0606", 2, "What the program would run cannot be told to the others: a file of it is missing, is no Python, or MPyC would not take its arguments. The message names what to mend.";
    NoPrivacy = "E0607", 2, "With threshold 0 each party alone can open everybody's inputs: MPyC chooses 0 for two parties, or `-T 0` does. Someone has to say that this is meant: a yes at the question, or --no-privacy. With three parties or more MPyC protects the inputs by itself.";
    RosterFile = "E0608", 2, "The roster file of `didagent run` cannot be used: it is no such file, or this home or the first party's address does not fit what is in it. The message names what to mend. Every party uses the same file, and its first party is the host.";
    NothingBefore = "E0609", 2, "This home has no run that could be repeated: `didagent again` opens a room for the parties of the last run that began, in the same order. Begin with `didagent invite`, or `didagent run` with a roster file.";
    HomeHeld = "E0701", 1, "Another didagent works with this home. Two engines with one identity would take each other's messages, so the second one stops. Use another `--home`, or end the first one.";
    HomeUnusable = "E0702", 1, "The home folder cannot be used: it cannot be created, read, written or locked.";
    IdentityBroken = "E0703", 8, "The identity file cannot be read as one, or others may read it. It is never overwritten: restore it from a backup, or move it away to begin with a new identity.";
    NoEngine = "E0704", 1, "No running `didagent invite` or `didagent join` holds this home, so there is nothing to ask.";
    EngineSilent = "E0705", 1, "The engine that holds this home did not answer on its local socket in time, or it is of another version than this command.";
    NameUnknown = "E0801", 2, "Nobody is known by this name: neither a party of the room that is open, nor a contact. `didagent contacts` lists whom this home has met.";
    NameAmbiguous = "E0802", 2, "The name fits several parties or contacts. Names are not unique; the identity, or its last eight characters, is.";
    NoAnswer = "E0803", 6, "Nobody answered. A party answers while its `didagent invite` or `didagent join` runs; its mediator may keep the question until then, but the answer came too late.";
    NotNow = "E0804", 1, "What was asked cannot be done now: a host decides about seats while people are waited for, words are confirmed while they are compared, and a home in a room under a DID that was made for it writes to nobody outside.";
    NoRoomKept = "E0805", 1, "There is no room that this home could go on with. A room can go on after its host's process was killed, while its link works and as long as not everybody was there: from then on each party has shown what it may show once only, and a new room is needed.";
    DidMalformed = "E0901", 2, "The text is not a DID that can be resolved: it was cut or changed on its way, it names a part of a document, or its key is damaged. Paste all of it.";
    DidMethodUnknown = "E0902", 2, "The DID is of a method that this program does not resolve. It resolves did:key, did:jwk, did:peer 0, 2 and 4, did:web and, if it was built for it, did:webvh.";
    DidNotFound = "E0903", 1, "The DID has no document: the web site says that there is none, its owner has deactivated it or moved it elsewhere, or it is the short form of a did:peer:4 whose long form was never seen.";
    DidUnreachable = "E0904", 5, "The web site that has the document of a did:web, or the log of a did:webvh, did not answer, or not with a document. Check the DID, and that this machine may connect outwards.";
    DidHostRefused = "E0905", 3, "The DID leads to a host on a local network, or its web site sends people to something else than an https address with a name. A DID comes from a stranger, who must not be able to make this machine ask its neighbours. For a network of your own there is `--allow-private-hosts`.";
    DidDocumentBroken = "E0906", 8, "The document of a DID, or the log of a did:webvh, is damaged, too large, or that of another DID, so nothing in it can be trusted. Whoever publishes it has to mend it.";
    NoKeyAgreement = "E0907", 8, "The document of a party or a mediator lists no X25519 key for key agreement, so nothing can be encrypted to it. Documents that `didagent identity new` writes always have one.";
    DidFeatureMissing = "E0908", 2, "The DID is of a method that this program resolves only if it is built for it: did:webvh needs the Cargo feature `webvh`. Build it with the command of the message, or ask for a did:web of the same subject; many have one.";
    DidKeyUnlisted = "E0909", 8, "The document of the did:web that you want to take part as does not list this home's key under assertionMethod, so nobody would believe that it is you. `didagent identity show --domain HOST` prints the document that belongs on the web site; the document that is there may be an older one, or that of another home.";
    TranscriptUnreadable = "E1001", 2, "The file is no transcript of a run, or only a part of one; `didagent verify` takes what a run leaves in the folder `runs` of its home, or where `--transcript` said.";
    TranscriptBroken = "E1002", 8, "Something in the transcript does not hold: it was changed after it was signed, or somebody who signed it lied; the message names the first such thing. Nothing in the file can be relied on. Only if a document was given with `--document` may it be that one: the key in it may be newer than the run. Ask its owner for the original, and other parties of the run for theirs.";
    TranscriptUnchecked = "E1003", 8, "A party of the transcript is a did:web, whose key has to be looked up. The file does not say which key that was, as files of earlier versions do not, and `didagent verify` asks nobody. So nothing is said about the file, good or bad. Whoever has the document of that DID gives it with `--document`.";
    TranscriptsDiffer = "E1004", 8, "Each of the transcripts holds, but they do not fit together, or not the program that they are compared with; the message has both sides. Somebody who signed one of them lied, or they are of different runs.";
    CredentialNeeded = "E1101", 3, "The invitation asks everybody for a credential of one of the issuers that it names, and this home holds none that fits: none at all, one of another issuer, one about another identity, one that is not valid yet, or one that has expired. The message says which. Nothing was sent. Ask the issuer for one and put it here with `didagent credential add FILE`.";
    CredentialRefused = "E1102", 3, "The host refused this party because of its credential; the message has the reason, for example that its issuer has revoked it. Ask the issuer for one that counts, and put it here with `didagent credential add FILE`.";
    CredentialAbsent = "E1103", 8, "A party of the room has no credential that counts, although the invitation asks everybody for one, and its host admitted it. Everybody checks everybody's, so nothing was started. The message names the party and the reason.";
    CredentialUnreadable = "E1104", 2, "The text is no credential that this program reads: it was cut or changed on its way, or is of another kind. Read are W3C Verifiable Credentials as a JWT (`vc+jwt`, or the JWT of data model 1.1), signed with EdDSA, ES256 or ES256K.";
    CredentialUnknown = "E1105", 2, "No credential that this home holds or has issued has this name. `didagent credential list` shows the names.";
    NoLobby = "E1201", 3, "The mediator has no board on which rooms for strangers are posted: its operator has to switch one on, with `didagent mediator serve --lobby`.";
    LobbyPostUnknown = "E1202", 3, "No room with this id is posted: it is full or over, or its host has gone, or the id is of another mediator's lobby. `didagent lobby list` shows the rooms of today.";
    LobbyProgram = "E1203", 4, "The room was posted with another program than the one given here. Joining runs only what this machine has already: nothing is downloaded. Get the program from its author, look at it, and give that one.";
    LobbyBroken = "E1204", 8, "What the mediator gave as its lobby cannot be right: no list, texts that must not be shown, or a room at another mediator. Nobody was asked for a seat.";
    Strangers = "E1205", 2, "Strangers take part, and one person may hold several seats. Whoever holds more seats than the threshold can open everybody's inputs, and nobody can see it. Someone has to say that this is meant: a yes at the question, or --strangers.";
}

impl Kind {
    /// Says whether a running program is stopped for this reason; the command's exit code is then 125.
    pub fn can_stop_a_program(self) -> bool {
        use Kind::{EndedEarly, MediatorLost, PeerFailed, PeerLost, Standstill};
        matches!(self, MediatorLost | PeerLost | PeerFailed | EndedEarly | Standstill)
    }
}

/// A failure as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind it is.
    pub kind: Kind,
    /// What happened and why, one sentence without a full stop.
    pub message: String,
    /// One thing to try, if there is one that can work.
    pub hint: Option<String>,
}

impl Failure {
    /// Makes a failure without a hint. What is invisible in `message` is left out: it may repeat a stranger's words, and this
    /// is the one place through which all of them go.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: showable(&message.into(), MAX_CHARS), hint: None }
    }

    /// Adds one thing to try.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(showable(&hint.into(), MAX_CHARS));
        self
    }

    /// Returns the failure as the lines that a person sees on stderr.
    pub fn screen(&self) -> Screen<'_> {
        Screen(self)
    }
}

/// A failure, laid out for stderr.
#[derive(Debug)]
pub struct Screen<'a>(&'a Failure);

impl fmt::Display for Screen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { kind, message, hint } = self.0;
        write!(f, "error[{}]: {message}", kind.code())?;
        if let Some(hint) = hint {
            write!(f, "\n  try: {hint}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_sorted() {
        let codes: Vec<_> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        let mut sorted = codes.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(codes, sorted);
    }

    /// Decides SC-05.
    #[test]
    fn a_strangers_words_cannot_move_the_cursor() {
        let failure = Failure::new(Kind::Other, "a\u{1b}]0;title\u{7}b\nc\u{202e}d").hint("\u{1b}[2Jtry");
        let shown = failure.screen().to_string();
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown:?}");
        assert_eq!(shown.lines().count(), 2);
    }

    #[test]
    fn screen_names_code_message_and_hint() {
        let failure =
            Failure::new(Kind::LinkExpired, "the invitation expired 5 minutes ago").hint("ask again");
        assert_eq!(
            failure.screen().to_string(),
            "error[E0203]: the invitation expired 5 minutes ago\n  try: ask again"
        );
    }
}
