//! What others wrote and we ship: licences, banned crates and sources with `cargo deny`, advisories where a copy of the public
//! database is at hand.
//!
//! `cargo deny` is built here, since it is no package of Debian's; the version is pinned, its dependencies are those it
//! was published with. Policy: `deny.toml`.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::command::Line;
use crate::failure::{About as _, Failure, Result};
use crate::workshop::Workshop;

const VERSION: &str = "0.20.2";

/// Workspaces whose dependencies are checked. What stands apart reaches nobody, so known faults in it are no news: that is why
/// it stands apart (`interop/README.md`).
const SHIPPED: &str = "Cargo.toml";
const APART: &[&str] =
    &["interop/Cargo.toml", "interop/did-key/Cargo.toml", "bench/Cargo.toml", "fuzz/Cargo.toml"];

/// The same, looked at as it is built where tests run: elsewhere (Android) `ssi` brings a second TLS, which nobody builds.
const FOREIGN: &str = "interop/foreign/Cargo.toml";
const FOREIGN_TARGET: &str = "x86_64-unknown-linux-gnu";

/// What `cargo deny` of this version calls the folder of the default database, whatever is in it.
const DATABASE: &str = "advisory-db-3157b0e258782691";

/// A clone of the advisory database, if somebody has one elsewhere than `cargo audit` puts it.
const VARIABLE: &str = "DIDAGENT_ADVISORY_DB";

pub(super) fn run(workshop: &Workshop) -> Result {
    let deny = install(workshop)?;
    let policy = workshop.root.join("deny.toml");
    let everywhere = [SHIPPED].iter().chain(APART).map(|manifest| (Line::program(&deny), *manifest));
    let here = (Line::program(&deny).word("--target").word(FOREIGN_TARGET), FOREIGN);
    for (deny, manifest) in everywhere.chain([here]) {
        let line = check(deny, manifest, &policy);
        workshop.run(["licenses", "bans", "sources"].iter().fold(line, |line, word| line.word(*word)))?;
    }
    let Some(database) = database() else {
        println!(
            "NOT CHECKED: known advisories; no copy of rustsec/advisory-db is at hand. Name one with {VARIABLE}"
        );
        return Ok(());
    };
    let policy = with_database(workshop, &policy, &database)?;
    println!("advisories as of {}", date_of(&database));
    // Offline, or it would fetch another copy.
    workshop.run(check(Line::program(&deny).word("--offline"), SHIPPED, &policy).word("advisories"))
}

/// Returns the path of `cargo-deny`, built if need be.
fn install(workshop: &Workshop) -> Result<PathBuf> {
    let root = workshop.made().join("cargo-deny");
    let program = root.join("bin").join("cargo-deny");
    let version = Line::program(&program).word("--version").quiet();
    if version.is_ok_and(|said| said.split_whitespace().any(|word| word == VERSION)) {
        return Ok(program);
    }
    let build = root.join("build");
    let line = Line::cargo("install cargo-deny --locked --quiet --debug --force --version")
        .word(format!("={VERSION}"))
        .word("--root")
        .word(&root)
        .word("--target-dir")
        .word(&build)
        // It is run for seconds: without information for debuggers it is built sooner.
        .with("CARGO_PROFILE_DEV_DEBUG", "0");
    workshop.run(line)?;
    fs::remove_dir_all(&build).about(format!("remove {}", build.display()))?;
    Ok(program)
}

fn check(deny: Line, manifest: &str, policy: &Path) -> Line {
    deny.word("--locked")
        .word("--manifest-path")
        .word(manifest)
        .word("--config")
        .word(policy)
        .word("check")
        .word("--hide-inclusion-graph")
        // One policy serves several workspaces; what does not occur in one is no news.
        .word("--allow")
        .word("license-exception-not-encountered")
}

/// Where a copy of the database is: where the variable says, or where `cargo audit` and `cargo deny` fetch it to.
fn database() -> Option<PathBuf> {
    let home = env::var_os("HOME").map(PathBuf::from);
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(home?.join(".cargo")));
    let usual = ["advisory-db".into(), Path::new("advisory-dbs").join(DATABASE)];
    let usual = usual.into_iter().filter_map(|name| Some(cargo.as_ref()?.join(name)));
    let named = env::var_os(VARIABLE).map(PathBuf::from);
    named.into_iter().chain(usual).find(|folder| folder.join("crates").is_dir())
}

/// Writes the policy again with the place of the database, which `cargo deny` takes from nowhere else.
fn with_database(workshop: &Workshop, policy: &Path, database: &Path) -> Result<PathBuf> {
    let folder = workshop.made().join("advisories");
    let link = folder.join(DATABASE);
    fs::create_dir_all(&folder).about(format!("make {}", folder.display()))?;
    if link.is_symlink() {
        fs::remove_file(&link).about(format!("remove {}", link.display()))?;
    }
    symlink(database, &link).about(format!("link {}", link.display()))?;
    let text = fs::read_to_string(policy).about(format!("read {}", policy.display()))?;
    let place = folder.to_str().ok_or_else(|| Failure::check("the target folder's name is not text"))?;
    let section = format!("[advisories]\ndb-path = {place:?}");
    let copy = folder.join("deny.toml");
    fs::write(&copy, text.replacen("[advisories]", &section, 1))
        .about(format!("write {}", copy.display()))?;
    Ok(copy)
}

fn date_of(database: &Path) -> String {
    let date = Line::new("git -C").word(database).word("log").word("-1").word("--format=%cs");
    date.quiet().map_or_else(|_| "an unknown day".to_owned(), |date| date.trim().to_owned())
}
