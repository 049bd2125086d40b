//! Settings and credentials in the profile files.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use rolecall::configure::{Assignment, Setting, Settings};
use rolecall::update::Updater;
use rolecall::{Context, Result};

use crate::credentials::Credentials;
use crate::errors::to_python;
use crate::runtime::{apart, wait};
use crate::session::of_a_session;
use crate::values::{Json, Text};

/// The profile files, read and written as `aws configure` does.
///
/// Settings are named as there: `region`, `s3.addressing_style`, `profile.deploy.role_arn`. `profile`
/// is that of `AWS_PROFILE`, else `default`, unless given.
#[pymodule]
pub(crate) mod configure {
    #[pymodule_export]
    use super::{get_setting, set_settings, write_credentials};
}

/// What a setting is: a text, **which may be a secret**; `None` if it is not set; `{}` for a group of
/// settings.
///
/// Raises `InvalidConfigurationError` for files or a name that make no sense, and if the profile that
/// was asked for is not there.
#[pyfunction(name = "get")]
#[pyo3(signature = (setting, *, profile=None))]
pub(crate) fn get_setting(
    py: Python<'_>,
    setting: String,
    profile: Option<String>,
) -> PyResult<Json> {
    let get = move || {
        let found = Settings::new(Context::real(), profile).get(&setting.parse()?)?;
        Ok(Json(match found {
            None => serde_json::Value::Null,
            Some(Setting::Value(value)) => value.expose().into(),
            Some(Setting::Group) => serde_json::json!({}),
        }))
    };
    wait(py, apart(get))
}

/// Makes all settings, or none; gives sentences about what stands in their way. The value of a secret
/// may also be `file://PATH` or `env:NAME`, where it is read now.
///
/// Raises `InvalidConfigurationError` for a name or value that the files cannot hold, and if they
/// cannot be changed safely.
#[pyfunction(name = "set")]
#[pyo3(signature = (settings, *, profile=None))]
pub(crate) fn set_settings(
    py: Python<'_>,
    settings: BTreeMap<String, Text>,
    profile: Option<String>,
) -> PyResult<Vec<String>> {
    let assignments: Result<Vec<_>> = settings
        .iter()
        .map(|(name, value)| Ok(Assignment::new(name.parse()?, value.0.expose())))
        .collect();
    let assignments = assignments.map_err(|error| to_python(py, error))?;
    wait(py, async move {
        let warnings = Settings::new(Context::real(), profile).set(&assignments).await?;
        Ok(warnings.iter().map(ToString::to_string).collect())
    })
}

of_a_session! {
    /// Writes the credentials of a session into the section `target` of the credentials file, once, as
    /// `rolecall update --once` does, and gives them.
    ///
    /// - `replaces_long_lived_keys`: whether keys of a user that are there, which nobody could bring
    ///   back, may be replaced.
    ///
    /// The other arguments are those of `Session`.
    ///
    /// Raises `InvalidConfigurationError` if there is no source but the section itself, or the file
    /// cannot be changed safely; and what `Session.credentials` does.
    fn write_credentials(
        py, options, target: String;
        replaces_long_lived_keys: bool = false,
    ) -> Credentials {
        wait(py, async move {
            let mut updater = apart(move || Updater::new(&target, options.resolve()?)).await?;
            updater.replaces_long_lived_keys = replaces_long_lived_keys;
            Ok(updater.once().await?.into())
        })
    }
}
