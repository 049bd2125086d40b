//! A role assumed with the SAML response of an identity provider.

mod assertion;

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rolecall_core::{
    Credentials, CredentialsError, ErrorKind, Program, Prompt, ProvideCredentials, Result, Secret,
    SecretInput,
};
use zeroize::Zeroizing;

use crate::{AssumeRoleWithSaml, StsClient};

/// What AWS takes, in characters of base64.
const LONGEST: usize = 100_000;
/// Line breaks around and in it.
const SLACK: usize = 10_000;
/// How many roles an error lists.
const LISTED: usize = 20;

/// Where the response comes from: its base64, as browsers post it in the field `SAMLResponse`.
#[derive(Clone, Debug)]
pub enum SamlResponse {
    /// A file, standard input or a variable.
    Input(SecretInput),
    /// A program that prints it within a time.
    Program(Program, Duration),
}

/// A role that is assumed with a SAML response.
///
/// Source: AWS IAM User Guide, "SAML 2.0 federation".
#[derive(Clone, Debug)]
pub struct Saml {
    /// The role.
    pub role_arn: String,
    /// The SAML provider in IAM; `None` takes the one that the response lists with the role.
    pub principal_arn: Option<String>,
    /// How long the session lasts, in seconds; AWS's default is 3600.
    pub duration_seconds: Option<u32>,
    /// The response. It is good for five minutes or so, so it is read for each call.
    pub response: SamlResponse,
}

/// Credentials of a role, assumed with a SAML response. Keeps nothing: core's caches go around it.
#[derive(Clone, Debug)]
pub struct SamlProvider {
    sts: StsClient,
    saml: Saml,
}

impl SamlProvider {
    /// Assumes the role with the settings of `sts`, whose credentials are not used.
    pub fn with_client(sts: StsClient, saml: Saml) -> Self {
        Self { sts, saml }
    }

    async fn response(&self) -> Result<Secret> {
        let text = match &self.saml.response {
            SamlResponse::Input(input) => {
                // Standard input may keep one waiting, which must not block other tasks.
                let prompt = Prompt::from_input(input.clone(), &self.sts.query.context);
                prompt.ask("SAML response").await?
            }
            SamlResponse::Program(program, deadline) => {
                program.secret(LONGEST + SLACK, *deadline).await?
            }
        };
        // Longer, it is refused below, and need not be copied.
        if text.expose().len() > LONGEST + SLACK || !text.expose().contains(char::is_whitespace) {
            return Ok(text);
        }
        let mut joined = Zeroizing::new(String::with_capacity(text.expose().len()));
        joined.extend(text.expose().split_whitespace());
        Ok(Secret::from(joined.as_str()))
    }

