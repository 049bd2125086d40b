use std::path::PathBuf;

use ring::digest;

use super::Origin;
use crate::{Secret, SecretInput};

/// How to get credentials: a source, and the roles assumed from it. Data only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The profile it comes from; `None` if no profile is involved.
    pub profile: Option<String>,
    /// Where the first credentials come from.
    pub source: Source,
    /// The roles to assume, in the order to assume them.
    pub hops: Vec<RoleHop>,
    /// Where the profile begins.
    pub origin: Option<Origin>,
    /// The links of the chain that came first and are not set up here.
    pub passed_over: Vec<PassedOver>,
    /// What may surprise: mostly where AWS CLI would choose otherwise.
    pub notes: Vec<String>,
}

/// A link of the chain that has nothing to give, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassedOver {
    /// The link: `environment`, `profile`, `web identity`, `container`, `IMDS`.
    pub name: &'static str,
    /// Why it was passed over.
    pub reason: String,
}

/// What asked for a source that profiles and environment can both ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetBy {
    /// Environment variables.
    Environment,
    /// A profile.
    Profile {
        /// Its name.
        name: String,
        /// The line that decides.
        origin: Origin,
    },
}

/// Where the first credentials of a plan come from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// Keys written in a profile.
    StaticKeys {
        /// The profile.
        profile: String,
        /// `aws_access_key_id`.
        access_key_id: String,
        /// `aws_secret_access_key`.
        secret_access_key: Secret,
        /// `aws_session_token`.
        session_token: Option<Secret>,
        /// `aws_account_id`.
        account_id: Option<String>,
        /// The line of the access key id.
        origin: Origin,
    },
    /// Keys in environment variables.
    Environment {
        /// Whether a profile asks for them (`credential_source = Environment`).
        explicit: bool,
        /// `AWS_ACCESS_KEY_ID`.
        access_key_id: String,
    },
    /// A program that prints credentials.
    Process {
        /// The profile.
        profile: String,
        /// The command line, which may hold secrets.
        command: Secret,
        /// `aws_account_id`, if the program says none.
        account_id: Option<String>,
        /// The line of `credential_process`.
        origin: Origin,
    },
    /// A token in a file, traded for a role.
    WebIdentity {
        /// The file of the token.
        token_file: PathBuf,
        /// The role.
        role_arn: String,
        /// The session's name, if one is set.
        role_session_name: Option<String>,
        /// How long the session is to last, if that is set.
        duration_seconds: Option<u32>,
        /// The region of the profile, if one is set there.
        region: Option<String>,
        /// What asked for it.
        set_by: SetBy,
    },
    /// A SAML assertion, traded for a role.
    Saml {
        /// The profile.
        profile: String,
        /// Where the assertion comes from.
        assertion: SamlAssertion,
        /// The role.
        role_arn: String,
        /// The SAML provider in IAM; without it the assertion says which.
        principal_arn: Option<String>,
        /// How long the session is to last, if that is set.
        duration_seconds: Option<u32>,
        /// The line of `role_arn`.
        origin: Origin,
    },
    /// IAM Identity Center.
    Sso {
        /// The profile.
        profile: String,
        /// The `[sso-session]`, if the profile names one.
        session: Option<String>,
        /// The start URL.
        start_url: String,
        /// The region of the directory.
        region: String,
        /// The account; without it and the role, SSO gives a token but no credentials.
        account_id: Option<String>,
        /// The role.
        role_name: Option<String>,
        /// The line that decides.
        origin: Origin,
    },
    /// A certificate, traded for a role by IAM Roles Anywhere.
    RolesAnywhere {
        /// Where the certificate comes from, as users know it; no secret.
        certificate: String,
        /// The trust anchor.
        trust_anchor_arn: String,
        /// The Roles Anywhere profile.
        profile_arn: String,
        /// The role.
        role_arn: String,
        /// The region that is asked.
        region: String,
        /// The same as long as what is asked for, and by whom, is the same; no secret. `None`
        /// where that cannot be told, or is no one's to trust: nothing is then kept on disk.
        identity: Option<String>,
        /// The profile whose `credential_process` asks for it, and its line; `None` if the caller
        /// does.
        set_by: Option<(String, Origin)>,
    },
    /// A console session that `aws login` left.
    LoginSession {
        /// The profile.
        profile: String,
        /// The value of `login_session`.
        login_session: String,
        /// Its line.
        origin: Origin,
    },
    /// The metadata service of an EC2 instance.
    Imds,
    /// The endpoint a container is given.
    Container,
    /// A provider that the caller brought.
    Given,
}

