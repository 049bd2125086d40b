use std::process::ExitCode;

use rolecall::printable;

use crate::args::Global;
use crate::output::{Failure, print, print_json};

pub(crate) fn run(global: &Global) -> Result<ExitCode, Failure> {
    let sts = super::session(global)?.sts()?;
    let identity = rolecall::block_on(sts.get_caller_identity())??;
    if global.json {
        return print_json(&identity.to_json());
    }
    let [account, arn, user_id] =
        [&identity.account, &identity.arn, &identity.user_id].map(|text| printable(text, 4096));
    print(&format!("Account  {account}\nArn      {arn}\nUserId   {user_id}\n"))
}
