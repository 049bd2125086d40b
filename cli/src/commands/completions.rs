use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::Args;
use crate::output::{Failure, print};

pub(crate) fn run(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "rolecall", &mut script);
    print(&String::from_utf8_lossy(&script))
}
