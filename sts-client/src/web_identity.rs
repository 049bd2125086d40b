use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use rolecall_core::{
    Context, Credentials, CredentialsError, ErrorKind, Fs, ProvideCredentials, Result, Secret,
};

use crate::hop::session_name;
use crate::{AssumeRoleWithWebIdentity, QueryEndpoint, StsClient};

/// What AWS takes; a JWT is ASCII.
const LONGEST_TOKEN: u64 = 20_000;
/// White space around the token.
const SLACK: u64 = 1_000;

/// A role that is assumed with the token in a file, as pods on EKS and CI jobs have it.
///
/// Source: AWS SDKs and Tools Reference Guide, "Assume role with web identity or OIDC".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebIdentity {
    /// The role.
    pub role_arn: String,
    /// The token's file. Whoever issues the token renews it, so it is read for each attempt.
    pub token_file: PathBuf,
    /// The session's name; by default `rolecall-` and the seconds since 1970.
    pub role_session_name: Option<String>,
    /// How long the session lasts, in seconds; AWS's default is 3600.
    pub duration_seconds: Option<u32>,
}

/// Credentials of a role, assumed with a token from a file. Keeps nothing: core's caches go around
/// it.
#[derive(Clone, Debug)]
pub struct WebIdentityProvider {
    sts: StsClient,
    identity: WebIdentity,
}

impl WebIdentityProvider {
    /// Assumes the role at `endpoint`.
    pub fn new(context: Context, endpoint: QueryEndpoint, identity: WebIdentity) -> Self {
        Self::with_client(StsClient::new(context, endpoint, None), identity)
    }

    /// The same with the settings of `sts`, whose credentials are not used.
    pub fn with_client(sts: StsClient, identity: WebIdentity) -> Self {
        Self { sts, identity }
    }
}

/// Reads the token in the file `path`, without white space around it.
///
/// # Errors
/// `InvalidConfiguration` if it cannot be read or holds no token.
pub fn read_token_file(fs: &Fs, path: &Path) -> Result<Secret> {
    let bytes = fs.read(path, LONGEST_TOKEN + SLACK);
    let bytes = bytes.map_err(|error| {
        let (what, help) = match error.kind() {
            io::ErrorKind::NotFound => (
                "does not exist",
                "on EKS, check that the service account is annotated with \
                 eks.amazonaws.com/role-arn and that the pod was started after that",
            ),
            io::ErrorKind::PermissionDenied => (
                "may not be read by this user",
                "on EKS, set fsGroup in the pod's securityContext to the group this runs as",
            ),
            io::ErrorKind::FileTooLarge => {
                ("is larger than any token", "check the path: AWS takes 20000 characters")
            }
            io::ErrorKind::InvalidInput => (
                "is a pipe, not a file",
                "name a file: the token is read anew for each renewal, and a pipe gives it once",
            ),
            _ => ("cannot be read", "check the path"),
        };
        unusable(path, what, help).with_source(error)
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        unusable(path, "is not text", "check the path: a token is one line of ASCII")
    })?;
    let token = text.trim();
    if token.is_empty() {
        let help = "on EKS, check that the volume aws-iam-token is mounted and not \
                    overwritten; elsewhere, that whatever writes the token has run";
        return Err(unusable(path, "is empty", help));
    }
    Ok(Secret::from(token))
}

fn unusable(path: &Path, what: &str, help: &str) -> CredentialsError {
    let message = format!("token file {} {what}", path.display());
    CredentialsError::new(ErrorKind::InvalidConfiguration, "web identity", message).with_help(help)
}

