//! The machine fails: full and read-only disks, broken or missing homes, no free ports.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use support::party::{Agent, bare, text};
use support::process::{Finished, Process, run};
use support::stage::{Stage, finish};
use support::system::processes_that_know;
use support::{average, didagent, program, python_command, until};

fn averaging(number: &str) -> Vec<OsString> {
    python_command(&average(), &[number])
}

/// A shell line that makes the home `home` a disk of its own, for the command and for nobody else, and afterwards lists what is
/// left there in the file `listing`. `prepare` is done first, `while_running` beside the command.
fn on_own_disk(home: &Path, listing: &Path, prepare: &str, while_running: &str) -> String {
    let (home, listing) = (home.display(), listing.display());
    format!(
        "mkdir -p '{home}' && exec unshare --mount --map-root-user bash -c '
            mount -t tmpfs -o size=64k,mode=700 tmpfs \"{home}\" && cd \"{home}\" && {prepare} &&
            {{ ( {while_running} ) & }} && \"$@\"; code=$?
            cd \"{home}\"; find . -mindepth 1 -not -name filler -printf \"%P %s\\n\" | sort > \"{listing}\"
            exit $code' bash \"$@\""
    )
}

/// Leaves no byte free.
const FILL: &str = "{ dd if=/dev/zero of=filler bs=4k 2>/dev/null; true; }";

fn left(listing: &Path) -> Vec<String> {
    std::fs::read_to_string(listing).unwrap().lines().map(str::to_owned).collect()
}

fn assert_no_space(message: &str, path: &Path) {
    assert!(message.contains(path.to_str().unwrap()), "{message}");
    assert!(message.to_lowercase().contains("no space left"), "{message}");
}

/// `didagent` with these words, inside a shell line.
fn inside(line: &str, home: &Path, words: &[&str]) -> Finished {
    let mut command = bare(Path::new("bash"));
    command.args(["-c", line, "bash"]).arg(didagent()).arg("--home").arg(home).args(words);
    run("didagent", &mut command)
}

#[test]
fn a_full_disk_leaves_no_half_identity() {
    let stage = Stage::new();
    let (home, listing) = (stage.home("alice"), stage.folder().join("listing"));
    let line = on_own_disk(&home, &listing, FILL, "true");
    for words in [["identity", "new"], ["identity", "show"]] {
        let finished = inside(&line, &home, &words);
        assert_eq!(finished.code, 1, "{finished:?}");
        assert!(finished.stderr.starts_with("error[E0702]: "), "{finished:?}");
        assert_no_space(&finished.stderr, &home.join("identity.json"));
        assert_eq!(left(&listing), [""; 0], "{finished:?}");
    }
}

#[test]
fn a_full_disk_is_named_before_anybody_is_invited() {
    let stage = Stage::new();
    let (home, listing) = (stage.home("alice"), stage.folder().join("listing"));
    let line = on_own_disk(&home, &listing, FILL, "true");
    let ended = stage.invite("alice", 2).inside(&line).run();
    assert_no_space(ended.assert_error(1, "E0702"), &home);
    assert!(ended.events("room.invitation").is_empty(), "{ended:#?}");
    // A lock without a holder is a file and nothing else.
    assert_eq!(left(&listing), ["engine.lock 0"]);
}

#[test]
fn a_disk_that_fills_up_while_people_gather_is_named_and_the_others_are_told() {
    let stage = Stage::new();
    let (home, listing) = (stage.home("alice"), stage.folder().join("listing"));
    let line = on_own_disk(
        &home,
        &listing,
        "true",
        &format!("until test -e go; do sleep 0.02; done; {FILL}; touch full"),
    );
    let mut host = stage.invite("alice", 2).inside(&line).program(averaging("1")).start();
    let link = text(&host.wait_for("room.invitation"), "link").to_owned();
    // Inside, the disk is this process's own; from outside it is reached through it.
    let agents = processes_that_know(&home);
    let agent = agents.iter().find(|line| line.contains("invite") && !line.contains("bash")).unwrap();
    let disk = Path::new("/proc")
        .join(agent.split(' ').next().unwrap())
        .join("root")
        .join(home.strip_prefix("/").unwrap());
    std::fs::write(disk.join("go"), "").unwrap();
    until("the disk is full", || disk.join("full").exists());
    let guest = stage.join("bob", &link).program(averaging("3")).run();
    let host = host.finish();
    let message = host.assert_error(1, "E0702");
    assert!(
        message.to_lowercase().contains("no space left") && message.contains(home.to_str().unwrap()),
        "{message}"
    );
    assert_ne!(guest.code, 0, "{guest:#?}");
    let told = guest.events.iter().map(ToString::to_string).collect::<String>();
    assert!(told.contains("party 0 (alice) stopped"), "{guest:#?}");
    let mut left: Vec<_> =
        left(&listing).into_iter().map(|file| file.split(' ').next().unwrap().to_owned()).collect();
    // What was kept of the room made room for the contacts.
    left.retain(|file| file != "contacts.json");
    assert_eq!(left, ["engine.lock", "full", "go", "identity.json", "mediator.json"]);
    until("no process of the run is left", || processes_that_know(stage.folder()).is_empty());
}

