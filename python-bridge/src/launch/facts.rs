//! What a Python command line says about the run, without starting it.

use std::ffi::{OsStr, OsString};

use super::{PythonLine, is_python};

/// Returns the script file that a Python command runs; `None` for a module, for code on the command line, for a program from
/// stdin, and for anything that is not Python.
#[must_use]
pub fn script_of(command: &[OsString]) -> Option<&OsStr> {
    let (interpreter, words) = command.split_first()?;
    let line = is_python(interpreter).then(|| PythonLine::parse(words)).flatten()?;
    // `-- script`, `-m module`, `-c code`, `-` or `script`, as the launcher takes it.
    let script = match line.program.as_slice() {
        [dashes, script] if dashes == "--" => script,
        [script] if script != "-" => script,
        _ => return None,
    };
    words.iter().find(|word| *word == script).map(OsString::as_os_str)
}

/// Returns the program's own arguments: without the interpreter, its options and the script. For anything that is not Python,
/// all words but the first.
#[must_use]
pub fn arguments_of(command: &[OsString]) -> Vec<OsString> {
    let Some((first, words)) = command.split_first() else { return Vec::new() };
    let line = is_python(first).then(|| PythonLine::parse(words)).flatten();
    line.map_or_else(|| words.to_vec(), |line| line.arguments)
}

/// Returns the threshold that the program's arguments ask MPyC for (`-T 1`, `-T1`, `--threshold 1`, `--threshold=1`); the
/// last one counts, as it does for MPyC. `None` leaves it to MPyC's default.
#[must_use]
pub fn threshold(command: &[OsString]) -> Option<usize> {
    let mut found = None;
    let arguments = arguments_of(command);
    let mut words = arguments.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        let value = match word {
            // Behind it MPyC does not look for its own arguments.
            "--" => break,
            "-T" => words.next(),
            _ => match word.split_once('=') {
                _ if is_threshold(word) => words.next(),
                Some((name, value)) if is_threshold(name) => Some(value),
                _ => word.strip_prefix("-T"),
            },
        };
        found = value.and_then(|value| value.parse().ok()).or(found);
    }
    found
}

/// MPyC's parser takes any beginning of a long name that fits no other one.
fn is_threshold(name: &str) -> bool {
    name.len() > "--".len() && "--threshold".starts_with(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_script_is_found_behind_pythons_own_options() {
        for (line, script) in [
            ("python3 vote.py 42", Some("vote.py")),
            ("python3 -u -X dev dir/vote.py vote.py", Some("dir/vote.py")),
            ("python3 -- -odd.py", Some("-odd.py")),
            ("python3 -m vote 42", None),
            ("python3 -c pass", None),
            ("python3 -", None),
            ("python3", None),
            ("./vote 42", None),
        ] {
            assert_eq!(script_of(&words(line)), script.map(OsStr::new), "{line}");
        }
    }

    #[test]
    fn the_interpreters_own_options_are_no_arguments() {
        assert_eq!(arguments_of(&words("python3 -I -u vote.py 42 -I 1")), words("42 -I 1"));
        assert_eq!(arguments_of(&words("python3 -m vote 42")), words("42"));
        assert_eq!(arguments_of(&words("./vote 42")), words("42"));
        assert!(arguments_of(&[]).is_empty());
    }

    #[test]
    fn the_last_threshold_counts() {
        for (line, threshold) in [
            ("python3 vote.py 42", None),
            ("python3 vote.py -T 0", Some(0)),
            ("python3 vote.py -T2 --threshold 1", Some(1)),
            ("python3 vote.py --threshold=3 42", Some(3)),
            ("python3 vote.py --thresh=3 --t 2", Some(2)),
            ("python3 vote.py -- -T 0", None),
            ("python3 vote.py -T", None),
            ("python3 vote.py -Tx", None),
            ("./vote -T 0", Some(0)),
        ] {
            assert_eq!(super::threshold(&words(line)), threshold, "{line}");
        }
    }
}
