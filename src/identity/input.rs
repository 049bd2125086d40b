//! What is asked of tokens and their verifier, read from JSON: for runtimes that know no types of
//! Rust.

use std::sync::Arc;
use std::time::Duration;

use rolecall_core::{Context, CredentialsError, ErrorKind, Result, SecretInput, json};
use serde::{Deserialize, Deserializer};

use super::{
    Binding, Bounds, Challenges, Dialect, Mode, Policy, SubClaim, TokenFormat, TokenOptions,
    VerifierOptions,
};

/// What a token is for, in parts: those of its format, and for any format the STS that is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenParts {
    /// `vault`, `infisical`, `eks`, `rolecall` or `akeyless`, which is the default.
    pub format: Option<String>,
    /// The role to log in as, in Vault.
    pub role: Option<String>,
    /// The server of Vault's that it is bound to.
    pub server_id: Option<String>,
    /// The identity to log in as, in Infisical.
    pub identity_id: Option<String>,
    /// The cluster of EKS.
    #[serde(rename = "cluster_name")]
    pub cluster: Option<String>,
    /// The server that rolecall's own tokens are for.
    pub audience: Option<String>,
    /// What that server gave to be signed.
    pub challenge: Option<String>,
    /// How long it is good, if it is rolecall's own.
    #[serde(rename = "lifetime_seconds", deserialize_with = "seconds")]
    pub lifetime: Option<Duration>,
    /// The region of the STS that the verifier asks.
    pub region: Option<String>,
    /// Its URL.
    pub sts_url: Option<String>,
}

fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let seconds: Option<u32> = Option::deserialize(from)?;
    Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
}

/// Reads what a token is for: `{"format": "vault", "role", "server_id"}`, `{"format": "infisical",
/// "identity_id"}`, `{"format": "eks", "cluster_name"}`, `{"format": "rolecall", "audience",
/// "challenge", "lifetime_seconds": 60}` or `{"format": "akeyless"}`, which is the default; with any
/// of them `region` and `sts_url`.
///
/// # Errors
/// `InvalidConfiguration` if it is none; as [`TokenParts::options`].
pub fn read_token_options(text: &str) -> Result<TokenOptions> {
    json::read::<TokenParts>(TOKEN, text)?.options()
}

