//! What kubectl reads from the program that a kubeconfig names.

use rolecall_core::{Context, timestamp};
use serde_json::Value;
use zeroize::Zeroizing;

use super::ClusterToken;

/// The version of the form in which a Kubernetes client wants its token.
///
/// Source: Kubernetes documentation, "client-go credential plugins"; the messages are those of AWS
/// CLI's `eks get-token`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecApi {
    /// `client.authentication.k8s.io/v1beta1`.
    pub version: &'static str,
    /// What the user should be told about it.
    pub warning: Option<String>,
}

const V1: &str = "client.authentication.k8s.io/v1";
const V1BETA1: &str = "client.authentication.k8s.io/v1beta1";
const V1ALPHA1: &str = "client.authentication.k8s.io/v1alpha1";

impl ExecApi {
    /// The version that the client asks for in `KUBERNETES_EXEC_INFO`, else `v1beta1`.
    pub fn asked_for(context: &Context) -> Self {
        let Some(text) = context.env.get("KUBERNETES_EXEC_INFO") else {
            return Self { version: V1BETA1, warning: None };
        };
        let Ok(Value::Object(info)) = serde_json::from_str(&text) else {
            let warning = format!(
                "Error parsing KUBERNETES_EXEC_INFO, defaulting to {V1BETA1}. This is likely a bug \
                 in your Kubernetes client. Please update your Kubernetes client."
            );
            return Self { version: V1BETA1, warning: Some(warning) };
        };
        match info.get("apiVersion").and_then(Value::as_str) {
            Some(V1) => Self { version: V1, warning: None },
            Some(V1BETA1) => Self { version: V1BETA1, warning: None },
            Some(V1ALPHA1) => {
                let warning = format!(
                    "Kubeconfig user entry is using deprecated API version {V1ALPHA1}. Run \
                     'rolecall eks update-kubeconfig' to update."
                );
                Self { version: V1ALPHA1, warning: Some(warning) }
            }
            _ => {
                let warning = format!(
                    "Unrecognized API version in KUBERNETES_EXEC_INFO, defaulting to {V1BETA1}. \
                     This is likely due to an outdated rolecall. Please update rolecall."
                );
                Self { version: V1BETA1, warning: Some(warning) }
            }
        }
    }
}

/// The object that a Kubernetes client reads, in the bytes of AWS CLI v1.
pub fn exec_credential(token: &ClusterToken, api: &ExecApi) -> Zeroizing<String> {
    let (version, end) = (api.version, timestamp::format(token.expires_at));
    let token = token.token.expose();
    // Room for all of it: a string that grows leaves copies of the token behind.
    let mut text = Zeroizing::new(String::with_capacity(token.len() + 512));
    for part in [
        "{\n    \"kind\": \"ExecCredential\",\n    \"apiVersion\": \"",
        version,
        "\",\n    \"spec\": {},\n    \"status\": {\n        \"expirationTimestamp\": \"",
        &end,
        "\",\n        \"token\": \"",
        // Base64 needs no escaping.
        token,
        // The empty line at the end is AWS CLI's.
        "\"\n    }\n}\n\n",
    ] {
        text.push_str(part);
    }
    text
}

#[cfg(test)]
mod tests {
    use rolecall_core::Env;

    use super::*;

    fn asked(info: &str) -> ExecApi {
        let env = Env::from_pairs([("KUBERNETES_EXEC_INFO", info)]);
        ExecApi::asked_for(&Context { env, ..Context::fake() })
    }

    #[test]
    fn the_client_says_which_version_it_reads() {
        for (info, version, warned) in [
            ("", V1BETA1, None),
            (
                r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1"}"#,
                V1,
                None,
            ),
            (r#"{"apiVersion":"client.authentication.k8s.io/v1beta1"}"#, V1BETA1, None),
            (
                r#"{"apiVersion":"client.authentication.k8s.io/v1alpha1"}"#,
                V1ALPHA1,
                Some("deprecated"),
            ),
            (r#"{"apiVersion":"client.authentication.k8s.io/v2"}"#, V1BETA1, Some("Unrecognized")),
            (r#"{"apiVersion":7}"#, V1BETA1, Some("Unrecognized")),
            ("{}", V1BETA1, Some("Unrecognized")),
            ("[]", V1BETA1, Some("Error parsing")),
            ("{", V1BETA1, Some("Error parsing")),
        ] {
            let api = asked(info);
            assert_eq!(api.version, version, "{info}");
            let warning = api.warning.as_deref();
            assert_eq!(warning.is_some(), warned.is_some(), "{info}: {warning:?}");
            assert!(warning.unwrap_or_default().contains(warned.unwrap_or_default()), "{info}");
        }
    }

    #[test]
    fn the_object_is_json() {
        let now = Context::fake().clock.now();
        let token = ClusterToken { token: "k8s-aws-v1.abc".into(), expires_at: now };
        let text = exec_credential(&token, &asked(""));
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["status"]["token"], "k8s-aws-v1.abc");
        assert_eq!(json["status"]["expirationTimestamp"], "2026-01-01T00:00:00Z");
    }
}
