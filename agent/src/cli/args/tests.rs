use super::*;
use clap::CommandFactory as _;

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn patience_has_limits_and_a_default() {
    let parse = |words: &[&str]| {
        let words = [&["didagent", "join", "-"], words].concat();
        let cli = Cli::try_parse_from(words).map_err(drop)?;
        let Command::Join { room, .. } = cli.command else { panic!() };
        Ok(room.patience.duration().as_secs())
    };
    for (seconds, parsed) in
        [("5", Ok(5)), ("3600", Ok(3600)), ("4", Err(())), ("3601", Err(())), ("x", Err(()))]
    {
        assert_eq!(parse(&["--patience", seconds]), parsed, "{seconds}");
    }
    assert_eq!(parse(&[]), Ok(120));
}

/// The words of a shell line up to the first redirection, pipe or explanation.
fn words(line: &str) -> Vec<String> {
    let line = line.split("  ").next().unwrap().split(" | ").next().unwrap();
    let words = line.split(" > ").next().unwrap().split(" < ").next().unwrap().split(' ');
    let words = words.map(|word| word.trim_matches('\''));
    words.skip_while(|word| word.contains('=')).map(str::to_owned).collect()
}

fn assert_examples_parse(command: &clap::Command) -> usize {
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let examples = help.lines().map(str::trim).filter(|line| line.contains("didagent"));
    let mut count = 0;
    for line in examples.filter(|line| !line.contains("$(") && !line.contains("didagent-mediator")) {
        let parsed = Cli::try_parse_from(words(line)).map(drop);
        let is_help = |error: &clap::Error| error.kind() == clap::error::ErrorKind::DisplayHelp;
        assert!(parsed.as_ref().is_ok() || parsed.as_ref().is_err_and(is_help), "{line}: {parsed:?}");
        count += 1;
    }
    count + command.get_subcommands().map(assert_examples_parse).sum::<usize>()
}

#[test]
fn the_examples_are_command_lines_of_this_program() {
    assert!(assert_examples_parse(&Cli::command()) >= 30);
}

#[test]
fn everything_after_two_dashes_is_the_program() {
    let cli = Cli::try_parse_from(["didagent", "join", "--", "python", "vote.py", "--name", "9"]).unwrap();
    let Command::Join { link, room } = cli.command else { panic!() };
    assert_eq!((link, room.name), (None, None));
    assert_eq!(room.command, ["python", "vote.py", "--name", "9"]);
}