/// Where a SAML assertion comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SamlAssertion {
    /// `saml_assertion`: a file, standard input or a variable; never the text itself.
    Input(SecretInput),
    /// `saml_process`: a program that prints it. The command line may hold secrets.
    Process(Secret),
}

/// A role to assume with the credentials before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleHop {
    /// The profile that asks for it.
    pub profile: String,
    /// The role.
    pub role_arn: String,
    /// `external_id`.
    pub external_id: Option<String>,
    /// `role_session_name`; what is used without one is up to who runs the plan.
    pub role_session_name: Option<String>,
    /// `duration_seconds`.
    pub duration_seconds: Option<u32>,
    /// `mfa_serial`: a code is needed.
    pub mfa_serial: Option<String>,
    /// `mfa_process`: the program that prints the code. The command line may hold secrets.
    pub mfa_process: Option<Secret>,
    /// `mfa_session`: whether one MFA session may serve every role with this device.
    pub mfa_session: bool,
    /// The region of that profile.
    pub region: Option<String>,
    /// The line of `role_arn`.
    pub origin: Origin,
}

impl Plan {
    /// Nothing but a source: no profile, no roles.
    pub fn of(source: Source) -> Self {
        Self {
            profile: None,
            source,
            hops: Vec::new(),
            origin: None,
            passed_over: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// What the source is, as a text that is the same as long as the source is and holds no secret.
    /// For fingerprints of cache entries.
    pub fn source_identity(&self) -> String {
        match &self.source {
            Source::StaticKeys { access_key_id, .. } => format!("static:{access_key_id}"),
            Source::Environment { access_key_id, .. } => format!("environment:{access_key_id}"),
            Source::Process { command, .. } => {
                format!("process:{}", digest_of(command))
            }
            Source::WebIdentity { token_file, role_arn, role_session_name, .. } => format!(
                "web-identity:{}\n{role_arn}\n{}",
                token_file.display(),
                role_session_name.as_deref().unwrap_or_default()
            ),
            Source::Saml { assertion, role_arn, principal_arn, .. } => {
                let from = match assertion {
                    SamlAssertion::Input(SecretInput::File(path)) => path.display().to_string(),
                    SamlAssertion::Input(SecretInput::Env(name)) => format!("env:{name}"),
                    SamlAssertion::Input(SecretInput::Stdin) => "-".to_owned(),
                    SamlAssertion::Input(SecretInput::Literal(secret))
                    | SamlAssertion::Process(secret) => digest_of(secret),
                };
                let principal_arn = principal_arn.as_deref().unwrap_or_default();
                format!("saml:{from}\n{role_arn}\n{principal_arn}")
            }
            Source::Sso { session, start_url, region, account_id, role_name, .. } => {
                let [session, account, role] = [session, account_id, role_name]
                    .map(|text| text.as_deref().unwrap_or_default());
                format!("sso:{session}\n{start_url}\n{region}\n{account}\n{role}")
            }
            Source::RolesAnywhere { identity, .. } => {
                format!("roles-anywhere:{}", identity.as_deref().unwrap_or_default())
            }
            Source::LoginSession { login_session, .. } => format!("login:{login_session}"),
            Source::Imds => "imds".to_owned(),
            Source::Container => "container".to_owned(),
            Source::Given => "given".to_owned(),
        }
    }
}

fn digest_of(secret: &Secret) -> String {
    hex::encode(digest::digest(&digest::SHA256, secret.expose().as_bytes()))
}
