mod saml;
mod source;
#[cfg(test)]
mod tests;

pub(super) use self::source::{environment_keys, has_container, is_imds_disabled};

use super::plan::{Plan, RoleHop, Source};
use super::{Profile, ProfileSet, Property};
use crate::{CredentialsError, Env, ErrorKind, Result};

/// More roles in a row than anyone needs: only a generated file has so many.
const MAX_HOPS: usize = 100;

/// The plan for one profile, and nothing but it.
///
/// # Errors
/// `NotConfigured` if the profile is there and says nothing about credentials;
/// `InvalidConfiguration`, with file and line, for all else.
pub fn plan_profile(set: &ProfileSet, name: &str, env: &Env) -> Result<Plan> {
    let first = existing(set, name)?;
    let planner = Planner { set, env, first };
    let mut notes = Vec::new();
    let (source, hops) = planner.chain(&mut notes)?;
    Ok(Plan {
        profile: Some(name.to_owned()),
        source,
        hops,
        origin: Some(first.origin.clone()),
        passed_over: Vec::new(),
        notes,
    })
}

/// The keys that stand in profile `name`, whatever else it says.
///
/// # Errors
/// `InvalidConfiguration`, with file and line, if it is not there or does not hold them.
pub fn profile_keys(set: &ProfileSet, name: &str, env: &Env) -> Result<Source> {
    let first = existing(set, name)?;
    let planner = Planner { set, env, first };
    planner.static_keys(first)?.ok_or_else(|| {
        planner
            .invalid(format!("{} holds no keys any more", title(first)))
            .with_help("write new keys there, or start anew with what it says now")
    })
}

fn existing<'a>(set: &'a ProfileSet, name: &str) -> Result<&'a Profile> {
    set.get(name).ok_or_else(|| {
        invalid(name, "there is no such profile".to_owned()).with_help(set.suggestion(name))
    })
}

fn invalid(profile: &str, message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, format!("profile {profile}"), message)
}

/// What the credentials of a role are asked with.
enum From<'a> {
    /// The profile's own static keys.
    Itself,
    Profile(&'a Profile),
    Source(Source),
}

struct Planner<'a> {
    set: &'a ProfileSet,
    env: &'a Env,
    first: &'a Profile,
}

impl<'a> Planner<'a> {
    /// Follows source profiles from the first down to the source.
    fn chain(&self, notes: &mut Vec<String>) -> Result<(Source, Vec<RoleHop>)> {
        let mut visited: Vec<&Profile> = Vec::new();
        let mut hops = Vec::new();
        let mut profile = self.first;
        let source = loop {
            visited.push(profile);
            // A source profile is asked for its keys first: it may be a role's profile besides.
            if visited.len() > 1
                && let Ok(Some(keys)) = self.static_keys(profile)
            {
                break keys;
            }
            let Some((hop, from)) = self.role(profile, &visited)? else {
                break self.source(profile, &visited, notes)?;
            };
            hops.push(hop);
            if hops.len() > MAX_HOPS {
                return Err(self.invalid(format!("more than {MAX_HOPS} roles follow each other")));
            }
            match from {
                From::Profile(next) => profile = next,
                From::Source(source) => break source,
                From::Itself => match self.static_keys(profile)? {
                    Some(keys) => break keys,
                    None => return Err(self.a_loop(&visited, profile)),
                },
            }
        };
        hops.reverse();
        self.check_durations(&source, &hops)?;
        Ok((source, hops))
    }

    /// The role a profile assumes with the credentials of another, and what they are.
    fn role(
        &self,
        profile: &'a Profile,
        visited: &[&Profile],
    ) -> Result<Option<(RoleHop, From<'a>)>> {
        let Some(role_arn) = profile.filled("role_arn") else { return Ok(None) };
        if profile.filled("web_identity_token_file").is_some() || saml::is_set(profile) {
            return Ok(None);
        }
        let from = match (profile.filled("source_profile"), profile.filled("credential_source")) {
            (Some(name), None) => self.source_profile(profile, name, visited)?,
            (None, Some(named)) => From::Source(self.named_source(named)?),
            (Some(name), Some(named)) => {
                return Err(self
                    .invalid(format!(
                        "{} has both source_profile ({}) and credential_source ({})",
                        title(profile),
                        name.origin,
                        named.origin
                    ))
                    .with_help("keep one of the two"));
            }
            (None, None) => {
                return Err(self
                    .invalid(format!(
                        "role_arn ({}) needs one of source_profile and credential_source, and {} \
                         has neither",
                        role_arn.origin,
                        title(profile)
                    ))
                    .with_help(
                        "add source_profile with the profile whose credentials may assume the role",
                    ));
            }
        };
        let hop = RoleHop {
            profile: profile.name.clone(),
            role_arn: role_arn.text().to_owned(),
            external_id: owned(profile, "external_id"),
            role_session_name: owned(profile, "role_session_name"),
            duration_seconds: self.duration(profile)?,
            mfa_serial: owned(profile, "mfa_serial"),
            mfa_process: profile.filled("mfa_process").map(|property| property.value.clone()),
            mfa_session: self.mfa_session(profile)?,
            region: owned(profile, "region"),
            origin: role_arn.origin.clone(),
        };
        Ok(Some((hop, from)))
    }

