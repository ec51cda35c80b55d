//! What the program says about itself.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use didagent::failure::Kind;
use support::didagent;
use support::party::bare;
use support::process::{Finished, run};

fn said(words: &[&str]) -> Finished {
    run(&words.join(" "), bare(&didagent()).args(words))
}

#[test]
fn every_error_code_is_explained_with_its_exit_code() {
    for kind in Kind::ALL {
        for code in [kind.code().to_owned(), kind.code().to_lowercase()] {
            let explained = said(&["explain", &code]);
            assert_eq!((explained.code, explained.stderr.as_str()), (0, ""), "{code}");
            let text = explained.lines.join("\n");
            assert!(text.contains(kind.code()) && text.contains(kind.about()), "{text}");
            assert!(text.contains(&format!("exit code {}", kind.exit())), "{text}");
        }
    }
}

#[test]
fn an_unknown_error_code_is_a_usage_error() {
    for code in ["E9999", "", "hello"] {
        let explained = said(&["explain", code]);
        assert_eq!((explained.code, explained.lines), (2, Vec::new()), "{}", explained.stderr);
        assert!(explained.stderr.contains("error[E0002]"), "{}", explained.stderr);
    }
}

/// The help of a command, which must be data and no error.
fn help(words: &[&str]) -> String {
    let words = [words, &["--help"]].concat();
    let finished = said(&words);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""), "{words:?}");
    finished.lines.join("\n")
}

/// The names in the list of commands, if the help has one.
fn commands_in(help: &str) -> Vec<&str> {
    let after = help.split_once("\nCommands:\n").map_or("", |(_, after)| after);
    let lines = after.lines().take_while(|line| line.starts_with("  "));
    lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
}

/// Fails unless the command, and every command below it, has three examples of its own.
fn assert_examples(words: &[&str]) -> usize {
    let help = help(words);
    let (_, examples) =
        help.split_once("Examples:").unwrap_or_else(|| panic!("{words:?} has no examples:\n{help}"));
    let own = format!("didagent {}", words.join(" "));
    // The library's `mediator serve` speaks of its own binary too; `--home` may come before the command.
    let name = words.last().copied().unwrap_or("didagent");
    let lines = examples.lines().filter(|line| line.contains("didagent") && line.contains(name));
    assert!(lines.count() >= 3, "{own} has too few examples:\n{help}");
    1 + commands_in(&help).iter().map(|name| assert_examples(&[words, &[*name]].concat())).sum::<usize>()
}

#[test]
fn the_help_of_every_command_has_three_examples() {
    let seen = assert_examples(&[]);
    // invite, join, ports, status, ping, identity (show, new), contacts, demo, mediator (serve), explain, didagent itself.
    assert!(seen >= 14, "only {seen} commands were found");
}

#[test]
fn what_the_engine_uses_itself_is_not_shown() {
    assert!(!help(&[]).contains("supervise"));
}

#[test]
fn the_version_is_the_packages() {
    for flag in ["--version", "-V"] {
        let version = said(&[flag]);
        assert_eq!(
            (version.code, version.lines),
            (0, vec![format!("didagent {}", env!("CARGO_PKG_VERSION"))])
        );
    }
}
