//! What can be wrong with a definition, found when it is defined and not when it is needed.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime};

use rolecall_core::endpoint::Region;
use rolecall_core::{CredentialsError, ErrorKind, Random, Result, SecretInput};

use crate::definition::{Connection, DynamicSecret, IamUser, SecretKind};
use crate::lease::LeaseId;
use crate::naming;
use crate::policy;
use crate::template::NameFacts;

/// As Infisical has it.
const SHORTEST_TTL: Duration = Duration::from_secs(60);
const LONGEST_TTL: Duration = Duration::from_secs(10 * 365 * 86_400);
/// AWS's own limits of sessions.
const ROLE_TTL: RangeInclusive<u64> = 900..=43_200;
const TOKEN_TTL: RangeInclusive<u64> = 900..=129_600;
const LONGEST_NAME: usize = 128;
/// What we append to the path: `rolecall/`, the store's id and a slash.
const OUR_PATH: usize = 9 + 12 + 1;
const LONGEST_PATH: usize = 512;
/// IAM's 50, less ours.
const MOST_TAGS: usize = 50 - 4;
const MOST_GROUPS: usize = 10;
const MOST_POLICIES: usize = 10;
/// Tags whose keys begin so are ours.
pub(crate) const OUR_TAGS: &str = "rolecall:";
/// Connections assume no more roles after one another.
const DEEPEST: usize = 8;

impl DynamicSecret {
    /// Checks all that can be checked without AWS: names, ARNs, limits, the policy's form, the
    /// template, the TTLs. AWS's limits are those of the IAM and STS API References.
    ///
    /// # Errors
    /// `InvalidConfiguration` that tells everything that is wrong.
    pub fn check(&self) -> Result<()> {
        let mut flaws = Vec::new();
        if !is_secret_name(&self.name) {
            flaws.push(format!(
                "the name must have 1 to {LONGEST_NAME} of A-Z a-z 0-9 . _ - / and neither begin \
                 nor end with a slash"
            ));
        }
        if self.description.chars().count() > 1000 {
            flaws.push("the description has more than 1000 characters".to_owned());
        }
        if let Some(region) = &self.region
            && Region::parse(region, "region").is_err()
        {
            flaws.push(format!("{region:?} is no region"));
        }
        self.check_ttls(&mut flaws);
        check_connection(&self.connection, 0, &mut flaws);
        match &self.kind {
            SecretKind::IamUser(user) => check_user(user, &mut flaws),
            SecretKind::AssumedRole(role) => {
                check_role(&role.role_arn, "role_arn", &mut flaws);
                check_external_id(role.external_id.as_deref(), &mut flaws);
                check_policies(&role.policy_arns, role.policy_document.as_deref(), &mut flaws);
                check_tags(&role.tags, &mut flaws);
            }
            SecretKind::FederationToken(token) => {
                check_policies(&token.policy_arns, token.policy_document.as_deref(), &mut flaws);
                check_tags(&token.tags, &mut flaws);
            }
            SecretKind::SessionToken(token) => {
                if token.mfa_serial.as_ref().is_some_and(|serial| serial.len() < 9) {
                    flaws.push("mfa_serial is no serial number or ARN".to_owned());
                }
            }
        }
        if let Err(error) = self.try_name() {
            flaws.push(format!("the user name template is wrong: {}", error.message()));
        }
        if flaws.is_empty() {
            return Ok(());
        }
        let what = format!("dynamic secret {}", self.name);
        Err(CredentialsError::new(ErrorKind::InvalidConfiguration, what, flaws.join("; ")))
    }

    /// A name as one lease would have it.
    fn try_name(&self) -> Result<String> {
        let facts = NameFacts { secret_name: &self.name, ..NameFacts::default() };
        let (id, now) = (LeaseId(0), SystemTime::UNIX_EPOCH);
        naming::name(&self.kind, &facts, id, now, &Random::seeded(0))
    }

