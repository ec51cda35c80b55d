//! The build, and the tests of the main workspace.

use std::fs;

use crate::command::Line;
use crate::failure::{About as _, Failure, Result};
use crate::workshop::{Length, Workshop};

/// Cases of each property test in a soak; the library's own choice is 256.
const SOAK_CASES: &str = "20000";

/// Builds the agent that encrypts nothing, puts it aside, and then everything as it is shipped. The tests run no cargo.
pub(super) fn run(workshop: &Workshop) -> Result {
    let (agent, null) = (workshop.agent(), workshop.null_cipher_agent());
    workshop.run(Line::cargo("build --locked --package didagent --bin didagent --features null-cipher"))?;
    if let Some(folder) = null.parent() {
        fs::create_dir_all(folder).about(format!("make {}", folder.display()))?;
    }
    fs::copy(&agent, &null).about(format!("copy {} to {}", agent.display(), null.display()))?;
    println!("copied to {}", workshop.shown(&null));

    workshop.run(Line::cargo("test --locked --workspace --no-run"))?;
    let read = |path| fs::read(path).about(format!("read {}", workshop.shown(path)));
    if read(&agent)? == read(&null)? {
        let agent = workshop.shown(&agent);
        return Err(Failure::check(format!("FAILED: {agent} is still the build that encrypts nothing")));
    }
    println!("{} is the real one", workshop.shown(&agent));
    Ok(())
}

/// Runs all tests, those of envelopes in Rust alone, those of the session that a build without encryption must turn round, and
/// those of what is built on request.
pub(super) fn test(workshop: &Workshop) -> Result {
    let all = Line::cargo("test --locked --workspace --no-fail-fast")
        .with("DIDAGENT_TEST_PYTHON", workshop.python())
        .with("DIDAGENT_TEST_PYTHON_NUMPY", workshop.python_numpy())
        .with("DIDAGENT_TEST_PYTHON_BARE", workshop.python_bare())
        .with("DIDAGENT_TEST_OLD_MPYC", workshop.old_mpyc())
        .with("DIDAGENT_NULL_CIPHER_BIN", workshop.null_cipher_agent());
    workshop.run(lengthened(workshop, all))?;
    // By itself: in the workspace the binaries switch on the other backend of X25519.
    workshop.run(Line::cargo("test --locked --package didagent-didcomm"))?;
    workshop.run(Line::cargo(
        "test --locked --package didagent-session --features null-cipher --test null_cipher",
    ))?;
    workshop.run(Line::cargo("test --locked --package didagent --features webvh --test webvh"))?;
    // That put the agent with this feature where later stages look for the one that is shipped. It is only put back.
    workshop.run(Line::cargo("test --locked --workspace --no-run"))
}

/// Adds what makes a test long in a soak.
pub(super) fn lengthened(workshop: &Workshop, line: Line) -> Line {
    match workshop.length {
        Length::Short => line,
        Length::Long => line.with("PROPTEST_CASES", SOAK_CASES).with("DIDAGENT_SOAK", "1"),
    }
}
