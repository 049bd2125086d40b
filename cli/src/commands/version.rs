use std::process::ExitCode;

use serde_json::json;

use super::helper;
use crate::args::Global;
use crate::output::{Failure, print_json};

pub(crate) fn run(global: &Global) -> Result<ExitCode, Failure> {
    if global.json {
        return print_json(&json!({ "version": env!("CARGO_PKG_VERSION") }));
    }
    helper::version()
}
