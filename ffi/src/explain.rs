//! What would happen, and what is wrong: offline, or nearly so.

use rolecall::{Context, Explanation, ProfileSet};

use crate::answer::rolecall_answer;
use crate::boundary::{Place, guard};
use crate::error::rolecall_error;
use crate::options::{options_or_default, rolecall_session_options};
use crate::status::rolecall_status;

/// Says what a session of these options would do, without a network, a program or a secret: the JSON
/// of `rolecall explain --json`. What is wrong is a problem in it, not an error. `options` may be
/// NULL: the default chain.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_explain(
    options: *const rolecall_session_options,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let explanation = Explanation::new(options_or_default(options))?;
        answer.hand_over(rolecall_answer::json(&explanation.to_json())?);
        Ok(())
    })
}

/// Looks for what is wrong with a session of these options, in files, variables and, by one unsigned
/// question each, at STS and the metadata service: the JSON of `rolecall doctor --json`, within three
/// seconds. `options` may be NULL: the default chain.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_doctor(
    options: *const rolecall_session_options,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let diagnosis = rolecall::block_on(rolecall::diagnose(options_or_default(options)))?;
        answer.hand_over(rolecall_answer::json(&diagnosis.to_json())?);
        Ok(())
    })
}

/// The profile files as data, secrets redacted: the JSON of `rolecall profiles --json`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_profiles(
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let context = Context::real();
        let set = ProfileSet::load(&context.env, &context.fs)?;
        answer.hand_over(rolecall_answer::json(&rolecall::profiles_json(&set))?);
        Ok(())
    })
}
