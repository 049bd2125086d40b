//! What a profile that assumes no role gets its credentials from.

use super::{Planner, owned, title};
use crate::profile::plan::{SetBy, Source};
use crate::profile::{Origin, Profile, Property};
use crate::{CredentialsError, Env, ErrorKind, Result};

const SOMETHING: &str = "give it one of role_arn, web_identity_token_file, saml_assertion, \
                         sso_session, login_session, credential_process, or aws_access_key_id with \
                         aws_secret_access_key";

impl<'a> Planner<'a> {
    /// What `credential_source` names, if the environment has it as far as that can be seen.
    pub(super) fn named_source(&self, named: &Property) -> Result<Source> {
        let absent = |what: &str| {
            self.invalid(format!(
                "credential_source ({}) is {}, but {what}",
                named.origin,
                named.text()
            ))
        };
        let is = |name: &str| named.text().eq_ignore_ascii_case(name);
        if is("Environment") {
            match environment_keys(self.env)? {
                Some(access_key_id) => Ok(Source::Environment { explicit: true, access_key_id }),
                None => Err(absent("AWS_ACCESS_KEY_ID is not set")
                    .with_help("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")),
            }
        } else if is("EcsContainer") {
            if has_container(self.env) {
                return Ok(Source::Container);
            }
            Err(absent("the variables that say where a container's credentials are are not set")
                .with_help(
                    "ECS and EKS set AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or \
                     AWS_CONTAINER_CREDENTIALS_FULL_URI",
                ))
        } else if is("Ec2InstanceMetadata") {
            if is_imds_disabled(self.env) {
                return Err(absent("AWS_EC2_METADATA_DISABLED is true")
                    .with_help("unset AWS_EC2_METADATA_DISABLED"));
            }
            Ok(Source::Imds)
        } else {
            Err(self
                .invalid(format!(
                    "credential_source ({}) is {:?}, which is none of the three there are",
                    named.origin,
                    named.text()
                ))
                .with_help("write Environment, Ec2InstanceMetadata or EcsContainer"))
        }
    }

    /// The source that a profile without a role to assume is.
    pub(super) fn source(
        &self,
        profile: &Profile,
        visited: &[&Profile],
        notes: &mut Vec<String>,
    ) -> Result<Source> {
        if let Some(named) = profile.filled("credential_source") {
            return self.named_source(named);
        }
        if let Some(source) = self.web_identity(profile)? {
            return Ok(source);
        }
        if let Some(source) = self.saml(profile)? {
            return Ok(source);
        }
        if let Some(source) = self.sso(profile)? {
            return Ok(source);
        }
        if let Some(login) = profile.filled("login_session") {
            note_static_keys(profile, "login_session", notes);
            return Ok(Source::LoginSession {
                profile: profile.name.clone(),
                login_session: login.text().to_owned(),
                origin: login.origin.clone(),
            });
        }
        if let Some(command) = profile.filled("credential_process") {
            note_static_keys(profile, "credential_process", notes);
            return Ok(Source::Process {
                profile: profile.name.clone(),
                command: command.value.clone(),
                account_id: owned(profile, "aws_account_id"),
                origin: command.origin.clone(),
            });
        }
        match (self.static_keys(profile)?, visited) {
            (Some(keys), _) => Ok(keys),
            (None, [.., referrer, _]) => {
                let named = referrer.property("source_profile");
                Err(self
                    .invalid(format!(
                        "{}, the source_profile of {} ({}), holds no credentials",
                        title(profile),
                        referrer.name,
                        named.map_or(&referrer.origin, |property| &property.origin)
                    ))
                    .with_help(SOMETHING))
            }
            (None, _) => Err(CredentialsError::new(
                ErrorKind::NotConfigured,
                format!("profile {}", self.first.name),
                format!("{} holds no credentials", title(profile)),
            )
            .with_help(SOMETHING)),
        }
    }

    fn web_identity(&self, profile: &Profile) -> Result<Option<Source>> {
        let Some(file) = profile.filled("web_identity_token_file") else { return Ok(None) };
        let Some(role_arn) = profile.filled("role_arn") else {
            return Err(self
                .invalid(format!(
                    "{} has web_identity_token_file ({}) but no role_arn",
                    title(profile),
                    file.origin
                ))
                .with_help("add role_arn with the role that the token is traded for"));
        };
        Ok(Some(Source::WebIdentity {
            token_file: file.text().into(),
            role_arn: role_arn.text().to_owned(),
            role_session_name: owned(profile, "role_session_name"),
            duration_seconds: self.duration(profile)?,
            region: owned(profile, "region"),
            set_by: SetBy::Profile { name: profile.name.clone(), origin: role_arn.origin.clone() },
        }))
    }