    fn source_profile(
        &self,
        profile: &Profile,
        name: &Property,
        visited: &[&Profile],
    ) -> Result<From<'a>> {
        let Some(next) = self.set.get(name.text()) else {
            return Err(self
                .invalid(format!(
                    "source_profile of {} ({}) is {}, which does not exist",
                    profile.name,
                    name.origin,
                    name.text()
                ))
                .with_help(self.set.suggestion(name.text())));
        };
        if next.name == profile.name {
            return Ok(From::Itself);
        }
        if visited.iter().any(|seen| seen.name == next.name) {
            return Err(self.a_loop(visited, next));
        }
        Ok(From::Profile(next))
    }

    fn a_loop(&self, visited: &[&Profile], back_to: &Profile) -> CredentialsError {
        let names: Vec<&str> =
            visited.iter().copied().chain([back_to]).map(|p| p.name.as_str()).collect();
        self.invalid(format!(
            "source_profile goes round in a loop: {} ({})",
            names.join(" -> "),
            visited
                .last()
                .and_then(|p| p.property("source_profile"))
                .map_or_else(|| back_to.origin.to_string(), |property| property.origin.to_string())
        ))
        .with_help("one of them must have credentials of its own")
    }

    fn duration(&self, profile: &Profile) -> Result<Option<u32>> {
        let Some(property) = profile.filled("duration_seconds") else { return Ok(None) };
        match property.text().parse() {
            Ok(seconds @ 900..=43200) => Ok(Some(seconds)),
            _ => Err(self
                .invalid(format!(
                    "duration_seconds ({}) is {:?}, which is not a number from 900 to 43200",
                    property.origin,
                    property.text()
                ))
                .with_help("write how many seconds the session is to last, such as 3600")),
        }
    }

    fn mfa_session(&self, profile: &Profile) -> Result<bool> {
        let Some(property) = profile.filled("mfa_session") else { return Ok(true) };
        match property.text() {
            text if text.eq_ignore_ascii_case("true") => Ok(true),
            text if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(self
                .invalid(format!("mfa_session ({}) is neither true nor false", property.origin))
                .with_help("write false to give each role a code of its own, or leave it out")),
        }
    }

    fn check_durations(&self, source: &Source, hops: &[RoleHop]) -> Result<()> {
        let from_role =
            matches!(source, Source::WebIdentity { .. } | Source::Saml { .. } | Source::Sso { .. });
        let chained = hops.iter().skip(usize::from(!from_role));
        let Some((hop, seconds)) = chained
            .filter_map(|hop| Some((hop, hop.duration_seconds.filter(|seconds| *seconds > 3600)?)))
            .next()
        else {
            return Ok(());
        };
        let line = self.set.get(&hop.profile).and_then(|p| p.property("duration_seconds"));
        Err(self
            .invalid(format!(
                "duration_seconds ({}) is {seconds}, but the role is assumed with the credentials \
                 of another role, and AWS caps such chained roles at 3600",
                line.map_or(&hop.origin, |property| &property.origin)
            ))
            .with_help("lower it to 3600 or remove it"))
    }

    fn invalid(&self, message: String) -> CredentialsError {
        invalid(&self.first.name, message)
    }
}

/// `profile prod (/home/me/.aws/config:3)`.
fn title(profile: &Profile) -> String {
    format!("profile {} ({})", profile.name, profile.origin)
}

fn owned(profile: &Profile, key: &str) -> Option<String> {
    profile.filled(key).map(|property| property.text().to_owned())
}
