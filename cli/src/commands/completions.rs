use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::output::{Failure, print};

/// Prints what clap makes of the command line; where it takes the name of a profile, the shells
/// that people use most ask `rolecall configure list-profiles`. clap's own way to do that is not
/// stable yet.
pub(crate) fn run(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "rolecall", &mut script);
    let script = String::from_utf8_lossy(&script);
    let script = match shell {
        Shell::Bash => script + include_str!("completions/profiles.bash"),
        Shell::Fish => script + include_str!("completions/profiles.fish"),
        Shell::Zsh => zsh(&script).into(),
        _ => script,
    };
    print(&script)
}

/// The function stands below the first line, `#compdef rolecall`: the last ones run the completion.
fn zsh(script: &str) -> String {
    let names_profile = |line: &str| {
        let line = line.trim_start_matches(['(', '*', '\'']);
        ["--profile=", "--from="].iter().any(|flag| line.starts_with(flag))
    };
    let lines = script.split_inclusive('\n').map(|line| match names_profile(line) {
        true => line.replace(":NAME:_default'", ":NAME:_rolecall_profiles'"),
        false => line.to_owned(),
    });
    let script: String = lines.collect();
    let (first, rest) = script.split_once('\n').unwrap_or_default();
    format!("{first}\n{}{rest}", include_str!("completions/profiles.zsh"))
}
