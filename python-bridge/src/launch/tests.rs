use super::*;

fn run(command: &[&str]) -> Option<Vec<String>> {
    let command: Vec<OsString> = command.iter().map(OsString::from).collect();
    match rewrite(&command, Path::new("L")) {
        Rewritten::Python(words) => Some(words.into_iter().map(|word| word.into_string().unwrap()).collect()),
        Rewritten::NotPython => None,
    }
}

/// Decides BR-21.
#[test]
fn rewrites_every_way_to_name_a_program() {
    for (command, expected) in [
        ("python3 a.py", "python3 L a.py"),
        ("python3 a.py -m x", "python3 L a.py -m x"),
        (
            "/venv/bin/python3.11 -u -X dev -W ign a.py 1 -2",
            "/venv/bin/python3.11 -u -X dev -W ign L a.py 1 -2",
        ),
        ("python -Bu -Wignore -Xdev a.py", "python -Bu -Wignore -Xdev L a.py"),
        ("python -BW ignore a.py", "python -BW ignore L a.py"),
        ("python -m mod 1", "python L -m mod 1"),
        ("python -umod 1", "python -u L -m od 1"),
        ("python -Bum mod 1", "python -Bu L -m mod 1"),
        ("python -c code 1", "python L -c code 1"),
        ("python -ccode -c 1", "python L -c code -c 1"),
        ("python - 1", "python L - 1"),
        ("python -u -- - 1", "python -u L - 1"),
        ("python -- a.py 1", "python L a.py 1"),
        ("python -- -m 1", "python L -- -m 1"),
        ("python -- -- 1", "python L -- -- 1"),
        ("python --check-hash-based-pycs never a.py", "python --check-hash-based-pycs never L a.py"),
        ("pypy3 -I a.py --", "pypy3 -I L a.py --"),
        ("python3.13t a.py", "python3.13t L a.py"),
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        assert_eq!(run(&words).map(|words| words.join(" ")).as_deref(), Some(expected), "{command}");
    }
}

/// Decides BR-22.
#[test]
fn refuses_what_runs_no_program() {
    for command in [
        "",
        "python",
        "python -u",
        "python -i",
        "python -c",
        "python -um",
        "python -W",
        "python -W x",
        "python --",
        "python -V",
        "python -uV a.py",
        "python -h a.py",
        "python --version",
        "python -x a.py",
        "python -Z a.py",
        "python --check-hash-based-pycs",
        "sh a.sh",
        "./a.py",
        "python2 a.py",
        "python2.7 a.py",
        "pythonista a.py",
        "bpython a.py",
        "uv run python a.py",
    ] {
        let words: Vec<&str> = command.split(' ').filter(|word| !word.is_empty()).collect();
        assert_eq!(run(&words), None, "{command}");
    }
}

/// Decides BR-21.
#[test]
fn recognises_interpreters_by_file_name() {
    for name in ["python", "python3", "python3.9", "/usr/bin/python3.14d", "pypy", "pypy3.10", "Python.exe"] {
        assert!(is_python(OsStr::new(name)), "{name}");
    }
    for name in [
        "",
        "python2",
        "pythonw",
        "python-config",
        "python3-config",
        "py",
        "/usr/bin/python3/x",
        "micropython",
    ] {
        assert!(!is_python(OsStr::new(name)), "{name}");
    }
}

/// Decides BR-16.
#[test]
fn mpyc_arguments_come_directly_after_the_program() {
    let mpyc = ["-P".to_owned(), "127.0.0.1:20000".to_owned()];
    for (command, expected) in [
        ("python -u a.py -- 1", "python -u L a.py -P 127.0.0.1:20000 -- 1"),
        ("python -m mod 1", "python L -m mod -P 127.0.0.1:20000 1"),
        ("python -c code", "python L -c code -P 127.0.0.1:20000"),
    ] {
        let command: Vec<OsString> = command.split(' ').map(OsString::from).collect();
        let expected: Vec<OsString> = expected.split(' ').map(OsString::from).collect();
        assert_eq!(rewrite_with(&command, Path::new("L"), &mpyc), Rewritten::Python(expected));
    }
}

#[cfg(unix)]
#[test]
fn words_that_are_no_unicode_pass_as_they_are() {
    use std::os::unix::ffi::OsStringExt as _;

    let script = OsString::from_vec(vec![b'a', 0xff]);
    let option = OsString::from_vec(vec![b'-', b'W', 0xff]);
    let command = ["python".into(), script.clone(), option.clone()];
    let expected = vec!["python".into(), "L".into(), script.clone(), option.clone()];
    assert_eq!(rewrite(&command, Path::new("L")), Rewritten::Python(expected));
    let command = ["python".into(), option, script.clone()];
    assert_eq!(rewrite(&command, Path::new("L")), Rewritten::NotPython);
    assert_eq!(rewrite(&[script.clone(), script], Path::new("L")), Rewritten::NotPython);
}
