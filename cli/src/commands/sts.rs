use std::process::ExitCode;

use clap::{Args, Subcommand};
use rolecall::sts::{
    AssumeRole, AssumeRoleWithSaml, AssumeRoleWithWebIdentity, AssumeRoot,
    DecodeAuthorizationMessage, GetAccessKeyInfo, GetDelegatedAccessToken, GetFederationToken,
    GetSessionToken, GetWebIdentityToken, StsClient,
};
use rolecall::{Context, Secret, SecretInput, block_on};
use serde_json::Value;

use crate::args::Global;
use crate::output::{Failure, print_json, warn_of_exposed};
use crate::shorthand;

#[derive(Args)]
#[command(subcommand_required = true)]
pub(crate) struct StsCommand {
    #[command(subcommand)]
    operation: Operation,
}

// Built only for `sts`: all other commands start without it.
#[derive(Subcommand)]
#[command(defer = true)]
enum Operation {
    /// Assume a role with the credentials at hand
    AssumeRole(AssumeRoleArgs),
    /// Assume a role with a SAML assertion; no credentials needed
    AssumeRoleWithSaml(AssumeRoleWithSamlArgs),
    /// Assume a role with a web identity token; no credentials needed
    AssumeRoleWithWebIdentity(AssumeRoleWithWebIdentityArgs),
    /// Root credentials of a member account, for one task
    AssumeRoot(AssumeRootArgs),
    /// Decode the message of an authorization failure
    DecodeAuthorizationMessage(DecodeArgs),
    /// The account of an access key
    GetAccessKeyInfo(AccessKeyInfoArgs),
    /// Whose credentials these are
    GetCallerIdentity,
    /// Trade a token for delegated credentials
    GetDelegatedAccessToken(DelegatedArgs),
    /// Credentials for a federated user
    GetFederationToken(FederationArgs),
    /// Short-lived credentials of the same user, with or without MFA
    GetSessionToken(SessionTokenArgs),
    /// A signed token that proves this identity outside AWS
    GetWebIdentityToken(WebIdentityTokenArgs),
}

#[derive(Args)]
struct PolicyArgs {
    /// A session policy: JSON, or file://PATH
    #[arg(long, value_name = "JSON")]
    policy: Option<SecretInput>,
    /// Managed session policies: arn=ARN …
    #[arg(long, value_name = "arn=ARN", num_args = 1..)]
    policy_arns: Vec<String>,
}

#[derive(Args)]
struct AssumeRoleArgs {
    /// The role
    #[arg(long, value_name = "ARN")]
    role_arn: String,
    /// A name for the session: 2 to 64 of A-Z a-z 0-9 + = , . @ _ -
    #[arg(long, value_name = "NAME")]
    role_session_name: String,
    #[command(flatten)]
    policies: PolicyArgs,
    /// How long it lasts: 900 to 43200 seconds, up to the role's maximum; 3600 otherwise
    #[arg(long, value_name = "SECONDS")]
    duration_seconds: Option<u32>,
    /// Session tags: Key=K,Value=V …
    #[arg(long, num_args = 1..)]
    tags: Vec<String>,
    /// Keys of session tags that go on into further roles
    #[arg(long, value_name = "KEY", num_args = 1..)]
    transitive_tag_keys: Vec<String>,
    /// What the role's trust policy asks for
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// The MFA device: its serial number or ARN
    #[arg(long, value_name = "SERIAL")]
    serial_number: Option<String>,
    /// The MFA code, or where it comes from: file://PATH, - or env:NAME
    #[arg(long, value_name = "CODE")]
    token_code: Option<SecretInput>,
    /// Who is behind the session, for CloudTrail: 2 to 64 characters; it stays in further roles
    #[arg(long, value_name = "NAME")]
    source_identity: Option<String>,
    /// Contexts: ProviderArn=ARN,ContextAssertion=TEXT …
    #[arg(long, num_args = 1..)]
    provided_contexts: Vec<String>,
}

#[derive(Args)]
struct AssumeRoleWithSamlArgs {
    /// The role
    #[arg(long, value_name = "ARN")]
    role_arn: String,
    /// The SAML provider in IAM
    #[arg(long, value_name = "ARN")]
    principal_arn: String,
    /// The assertion in base64, better from file://PATH, - or env:NAME
    #[arg(long, allow_hyphen_values = true)]
    saml_assertion: SecretInput,
    #[command(flatten)]
    policies: PolicyArgs,
    /// How long it lasts: 900 to 43200 seconds, up to the role's maximum; 3600 otherwise
    #[arg(long, value_name = "SECONDS")]
    duration_seconds: Option<u32>,
}

