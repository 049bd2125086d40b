//! Definitions from parts, and from JSON.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use rolecall_core::{CredentialsError, ErrorKind, Result, json};
use rolecall_secrets::{
    Access, AssumedRole, Connection, DynamicSecret, FederationToken, IamUser, SecretKind,
    SessionToken,
};
use serde_json::{Map, Value};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
/// The longest session of a role.
const HALF_DAY: Duration = Duration::from_secs(43_200);

/// What to set in a definition. What is `None` stays; an empty text or list clears what it is of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DefinitionEdit {
    /// For people.
    pub description: Option<String>,
    /// How to reach AWS.
    pub connection: Option<Connection>,
    /// The region.
    pub region: Option<String>,
    /// Who may take leases.
    pub access: Option<Vec<Access>>,
    /// How long a lease lasts if nobody says.
    pub default_ttl: Option<Duration>,
    /// How long a lease may last in all.
    pub max_ttl: Option<Duration>,
    /// The path of users.
    pub path: Option<String>,
    /// The ARN of the users' permissions boundary.
    pub permissions_boundary: Option<String>,
    /// Groups of users.
    pub groups: Option<Vec<String>>,
    /// ARNs of managed policies.
    pub policy_arns: Option<Vec<String>>,
    /// A policy: JSON.
    pub policy_document: Option<String>,
    /// Tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// The template of names.
    pub username_template: Option<String>,
    /// The role to assume.
    pub role_arn: Option<String>,
    /// `ExternalId` for that role.
    pub external_id: Option<String>,
    /// The MFA device of session tokens.
    pub mfa_serial: Option<String>,
}

impl DefinitionEdit {
    /// A new definition: an hour if nobody says, a day at most (12 hours for roles), by the
    /// default chain.
    ///
    /// # Errors
    /// `InvalidConfiguration` for a kind that there is not, or a part that does not go with it.
    /// The rest is checked by [`rolecall_secrets::Leases::define`].
    pub fn define(self, name: &str, kind: &str) -> Result<DynamicSecret> {
        let kind = match kind {
            "iam-user" => SecretKind::IamUser(IamUser::default()),
            "assumed-role" => SecretKind::AssumedRole(AssumedRole::default()),
            "federation-token" => SecretKind::FederationToken(FederationToken::default()),
            "session-token" => SecretKind::SessionToken(SessionToken::default()),
            _ => {
                return Err(wrong(format!("there is no kind {kind:?}"))
                    .with_help("use iam-user, assumed-role, federation-token or session-token"));
            }
        };
        let longest = if matches!(kind, SecretKind::AssumedRole(_)) { HALF_DAY } else { DAY };
        let default_ttl = self.default_ttl.unwrap_or(HOUR.min(self.max_ttl.unwrap_or(HOUR)));
        let mut secret = DynamicSecret {
            name: name.to_owned(),
            description: String::new(),
            connection: Connection::Default,
            kind,
            region: None,
            access: Vec::new(),
            default_ttl,
            max_ttl: longest.max(default_ttl),
        };
        self.apply(&mut secret)?;
        Ok(secret)
    }

    /// Changes a definition.
    ///
    /// # Errors
    /// `InvalidConfiguration` for a part that does not go with the definition's kind.
    pub fn apply(mut self, secret: &mut DynamicSecret) -> Result<()> {
        put(&mut secret.description, self.description.take());
        put(&mut secret.connection, self.connection.take());
        put_text(&mut secret.region, self.region.take());
        put(&mut secret.access, self.access.take());
        put(&mut secret.default_ttl, self.default_ttl.take());
        put(&mut secret.max_ttl, self.max_ttl.take());
        match &mut secret.kind {
            SecretKind::IamUser(user) => {
                put(&mut user.path, self.path.take());
                put_text(&mut user.permissions_boundary, self.permissions_boundary.take());
                put(&mut user.groups, self.groups.take());
                put(&mut user.policy_arns, self.policy_arns.take());
                put_text(&mut user.policy_document, self.policy_document.take());
                put(&mut user.tags, self.tags.take());
                put_text(&mut user.username_template, self.username_template.take());
            }
            SecretKind::AssumedRole(role) => {
                put(&mut role.role_arn, self.role_arn.take());
                put_text(&mut role.external_id, self.external_id.take());
                put(&mut role.policy_arns, self.policy_arns.take());
                put_text(&mut role.policy_document, self.policy_document.take());
                put(&mut role.tags, self.tags.take());
                put_text(&mut role.username_template, self.username_template.take());
            }
            SecretKind::FederationToken(token) => {
                put(&mut token.policy_arns, self.policy_arns.take());
                put_text(&mut token.policy_document, self.policy_document.take());
                put(&mut token.tags, self.tags.take());
                put_text(&mut token.username_template, self.username_template.take());
            }
            SecretKind::SessionToken(token) => {
                put_text(&mut token.mfa_serial, self.mfa_serial.take());
            }
        }
        self.check_used_up(secret.kind.name())
    }