impl TokenParts {
    /// The whole.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is no such format, or the parts lack what it needs or have what
    /// is for another.
    pub fn options(self) -> Result<TokenOptions> {
        let format = match self.format.as_deref() {
            None => TokenFormat::Akeyless,
            Some(name) => format(name)?,
        };
        for (part, of, is_given) in [
            ("role", TokenFormat::Vault, self.role.is_some()),
            ("server id", TokenFormat::Vault, self.server_id.is_some()),
            ("identity id", TokenFormat::Infisical, self.identity_id.is_some()),
            ("cluster", TokenFormat::Eks, self.cluster.is_some()),
            ("audience", TokenFormat::Rolecall, self.audience.is_some()),
            ("challenge", TokenFormat::Rolecall, self.challenge.is_some()),
            ("lifetime", TokenFormat::Rolecall, self.lifetime.is_some()),
        ] {
            if is_given && of != format {
                let message = format!("tokens of {format} have no {part}: it is for those of {of}");
                return Err(wrong(message));
            }
        }
        let needed = |part: &str, value: Option<String>| {
            value.ok_or_else(|| wrong(format!("tokens of {format} need the {part}")))
        };
        let dialect = match format {
            TokenFormat::Akeyless => Dialect::Akeyless,
            TokenFormat::Vault => Dialect::Vault { role: self.role, server_id: self.server_id },
            TokenFormat::Infisical => {
                Dialect::Infisical { identity_id: needed("identity id", self.identity_id)? }
            }
            TokenFormat::Eks => Dialect::Eks { cluster: needed("cluster", self.cluster)? },
            _ => Dialect::Rolecall {
                audience: needed("audience", self.audience)?,
                challenge: self.challenge,
                lifetime: self.lifetime.unwrap_or(Dialect::LIFETIME),
            },
        };
        Ok(TokenOptions { dialect, region: self.region, sts_url: self.sts_url })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifierInput {
    partition: Option<String>,
    account_ids: Vec<String>,
    #[serde(default)]
    arns: Vec<String>,
    #[serde(default)]
    role_names: Vec<String>,
    #[serde(default)]
    role_ids: Vec<String>,
    #[serde(default)]
    user_names: Vec<String>,
    #[serde(default)]
    user_ids: Vec<String>,
    #[serde(default)]
    session_names: Vec<String>,
    unique_identifier: Option<String>,
    sts_url: Option<String>,
    formats: Option<Vec<String>>,
    server_id: Option<String>,
    cluster_name: Option<String>,
    audience: Option<String>,
    #[serde(default)]
    challenges: ChallengesInput,
    #[serde(default)]
    cached: bool,
    max_age_seconds: Option<u64>,
    time_limit_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ChallengesInput {
    Wanted(bool),
    Shared(SharedChallenges),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SharedChallenges {
    key: Option<String>,
    life_seconds: Option<u64>,
}

impl Default for ChallengesInput {
    fn default() -> Self {
        Self::Wanted(false)
    }
}

impl ChallengesInput {
    fn read(&self) -> Result<Option<Challenges>> {
        let shared = match self {
            Self::Wanted(false) => return Ok(None),
            Self::Wanted(true) => return Challenges::random().map(Some),
            Self::Shared(shared) => shared,
        };
        let life = shared.life_seconds.map_or(Challenges::LIFE, Duration::from_secs);
        let Some(key) = shared.key.as_deref() else {
            return Ok(Some(Challenges::random()?.with_life(life)));
        };
        let Ok(key) = key.parse::<SecretInput>();
        Challenges::from_hex(&key.read(&Context::real())?, life).map(Some)
    }
}

/// How tokens are checked, and against what.
#[derive(Debug)]
pub struct Checking {
    /// How.
    pub options: VerifierOptions,
    /// Against what.
    pub policy: Policy,
    /// What makes the challenges that tokens must answer, and for whom, if they must.
    pub challenges: Option<(Arc<Challenges>, String)>,
}

/// Reads whom to let in and how it is checked: the fields of [`Bounds`], of which `account_ids` are
/// required; `formats` (those that can be checked otherwise), `server_id`, `cluster_name`,
/// `audience`; with `"challenges": true` tokens for the audience must answer a challenge, with
/// `{"key": "file://…", "life_seconds": 120}` one of any server that has the key, which is 64
/// hexadecimal digits, `env:NAME` or `file://PATH`; `cached` takes a token as often as wanted while
/// it is fresh; `max_age_seconds`, `time_limit_seconds`.
///
/// # Errors
/// `InvalidConfiguration` if it is none; as [`Policy::new`] and [`Challenges::random`].
pub fn read_checking(text: &str) -> Result<Checking> {
    let input: VerifierInput = json::read("verifier", text)?;
    let claim = input.unique_identifier.as_deref().map(SubClaim::parse).transpose()?;
    let default = Bounds::default();
    let bounds = Bounds {
        partition: input.partition.unwrap_or(default.partition),
        account_ids: input.account_ids,
        arns: input.arns,
        role_names: input.role_names,
        role_ids: input.role_ids,
        user_names: input.user_names,
        user_ids: input.user_ids,
        session_names: input.session_names,
        unique_identifier: claim,
        sts_url: input.sts_url,
    };
    let challenges = match (input.challenges.read()?, &input.audience) {
        (None, _) => None,
        (Some(challenges), Some(audience)) => Some((Arc::new(challenges), audience.clone())),
        (Some(_), None) => {
            return Err(wrong("challenges are for an audience, and none is named".to_owned()));
        }
    };
    let binding = Binding {
        server_id: input.server_id,
        cluster: input.cluster_name,
        audience: input.audience,
        challenges: challenges.as_ref().map(|(challenges, _)| challenges.clone()),
    };
    let formats = match &input.formats {
        None => binding.formats(),
        Some(names) => names.iter().map(|name| format(name)).collect::<Result<_>>()?,
    };
    let options = VerifierOptions {
        mode: if input.cached { Mode::Cached } else { Mode::SingleUse },
        max_age: input.max_age_seconds.map(Duration::from_secs),
        time_limit: input.time_limit_seconds.map(Duration::from_secs),
        ..VerifierOptions::default()
    };
    Ok(Checking { options, policy: Policy::new(&bounds, &formats, binding)?, challenges })
}

/// A new challenge of [`Checking::challenges`].
///
/// # Errors
/// `InvalidConfiguration` if tokens need not answer one; as [`Challenges::issue`].
pub fn new_challenge(challenges: Option<&(Arc<Challenges>, String)>) -> Result<String> {
    let (challenges, audience) = challenges.ok_or_else(|| {
        wrong("tokens need not answer a challenge here".to_owned())
            .with_help("make the verifier with \"challenges\": true")
    })?;
    challenges.issue(audience, Context::real().clock.now())
}

/// Reads an auth method: the fields of [`super::method_to_json`], of which `name` and `bounds` are
/// required. A new one gets an access id.
///
/// # Errors
/// `InvalidConfiguration` if it is none.
#[cfg(all(unix, feature = "leases"))]
pub fn read_method(text: &str) -> Result<super::AuthMethod> {
    let mut given: serde_json::Map<String, serde_json::Value> = json::read(METHOD, text)?;
    for of_the_store in ["access_type", "version", "changed_at"] {
        given.remove(of_the_store);
    }
    let name = given.get("name").and_then(serde_json::Value::as_str).unwrap_or_default();
    let new = serde_json::to_value(super::AuthMethod::new(&Context::real(), name));
    if let Ok(serde_json::Value::Object(fields)) = new {
        for (field, value) in fields {
            given.entry(field).or_insert(value);
        }
    }
    json::read(METHOD, &serde_json::Value::Object(given).to_string())
}

#[cfg(all(unix, feature = "leases"))]
const METHOD: &str = "auth method";

const TOKEN: &str = "identity token";

fn format(name: &str) -> Result<TokenFormat> {
    TokenFormat::by_name(name).ok_or_else(|| {
        let names = TokenFormat::ALL.map(TokenFormat::name).join(", ");
        wrong(format!("there is no format {name:?}, but {names}"))
    })
}

fn wrong(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, TOKEN, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_read_with_what_it_needs() {
        for (text, format) in [
            ("{}", TokenFormat::Akeyless),
            (r#"{"format": "vault", "server_id": "s", "region": "eu-west-1"}"#, TokenFormat::Vault),
            (r#"{"format": "infisical", "identity_id": "i"}"#, TokenFormat::Infisical),
            (r#"{"format": "eks", "cluster_name": "c"}"#, TokenFormat::Eks),
            (r#"{"format": "rolecall", "audience": "a"}"#, TokenFormat::Rolecall),
        ] {
            let options = read_token_options(text).unwrap();
            assert_eq!(options.dialect.format(), format);
        }
        for (text, part) in [
            (r#"{"format": "jwt"}"#, "no format"),
            (r#"{"format": "eks"}"#, "need the cluster"),
            (r#"{"format": "eks", "cluster_name": "c", "audience": "a"}"#, "have no audience"),
            (r#"{"form": "eks"}"#, "unknown field"),
        ] {
            let error = read_token_options(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().contains(part), "{error}");
        }
    }

    #[cfg(feature = "leases")]
    #[test]
    fn a_new_method_gets_an_access_id_and_lets_nobody_in_unless_it_says_whom() {
        let bounds = r#"{"account_ids": ["123456789012"]}"#;
        let method = read_method(&format!(r#"{{"name": "ci", "bounds": {bounds}}}"#)).unwrap();
        assert!(method.access_id.starts_with("p-"), "{}", method.access_id);
        method.policy().unwrap();
        assert!(read_method(r#"{"name": "ci"}"#).unwrap().policy().is_err());
        assert!(read_method(r#"{"name": "ci", "bound": {}}"#).is_err());
    }

    #[test]
    fn a_verifier_lets_nobody_in_by_default() {
        let read = |text: &str| read_checking(text);
        let checking = read(
            r#"{"account_ids": ["123456789012"], "audience": "a", "challenges": true,
            "unique_identifier": "role_name", "max_age_seconds": 60}"#,
        );
        let checking = checking.unwrap();
        assert_eq!(checking.options.mode, Mode::SingleUse);
        assert_eq!(checking.options.max_age, Some(Duration::from_secs(60)));
        assert_eq!(checking.challenges.unwrap().1, "a");
        let key = "ab".repeat(32);
        let shared = format!(
            r#"{{"account_ids": ["123456789012"], "audience": "a",
            "challenges": {{"key": "{key}", "life_seconds": 9}}}}"#,
        );
        let shown = format!("{:?}", read(&shared).unwrap().challenges.unwrap().0);
        assert!(shown.contains("9s") && !shown.contains("abab"), "{shown}");
        let error = read(&shared.replace("abab", "xx")).unwrap_err();
        assert!(error.message().contains("64 hexadecimal digits"), "{error}");
        for text in [
            "{}",
            r#"{"account_ids": ["123456789012"], "audience": "a", "challenges": {"keys": ""}}"#,
            r#"{"account_ids": []}"#,
            r#"{"account_ids": ["123456789012"], "challenges": true}"#,
            r#"{"account_ids": ["123456789012"], "formats": []}"#,
            r#"{"account_ids": ["123456789012"], "formats": ["eks"]}"#,
            r#"{"account_ids": ["123456789012"], "unique_identifier": "arn"}"#,
            r#"{"account_ids": ["123456789012"], "role_name": ["R"]}"#,
        ] {
            assert_eq!(read(text).unwrap_err().kind(), ErrorKind::InvalidConfiguration, "{text}");
        }
    }
}