#[derive(Args)]
struct AssumeRoleWithWebIdentityArgs {
    /// The role
    #[arg(long, value_name = "ARN")]
    role_arn: String,
    /// A name for the session: 2 to 64 of A-Z a-z 0-9 + = , . @ _ -
    #[arg(long, value_name = "NAME")]
    role_session_name: String,
    /// The token, better from file://PATH, - or env:NAME
    #[arg(long, allow_hyphen_values = true)]
    web_identity_token: SecretInput,
    /// The host of an OAuth 2.0 provider (www.amazon.com, graph.facebook.com); none for OpenID
    /// Connect
    #[arg(long, value_name = "HOST")]
    provider_id: Option<String>,
    #[command(flatten)]
    policies: PolicyArgs,
    /// How long it lasts: 900 to 43200 seconds, up to the role's maximum; 3600 otherwise
    #[arg(long, value_name = "SECONDS")]
    duration_seconds: Option<u32>,
}

#[derive(Args)]
struct AssumeRootArgs {
    /// The member account's id or ARN
    #[arg(long, value_name = "ID")]
    target_principal: String,
    /// arn=ARN of the task's policy
    #[arg(long, value_name = "arn=ARN")]
    task_policy_arn: String,
    /// How long it lasts: 0 to 900 seconds; 900 otherwise
    #[arg(long, value_name = "SECONDS")]
    duration_seconds: Option<u32>,
}

#[derive(Args)]
struct DecodeArgs {
    /// The message, or file://PATH
    #[arg(long, allow_hyphen_values = true)]
    encoded_message: SecretInput,
}

#[derive(Args)]
struct AccessKeyInfoArgs {
    /// The access key's id: AKIA… or ASIA…
    #[arg(long, value_name = "ID")]
    access_key_id: String,
}

#[derive(Args)]
struct DelegatedArgs {
    /// The token, better from file://PATH, - or env:NAME
    #[arg(long, allow_hyphen_values = true)]
    trade_in_token: SecretInput,
}

#[derive(Args)]
struct FederationArgs {
    /// The federated user's name: 2 to 32 of A-Z a-z 0-9 + = , . @ _ -
    #[arg(long, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    policies: PolicyArgs,
    /// How long it lasts: 900 to 129600 seconds; 43200 otherwise
    #[arg(long, value_name = "SECONDS")]
    duration_seconds: Option<u32>,
    /// Session tags: Key=K,Value=V …
    #[arg(long, num_args = 1..)]
    tags: Vec<String>,
}

#[derive(Args)]
struct SessionTokenArgs {
    /// How long it lasts: 900 to 129600 seconds; 43200 otherwise
    #[arg(long, value_name = "SECONDS")]
    duration_seconds: Option<u32>,
    /// The MFA device: its serial number or ARN
    #[arg(long, value_name = "SERIAL")]
    serial_number: Option<String>,
    /// The MFA code, or where it comes from: file://PATH, - or env:NAME
    #[arg(long, value_name = "CODE")]
    token_code: Option<SecretInput>,
}

#[derive(Args)]
struct WebIdentityTokenArgs {
    /// Whom the token is for, one or more
    #[arg(long, value_name = "NAME", num_args = 1.., required = true)]
    audience: Vec<String>,
    /// How it is signed: ES384 or RS256
    #[arg(long, value_name = "NAME")]
    signing_algorithm: String,
    /// How long it lasts: 60 to 3600 seconds; 300 otherwise
    #[arg(long, value_name = "SECONDS")]
    duration_seconds: Option<u32>,
    /// Request tags: Key=K,Value=V …
    #[arg(long, num_args = 1..)]
    tags: Vec<String>,
}

pub(crate) fn run(global: &Global, command: &StsCommand) -> Result<ExitCode, Failure> {
    let options = super::options(global);
    let client = match &command.operation {
        Operation::AssumeRoleWithSaml(_) | Operation::AssumeRoleWithWebIdentity(_) => {
            rolecall::anonymous_sts(options)?
        }
        _ => super::session(global)?.sts()?,
    };
    let answer = block_on(call(&client, &command.operation))??;
    print_json(&answer)
}

async fn call(sts: &StsClient, operation: &Operation) -> Result<Value, Failure> {
    let context = &sts.query.context;
    Ok(match operation {
        Operation::AssumeRole(args) => sts.assume_role(&args.input(context)?).await?.to_json(),
        Operation::AssumeRoleWithSaml(args) => {
            sts.assume_role_with_saml(&args.input(context)?).await?.to_json()
        }
        Operation::AssumeRoleWithWebIdentity(args) => {
            sts.assume_role_with_web_identity(&args.input(context)?).await?.to_json()
        }
        Operation::AssumeRoot(args) => sts.assume_root(&args.input()?).await?.to_json(),
        Operation::DecodeAuthorizationMessage(args) => {
            let encoded_message = args.encoded_message.read(context)?.expose().to_owned();
            let input = DecodeAuthorizationMessage { encoded_message };
            sts.decode_authorization_message(&input).await?.to_json()
        }
        Operation::GetAccessKeyInfo(args) => {
            let input = GetAccessKeyInfo { access_key_id: args.access_key_id.clone() };
            sts.get_access_key_info(&input).await?.to_json()
        }
        Operation::GetCallerIdentity => sts.get_caller_identity().await?.to_json(),
        Operation::GetDelegatedAccessToken(args) => {
            let trade_in_token = secret(context, "--trade-in-token", &args.trade_in_token)?;
            let input = GetDelegatedAccessToken { trade_in_token };
            sts.get_delegated_access_token(&input).await?.to_json()
        }
        Operation::GetFederationToken(args) => {
            sts.get_federation_token(&args.input(context)?).await?.to_json()
        }
        Operation::GetSessionToken(args) => {
            sts.get_session_token(&args.input(context)?).await?.to_json()
        }
        Operation::GetWebIdentityToken(args) => {
            sts.get_web_identity_token(&args.input()?).await?.to_json()
        }
    })
}

