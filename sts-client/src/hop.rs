use std::time::SystemTime;

use async_trait::async_trait;
use rolecall_core::{
    Context, Credentials, CredentialsError, ErrorKind, ProvideCredentials, Result, Secret,
    SharedProvider,
};

use crate::mfa::ask_code;
use crate::{AssumeRole, QueryEndpoint, StsClient};

/// One role of a profile. Only `role_arn` is required.
///
/// Source: AWS SDKs and Tools Reference Guide, "Assume role credential provider".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleHop {
    /// The role.
    pub role_arn: String,
    /// What the trust policy asks of third parties.
    pub external_id: Option<String>,
    /// The session's name; by default `rolecall-` and the seconds since 1970.
    pub role_session_name: Option<String>,
    /// How long the session lasts, in seconds; AWS's default is 3600.
    pub duration_seconds: Option<u32>,
    /// The MFA device whose code is asked for at each call of AssumeRole.
    pub mfa_serial: Option<String>,
}

/// Credentials of a role, assumed with those of another provider. Keeps nothing: core's caches go
/// around it.
#[derive(Clone, Debug)]
pub struct RoleHopProvider {
    sts: StsClient,
    source: SharedProvider,
    hop: RoleHop,
}

impl RoleHopProvider {
    /// Assumes `hop` at `endpoint` with the credentials of `source`.
    pub fn new(
        context: Context,
        endpoint: QueryEndpoint,
        source: SharedProvider,
        hop: RoleHop,
    ) -> Self {
        let sts = StsClient::new(context, endpoint, Some(source.clone()));
        Self::with_client(sts, source, hop)
    }

    /// The same with the settings of `sts`, whose credentials are replaced by `source`.
    pub fn with_client(mut sts: StsClient, source: SharedProvider, hop: RoleHop) -> Self {
        sts.query.credentials = Some(source.clone());
        Self { sts, source, hop }
    }

    async fn ask_code(&self, serial: &str) -> Result<Secret> {
        // A person should not be asked in vain.
        self.source.provide_credentials().await?;
        ask_code(&self.sts.query.context.prompt, serial).await
    }

    async fn assume(&self) -> Result<Credentials> {
        let now = self.sts.query.context.clock.now();
        let hop = &self.hop;
        let token_code = match &hop.mfa_serial {
            Some(serial) => Some(self.ask_code(serial).await?),
            None => None,
        };
        let input = AssumeRole {
            role_arn: hop.role_arn.clone(),
            role_session_name: session_name(hop.role_session_name.as_deref(), now),
            duration_seconds: hop.duration_seconds,
            external_id: hop.external_id.clone(),
            serial_number: hop.mfa_serial.clone(),
            token_code,
            ..AssumeRole::default()
        };
        Ok(self.sts.assume_role(&input).await?.credentials)
    }
}

#[async_trait]
impl ProvideCredentials for RoleHopProvider {
    async fn provide_credentials(&self) -> Result<Credentials> {
        self.assume().await.map_err(|error| configured(error, &self.hop.role_arn))
    }
}

/// A role is configured, so a source that is not must end a chain.
fn configured(error: CredentialsError, role_arn: &str) -> CredentialsError {
    if error.kind() != ErrorKind::NotConfigured {
        return error;
    }
    let message = "there are no source credentials to assume the role with";
    CredentialsError::new(ErrorKind::InvalidConfiguration, format!("role {role_arn}"), message)
        .with_source(error)
}

