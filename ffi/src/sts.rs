//! The operations of AWS STS.

use std::ffi::c_char;

use crate::answer::rolecall_answer;
use crate::boundary::{Place, given, guard, text};
use crate::error::rolecall_error;
use crate::options::{options_or_default, rolecall_session_options};
use crate::session::rolecall_session;
use crate::status::rolecall_status;

/// Calls an operation of STS by its name in AWS's API: `AssumeRole`, `AssumeRoot`,
/// `DecodeAuthorizationMessage`, `GetAccessKeyInfo`, `GetCallerIdentity`, `GetDelegatedAccessToken`,
/// `GetFederationToken`, `GetSessionToken`, `GetWebIdentityToken`, and those of
/// `rolecall_sts_call_unsigned`. `input` is JSON as AWS's API has it and as
/// `aws sts assume-role --generate-cli-skeleton` shows it: `{"RoleArn": "…", "RoleSessionName":
/// "me"}`; `{}` where nothing is required. The answer is the JSON that AWS CLI prints, with the
/// secrets, and the credentials if the operation gives some.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_sts_call(
    session: *const rolecall_session,
    operation: *const c_char,
    input: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let session = given(session, "session")?;
        let (operation, input) = (text(operation, "operation")?, text(input, "input")?);
        let found =
            session.wait(async |session| session.sts()?.call_by_name(operation, input).await)?;
        answer.hand_over(rolecall_answer::json(&found.json)?.with_credentials(found.credentials)?);
        Ok(())
    })
}

/// Calls `AssumeRoleWithSAML` or `AssumeRoleWithWebIdentity`, whose proof is in `input`: no
/// credentials are needed. The options say the region and the endpoint; `options` may be NULL. Else as
/// `rolecall_sts_call`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_sts_call_unsigned(
    options: *const rolecall_session_options,
    operation: *const c_char,
    input: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let (operation, input) = (text(operation, "operation")?, text(input, "input")?);
        let sts = rolecall::anonymous_sts(options_or_default(options))?;
        let found = rolecall::block_on(sts.call_by_name(operation, input))??;
        answer.hand_over(rolecall_answer::json(&found.json)?.with_credentials(found.credentials)?);
        Ok(())
    })
}