    fn check_ttls(&self, flaws: &mut Vec<String>) {
        let limits = match &self.kind {
            SecretKind::IamUser(_) => SHORTEST_TTL.as_secs()..=LONGEST_TTL.as_secs(),
            SecretKind::AssumedRole(_) => ROLE_TTL,
            SecretKind::FederationToken(_) | SecretKind::SessionToken(_) => TOKEN_TTL,
        };
        for (name, ttl) in [("default TTL", self.default_ttl), ("maximum TTL", self.max_ttl)] {
            if !limits.contains(&ttl.as_secs()) {
                flaws.push(format!(
                    "the {name} is {} s; a lease of kind {} lasts {} to {} s",
                    ttl.as_secs(),
                    self.kind.name(),
                    limits.start(),
                    limits.end()
                ));
            }
        }
        if self.default_ttl > self.max_ttl {
            flaws.push("the default TTL is above the maximum TTL".to_owned());
        }
    }
}

/// The name of a dynamic secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let is_allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-/".contains(&b);
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(is_allowed)
        && !name.starts_with('/')
        && !name.ends_with('/')
}

fn check_connection(connection: &Connection, depth: usize, flaws: &mut Vec<String>) {
    if depth > DEEPEST {
        flaws.push(format!("the connection assumes more than {DEEPEST} roles after one another"));
        return;
    }
    match connection {
        Connection::Default => {}
        Connection::Profile(name) | Connection::Custom(name) => {
            if name.is_empty() {
                flaws.push("the connection's name is empty".to_owned());
            }
        }
        Connection::AccessKey { access_key_id, secret_access_key } => {
            let is_id = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
            if !(16..=128).contains(&access_key_id.len()) || !access_key_id.bytes().all(is_id) {
                flaws.push("the connection's access key id is none".to_owned());
            }
            let input: Result<SecretInput, _> = secret_access_key.parse();
            if !matches!(input, Ok(SecretInput::Env(_) | SecretInput::File(_))) {
                // Its text is never shown: it may be the secret.
                flaws.push(
                    "the connection's secret access key must be named as env:NAME or file://PATH"
                        .to_owned(),
                );
            }
        }
        Connection::AssumeRole { role_arn, external_id, source } => {
            check_role(role_arn, "the connection's role_arn", flaws);
            check_external_id(external_id.as_deref(), flaws);
            check_connection(source, depth + 1, flaws);
        }
        Connection::WebIdentity { role_arn, token_file } => {
            check_role(role_arn, "the connection's role_arn", flaws);
            if !token_file.is_absolute() {
                flaws.push("the connection's token file must be an absolute path".to_owned());
            }
        }
    }
}

fn check_user(user: &IamUser, flaws: &mut Vec<String>) {
    let path = user.path.as_str();
    let is_path = path.starts_with('/')
        && path.ends_with('/')
        && !path.contains("//")
        && path.bytes().all(|b| (b'!'..=b'~').contains(&b));
    if !path.is_empty() && !is_path {
        flaws.push("the path must begin and end with a slash, with ! to ~ between".to_owned());
    }
    if path.len() + OUR_PATH > LONGEST_PATH {
        flaws.push(format!("the path has more than {} characters", LONGEST_PATH - OUR_PATH));
    }
    if let Some(arn) = &user.permissions_boundary
        && !is_iam_arn(arn, "policy/")
    {
        flaws.push(format!("permissions_boundary {arn:?} is no ARN of a managed policy"));
    }
    let is_group =
        |group: &String| (1..=128).contains(&group.len()) && group.chars().all(naming::is_allowed);
    if let Some(group) = user.groups.iter().find(|group| !is_group(group)) {
        flaws.push(format!("{group:?} is no name of a group"));
    }
    if user.groups.len() > MOST_GROUPS {
        flaws.push(format!("there are more than {MOST_GROUPS} groups"));
    }
    if has_twins(user.groups.iter().map(|group| group.to_ascii_lowercase())) {
        flaws.push("a group is named twice".to_owned());
    }
    check_policies(&user.policy_arns, user.policy_document.as_deref(), flaws);
    let room = policy::INLINE_LIMIT - policy::size(&policy::dead_man(SystemTime::UNIX_EPOCH));
    if user.policy_document.as_deref().is_some_and(|document| policy::size(document) > room) {
        flaws.push(format!(
            "policy_document has more than {room} characters without white space; rolecall needs \
             the rest of IAM's {} for the policy that ends the user by itself",
            policy::INLINE_LIMIT
        ));
    }
    check_tags(&user.tags, flaws);
}

