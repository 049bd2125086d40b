//! What is asked of kubeconfig files, read from JSON: for runtimes that know no types of Rust.

use std::path::PathBuf;

use rolecall_core::{CredentialsError, ErrorKind, Result, json};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ExecCommand, KubeconfigUpdate, UpdateKubeconfig};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    name: String,
    kubeconfig: Option<PathBuf>,
    role_arn: Option<String>,
    assume_role_arn: Option<String>,
    proxy_url: Option<String>,
    alias: Option<String>,
    user_alias: Option<String>,
    command: Option<String>,
    endpoint_url: Option<String>,
}

/// Reads which cluster to put into a kubeconfig: the fields of [`UpdateKubeconfig`], of which `name`
/// is required; `command` is `aws`, the default, or `rolecall`.
///
/// # Errors
/// `InvalidConfiguration` if it is none.
pub fn read_update_kubeconfig(text: &str) -> Result<UpdateKubeconfig> {
    let input: Input = json::read("kubeconfig update", text)?;
    let command = match input.command.as_deref() {
        None => ExecCommand::default(),
        Some(name) => [ExecCommand::Aws, ExecCommand::Rolecall]
            .into_iter()
            .find(|command| command.name() == name)
            .ok_or_else(|| {
                let message = "command is neither aws nor rolecall";
                let kind = ErrorKind::InvalidConfiguration;
                CredentialsError::new(kind, "kubeconfig update", message)
            })?,
    };
    Ok(UpdateKubeconfig {
        name: input.name,
        kubeconfig: input.kubeconfig,
        role_arn: input.role_arn,
        assume_role_arn: input.assume_role_arn,
        proxy_url: input.proxy_url,
        alias: input.alias,
        user_alias: input.user_alias,
        command,
        endpoint_url: input.endpoint_url,
    })
}

impl KubeconfigUpdate {
    /// What was found, as JSON: `{"context", "kubeconfig", "updated", "changed", "overruled_by",
    /// "warnings": […]}`. `is_changed` is what [`Self::write`] gave.
    pub fn to_json(&self, is_changed: bool) -> Value {
        let warnings: Vec<_> = self.warnings().iter().map(ToString::to_string).collect();
        json!({
            "context": self.context_name(),
            "kubeconfig": self.path().display().to_string(),
            "updated": self.is_update() && is_changed,
            "changed": is_changed,
            "overruled_by": self.overruled_by().map(|path| path.display().to_string()),
            "warnings": warnings,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_are_read() {
        let wanted = read_update_kubeconfig(r#"{"name": "prod", "command": "rolecall"}"#).unwrap();
        assert_eq!((wanted.name.as_str(), wanted.command), ("prod", ExecCommand::Rolecall));
        for wrong in ["{}", r#"{"name": "prod", "command": "kubectl"}"#, r#"{"names": "prod"}"#] {
            let error = read_update_kubeconfig(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{wrong}");
        }
    }
}
