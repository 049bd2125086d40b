//! A profile's line: whatever it says is read or refused, and what is read is written so that it is
//! read again as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rolecall_core::Secret;
use rolecall_rolesanywhere::command_line::{HelperCommand, ProfileLine, profile_line};

fuzz_target!(|text: &str| {
    let arguments: Vec<&str> = text.split('\n').collect();
    let _ = HelperCommand::parse(&arguments);
    let call = "aws_signing_helper credential-process";
    let whole = "--certificate /c --trust-anchor-arn T --profile-arn P --role-arn R";
    for line in [text.to_owned(), format!("{call} {text}"), format!("{call} {whole} {text}")] {
        let ProfileLine::Native(options) = ProfileLine::read(&Secret::from(line)) else { continue };
        let Ok(written) = profile_line("aws_signing_helper", &options) else { continue };
        match ProfileLine::read(&Secret::from(written.clone())) {
            ProfileLine::Native(again) => {
                assert_eq!(again.request, options.request, "{written}");
                assert_eq!(again.identity, options.identity, "{written}");
            }
            other => panic!("{written}: {other:?}"),
        }
    }
});