/// The configured name, or one that tells when the session began.
pub(crate) fn session_name(configured: Option<&str>, now: SystemTime) -> String {
    match configured {
        Some(name) => name.to_owned(),
        None => {
            let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            format!("rolecall-{}", since.as_secs())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use rolecall_core::Prompt;
    use rolecall_core::http::ScriptedHttp;

    use super::*;
    use crate::testing::{self, CREDENTIALS, Fixed, USER};

    const ROLE: &str = "arn:aws:iam::123456789012:role/R";
    const MFA: &str = "arn:aws:iam::123456789012:mfa/me";

    fn hop() -> RoleHop {
        RoleHop { role_arn: ROLE.to_owned(), ..RoleHop::default() }
    }

    fn success() -> rolecall_core::http::Response {
        testing::success("AssumeRole", &format!("{CREDENTIALS}{USER}"))
    }

    fn provider(context: Context, source: SharedProvider, hop: RoleHop) -> RoleHopProvider {
        RoleHopProvider::new(context, testing::endpoint(), source, hop)
    }

    /// A prompt that answers `code` and keeps the questions.
    fn prompt(code: &'static str) -> (Prompt, Arc<Mutex<Vec<String>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let questions = asked.clone();
        let prompt = Prompt::from_fn(move |question| {
            questions.lock().unwrap().push(question.to_owned());
            Ok(Secret::from(code))
        });
        (prompt, asked)
    }

    #[tokio::test]
    async fn assumes_the_role_under_a_generated_name() {
        let http = ScriptedHttp::new([success()]);
        let provider =
            provider(Context { http: http.clone(), ..Context::fake() }, testing::source(), hop());
        let credentials = provider.provide_credentials().await.unwrap();
        assert_eq!(credentials.access_key_id(), "ASIANEWKEYEXAMPLE000");
        let body = &http.take_bodies()[0];
        assert!(body.ends_with("&RoleSessionName=rolecall-1767225600"), "{body}");
    }

    #[tokio::test]
    async fn sends_what_the_profile_says() {
        let http = ScriptedHttp::new([success()]);
        let hop = RoleHop {
            external_id: Some("ext".to_owned()),
            role_session_name: Some("me".to_owned()),
            duration_seconds: Some(1800),
            ..hop()
        };
        let provider =
            provider(Context { http: http.clone(), ..Context::fake() }, testing::source(), hop);
        provider.provide_credentials().await.unwrap();
        let body = &http.take_bodies()[0];
        assert!(
            body.ends_with("&RoleSessionName=me&DurationSeconds=1800&ExternalId=ext"),
            "{body}"
        );
    }

    #[tokio::test]
    async fn the_mfa_code_is_asked_for_and_sent_again_on_a_retry() {
        let http = ScriptedHttp::new([testing::refusal(400, "Throttling", "slow"), success()]);
        let (prompt, asked) = prompt("123456");
        let context = Context { prompt, http: http.clone(), ..Context::fake() };
        let hop = RoleHop { mfa_serial: Some(MFA.to_owned()), ..hop() };
        provider(context, testing::source(), hop).provide_credentials().await.unwrap();
        assert_eq!(*asked.lock().unwrap(), [format!("Enter MFA code for {MFA}: ")]);
        let bodies = http.take_bodies();
        assert_eq!(bodies.len(), 2);
        assert!(bodies.iter().all(|body| body.contains("%3Amfa%2Fme&TokenCode=123456")));
    }

    #[tokio::test]
    async fn a_wrong_code_is_refused_before_the_network_and_never_shown() {
        let http = ScriptedHttp::new([]);
        let (prompt, _) = prompt("hunter2");
        let context = Context { prompt, http: http.clone(), ..Context::fake() };
        let hop = RoleHop { mfa_serial: Some(MFA.to_owned()), ..hop() };
        let error =
            provider(context, testing::source(), hop).provide_credentials().await.unwrap_err();
        assert!(error.message().contains("TokenCode") && !error.to_string().contains("hunter2"));
        assert!(http.take_bodies().is_empty());
    }

    #[tokio::test]
    async fn nobody_is_asked_for_a_code_that_could_not_be_used() {
        let failed = CredentialsError::new(ErrorKind::Unavailable, "IMDS", "no answer");
        let (prompt, asked) = prompt("123456");
        let context = Context { prompt, http: ScriptedHttp::new([]), ..Context::fake() };
        let hop = RoleHop { mfa_serial: Some(MFA.to_owned()), ..hop() };
        let source = Arc::new(Fixed(Err(failed)));
        let error = provider(context, source, hop).provide_credentials().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(asked.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_source_that_is_not_configured_does_not_let_a_chain_go_on() {
        let unset = CredentialsError::new(ErrorKind::NotConfigured, "env", "not set");
        let source = Arc::new(Fixed(Err(unset)));
        let provider = provider(Context::fake(), source, hop());
        let error = provider.provide_credentials().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.to_string().contains(ROLE), "{error}");
        assert_eq!(error.causes(), ["env: not set"]);
    }
}