    fn sso(&self, profile: &Profile) -> Result<Option<Source>> {
        let keys =
            ["sso_session", "sso_account_id", "sso_role_name", "sso_start_url", "sso_region"];
        let [session, account_id, role_name, start_url, region] =
            keys.map(|key| profile.filled(key));
        let Some(first) =
            [session, start_url, region, account_id, role_name].into_iter().flatten().next()
        else {
            return Ok(None);
        };
        let of_session = match session {
            None => None,
            Some(name) => Some(self.sso_session(name)?),
        };
        let either = |own: Option<&Property>, key: &str| -> Result<String> {
            let shared = of_session.and_then(|section| section.filled(key));
            match (own, shared, of_session) {
                (Some(own), Some(shared), _) if own.text() != shared.text() => Err(self
                    .invalid(format!(
                        "{key} says one thing in the profile ({}) and another in its sso-session \
                         ({})",
                        own.origin, shared.origin
                    ))
                    .with_help("remove it from the profile")),
                (Some(value), _, _) | (None, Some(value), _) => Ok(value.text().to_owned()),
                (None, None, Some(section)) => Err(self.invalid(format!(
                    "[sso-session {}] ({}) has no {key}",
                    section.name, section.origin
                ))),
                (None, None, None) => Err(self.partial_sso(profile, first, key)),
            }
        };
        let start_url = either(start_url, "sso_start_url")?;
        let region = either(region, "sso_region")?;
        match (account_id, role_name, session) {
            (Some(id), None, _) => return Err(self.partial_sso(profile, id, "sso_role_name")),
            (None, Some(role), _) => return Err(self.partial_sso(profile, role, "sso_account_id")),
            (None, None, None) => return Err(self.partial_sso(profile, first, "sso_account_id")),
            _ => {}
        }
        Ok(Some(Source::Sso {
            profile: profile.name.clone(),
            session: session.map(|name| name.text().to_owned()),
            start_url,
            region,
            account_id: account_id.map(|id| id.text().to_owned()),
            role_name: role_name.map(|role| role.text().to_owned()),
            origin: first.origin.clone(),
        }))
    }

    fn sso_session(&self, name: &Property) -> Result<&'a Profile> {
        self.set.sso_session(name.text()).ok_or_else(|| {
            let section = format!("[sso-session {}]", name.text());
            self.invalid(format!("sso_session ({}) names no section: {section}", name.origin))
                .with_help(format!(
                    "add {section} with sso_start_url and sso_region to the config file"
                ))
        })
    }

    fn partial_sso(&self, profile: &Profile, has: &Property, lacks: &str) -> CredentialsError {
        let key = profile.properties.iter().find(|(_, p)| p.origin == has.origin);
        self.invalid(format!(
            "{} has {} ({}) but no {lacks}",
            title(profile),
            key.map_or("SSO settings", |(key, _)| key),
            has.origin
        ))
        .with_help(format!("add {lacks}, or run aws configure sso"))
    }

    /// The static keys of a profile; an error if there are some but not all.
    pub(super) fn static_keys(&self, profile: &Profile) -> Result<Option<Source>> {
        let [id, secret, token] =
            ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"]
                .map(|key| profile.filled(key));
        let (missing, present) = match (id, secret, token) {
            (None, None, None) => return Ok(None),
            (Some(id), Some(secret), token) => {
                return Ok(Some(Source::StaticKeys {
                    profile: profile.name.clone(),
                    access_key_id: id.text().to_owned(),
                    secret_access_key: secret.value.clone(),
                    session_token: token.map(|token| token.value.clone()),
                    account_id: owned(profile, "aws_account_id"),
                    origin: id.origin.clone(),
                }));
            }
            (Some(id), None, _) => ("aws_secret_access_key", ("aws_access_key_id", id)),
            (None, Some(secret), _) => ("aws_access_key_id", ("aws_secret_access_key", secret)),
            (None, None, Some(token)) => {
                ("aws_access_key_id and aws_secret_access_key", ("aws_session_token", token))
            }
        };
        Err(self
            .invalid(format!(
                "{} has {} ({}) but no {missing}",
                title(profile),
                present.0,
                present.1.origin
            ))
            .with_help(format!("add {missing}, or remove {}", present.0)))
    }
}

/// AWS CLI takes keys of the credentials file before a login session or a process.
fn note_static_keys(profile: &Profile, winner: &str, notes: &mut Vec<String>) {
    let keys = ["aws_access_key_id", "aws_secret_access_key"].map(|key| profile.filled(key));
    if let [Some(Property { origin: Origin { file, line }, .. }), Some(_)] = keys {
        notes.push(format!(
            "{winner} goes before the static keys ({}:{line}); AWS CLI takes the keys first if they \
             are in the credentials file",
            file.display()
        ));
    }
}

/// The access key id of the environment; an error if there are some of the variables but not all.
pub(in crate::profile) fn environment_keys(env: &Env) -> Result<Option<String>> {
    let names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    let (present, missing) = match names.map(|name| env.get(name)) {
        [Some(id), Some(_)] => return Ok(Some(id)),
        [None, None] => return Ok(None),
        [Some(_), None] => (names[0], names[1]),
        [None, Some(_)] => (names[1], names[0]),
    };
    Err(CredentialsError::new(
        ErrorKind::InvalidConfiguration,
        "environment",
        format!("{present} is set but {missing} is not"),
    )
    .with_help(format!("set {missing}, or unset {present}")))
}

pub(in crate::profile) fn has_container(env: &Env) -> bool {
    env.first(&["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"])
        .is_some()
}

pub(in crate::profile) fn is_imds_disabled(env: &Env) -> bool {
    env.is_true("AWS_EC2_METADATA_DISABLED")
}
