//! The test data that the AWS SDKs share for credentials from end to end, each case a test of its
//! own: a machine as the case has it, the facade, and AWS's recorded answers.

mod case;
mod leaks;
mod replay;
mod tables;

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};
use rolecall::core::Fs;

use case::{Case, Suite};

type Outcome<T = ()> = Result<T, String>;

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for suite in [Suite::DefaultChain, Suite::ProfileProvider] {
        for name in folders(suite) {
            trials.push(trial(suite, &name));
        }
    }
    let names: Vec<String> = trials.iter().map(|trial| trial.name().to_owned()).collect();
    trials.push(Trial::test("tables name cases that exist", move || strangers(&names)));
    libtest_mimic::run(&arguments, trials).exit();
}

fn folders(suite: Suite) -> Vec<String> {
    let folder = suite.folder();
    let names = Fs::real().list(&folder).unwrap_or_default();
    assert!(!names.is_empty(), "there are no cases in {}", folder.display());
    names
}

fn trial(suite: Suite, folder: &str) -> Trial {
    let name = format!("{}::{folder}", suite.name());
    let folder = suite.folder().join(folder);
    let Some((_, reason)) = tables::WAITING.iter().find(|(waiting, _)| *waiting == name) else {
        return Trial::test(name.clone(), move || run(suite, name, &folder));
    };
    // It runs all the same, so that the list cannot go stale, nor hide a leak.
    let verdict = match Case::read(suite, name.clone(), &folder).map(|case| case.run()) {
        Ok(report) if !report.leaks.is_empty() => Err(report.leaks.join("\n")),
        Ok(report) => match report.outcome {
            Ok(()) => Err("it passes: remove it from the list WAITING".to_owned()),
            Err(why) => Ok(why),
        },
        Err(broken) => Err(broken),
    };
    match verdict {
        Err(fault) => Trial::test(name, move || Err(fault.into())),
        Ok(why) => {
            Trial::test(name, move || Err(why.into())).with_kind(*reason).with_ignored_flag(true)
        }
    }
}

fn run(suite: Suite, name: String, folder: &Path) -> Result<(), Failed> {
    let report = Case::read(suite, name, folder)?.run();
    let faults: Vec<String> = report.outcome.err().into_iter().chain(report.leaks).collect();
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n").into()) }
}

fn strangers(names: &[String]) -> Result<(), Failed> {
    let strangers: Vec<&str> =
        tables::names().filter(|known| !names.iter().any(|name| name == known)).collect();
    if strangers.is_empty() { Ok(()) } else { Err(format!("no such case: {strangers:?}").into()) }
}