    fn principal(&self, response: &Secret) -> Result<String> {
        let role_arn = &self.saml.role_arn;
        let pairs = pairs(response)?;
        if let Some(pair) = pairs.iter().find(|pair| pair.role_arn == *role_arn) {
            return Ok(pair.principal_arn.clone());
        }
        let mut roles: Vec<&str> = pairs.iter().map(|pair| pair.role_arn.as_str()).collect();
        if roles.is_empty() {
            let error = unusable("it lists no roles of AWS");
            return Err(error.with_help(
                "the identity provider must send the attribute \
                 https://aws.amazon.com/SAML/Attributes/Role, or set saml_principal_arn",
            ));
        }
        let more = roles.len().saturating_sub(LISTED);
        roles.truncate(LISTED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!("it does not list {role_arn}, but {}{more}", roles.join(", "));
        Err(CredentialsError::new(ErrorKind::Denied, PROVIDER, message)
            .with_help("choose one of these as role_arn, or ask for the role to be assigned"))
    }
}

const PROVIDER: &str = "SAML assertion";

fn unusable(message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
}

/// The roles that a response lists.
fn pairs(response: &Secret) -> Result<Vec<assertion::RolePair>> {
    let encoded = response.expose();
    let expected = "give the base64 of the whole SAML response, as the field SAMLResponse has it";
    if encoded.len() > LONGEST {
        return Err(unusable("it is longer than the 100000 characters that AWS takes"));
    }
    // Room for all of it at once: a buffer that grows leaves unzeroed copies behind.
    let mut document = Zeroizing::new(Vec::with_capacity(encoded.len()));
    // base64's errors quote a letter of the input.
    STANDARD
        .decode_vec(encoded, &mut document)
        .map_err(|_| unusable("it is not base64").with_help(expected))?;
    assertion::roles(&document).map_err(|flaw| unusable(flaw.to_string()).with_help(expected))
}

#[async_trait]
impl ProvideCredentials for SamlProvider {
    async fn provide_credentials(&self) -> Result<Credentials> {
        let response = self.response().await?;
        let principal_arn = match &self.saml.principal_arn {
            Some(arn) => arn.clone(),
            None => self.principal(&response)?,
        };
        let input = AssumeRoleWithSaml {
            duration_seconds: self.saml.duration_seconds,
            ..AssumeRoleWithSaml::new(&self.saml.role_arn, principal_arn, response)
        };
        Ok(self.sts.assume_role_with_saml(&input).await?.credentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{self, CREDENTIALS, USER};

    const ROLE: &str = "arn:aws:iam::123456789012:role/R";
    const PRINCIPAL: &str = "arn:aws:iam::123456789012:saml-provider/P";

    fn response(pairs: &[&str]) -> String {
        let values: String = pairs
            .iter()
            .map(|pair| format!("<s:AttributeValue>{pair}</s:AttributeValue>"))
            .collect();
        format!(
            "<p:Response xmlns:p=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
             xmlns:s=\"urn:oasis:names:tc:SAML:2.0:assertion\"><s:Assertion><s:Attribute \
             Name=\"https://aws.amazon.com/SAML/Attributes/Role\">{values}</s:Attribute>\
             </s:Assertion></p:Response>"
        )
    }

    async fn run(text: &str, principal: Option<&str>) -> (Result<Credentials>, Vec<String>) {
        let (sts, http) = testing::client([testing::success(
            "AssumeRoleWithSAML",
            &format!("{CREDENTIALS}{USER}"),
        )]);
        let saml = Saml {
            role_arn: ROLE.to_owned(),
            principal_arn: principal.map(str::to_owned),
            duration_seconds: Some(900),
            response: SamlResponse::Input(SecretInput::Literal(text.into())),
        };
        let provider = SamlProvider::with_client(sts, saml);
        (provider.provide_credentials().await, http.take_bodies())
    }

    #[tokio::test]
    async fn the_provider_is_the_one_that_the_response_lists_with_the_role() {
        let other = "arn:aws:iam::1:role/Other,arn:aws:iam::1:saml-provider/Wrong";
        let pair = format!("{PRINCIPAL},{ROLE}");
        let encoded = STANDARD.encode(response(&[other, &pair]));
        // As base64 of MIME has it.
        let (one, two) = encoded.split_at(76);
        let (found, bodies) = run(&format!("{one}\r\n{two}\r\n"), None).await;
        found.unwrap();
        let body = &bodies[0];
        assert!(
            body.contains("&PrincipalArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Asaml-provider%2FP")
        );
        assert!(body.ends_with("&DurationSeconds=900") && !body.contains("%0D"), "{body}");
    }

    #[tokio::test]
    async fn a_provider_that_is_set_needs_no_look_into_the_response() {
        let (found, bodies) = run("c2VjcmV0", Some(PRINCIPAL)).await;
        found.unwrap();
        assert!(bodies[0].contains("SAMLAssertion=c2VjcmV0"));
    }

    #[tokio::test]
    async fn a_role_that_is_not_listed_is_an_error_that_lists_the_others() {
        let pairs: Vec<String> = (0..30)
            .map(|n| format!("arn:aws:iam::1:role/R{n},arn:aws:iam::1:saml-provider/P"))
            .collect();
        let pairs: Vec<&str> = pairs.iter().map(String::as_str).collect();
        let (error, bodies) = run(&STANDARD.encode(response(&pairs)), None).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        let text = error.message();
        assert!(text.contains("role/R0, ") && text.ends_with("role/R19 and 10 more"), "{text}");
        assert!(bodies.is_empty());
        let (error, _) = run(&STANDARD.encode(response(&[])), None).await;
        assert!(error.unwrap_err().help().unwrap().contains("Attributes/Role"));
    }

    #[tokio::test]
    async fn what_is_no_response_is_refused_before_the_network_and_never_shown() {
        let plain = "hunter2hunter2!".to_owned();
        let no_xml = STANDARD.encode("hunter2hunter2");
        let long = STANDARD.encode("hunter2".repeat(20_000));
        for (text, says) in [(plain, "base64"), (no_xml, "XML"), (long, "longer")] {
            let (error, bodies) = run(&text, None).await;
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            let shown = format!("{error} {error:?} {:?}", error.causes());
            assert!(shown.contains(says), "{shown}");
            assert!(!shown.contains("hunter2") && !shown.contains(&text[..12]), "{shown}");
            assert!(bodies.is_empty());
        }
    }
}
