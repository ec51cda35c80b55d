//! The first line of an executable script: which command the system would run for it.

use std::ffi::OsString;

/// How much of a file the system looks at for its first line, in bytes. Linux cuts the line there.
pub const SHEBANG_LENGTH: usize = 256;

/// The command that a Unix system runs for a script, if its first line names an interpreter.
///
/// `start` is the beginning of the file, [`SHEBANG_LENGTH`] bytes of it at most; `command` the path of the script and
/// its arguments. `/usr/bin/env` is looked through, `-S` included, so that the interpreter's name comes first.
#[must_use]
pub fn shebang_command(start: &[u8], command: &[OsString]) -> Option<Vec<OsString>> {
    let start = start.get(..SHEBANG_LENGTH).unwrap_or(start);
    let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let line = std::str::from_utf8(line).ok()?.trim();
    let (interpreter, argument) = match line.split_once([' ', '\t']) {
        Some((interpreter, argument)) => (interpreter, argument.trim_start()),
        None => (line, ""),
    };
    if interpreter.is_empty() {
        return None;
    }
    let mut words: Vec<OsString> = Vec::new();
    if interpreter.rsplit('/').next() == Some("env") {
        match argument.strip_prefix("-S").or_else(|| argument.strip_prefix("--split-string=")) {
            // Quotes and variables need a parser that no Python script's first line needs.
            Some(split) if split.contains(['"', '\'', '$', '\\']) => return None,
            Some(split) => words.extend(split.split_ascii_whitespace().map(OsString::from)),
            None => words.push(argument.into()),
        }
        // Without a program, or with an assignment or another option first, it is not ours to look through.
        let first = words.first()?.to_str()?;
        if first.is_empty() || first.starts_with('-') || first.contains('=') {
            return None;
        }
    } else {
        words.push(interpreter.into());
        // The system passes the rest of the line as one word.
        if !argument.is_empty() {
            words.push(argument.into());
        }
    }
    words.extend(command.iter().cloned());
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(start: &[u8]) -> Option<Vec<String>> {
        let command = ["./prog", "-x"].map(OsString::from);
        let words = shebang_command(start, &command)?;
        Some(words.into_iter().map(|word| word.into_string().unwrap()).collect())
    }

    /// Decides BR-21.
    #[test]
    fn finds_the_interpreter() {
        for (start, expected) in [
            ("#!/usr/bin/python3\nimport os", vec!["/usr/bin/python3", "./prog", "-x"]),
            ("#! /venv/bin/python -u \n", vec!["/venv/bin/python", "-u", "./prog", "-x"]),
            ("#!/usr/bin/python3 -u -B\n", vec!["/usr/bin/python3", "-u -B", "./prog", "-x"]),
            ("#!/usr/bin/env python3\r\n", vec!["python3", "./prog", "-x"]),
            ("#!/usr/bin/env -S python3 -u\n", vec!["python3", "-u", "./prog", "-x"]),
            ("#!/bin/sh\n", vec!["/bin/sh", "./prog", "-x"]),
            ("#!/usr/bin/python3", vec!["/usr/bin/python3", "./prog", "-x"]),
        ] {
            assert_eq!(
                expand(start.as_bytes()),
                Some(expected.into_iter().map(String::from).collect()),
                "{start}"
            );
        }
    }

    #[test]
    fn anything_else_is_no_script() {
        let mut unreadable = b"#!/usr/bin/python".to_vec();
        unreadable.push(0xff);
        let others: [&[u8]; 10] = [
            b"",
            b"#",
            b"#!",
            b"#!  \n",
            b"\x7fELF\x02\x01",
            b" #!/usr/bin/python3\n",
            b"#!/usr/bin/env\n",
            b"#!/usr/bin/env -i python3\n",
            b"#!/usr/bin/env -S PYTHONUTF8=1 python3\n",
            b"#!/usr/bin/env -S python3 '-u'\n",
        ];
        for start in others.into_iter().chain([unreadable.as_slice()]) {
            assert_eq!(expand(start), None, "{start:?}");
        }
    }

    #[test]
    fn a_line_without_end_is_cut_where_the_system_cuts_it() {
        let mut start = b"#!/".to_vec();
        start.resize(10_000, b'a');
        assert_eq!(expand(&start).unwrap()[0].len(), SHEBANG_LENGTH - 2);
    }
}
