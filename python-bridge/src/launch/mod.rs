//! Recognises a Python command line and rewrites it to run under the launcher.
//!
//! Implements `spec/bridge.md`, "Launcher". MPyC listens on all addresses of the machine and believes whoever connects;
//! the launcher makes asyncio's servers default to loopback, then runs the program as Python itself would.
//!
//! ```text
//! python3 -u prog.py 5      -->  python3 -u launcher.py prog.py [MPyC's arguments] 5
//! python3 -m package.mod 5  -->  python3 launcher.py -m package.mod [MPyC's arguments] 5
//! ```
//!
//! Not its concern: starting the process, and what a program does beyond asyncio (its own sockets stay as they are).

use std::ffi::{OsStr, OsString};
use std::path::Path;

mod facts;
mod shebang;

pub use facts::{arguments_of, script_of, threshold};
pub use shebang::{SHEBANG_LENGTH, shebang_command};

/// The text of the launcher: one file, standard library only, Python 3.9 or later. The caller writes it to a private
/// file and gives its path to [`rewrite`].
pub const LAUNCHER_SOURCE: &str = include_str!("../../python/didagent/launcher.py");

/// What [`rewrite`] made of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rewritten {
    /// Python with a program to run: the command to start instead.
    Python(Vec<OsString>),
    /// Anything else: another program, Python without a program (interactive, or one piped to it without `-`), or with
    /// options that print something and stop. It can be started as it is, but nothing keeps a port of it on loopback,
    /// so the user should be warned.
    NotPython,
}

/// Rewrites a command to run under the launcher at `launcher`; see [`rewrite_with`].
#[must_use]
pub fn rewrite(command: &[OsString], launcher: &Path) -> Rewritten {
    rewrite_with(command, launcher, &[])
}

/// Rewrites a command to run under the launcher, with MPyC's arguments directly after the program's name.
///
/// There MPyC finds them whatever follows: behind a `--` of the program's own arguments it would not. Python is
/// recognised by the name of the first word: `python`, `python3`, `python3.11`, `pypy3`, with or without a path and
/// `.exe`. For an executable script, ask [`crate::io::resolve`] first.
///
/// ```
/// use std::{ffi::OsString, path::Path};
/// use didagent_bridge::launch::{Rewritten, rewrite_with};
///
/// let command = ["python3", "-u", "prog.py", "--", "5"].map(OsString::from);
/// let mpyc = ["-I".to_owned(), "0".to_owned()];
/// let expected = ["python3", "-u", "/run/l.py", "prog.py", "-I", "0", "--", "5"].map(OsString::from);
/// assert_eq!(rewrite_with(&command, Path::new("/run/l.py"), &mpyc), Rewritten::Python(expected.to_vec()));
/// ```
#[must_use]
pub fn rewrite_with(command: &[OsString], launcher: &Path, mpyc_arguments: &[String]) -> Rewritten {
    let Some((interpreter, words)) = command.split_first() else {
        return Rewritten::NotPython;
    };
    if !is_python(interpreter) {
        return Rewritten::NotPython;
    }
    let Some(line) = PythonLine::parse(words) else {
        return Rewritten::NotPython;
    };
    let mut rewritten = vec![interpreter.clone()];
    rewritten.extend(line.options);
    rewritten.push(launcher.into());
    rewritten.extend(line.program);
    rewritten.extend(mpyc_arguments.iter().map(OsString::from));
    rewritten.extend(line.arguments);
    Rewritten::Python(rewritten)
}

/// Whether a command's first word names a Python interpreter, by its file name alone.
#[must_use]
pub fn is_python(word: &OsStr) -> bool {
    let Some(name) = Path::new(word).file_name().and_then(OsStr::to_str) else {
        return false;
    };
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".exe").unwrap_or(&name);
    let Some(version) = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy")) else {
        return false;
    };
    // Free-threaded and debug builds are called python3.13t and python3.13d.
    let version = version.strip_suffix(['t', 'd']).unwrap_or(version);
    version.is_empty()
        || (version.starts_with('3') && version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// The words behind the interpreter, taken apart as Python does.
struct PythonLine {
    /// Python's own options, without the one that names the program.
    options: Vec<OsString>,
    /// What tells the launcher which program: `-m name`, `-c code`, `-`, or a path, after `--` if it looks like an option.
    program: Vec<OsString>,
    /// The program's arguments.
    arguments: Vec<OsString>,
}

impl PythonLine {
    /// `None` if no program is named, or Python would not run it.
    fn parse(words: &[OsString]) -> Option<Self> {
        let mut options = Vec::new();
        let mut rest = words.iter();
        loop {
            let word = rest.next()?;
            let program = if word == "--" {
                let script = rest.next()?;
                if starts_with_dash(script) && script != "-" {
                    vec![word.clone(), script.clone()]
                } else {
                    vec![script.clone()]
                }
            } else if word == "-" || !starts_with_dash(word) {
                vec![word.clone()]
            } else if word == "--check-hash-based-pycs" {
                options.extend([word.clone(), rest.next()?.clone()]);
                continue;
            } else {
                match Cluster::parse(word.to_str()?)? {
                    Cluster::Plain => {
                        options.push(word.clone());
                        continue;
                    }
                    Cluster::ValueFollows => {
                        options.extend([word.clone(), rest.next()?.clone()]);
                        continue;
                    }
                    Cluster::Program { before, flag, value } => {
                        if !before.is_empty() {
                            options.push(format!("-{before}").into());
                        }
                        let value = match value {
                            "" => rest.next()?.clone(),
                            attached => attached.into(),
                        };
                        vec![format!("-{flag}").into(), value]
                    }
                }
            };
            return Some(Self { options, program, arguments: rest.cloned().collect() });
        }
    }
}

fn starts_with_dash(word: &OsStr) -> bool {
    word.as_encoded_bytes().first() == Some(&b'-')
}

/// One word of short options, `-Bu` or `-Wignore`.
enum Cluster<'a> {
    /// Complete in itself.
    Plain,
    /// Its last option takes the next word as its value.
    ValueFollows,
    /// `-c` or `-m`, with the options before it in the same word and the value, if it is in the same word.
    Program { before: &'a str, flag: char, value: &'a str },
}

impl<'a> Cluster<'a> {
    /// `None` for options that make Python print something and stop (`-h`, `-V`), that refer to lines of the script file
    /// itself (`-x`), and for unknown ones.
    fn parse(word: &'a str) -> Option<Self> {
        let letters = word.strip_prefix('-')?;
        for (at, letter) in letters.char_indices() {
            match letter {
                'c' | 'm' => {
                    let (before, named) = letters.split_at(at);
                    return Some(Self::Program { before, flag: letter, value: named.strip_prefix(letter)? });
                }
                'W' | 'X' => {
                    let attached = letters.len() > at + letter.len_utf8();
                    return Some(if attached { Self::Plain } else { Self::ValueFollows });
                }
                'b' | 'B' | 'd' | 'E' | 'i' | 'I' | 'O' | 'P' | 'q' | 'R' | 's' | 'S' | 'u' | 'v' => {}
                _ => return None,
            }
        }
        Some(Self::Plain)
    }
}

#[cfg(test)]
mod tests;