    fn check_used_up(&self, kind: &str) -> Result<()> {
        let parts = [
            ("path", self.path.is_some()),
            ("permissions boundary", self.permissions_boundary.is_some()),
            ("group", self.groups.is_some()),
            ("managed policy", self.policy_arns.is_some()),
            ("policy document", self.policy_document.is_some()),
            ("tag", self.tags.is_some()),
            ("user name template", self.username_template.is_some()),
            ("role", self.role_arn.is_some()),
            ("external id", self.external_id.is_some()),
            ("MFA device", self.mfa_serial.is_some()),
        ];
        let left: Vec<_> = parts.iter().filter(|(_, is_left)| *is_left).map(|(n, _)| *n).collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(wrong(format!("a secret of kind {kind} has no {}", left.join(", no ")))
            .with_help("leave that out, or make a secret of another kind"))
    }
}

/// Reads a definition from JSON of the form that [`super::secret_to_json`] gives. Its name may be
/// left out where `name` says it, and its `policy_document` may stand there as JSON instead of text.
///
/// # Errors
/// `InvalidConfiguration` if it is none, or has another name.
pub fn read_definition(text: &str, name: Option<&str>) -> Result<DynamicSecret> {
    let flaw = |flaw: &dyn Display| wrong(format!("the definition makes no sense: {flaw}"));
    let mut fields: Map<String, Value> = match json::read("dynamic secret", text)? {
        Value::Object(fields) => fields,
        _ => return Err(flaw(&"it is no JSON object")),
    };
    for of_the_store in ["version", "changed_at"] {
        fields.remove(of_the_store);
    }
    match (name, fields.get("name").and_then(Value::as_str)) {
        (Some(name), Some(other)) if name != other => {
            return Err(wrong(format!("the definition is of {other:?}, not of {name:?}"))
                .with_help("leave the name out of the file"));
        }
        (Some(name), _) => {
            fields.insert("name".to_owned(), name.into());
        }
        (None, _) => {}
    }
    if let Some(document) = fields.get_mut("policy_document")
        && document.is_object()
    {
        *document = document.to_string().into();
    }
    serde_json::from_value(Value::Object(fields)).map_err(|error| flaw(&error))
}

fn put<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn put_text(place: &mut Option<String>, value: Option<String>) {
    if let Some(value) = value {
        *place = Some(value).filter(|text| !text.is_empty());
    }
}

fn wrong(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "dynamic secret", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn parts_make_a_definition_that_passes_and_empty_ones_clear() {
        let edit = DefinitionEdit {
            groups: Some(vec!["Readers".to_owned()]),
            policy_document: text(r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#),
            ..DefinitionEdit::default()
        };
        let mut secret = edit.define("app", "iam-user").unwrap();
        secret.check().unwrap();
        assert_eq!((secret.default_ttl, secret.max_ttl), (HOUR, DAY));
        let edit = DefinitionEdit {
            groups: Some(Vec::new()),
            policy_document: text(""),
            ..DefinitionEdit::default()
        };
        edit.apply(&mut secret).unwrap();
        assert_eq!(secret.kind, SecretKind::IamUser(IamUser::default()));
        let role = DefinitionEdit {
            role_arn: text("arn:aws:iam::123456789012:role/R"),
            ..DefinitionEdit::default()
        };
        role.define("role", "assumed-role").unwrap().check().unwrap();
    }

    #[test]
    fn defaults_keep_to_the_limit_that_is_given() {
        let short = Duration::from_secs(120);
        let edit = DefinitionEdit { max_ttl: Some(short), ..DefinitionEdit::default() };
        let secret = edit.define("app", "iam-user").unwrap();
        assert_eq!((secret.default_ttl, secret.max_ttl), (short, short));
        let long = DAY * 7;
        let edit = DefinitionEdit { default_ttl: Some(long), ..DefinitionEdit::default() };
        let secret = edit.define("app", "iam-user").unwrap();
        assert_eq!((secret.default_ttl, secret.max_ttl), (long, long));
    }

    #[test]
    fn parts_of_other_kinds_are_refused_by_name() {
        let edit = DefinitionEdit {
            groups: Some(Vec::new()),
            path: text("/"),
            ..DefinitionEdit::default()
        };
        let error = edit.define("app", "session-token").unwrap_err();
        assert_eq!(error.message(), "a secret of kind session-token has no path, no group");
        assert!(DefinitionEdit::default().define("app", "user").is_err());
    }

    #[test]
    fn definitions_are_read_from_json() {
        let json = r#"{"connection": {"profile": "p"}, "kind": "iam-user", "version": 3,
            "default_ttl_seconds": 60, "max_ttl_seconds": 60, "policy_document": {"Statement": []}}"#;
        let secret = read_definition(json, Some("app")).unwrap();
        let SecretKind::IamUser(user) = &secret.kind else { panic!("{secret:?}") };
        assert_eq!(user.policy_document.as_deref(), Some(r#"{"Statement":[]}"#));
        for (json, part) in [
            ("{", "no JSON at line 1, column 1"),
            ("[]", "no JSON object"),
            (&json.replace("kind", "knd"), "kind"),
            (&json.replace("\"kind\"", "\"tgas\": {}, \"kind\""), "tgas"),
            (&json.replace("\"kind\"", "\"name\": \"other\", \"kind\""), "other"),
        ] {
            let error = read_definition(json, Some("app")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().contains(part), "{error}");
        }
    }
}