#[async_trait]
impl ProvideCredentials for WebIdentityProvider {
    async fn provide_credentials(&self) -> Result<Credentials> {
        let identity = &self.identity;
        let now = self.sts.query.context.clock.now();
        let name = session_name(identity.role_session_name.as_deref(), now);
        let input = || {
            Ok(AssumeRoleWithWebIdentity {
                duration_seconds: identity.duration_seconds,
                ..AssumeRoleWithWebIdentity::new(
                    &identity.role_arn,
                    name.clone(),
                    read_token_file(&self.sts.query.context.fs, &identity.token_file)?,
                )
            })
        };
        let output = self.sts.assume_role_with_fresh_token(&identity.role_arn, &input).await?;
        Ok(output.credentials)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use rolecall_core::http::{HttpClient, HttpError, Request, Response, ScriptedHttp};

    use super::*;
    use crate::testing::{self, CREDENTIALS, USER};

    const PATH: &str = "/var/run/secrets/token";

    struct Machine {
        folder: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> Self {
            let machine = Self { folder: tempfile::tempdir().unwrap() };
            machine.fs().create_folder(Path::new(PATH).parent().unwrap()).unwrap();
            machine
        }

        fn fs(&self) -> Fs {
            Fs::rooted(self.folder.path())
        }

        fn write(&self, token: &[u8]) {
            self.fs().write(Path::new(PATH), token).unwrap();
        }

        fn provider(&self, http: Arc<dyn HttpClient>) -> WebIdentityProvider {
            let context = Context { fs: self.fs(), http, ..Context::fake() };
            let identity = WebIdentity {
                role_arn: "arn:aws:iam::123456789012:role/R".to_owned(),
                token_file: PATH.into(),
                ..WebIdentity::default()
            };
            WebIdentityProvider::new(context, testing::endpoint(), identity)
        }
    }

    /// Fails once and, as kubelet does, renews the token meanwhile.
    #[derive(Debug)]
    struct Renewing(Fs, Mutex<Vec<String>>);

    #[async_trait]
    impl HttpClient for Renewing {
        async fn send(&self, request: Request) -> Result<Response, HttpError> {
            let mut bodies = self.1.lock().unwrap();
            bodies.push(String::from_utf8(request.body().to_vec()).unwrap());
            self.0.write(Path::new(PATH), b"second.token").unwrap();
            Ok(match bodies.len() {
                1 => testing::refusal(400, "IDPCommunicationError", "again"),
                _ => testing::success("AssumeRoleWithWebIdentity", &format!("{CREDENTIALS}{USER}")),
            })
        }
    }

    #[tokio::test]
    async fn the_token_is_read_anew_for_each_attempt() {
        let machine = Machine::new();
        machine.write(b"first.token\n");
        let http = Arc::new(Renewing(machine.fs(), Mutex::default()));
        let credentials = machine.provider(http.clone()).provide_credentials().await.unwrap();
        assert_eq!(credentials.account_id(), Some("123456789012"));
        let bodies = http.1.lock().unwrap();
        assert!(
            bodies[0]
                .ends_with("&RoleSessionName=rolecall-1767225600&WebIdentityToken=first.token"),
            "{bodies:?}"
        );
        assert!(bodies[1].ends_with("&WebIdentityToken=second.token"), "{bodies:?}");
        assert_eq!(bodies.len(), 2);
    }

    #[tokio::test]
    async fn a_file_without_a_token_is_named_with_what_to_check() {
        let machine = Machine::new();
        for (token, said, help) in [
            (None, "does not exist", "eks.amazonaws.com/role-arn"),
            (Some(b" \n".to_vec()), "is empty", "aws-iam-token"),
            (Some(vec![0xff; 9]), "is not text", "ASCII"),
            (Some(b"hunter2".repeat(4_000)), "larger than any token", "20000"),
        ] {
            if let Some(token) = &token {
                machine.write(token);
            }
            let http = ScriptedHttp::new([]);
            let error = machine.provider(http.clone()).provide_credentials().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().contains(&format!("{PATH} ")), "{error}");
            assert!(error.message().contains(said), "{error}");
            assert!(error.help().unwrap().contains(help), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"));
            assert!(http.take_bodies().is_empty());
        }
    }

    #[tokio::test]
    async fn a_token_just_over_aws_s_limit_is_refused_before_the_network() {
        let machine = Machine::new();
        machine.write(&b"a".repeat(20_001));
        let http = ScriptedHttp::new([]);
        let error = machine.provider(http.clone()).provide_credentials().await.unwrap_err();
        assert!(error.message().contains("4 to 20000 characters; it has 20001"), "{error}");
        assert!(http.take_bodies().is_empty());
    }
}
