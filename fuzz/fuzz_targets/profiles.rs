//! Profile files of any bytes: parsed, planned and linted without a panic.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use rolecall_core::Env;
use rolecall_core::profile::{FileKind, ProfileSet, plan_default, plan_profile, problems};

fuzz_target!(|files: (&[u8], &[u8])| {
    let config = (FileKind::Config, Path::new("config"), files.0);
    let credentials = (FileKind::Credentials, Path::new("credentials"), files.1);
    let Ok(set) = ProfileSet::parse(&[config, credentials]) else { return };
    let env = Env::from_pairs([("AWS_EC2_METADATA_DISABLED", "true")]);
    for profile in set.profiles() {
        if let Ok(plan) = plan_profile(&set, &profile.name, &env) {
            problems(&plan);
        }
    }
    let _ = plan_default(&set, &env);
});