/// Reads a secret, with a warning if it stands on the command line itself.
fn secret(context: &Context, flag: &str, input: &SecretInput) -> Result<Secret, Failure> {
    if matches!(input, SecretInput::Literal(_)) {
        warn_of_exposed(flag);
    }
    Ok(input.read(context)?)
}

fn code(context: &Context, input: Option<&SecretInput>) -> Result<Option<Secret>, Failure> {
    Ok(input.map(|input| input.read(context)).transpose()?)
}

impl PolicyArgs {
    fn policy(&self, context: &Context) -> Result<Option<String>, Failure> {
        let text = self.policy.as_ref().map(|input| input.read(context)).transpose()?;
        Ok(text.map(|text| text.expose().to_owned()))
    }

    fn policy_arns(&self) -> Result<Vec<String>, Failure> {
        shorthand::arns("--policy-arns", &self.policy_arns)
    }
}

impl AssumeRoleArgs {
    fn input(&self, context: &Context) -> Result<AssumeRole, Failure> {
        Ok(AssumeRole {
            role_arn: self.role_arn.clone(),
            role_session_name: self.role_session_name.clone(),
            policy_arns: self.policies.policy_arns()?,
            policy: self.policies.policy(context)?,
            duration_seconds: self.duration_seconds,
            tags: shorthand::tags("--tags", &self.tags)?,
            transitive_tag_keys: self.transitive_tag_keys.clone(),
            external_id: self.external_id.clone(),
            serial_number: self.serial_number.clone(),
            token_code: code(context, self.token_code.as_ref())?,
            source_identity: self.source_identity.clone(),
            provided_contexts: shorthand::contexts("--provided-contexts", &self.provided_contexts)?,
        })
    }
}

impl AssumeRoleWithSamlArgs {
    fn input(&self, context: &Context) -> Result<AssumeRoleWithSaml, Failure> {
        Ok(AssumeRoleWithSaml {
            role_arn: self.role_arn.clone(),
            principal_arn: self.principal_arn.clone(),
            saml_assertion: secret(context, "--saml-assertion", &self.saml_assertion)?,
            policy_arns: self.policies.policy_arns()?,
            policy: self.policies.policy(context)?,
            duration_seconds: self.duration_seconds,
        })
    }
}

impl AssumeRoleWithWebIdentityArgs {
    fn input(&self, context: &Context) -> Result<AssumeRoleWithWebIdentity, Failure> {
        let token = &self.web_identity_token;
        Ok(AssumeRoleWithWebIdentity {
            role_arn: self.role_arn.clone(),
            role_session_name: self.role_session_name.clone(),
            web_identity_token: secret(context, "--web-identity-token", token)?,
            provider_id: self.provider_id.clone(),
            policy_arns: self.policies.policy_arns()?,
            policy: self.policies.policy(context)?,
            duration_seconds: self.duration_seconds,
        })
    }
}

impl AssumeRootArgs {
    fn input(&self) -> Result<AssumeRoot, Failure> {
        let arns =
            shorthand::arns("--task-policy-arn", std::slice::from_ref(&self.task_policy_arn))?;
        Ok(AssumeRoot {
            target_principal: self.target_principal.clone(),
            task_policy_arn: arns.into_iter().next().unwrap_or_default(),
            duration_seconds: self.duration_seconds,
        })
    }
}

impl FederationArgs {
    fn input(&self, context: &Context) -> Result<GetFederationToken, Failure> {
        Ok(GetFederationToken {
            name: self.name.clone(),
            policy: self.policies.policy(context)?,
            policy_arns: self.policies.policy_arns()?,
            duration_seconds: self.duration_seconds,
            tags: shorthand::tags("--tags", &self.tags)?,
        })
    }
}

impl SessionTokenArgs {
    fn input(&self, context: &Context) -> Result<GetSessionToken, Failure> {
        Ok(GetSessionToken {
            duration_seconds: self.duration_seconds,
            serial_number: self.serial_number.clone(),
            token_code: code(context, self.token_code.as_ref())?,
        })
    }
}

impl WebIdentityTokenArgs {
    fn input(&self) -> Result<GetWebIdentityToken, Failure> {
        Ok(GetWebIdentityToken {
            audience: self.audience.clone(),
            signing_algorithm: self.signing_algorithm.clone(),
            duration_seconds: self.duration_seconds,
            tags: shorthand::tags("--tags", &self.tags)?,
        })
    }
}