#[test]
fn a_read_only_home_can_be_looked_at_and_nothing_else() {
    let stage = Stage::new();
    let (home, listing) = (stage.home("alice"), stage.folder().join("listing"));
    let make = format!(
        "\"{}\" --home \"{}\" identity new >/dev/null && mount -o remount,ro \"{0}\" 2>/dev/null || mount -o remount,ro .",
        didagent().display(),
        home.display()
    );
    let line = on_own_disk(&home, &listing, &make, "true");
    let shown = inside(&line, &home, &["identity", "show"]);
    assert_eq!((shown.code, shown.lines.len()), (0, 1), "{shown:?}");
    assert!(shown.lines[0].starts_with("did:key:"), "{shown:?}");
    let ended = stage.invite("alice", 2).inside(&line).run();
    let message = ended.assert_error(1, "E0702");
    assert!(
        message.contains(home.to_str().unwrap()) && message.contains("Read-only file system"),
        "{message}"
    );
    let empty = on_own_disk(&home, &listing, "mount -o remount,ro .", "true");
    let finished = inside(&empty, &home, &["identity", "show"]);
    assert_eq!(finished.code, 1, "{finished:?}");
    assert!(
        finished.stderr.contains("error[E0702]") && finished.stderr.contains("Read-only"),
        "{finished:?}"
    );
}

#[test]
fn without_any_default_home_only_what_needs_one_fails() {
    let homeless = |words: &[&str]| {
        let mut command = bare(&didagent());
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
            command.env_remove(variable);
        }
        run("didagent", command.args(words))
    };
    let finished = homeless(&["identity", "show"]);
    assert_eq!(finished.code, 1);
    assert!(
        finished.stderr.contains("error[E0702]") && finished.stderr.contains("--home DIR"),
        "{finished:?}"
    );
    assert_eq!(homeless(&["explain", "E0702"]).code, 0);
}

#[test]
fn a_run_needs_no_default_home_when_one_is_given() {
    let stage = Stage::new();
    let without = |agent: Agent| agent.inside("unset HOME XDG_DATA_HOME XDG_CACHE_HOME; exec \"$@\"");
    for party in finish(stage.start_with(vec![averaging("1"), averaging("3")], without)) {
        assert_eq!(party.assert_ok().output(), ["average of 2 inputs: 2.00"]);
    }
}

#[test]
fn broken_files_in_a_home_are_named_and_stay_as_they_are() {
    let stage = Stage::new();
    for (file, code, exit) in
        [("identity.json", "E0703", 8), ("contacts.json", "E0702", 1), ("mediator.json", "E0702", 1)]
    {
        for broken in ["", "{", "[]", "\u{0}\u{1}", "{\"v\":999}"] {
            let home = tempfile::tempdir_in(stage.folder()).unwrap();
            let path = home.path().join(file);
            std::fs::write(&path, broken).unwrap();
            let mut permissions = std::fs::metadata(&path).unwrap().permissions();
            std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
            std::fs::set_permissions(&path, permissions).unwrap();
            let mut command = bare(&didagent());
            command.arg("--home").arg(home.path());
            match file {
                "identity.json" => command.args(["identity", "show"]),
                "contacts.json" => command.arg("contacts"),
                _ => command.args(["invite", "--parties", "2"]),
            };
            let finished = run("didagent", &mut command);
            if file == "contacts.json" && finished.code == 0 {
                // Members that are missing are defaults; then nothing is broken.
                assert!(broken == "{\"v\":999}" || broken == "[]", "{broken:?} {finished:?}");
                continue;
            }
            assert_eq!(finished.code, exit, "{file} {broken:?} {finished:?}");
            assert!(finished.stderr.contains(&format!("error[{code}]")), "{finished:?}");
            assert!(finished.stderr.contains(path.to_str().unwrap()), "{finished:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), broken);
        }
    }
}

/// Takes every port of the range in a network of its own, then runs the command in it.
const NO_PORTS: &str = r#"
import resource, socket, subprocess, sys
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for port in range(20000, 32000):
    taken = socket.socket()
    taken.bind(('127.0.0.1', port))
    held.append(taken)
sys.exit(subprocess.run(sys.argv[1:]).returncode)
"#;

#[test]
fn without_a_free_port_the_party_says_so_and_nobody_waits() {
    let stage_folder = tempfile::tempdir().unwrap();
    // Everybody is in that network, so everybody has the same trouble; whoever is last hears of the others first.
    let script = program("no_ports.sh");
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--map-root-user", "bash"])
        .arg(script)
        .arg(support::python())
        .args(["-c", NO_PORTS]);
    command.env("DIDAGENT", didagent()).env("FOLDER", stage_folder.path()).env("PYTHON", support::python());
    command.env("AVERAGE", average()).env("DIDAGENT_NO_PRIVACY", "1");
    let finished = Process::start("the network", &mut command).finish();
    assert_eq!(finished.code, 0, "{finished:?}");
    let codes: Vec<_> = finished.lines.iter().filter(|line| line.starts_with("code ")).collect();
    assert_eq!(codes.len(), 2, "{finished:?}");
    let all = finished.lines.join("\n");
    assert!(all.contains("E0605") && all.contains("no free local port from 20000 to 31999"), "{all}");
    assert!(all.contains("ss -tlnp"), "{all}");
    assert!(codes.iter().all(|code| ["code 1", "code 7"].contains(&code.as_str())), "{codes:?}");
    assert!(codes.iter().any(|code| *code == "code 1"), "{codes:?}");
    until("no process of the run is left", || processes_that_know(stage_folder.path()).is_empty());
}
