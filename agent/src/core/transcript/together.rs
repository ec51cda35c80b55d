//! Several parties' files of one round, and a file and a program.

use didagent_bridge::manifest::ProgramKind;

use super::Transcript;

/// Clocks of two parties of one room differ by at most two minutes (RM-73), in seconds.
const CLOCKS: u64 = 120;

/// Why files, each of which holds, do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// They are of different rounds.
    #[error("they are of different rounds")]
    Rounds,
    /// Two of them are of one party.
    #[error("two of them are what party {index} says")]
    Twice {
        /// The party.
        index: usize,
    },
    /// One says that it had ended before the other began.
    #[error("the times of party {one} and party {other} do not overlap")]
    Times {
        /// A party.
        one: usize,
        /// Another one.
        other: usize,
    },
    /// Both ended well, and not what was sent was received.
    #[error("party {from} sent {sent} bytes to party {to}, which received {received}")]
    Bytes {
        /// The sender.
        from: usize,
        /// The receiver.
        to: usize,
        /// What the sender says.
        sent: u64,
        /// What the receiver says.
        received: u64,
    },
    /// The program is not the one of the manifest.
    #[error("the program's SHA-256 is {ours}, and the parties agreed on {theirs}")]
    Program {
        /// Of the file.
        ours: String,
        /// Of the manifest.
        theirs: String,
    },
    /// The manifest names no program.
    #[error("the parties agreed on no program that could be compared")]
    NoProgram,
}

/// Holds the files of several parties against each other (TR-30).
///
/// # Errors
/// [`Misfit`] names the first thing that does not fit.
pub fn together(all: &[Transcript]) -> Result<(), Misfit> {
    for (at, one) in all.iter().enumerate() {
        for other in all.get(at + 1..).unwrap_or_default() {
            if one.roster.hash() != other.roster.hash() {
                return Err(Misfit::Rounds);
            }
            let (mine, theirs) = (&one.statement, &other.statement);
            if mine.index == theirs.index {
                return Err(Misfit::Twice { index: mine.index });
            }
            let is_before = |early: u64, late: u64| early.saturating_add(CLOCKS) < late;
            if is_before(mine.ended, theirs.began) || is_before(theirs.ended, mine.began) {
                return Err(Misfit::Times { one: mine.index, other: theirs.index });
            }
            if mine.exit == 0 && theirs.exit == 0 {
                bytes(one, other)?;
                bytes(other, one)?;
            }
        }
    }
    Ok(())
}

/// Compares what `from` says that it sent to `to` with what `to` says.
fn bytes(from: &Transcript, to: &Transcript) -> Result<(), Misfit> {
    let of = |who: &Transcript, peer: usize| {
        who.statement.peers.iter().find(|traffic| traffic.index == peer).copied()
    };
    let (sender, receiver) = (from.statement.index, to.statement.index);
    // Each names every other party, or it would not have been read.
    let sent = of(from, receiver).map_or(0, |traffic| traffic.up);
    let received = of(to, sender).map_or(0, |traffic| traffic.down);
    if sent == received {
        return Ok(());
    }
    Err(Misfit::Bytes { from: sender, to: receiver, sent, received })
}

/// Compares a program, of which this is the SHA-256 in lower-case hexadecimal, with the one that the parties agreed on (TR-24).
///
/// # Errors
/// [`Misfit::Program`], and [`Misfit::NoProgram`] if they agreed on none.
pub fn fits_program(transcript: &Transcript, sha256: &str) -> Result<(), Misfit> {
    let manifest = transcript.roster.body().manifest.as_ref();
    let manifest = manifest.filter(|manifest| manifest.kind() == ProgramKind::Python);
    match manifest.and_then(|manifest| manifest.program.sha256.as_deref()) {
        None => Err(Misfit::NoProgram),
        Some(agreed) if agreed == sha256 => Ok(()),
        Some(agreed) => Err(Misfit::Program { ours: sha256.to_owned(), theirs: agreed.to_owned() }),
    }
}
