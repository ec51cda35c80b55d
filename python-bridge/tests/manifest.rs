//! What manifests say of real programs, and what the launcher makes of programs that changed meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::disallowed_methods)]

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

use didagent_bridge::launch::{LAUNCHER_SOURCE, Rewritten, rewrite};
use didagent_bridge::manifest::{Manifest, ManifestError, Probe, probe_command, read_probe};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.file("private/launcher.py", LAUNCHER_SOURCE);
        files.iter().for_each(|(name, text)| folder.file(&format!("work/{name}"), text));
        folder
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn command(&self, words: &[OsString]) -> Command {
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(self.path("work")).env_remove("PYTHONPATH");
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MPYC_")) {
            command.env_remove(name);
        }
        command
    }

    /// What describes the command prints.
    fn printed(
        &self,
        command: &str,
        same_args: bool,
        include: &[&str],
        variables: &[(&str, &str)],
    ) -> Vec<u8> {
        let include: Vec<_> = include.iter().map(OsString::from).collect();
        let words = probe_command(&words(command), same_args, &include).unwrap();
        let output = self.command(&words).envs(variables.iter().copied()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn probe_with(
        &self,
        command: &str,
        same_args: bool,
        include: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Probe, ManifestError> {
        read_probe(&self.printed(command, same_args, include, variables))
    }

    fn probe(&self, command: &str) -> Probe {
        self.probe_with(command, false, &[], &[]).unwrap()
    }

    /// Runs the program under the launcher, with what was agreed on beside it.
    fn run(&self, command: &str, probe: &Probe) -> Output {
        self.file("private/agreed.json", std::str::from_utf8(&probe.agreed).unwrap());
        let Rewritten::Python(words) = rewrite(&words(command), &self.path("private/launcher.py")) else {
            panic!("{command} is Python");
        };
        self.command(&words).output().unwrap()
    }
}

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

fn modules(manifest: &Manifest) -> Vec<&str> {
    manifest.modules.keys().map(String::as_str).collect()
}

const PROGRAM: &[(&str, &str)] = &[
    (
        "vote.py",
        "import sys, random\nif sys.argv[1:] == ['x']:\n    import helper\nfrom pack.sub import leaf\nprint('ran')\n",
    ),
    ("helper.py", "import json\n"),
    ("unused.py", ""),
    ("pack/__init__.py", ""),
    ("pack/sub/__init__.py", "from ..util import value\n"),
    (
        "pack/sub/leaf.py",
        "from . import other\nimport space.inner, importlib\nimportlib.import_module('late')\n",
    ),
    ("pack/sub/other.py", "import pack.sub.leaf\n"),
    ("pack/util.py", "value = 1\n"),
    ("space/inner.py", ""),
    ("late.py", ""),
    ("data.csv", "1,2\n"),
];

/// Decides MF-02, MF-06.
#[test]
fn the_programs_own_modules_are_found_without_running_it() {
    let folder = Folder::new(PROGRAM);
    let own =
        ["helper", "late", "pack", "pack.sub", "pack.sub.leaf", "pack.sub.other", "pack.util", "space.inner"];
    let probe = folder.probe("python3 vote.py 42");
    assert_eq!(modules(&probe.manifest), own);
    assert_eq!(probe.manifest.program.name, "vote.py");
    // The folder from which a program is started does not matter, nor where it is.
    assert_eq!(
        folder.probe(&format!("python3 {}", folder.path("work/vote.py").display())).manifest,
        probe.manifest
    );
    let elsewhere = Folder::new(PROGRAM);
    assert_eq!(elsewhere.probe("python3 -u -W ignore vote.py 17").manifest, probe.manifest);
    // One module more, one byte else.
    elsewhere.file("work/vote.py", "import helper\n");
    assert_eq!(modules(&elsewhere.probe("python3 vote.py").manifest), ["helper"]);
    let before = elsewhere.probe("python3 vote.py").manifest;
    elsewhere.file("work/helper.py", "import json \n");
    assert_ne!(elsewhere.probe("python3 vote.py").manifest.modules, before.modules);
}

#[test]
fn each_way_to_name_a_program_has_its_modules() {
    let folder = Folder::new(PROGRAM);
    for (command, name, own) in [
        (
            "python3 -m pack.sub.leaf 5",
            "pack.sub.leaf",
            "late pack pack.sub pack.sub.leaf pack.sub.other pack.util space.inner",
        ),
        ("python3 -c import\thelper", "-c", "helper"),
        ("python3 -I vote.py", "vote.py", ""),
        (
            "python3 -- vote.py",
            "vote.py",
            "helper late pack pack.sub pack.sub.leaf pack.sub.other pack.util space.inner",
        ),
    ] {
        let manifest = folder.probe(command).manifest;
        assert_eq!(manifest.program.name, name);
        assert_eq!(modules(&manifest).join(" "), own, "{command}");
        assert!(manifest.program.sha256.is_some() && manifest.options.is_some());
    }
    // What comes from standard input is not read here.
    let manifest = folder.probe("python3 - 5").manifest;
    assert!(manifest.program.sha256.is_none() && manifest.options.is_none());
}

#[test]
fn many_modules_are_told_as_one() {
    let names: Vec<_> = (0..70).map(|number| format!("m{number}")).collect();
    let folder = Folder::new(&[("vote.py", &format!("import {}\n", names.join(", ")))]);
    names.iter().for_each(|name| folder.file(&format!("work/{name}.py"), ""));
    let before = folder.probe("python3 vote.py").manifest;
    assert_eq!(modules(&before), ["all 70 modules"]);
    folder.file("work/m69.py", "x = 1\n");
    assert_ne!(folder.probe("python3 vote.py").manifest.modules, before.modules);
}

/// Decides MF-03.
#[test]
fn arguments_are_told_only_when_somebody_says_so() {
    let folder = Folder::new(&[
        ("plain.py", "import sys\n# didagent: same-args\n"),
        ("open.py", "#!/usr/bin/env python3\n\n#  didagent: same-args\n\"\"\"Doc.\"\"\"\n"),
        ("close.py", "# not didagent: same-args\n'''\n# didagent: same-args\n'''\n"),
    ]);
    let told = |program: &str, same| {
        folder
            .probe_with(&format!("python3 {program} -T 1 8 -K40 x"), same, &[], &[])
            .unwrap()
            .manifest
            .arguments
    };
    let words = Some(vec!["8".to_owned(), "x".to_owned()]);
    assert_eq!(told("plain.py", false), None);
    assert_eq!(told("close.py", false), None);
    assert_eq!(told("plain.py", true), words);
    assert_eq!(told("open.py", false), words);
    let secret = folder.probe("python3 plain.py 987654321");
    assert!(!format!("{:?}", secret.manifest).contains("987654321"));
}

#[test]
fn options_are_those_that_mpyc_would_take() {
    let folder = Folder::new(&[("vote.py", "")]);
    let options = |arguments: &str, variables: &[(&str, &str)]| {
        let probe =
            folder.probe_with(&format!("python3 vote.py {arguments}"), false, &[], variables).unwrap();
        let manifest = probe.manifest;
        let o = manifest.options.unwrap();
        (o.threshold, o.bit_length, o.sec_param, o.prss, o.barrier, o.mix32_64bit, manifest.environment.len())
    };
    let plain = (None, 32, 30, true, true, false, 0);
    assert_eq!(options("5", &[("MPYC_NONUMPY", "1"), ("MPYC_MAXWORKERS", "2")]), plain);
    let all = (Some(2), 64, 40, false, false, true, 0);
    assert_eq!(options("-T2 --bit-l=64 -K 40 --no-p --no-b 5 --mix", &[]), all);
    assert_eq!(
        options("5", &[("MPYC_NOPRSS", "1"), ("MPYC_MIX32_64BIT", "1")]),
        (None, 32, 30, false, true, true, 0)
    );
    assert_eq!(options("5", &[("MPYC_NEW", "1")]).6, 1);
}

/// Decides MF-04.
#[test]
fn included_files_are_named_from_the_programs_folder() {
    let folder = Folder::new(PROGRAM);
    folder.file("outside.csv", "3");
    let files = |include: &[&str]| {
        let probe = folder.probe_with("python3 vote.py", false, include, &[]).unwrap();
        probe.manifest.files.into_keys().collect::<Vec<_>>()
    };
    let absolute = folder.path("work/data.csv");
    assert_eq!(files(&["data.csv", "../outside.csv"]), ["data.csv", "outside.csv"]);
    assert_eq!(files(&[absolute.to_str().unwrap(), "pack/util.py"]), ["data.csv", "pack/util.py"]);
}

#[test]
fn what_cannot_be_described_is_said_in_words() {
    let folder = Folder::new(&[("broken.py", "def f(:\n"), ("fine.py", "")]);
    let nothing: &[&str] = &[];
    for (command, include, said) in [
        ("python3 broken.py", nothing, "broken.py is no Python that can be read"),
        ("python3 nowhere.py", &[], "there is no file"),
        ("python3 -m nowhere", &[], "there is no module nowhere to run"),
        ("python3 fine.py -T x", &[], "MPyC would not take the arguments"),
        ("python3 fine.py", &["none.csv"], "there is no file"),
    ] {
        match folder.probe_with(command, false, include, &[]) {
            Err(ManifestError::Program(why)) => assert!(why.contains(said), "{why}"),
            other => panic!("{command}: {other:?}"),
        }
    }
}

/// Decides MF-30.
#[test]
fn a_file_that_changed_or_that_nobody_knew_ends_the_program() {
    let text = "import sys, json, helper\nprint('one')\nif len(sys.argv) > 1:\n    name = sys.argv[1]\n    __import__(name)\nprint('two')\n";
    let files: &[(&str, &str)] =
        &[("vote.py", text), ("helper.py", ""), ("plugin.py", ""), ("data.csv", "1")];
    let folder = Folder::new(files);
    let probe = folder.probe_with("python3 vote.py", false, &["data.csv"], &[]).unwrap();
    let said = |output: &Output| {
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.code(), out.trim().replace('\n', " "), err.into_owned())
    };
    let fine = folder.run("python3 vote.py", &probe);
    assert_eq!(said(&fine), (Some(0), "one two".into(), String::new()));
    // From the standard library anything may be imported at any time.
    assert_eq!(said(&folder.run("python3 vote.py decimal", &probe)).1, "one two");

    let (code, out, err) = said(&folder.run("python3 vote.py plugin", &probe));
    assert_eq!((code, out.as_str()), (Some(4), "one"));
    assert!(err.contains("plugin.py") && err.contains("--include plugin.py"), "{err}");
    assert_eq!(err.lines().count(), 1);
    let included = folder.probe_with("python3 vote.py", false, &["plugin.py", "data.csv"], &[]).unwrap();
    assert_eq!(said(&folder.run("python3 vote.py plugin", &included)).1, "one two");

    for (name, _) in files.iter().filter(|(name, _)| *name != "plugin.py") {
        let before = std::fs::read_to_string(folder.path("work").join(name)).unwrap();
        folder.file(&format!("work/{name}"), &format!("{before}\n"));
        let (code, out, err) = said(&folder.run("python3 vote.py", &probe));
        assert_eq!((code, out.as_str()), (Some(4), ""), "{name}");
        assert!(err.contains(name) && err.contains("changed"), "{err}");
        folder.file(&format!("work/{name}"), &before);
    }
    std::fs::remove_file(folder.path("work/data.csv")).unwrap();
    assert_eq!(said(&folder.run("python3 vote.py", &probe)).0, Some(4));
}

/// A virtual environment in the program's own folder is no part of the program.
#[test]
fn installed_packages_are_not_the_programs_own() {
    let folder = Folder::new(&[("vote.py", "import thing\nprint(thing.__name__)\n")]);
    let made = folder.command(&words("python3 -m venv --without-pip env")).output().unwrap();
    assert!(made.status.success());
    let python = folder.path("work/env/bin/python3");
    let asked = folder
        .command(&[
            python.clone().into(),
            "-c".into(),
            "import sysconfig; print(sysconfig.get_path('purelib'))".into(),
        ])
        .output()
        .unwrap();
    let site = String::from_utf8(asked.stdout).unwrap();
    std::fs::write(Path::new(site.trim()).join("thing.py"), "").unwrap();
    let command = "env/bin/python3 vote.py";
    let probe = folder.probe(command);
    assert!(probe.manifest.modules.is_empty() && probe.manifest.mpyc.is_none());
    assert_eq!(String::from_utf8_lossy(&folder.run(command, &probe).stdout), "thing\n");
}