fn check_policies(arns: &[String], document: Option<&str>, flaws: &mut Vec<String>) {
    for arn in arns.iter().filter(|arn| !is_iam_arn(arn, "policy/")) {
        flaws.push(format!("{arn:?} is no ARN of a managed policy"));
    }
    if arns.len() > MOST_POLICIES {
        flaws.push(format!("there are more than {MOST_POLICIES} managed policies"));
    }
    if has_twins(arns.iter()) {
        flaws.push("a managed policy is named twice".to_owned());
    }
    if let Some(document) = document {
        if let Some(flaw) = policy::flaw(document) {
            flaws.push(format!("policy_document {flaw}"));
        } else if policy::size(document) > policy::INLINE_LIMIT {
            flaws
                .push(format!("policy_document has more than {} characters", policy::INLINE_LIMIT));
        }
    }
}

fn check_tags(tags: &BTreeMap<String, String>, flaws: &mut Vec<String>) {
    if tags.len() > MOST_TAGS {
        flaws.push(format!("there are more than {MOST_TAGS} tags"));
    }
    if has_twins(tags.keys().map(|key| key.to_lowercase())) {
        flaws.push("two tags differ in case only, which IAM takes for one".to_owned());
    }
    // `[\p{L}\p{Z}\p{N}_.:/=+\-@]`
    let is_allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
    for (key, value) in tags {
        let lower = key.to_ascii_lowercase();
        let is_key = (1..=128).contains(&key.chars().count()) && key.chars().all(is_allowed);
        if !is_key || value.chars().count() > 256 || !value.chars().all(is_allowed) {
            flaws.push(format!("the tag {key:?} has a key or value that AWS does not allow"));
        } else if lower.starts_with("aws:") || lower.starts_with(OUR_TAGS) {
            flaws.push(format!("the tag {key:?} begins as tags of AWS or rolecall do"));
        }
    }
}

fn check_role(arn: &str, field: &str, flaws: &mut Vec<String>) {
    if !is_iam_arn(arn, "role/") {
        flaws.push(format!("{field} {arn:?} is no ARN of a role"));
    }
}

fn check_external_id(id: Option<&str>, flaws: &mut Vec<String>) {
    let is_allowed = |c: char| naming::is_allowed(c) || ":/".contains(c);
    if id.is_some_and(|id| !(2..=1224).contains(&id.len()) || !id.chars().all(is_allowed)) {
        flaws.push("external_id must have 2 to 1224 of A-Z a-z 0-9 and + = , . @ : / _ -".into());
    }
}

/// `arn:PARTITION:iam::ACCOUNT:KIND/…`; the policies of AWS have `aws` for the account.
fn is_iam_arn(arn: &str, kind: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else { return false };
    let is_number = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let is_name = |name: &str| {
        (1..=512).contains(&name.len()) && name.bytes().all(|b| (b'!'..=b'~').contains(&b))
    };
    (partition == "aws" || partition.starts_with("aws-"))
        && (is_number || (kind == "policy/" && account == "aws"))
        && resource.strip_prefix(kind).is_some_and(is_name)
}

