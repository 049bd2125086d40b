use async_trait::async_trait;
use rolecall_core::{
    Credentials, CredentialsError, ErrorKind, Prompt, ProvideCredentials, Result, Secret,
    SharedProvider,
};

use crate::{GetSessionToken, ServiceError, StsClient};

/// A user's session that has proven an MFA device once, for all roles that ask for that device.
/// Keeps nothing: core's caches go around it.
///
/// Source: AWS IAM User Guide, "Secure API access with MFA", "GetSessionToken".
#[derive(Clone, Debug)]
pub struct MfaSessionProvider {
    sts: StsClient,
    source: SharedProvider,
    serial: String,
}

impl MfaSessionProvider {
    /// A session of the user whose long-lived keys `source` gives, proven with the device `serial`
    /// by a code that `sts`'s prompt is asked for. The credentials of `sts` are not used.
    pub fn with_client(
        mut sts: StsClient,
        source: SharedProvider,
        serial: impl Into<String>,
    ) -> Self {
        sts.query.credentials = Some(source.clone());
        Self { sts, source, serial: serial.into() }
    }
}

#[async_trait]
impl ProvideCredentials for MfaSessionProvider {
    async fn provide_credentials(&self) -> Result<Credentials> {
        // A person should not be asked in vain.
        let keys = self.source.provide_credentials().await?;
        let code = ask_code(&self.sts.query.context.prompt, &self.serial).await?;
        let input = GetSessionToken {
            duration_seconds: None,
            serial_number: Some(self.serial.clone()),
            token_code: Some(code),
        };
        let output = self.sts.get_session_token(&input).await.map_err(without_session)?;
        let account_id = keys.account_id().map(str::to_owned);
        Ok(output.credentials.with_account_id(account_id))
    }
}

/// Asks for the code that the MFA device `serial` shows now.
///
/// # Errors
/// Those of [`Prompt::ask`]: nobody is there to answer, for one.
pub async fn ask_code(prompt: &Prompt, serial: &str) -> Result<Secret> {
    prompt.ask(&format!("Enter MFA code for {serial}: ")).await
}

/// Where the session is refused for other reasons than the code, roles can still be asked one by
/// one.
fn without_session(error: CredentialsError) -> CredentialsError {
    let is_about_the_code = error.message().contains("MultiFactorAuthentication");
    let is_denied = error.kind() == ErrorKind::Denied
        && ServiceError::of(&error).is_some_and(|service| service.code.starts_with("AccessDenied"));
    match is_denied && !is_about_the_code {
        false => error,
        true => error.with_help(
            "write mfa_session = false in the profile, to give codes to AssumeRole instead of \
             GetSessionToken",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use rolecall_core::Context;
    use rolecall_core::http::ScriptedHttp;

    use super::*;
    use crate::testing::{self, CREDENTIALS, Fixed};

    const SERIAL: &str = "arn:aws:iam::123456789012:mfa/me";

    /// A provider that answers `123456`, what is sent, and how often it is asked.
    fn provider(
        source: Result<Credentials>,
        answer: rolecall_core::http::Response,
    ) -> (MfaSessionProvider, Arc<ScriptedHttp>, Arc<AtomicU32>) {
        let asked = Arc::new(AtomicU32::new(0));
        let count = asked.clone();
        let prompt = Prompt::from_fn(move |question| {
            assert_eq!(question, format!("Enter MFA code for {SERIAL}: "));
            count.fetch_add(1, Ordering::SeqCst);
            Ok(Secret::from("123456"))
        });
        let http = ScriptedHttp::new([answer]);
        let context = Context { prompt, http: http.clone(), ..Context::fake() };
        let sts = StsClient::new(context, testing::endpoint(), None);
        let source = Arc::new(Fixed(source));
        (MfaSessionProvider::with_client(sts, source, SERIAL), http, asked)
    }

    #[tokio::test]
    async fn one_code_makes_a_session_of_the_keys_account() {
        let keys = testing::credentials().with_account_id(Some("123456789012".to_owned()));
        let answer = testing::success("GetSessionToken", CREDENTIALS);
        let (provider, http, asked) = provider(Ok(keys), answer);
        let found = provider.provide_credentials().await.unwrap();
        assert_eq!(found.access_key_id(), "ASIANEWKEYEXAMPLE000");
        assert_eq!(found.account_id(), Some("123456789012"));
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        let body = &http.take_bodies()[0];
        let end = "&SerialNumber=arn%3Aaws%3Aiam%3A%3A123456789012%3Amfa%2Fme&TokenCode=123456";
        assert!(body.ends_with(end), "{body}");
    }

    #[tokio::test]
    async fn nobody_is_asked_without_keys() {
        let failed = CredentialsError::new(ErrorKind::Denied, "environment", "ended");
        let (provider, _, asked) = provider(Err(failed), ScriptedHttp::answer(200, ""));
        assert_eq!(provider.provide_credentials().await.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(asked.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_refusal_for_other_reasons_says_how_to_go_without() {
        for (message, help) in [
            ("User: x is not authorized to perform: sts:GetSessionToken", "mfa_session = false"),
            ("MultiFactorAuthentication failed", "MFA code"),
        ] {
            let refusal = testing::refusal(403, "AccessDenied", message);
            let (provider, ..) = provider(Ok(testing::credentials()), refusal);
            let error = provider.provide_credentials().await.unwrap_err();
            assert!(error.help().unwrap().contains(help), "{error}");
        }
    }
}
