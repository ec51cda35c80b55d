//! The launcher under a real Python: programs must not be able to tell, except that servers stay on loopback.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

mod addresses;

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use addresses::other_addresses;
use didagent_bridge::launch::{LAUNCHER_SOURCE, Rewritten, rewrite};

/// What a program can see of the way it was started.
const LOOK: &str = "\
import sys, os, pickle
class Here: pass
print(sys.argv)
print([entry for entry in sys.path])
print(__name__, globals().get('__file__'), __package__, __doc__, sys.modules['__main__'].__dict__ is globals())
print(__spec__ and __spec__.name, type(__builtins__).__name__, sorted(name for name in globals()))
print(type(pickle.loads(pickle.dumps(Here()))) is Here, sys.flags)
print('to stderr', file=sys.stderr)
";

fn interpreter() -> String {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.0.path().join("private")).unwrap();
        folder.file("private/launcher.py", LAUNCHER_SOURCE);
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn rewritten(&self, command: &[&str]) -> Vec<OsString> {
        let command: Vec<OsString> = command.iter().map(OsString::from).collect();
        match rewrite(&command, &self.path().join("private/launcher.py")) {
            Rewritten::Python(words) => words,
            Rewritten::NotPython => panic!("{command:?} is Python"),
        }
    }

    fn run(&self, words: &[OsString], stdin: &str) -> Output {
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read its input may be gone already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs the command plainly and under the launcher, checks that nothing differs, and returns what was seen.
    fn same(&self, command: &[&str], stdin: &str) -> Output {
        // Named in full, as some messages of Python name it: a wrapper in its place may start it under another name.
        let python = interpreter();
        let command: Vec<&str> = [python.as_str()].into_iter().chain(command[1..].iter().copied()).collect();
        let plain = self.run(&command.iter().map(OsString::from).collect::<Vec<_>>(), stdin);
        let launched = self.run(&self.rewritten(&command), stdin);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(text(&launched.stdout), text(&plain.stdout), "{command:?}");
        assert_eq!(text(&launched.stderr), text(&plain.stderr), "{command:?}");
        assert_eq!(launched.status, plain.status, "{command:?}");
        launched
    }
}

/// Decides BR-24.
#[test]
fn a_program_finds_itself_as_without_the_launcher() {
    let folder = Folder::new();
    folder.file("sub/look.py", LOOK);
    folder.file("sub/look_too.py", "import look");
    folder.file("package/__init__.py", "");
    folder.file("package/look.py", LOOK);
    folder.file("package/__main__.py", LOOK);
    folder.file("folder/__main__.py", LOOK);
    folder.file("-look.py", LOOK);
    for command in [
        &["python3", "sub/look.py"][..],
        &["python3", "-u", "-X", "dev", "-W", "ignore", "./sub/look.py", "-m", "x", "--", "-c"],
        &["python3", "sub/look_too.py", "1"],
        &["python3", "-I", "sub/look.py"],
        &["python3", "-m", "package.look", "1", "-2"],
        &["python3", "-m", "package", "1"],
        &["python3", "-Bmpackage", "1"],
        &["python3", "-c", LOOK, "1", "-c"],
        &["python3", "folder", "1"],
        &["python3", "--", "-look.py", "1"],
    ] {
        let output = folder.same(command, "");
        assert!(output.status.success());
        assert!(!output.stdout.is_empty());
    }
    assert!(folder.same(&["python3", "-", "1"], LOOK).status.success());
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_imports_from_the_folder_it_points_to() {
    let folder = Folder::new();
    folder.file("sub/look.py", LOOK);
    std::os::unix::fs::symlink("sub/look.py", folder.path().join("link.py")).unwrap();
    folder.same(&["python3", "link.py"], "");
}

/// Decides BR-24.
#[test]
fn it_ends_as_without_the_launcher() {
    let folder = Folder::new();
    folder.file("helper.py", "def fail():\n    raise ValueError('inner')\n");
    for (name, text, code) in [
        ("zero", "import sys; sys.exit()", Some(0)),
        ("status", "import sys; sys.exit(7)", Some(7)),
        ("words", "import sys; sys.exit('some words')", Some(1)),
        ("hard", "import os; os._exit(9)", Some(9)),
        ("raise", "def f():\n    g()\ndef g():\n    return 1 / 0\nf()\n", Some(1)),
        (
            "chain",
            "import helper\ntry:\n    helper.fail()\nexcept ValueError as e:\n    raise KeyError from e\n",
            Some(1),
        ),
        ("syntax", "x = 1\ndef f(:\n", Some(1)),
        ("missing", "import no_such_module", Some(1)),
        (
            "hook",
            "import sys\nsys.excepthook = lambda k, e, t: print('hook', k, t.tb_lineno)\n1 / 0\n",
            Some(1),
        ),
        ("atexit", "import atexit\natexit.register(lambda: print(__name__))\nraise OSError('late')", Some(1)),
        (
            "thread",
            "import threading\nthreading.Timer(0.05, lambda: print(len(__name__))).start()\n",
            Some(0),
        ),
        ("async", "import asyncio\nasync def f():\n    raise OSError\nasyncio.run(f())\n", Some(1)),
        ("interrupt", "raise KeyboardInterrupt", if cfg!(unix) { None } else { Some(1) }),
    ] {
        folder.file(&format!("{name}.py"), text);
        let output = folder.same(&["python3", &format!("{name}.py")], "");
        assert_eq!(output.status.code(), code, "{name}");
        let output = folder.same(&["python3", "-m", name], "");
        assert_eq!(output.status.code(), code, "-m {name}");
        let output = folder.same(&["python3", "-c", text], "");
        assert_eq!(output.status.code(), code, "-c {name}");
        let output = folder.same(&["python3", "-"], text);
        assert_eq!(output.status.code(), code, "- {name}");
    }
    assert_eq!(folder.same(&["python3", "nowhere.py"], "").status.code(), Some(2));
    assert_eq!(folder.same(&["python3", "-m", "nowhere"], "").status.code(), Some(1));
    assert_eq!(folder.same(&["python3", "private"], "").status.code(), Some(1));
}

/// Serves with asyncio on a port that the system chooses, as MPyC does (no host), and prints where.
const SERVE: &str = "\
import asyncio, sys
async def main():
    host = eval(sys.argv[1])
    options = eval(sys.argv[2]) if len(sys.argv) > 2 else {}
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host=host, port=0, **options)
    print(*sorted({socket.getsockname()[0] for socket in server.sockets}))
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
asyncio.run(main())
";