fn has_twins<T: Eq + std::hash::Hash>(values: impl Iterator<Item = T>) -> bool {
    let mut seen = HashSet::new();
    !values.into_iter().all(|value| seen.insert(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::{AssumedRole, FederationToken};

    fn user(user: IamUser) -> DynamicSecret {
        DynamicSecret {
            name: "team/reader".to_owned(),
            description: String::new(),
            connection: Connection::Default,
            kind: SecretKind::IamUser(user),
            region: None,
            access: Vec::new(),
            default_ttl: Duration::from_secs(3600),
            max_ttl: Duration::from_secs(86_400),
        }
    }

    fn flaws(secret: &DynamicSecret) -> String {
        let error = secret.check().expect_err("it passes");
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        error.message().to_owned()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_full_definition_passes() {
        user(IamUser {
            path: "/team/".to_owned(),
            permissions_boundary: Some("arn:aws:iam::123456789012:policy/b/Boundary".to_owned()),
            groups: texts(&["Readers", "Writers"]),
            policy_arns: texts(&["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
            policy_document: Some(
                r#"{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#.to_owned(),
            ),
            tags: BTreeMap::from([("team".to_owned(), "größe 1".to_owned())]),
            username_template: Some("{{identity.name}}-{{random 5}}".to_owned()),
        })
        .check()
        .unwrap();
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let mut secret = user(IamUser {
            path: "team".to_owned(),
            permissions_boundary: Some("arn:aws:iam::aws:role/x".to_owned()),
            groups: texts(&["a b", "X", "x"]),
            policy_arns: texts(&["ReadOnlyAccess", "arn:aws:iam::12:policy/x"]),
            policy_document: Some("{}".to_owned()),
            tags: BTreeMap::from([
                ("aws:x".to_owned(), String::new()),
                ("Rolecall:lease".to_owned(), String::new()),
                ("a*".to_owned(), String::new()),
            ]),
            username_template: Some("{{nothing}}".to_owned()),
        });
        secret.name = "/x".to_owned();
        secret.region = Some("evil.tld?".to_owned());
        secret.default_ttl = Duration::from_secs(59);
        secret.max_ttl = Duration::from_secs(1);
        let told = flaws(&secret);
        for part in [
            "the name must",
            "no region",
            "59 s",
            "1 s;",
            "above the maximum",
            "the path must",
            "permissions_boundary",
            "\"a b\"",
            "named twice",
            "\"ReadOnlyAccess\"",
            "iam::12:",
            "no Statement",
            "\"aws:x\"",
            "\"Rolecall:lease\"",
            "\"a*\"",
            "template",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn the_policy_that_ends_the_user_has_its_room() {
        let document = |length: usize| {
            let frame = r#"{"Statement":{"Effect":"Deny","Action":"","Resource":"*"}}"#.len();
            let action = "x".repeat(length - frame);
            format!(r#"{{"Statement":{{"Effect":"Deny","Action":"{action}","Resource":"*"}}}}"#)
        };
        let with = |length| {
            user(IamUser { policy_document: Some(document(length)), ..IamUser::default() }).check()
        };
        let room = policy::INLINE_LIMIT - policy::size(&policy::dead_man(SystemTime::UNIX_EPOCH));
        with(room).unwrap();
        assert!(with(room + 1).unwrap_err().message().contains("ends the user by itself"));
    }

    #[test]
    fn sessions_have_awss_limits() {
        let mut secret = user(IamUser::default());
        secret.kind = SecretKind::AssumedRole(AssumedRole {
            role_arn: "arn:aws:iam::123456789012:role/R".to_owned(),
            ..AssumedRole::default()
        });
        assert!(flaws(&secret).contains("900 to 43200"));
        secret.max_ttl = Duration::from_secs(43_200);
        secret.check().unwrap();
        secret.kind = SecretKind::FederationToken(FederationToken::default());
        secret.default_ttl = Duration::from_secs(60);
        assert!(flaws(&secret).contains("900 to 129600"));
    }

    #[test]
    fn a_secret_is_named_and_never_held() {
        let mut secret = user(IamUser::default());
        secret.connection = Connection::AssumeRole {
            role_arn: "arn:aws:iam::123456789012:role/R".to_owned(),
            external_id: Some("x".to_owned()),
            source: Box::new(Connection::AccessKey {
                access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
                secret_access_key: "hunter2hunter2".to_owned(),
            }),
        };
        let told = flaws(&secret);
        assert!(told.contains("env:NAME") && told.contains("external_id"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}
