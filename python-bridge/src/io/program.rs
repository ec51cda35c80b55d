//! Looks at the program that a command names, to find the Python behind an executable script.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::launch::{SHEBANG_LENGTH, is_python, shebang_command};

/// Turns `./script args` into `python3 ./script args` if the script's first line names a Python interpreter.
///
/// For [`crate::launch::rewrite`]. A command without a path is looked for in `PATH`. Any other command, and a file that
/// cannot be read, comes back as it was: starting it will say what is wrong.
#[must_use]
pub fn resolve(command: &[OsString]) -> Vec<OsString> {
    behind_the_script(command).unwrap_or_else(|| command.to_vec())
}

fn behind_the_script(command: &[OsString]) -> Option<Vec<OsString>> {
    let (word, arguments) = command.split_first()?;
    if is_python(word) {
        return None;
    }
    let path = find(word, env::var_os("PATH").as_deref())?;
    let mut start = Vec::new();
    let limit = u64::try_from(SHEBANG_LENGTH).ok()?;
    File::open(&path).ok()?.take(limit).read_to_end(&mut start).ok()?;
    let mut script = vec![path.into_os_string()];
    script.extend(arguments.iter().cloned());
    shebang_command(&start, &script).filter(|words| words.first().is_some_and(|word| is_python(word)))
}

/// The ordinary file that a command's first word means. Anything else is never opened: a pipe could block.
fn find(word: &OsStr, path: Option<&OsStr>) -> Option<PathBuf> {
    let word = Path::new(word);
    if word.components().count() > 1 || word.is_absolute() {
        return word.is_file().then(|| word.to_owned());
    }
    env::split_paths(path?).map(|folder| folder.join(word)).find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_python_are_resolved_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.into_os_string()
        };
        let ours = file("ours", "#!/usr/bin/env python3\nprint(1)\n");
        let shell = file("shell", "#!/bin/sh\n");
        let argument = OsString::from("5");
        assert_eq!(
            resolve(&[ours.clone(), argument.clone()]),
            ["python3".into(), ours.clone(), argument.clone()]
        );
        for other in [shell, folder.path().into(), folder.path().join("none").into(), "python3".into()] {
            let command = [other, argument.clone()];
            assert_eq!(resolve(&command), command);
        }
        assert_eq!(resolve(&[]), Vec::<OsString>::new());
        // A name alone comes from PATH, one with a folder never does.
        let path = Some(folder.path().as_os_str());
        assert_eq!(find(OsStr::new("ours"), path), Some(ours.into()));
        assert_eq!(find(OsStr::new("./ours"), path), None);
        assert_eq!(find(OsStr::new("ours"), None), None);
    }
}