/// Runs the words, and gives the addresses and the port that the program prints to `check` while it serves.
fn serving(folder: &Folder, words: &[OsString], check: impl FnOnce(&str, u16)) {
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let addresses = lines.next().expect("the program ended early").unwrap();
    let port = lines.next().expect("the program ended early").unwrap().parse().unwrap();
    check(&addresses, port);
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}

fn answers(address: IpAddr, port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::new(address, port), Duration::from_secs(2)).is_ok()
}

/// Decides BR-20.
#[test]
fn a_server_for_every_address_answers_on_loopback_only() {
    let folder = Folder::new();
    folder.file("serve.py", SERVE);
    let plain = ["python3", "serve.py", "'0.0.0.0'"].map(OsString::from);
    serving(&folder, &plain, |addresses, port| {
        // The other half of the proof: without the launcher these addresses do answer.
        assert_eq!(addresses, "0.0.0.0");
        for address in other_addresses() {
            assert!(answers(address, port), "{address} does not answer even without the launcher");
        }
    });
    for host in
        ["None", "''", "b''", "'0.0.0.0'", "'::'", "'0'", "['0.0.0.0', '::']", "['127.0.0.1']", "'127.0.0.1'"]
    {
        serving(&folder, &folder.rewritten(&["python3", "serve.py", host]), |addresses, port| {
            assert_eq!(addresses, "127.0.0.1", "{host}");
            assert!(answers(Ipv4Addr::LOCALHOST.into(), port));
            for address in other_addresses() {
                assert!(!answers(address, port), "{address} answers for {host}");
            }
        });
    }
    // What the program says exactly is left alone.
    let sock = "{'sock': __import__('socket').create_server(('0.0.0.0', 0))}";
    for (host, options, expected) in [("'127.0.0.3'", "{}", "127.0.0.3"), ("None", sock, "0.0.0.0")]
        .iter()
        .filter(|_| cfg!(target_os = "linux"))
    {
        let options = options.replace("port=0, ", "");
        let program = SERVE.replace("port=0, ", if options == "{}" { "port=0, " } else { "" });
        folder.file("exact.py", &program);
        let words = folder.rewritten(&["python3", "exact.py", host, &options]);
        serving(&folder, &words, |addresses, _| assert_eq!(addresses, *expected));
    }
}

/// Decides BR-20.
#[test]
fn other_event_loops_are_covered_when_they_are_defined_later() {
    // Like uvloop: its loop class derives from AbstractEventLoop, not from asyncio's own loops.
    let folder = Folder::new();
    folder.file(
        "other.py",
        "\
import asyncio
class Compiled:
    async def create_server(self, factory, host=None, port=None, **options):
        return host
class Loop(Compiled, asyncio.AbstractEventLoop):
    pass
class Own(asyncio.SelectorEventLoop):
    async def create_server(self, factory, host=None, port=None, **options):
        return host
def result(loop, *arguments):
    try:
        loop.create_server(None, *arguments).send(None)
    except StopIteration as end:
        return end.value
own = Own()
print(result(Loop()), result(Loop(), '10.0.0.1'), result(own), result(own, '::'))
own.close()
",
    );
    let output = folder.run(&folder.rewritten(&["python3", "other.py"]), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "127.0.0.1 10.0.0.1 127.0.0.1 127.0.0.1");
}

/// Decides BR-20.
#[test]
fn an_ipv6_only_server_stays_on_ipv6_loopback() {
    let folder = Folder::new();
    folder.file("serve.py", SERVE);
    let family = "{'family': __import__('socket').AF_INET6}";
    if std::net::TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_err() {
        // Without IPv6 there is nothing to keep local: the server cannot exist.
        let output = folder.run(&folder.rewritten(&["python3", "serve.py", "'::'", family]), "");
        assert!(!output.status.success());
        return;
    }
    let words = folder.rewritten(&["python3", "serve.py", "'::'", family]);
    serving(&folder, &words, |addresses, _| assert_eq!(addresses, "::1"));
}
