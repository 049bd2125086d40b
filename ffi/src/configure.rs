//! Profile files, and kubeconfig files.

use std::ffi::c_char;

use rolecall::configure::{Assignment, Setting, Settings};
use rolecall::update::Updater;
use rolecall::{Context, eks};
use serde_json::{Value, json};

use crate::answer::rolecall_answer;
use crate::boundary::{Outcome, Place, guard, text, text_or_null};
use crate::credentials::rolecall_credentials;
use crate::error::rolecall_error;
use crate::options::{options_or_default, rolecall_session_options};
use crate::status::rolecall_status;

fn settings(profile: *const c_char) -> Outcome<Settings> {
    let profile = text_or_null(profile, "profile")?.map(str::to_owned);
    Ok(Settings::new(Context::real(), profile))
}

/// What a setting of a profile is, as `aws configure get` finds it: JSON, a text, null if it is not
/// set, or `{}` if it is a group of settings. It may be a secret. `profile` may be NULL: the one of
/// `AWS_PROFILE`, else `default`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_configure_get(
    profile: *const c_char,
    setting: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let settings = settings(profile)?;
        let found = match settings.get(&text(setting, "setting")?.parse()?)? {
            None => Value::Null,
            Some(Setting::Value(value)) => value.expose().into(),
            Some(Setting::Group) => json!({}),
        };
        answer.hand_over(rolecall_answer::json(&found)?);
        Ok(())
    })
}

/// Sets a setting of a profile, as `aws configure set` does: `assignment` is `KEY=VALUE`, where a
/// secret value may also be `file://PATH`, `env:NAME` or `-`. The answer is a JSON list of warnings.
/// `profile` may be NULL: the one of `AWS_PROFILE`, else `default`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_configure_set(
    profile: *const c_char,
    assignment: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let settings = settings(profile)?;
        let assignment = [Assignment::parse(text(assignment, "assignment")?)?];
        let warnings = rolecall::block_on(settings.set(&assignment))??;
        let warnings: Value = warnings.iter().map(ToString::to_string).collect();
        answer.hand_over(rolecall_answer::json(&warnings)?);
        Ok(())
    })
}

/// Writes the credentials of a session of these options into a section of the credentials file, once,
/// as `rolecall update --once` does, and puts them into `credentials`. Keys of a user that are there
/// stay, and the call fails, unless `replaces_long_lived_keys`. `options` may be NULL: the default
/// chain.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_update_profile(
    options: *const rolecall_session_options,
    profile: *const c_char,
    replaces_long_lived_keys: bool,
    credentials: *mut *const rolecall_credentials,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let credentials = Place::at(credentials, "credentials")?;
        let profile = text(profile, "profile")?;
        let mut updater = Updater::new(profile, options_or_default(options))?;
        updater.replaces_long_lived_keys = replaces_long_lived_keys;
        credentials.share(rolecall_credentials::new(rolecall::block_on(updater.once())??)?);
        Ok(())
    })
}

/// Puts a cluster of EKS into a kubeconfig file, as `aws eks update-kubeconfig` does. `request` is
/// JSON: `{"name": "prod", "kubeconfig": "PATH", "role_arn", "assume_role_arn", "proxy_url",
/// "alias", "user_alias", "command": "aws", "endpoint_url"}`, all but `name` optional; `command` is
/// the program for tokens, `aws` or `rolecall`. The answer is `{"context", "kubeconfig", "updated",
/// "changed", "overruled_by", "warnings": […]}`: whether the context was there before and is now
/// another, and whether the file is. `options` may be NULL: the default chain.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_eks_update_kubeconfig(
    options: *const rolecall_session_options,
    request: *const c_char,
    answer: *mut *mut rolecall_answer,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let answer = Place::at(answer, "answer")?;
        let wanted = eks::read_update_kubeconfig(text(request, "request")?)?;
        let update = rolecall::block_on(async {
            let update = wanted.plan(options_or_default(options)).await?;
            update.write().await.map(|is_changed| update.to_json(is_changed))
        });
        answer.hand_over(rolecall_answer::json(&update??)?);
        Ok(())
    })
}
