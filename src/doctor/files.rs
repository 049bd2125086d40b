//! Permissions and owners of what holds secrets, and files that are not where they should be.

use std::path::{Path, PathBuf};

use rolecall_core::cache::CacheFolder;
use rolecall_core::profile::{FileLocations, ProfileSet, aws_folder};
use rolecall_core::{Context, ErrorKind, FileFacts, PathKind};

use super::Finding;
use crate::export::push_posix;

const CHECK: &str = "files";
const OTHERS_READ: u32 = 0o044;
const OTHERS_WRITE: u32 = 0o022;

/// What a path is for, and so what it may let others do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Says what is run and where requests go.
    Config,
    /// Holds keys besides.
    Secrets,
    /// Holds files of secrets, or locks, that are written here.
    Folder,
}

pub(super) fn check(context: &Context, profiles: Option<&ProfileSet>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Ok(places) = FileLocations::from_env(&context.env) {
        let is_secret = profiles.is_none_or(|set| holds_secrets(set, &places.config));
        let config = if is_secret { Role::Secrets } else { Role::Config };
        for (path, role) in [(&places.config, config), (&places.credentials, Role::Secrets)] {
            findings.extend(look(context, path, role));
        }
    }
    if let Some(folder) = aws_folder(&context.env) {
        let cache = CacheFolder::below(&folder);
        let sso = folder.join("sso").join("cache");
        findings.extend(look(context, &folder, Role::Folder));
        for path in [cache.entries(), &sso, cache.locks()] {
            findings.extend(look(context, path, Role::Folder));
            findings.extend(inside(context, path));
        }
        findings.extend(
            [cache.entries(), cache.locks()].into_iter().find_map(|path| unmakeable(context, path)),
        );
    }
    findings.extend(named(context));
    findings
}

/// Commands may hold passwords, and URLs tokens.
fn holds_secrets(set: &ProfileSet, file: &Path) -> bool {
    const SECRETS: [&str; 3] = ["aws_secret_access_key", "aws_session_token", "credential_process"];
    set.profiles().any(|profile| {
        let mut found = SECRETS.iter().filter_map(|key| profile.property(key));
        found.any(|property| *property.origin.file == *file)
    })
}

fn look(context: &Context, path: &Path, role: Role) -> Vec<Finding> {
    match context.fs.facts(path) {
        Ok(None) => Vec::new(),
        Ok(Some(facts)) => judge(path, role, &facts),
        Err(error) => vec![
            Finding::warning(CHECK, format!("{} cannot be looked at", path.display()))
                .evidence(error.to_string())
                .fix("check the permissions of the folders above it"),
        ],
    }
}

fn judge(path: &Path, role: Role, facts: &FileFacts) -> Vec<Finding> {
    let shown = path.display();
    let mode = format!("mode {:o}", facts.mode & 0o777);
    let mut findings = Vec::new();
    let mut warn = |what: &str, evidence: &str, fix: String| {
        let finding = Finding::warning(CHECK, format!("{shown} {what}"));
        findings.push(finding.evidence(evidence).fix(fix));
    };
    match (facts.kind, role) {
        (PathKind::DanglingLink, _) => {
            let fix = format!("make what it points to, or remove it: rm {}", quoted(path));
            warn("is a symbolic link to nothing", "broken link", fix);
            return findings;
        }
        (PathKind::Folder, Role::Folder) | (PathKind::File, Role::Config | Role::Secrets) => {}
        (_, Role::Folder) => {
            let fix = format!("move it away: mv {0} {0}.old", quoted(path));
            warn("is no folder, so nothing can be kept there", "a file is in its place", fix);
            return findings;
        }
        // Not found readable as a file, or meant so: `<(…)` of a shell is a pipe.
        _ => return findings,
    }
    if let Some(owner) = facts.foreign_owner {
        let fix = format!("run sudo chown \"$(id -u)\" {}", quoted(path));
        warn("belongs to another user, who can change it", &format!("user {owner}"), fix);
    }
    let (right, open) = match role {
        Role::Folder => ("700", OTHERS_WRITE),
        Role::Config => ("600", OTHERS_WRITE),
        Role::Secrets => ("600", OTHERS_READ | OTHERS_WRITE),
    };
    if facts.mode & open != 0 {
        let what = match facts.mode & OTHERS_WRITE {
            0 => "can be read by other users, and holds secrets",
            _ => "can be changed by other users, and with it what is run and trusted",
        };
        warn(what, &mode, format!("run chmod {right} {}", quoted(path)));
    }
    if role == Role::Folder && !facts.is_writable {
        let fix = format!("make it writable: run chmod 700 {}", quoted(path));
        warn("cannot be written, so each call asks AWS anew", &mode, fix);
    }
    findings
}

/// The files in a folder of secrets: one finding for all of them.
fn inside(context: &Context, folder: &Path) -> Option<Finding> {
    let names = context.fs.list(folder).ok()?;
    let facts = |name: &String| context.fs.facts(&folder.join(name)).ok().flatten();
    let is_open = |facts: &FileFacts| {
        facts.kind == PathKind::File && facts.mode & (OTHERS_READ | OTHERS_WRITE) != 0
    };
    let is_secret = |name: &&String| name.ends_with(".json") || name.ends_with(".tmp");
    let open: Vec<_> = names
        .iter()
        .filter(is_secret)
        .filter(|name| facts(name).is_some_and(|f| is_open(&f)))
        .collect();
    let first = open.first()?;
    let (count, folder) = (open.len(), quoted(folder));
    Some(
        Finding::warning(CHECK, format!("{count} files with secrets can be read by other users"))
            .evidence(format!("{folder}/{first}"))
            .fix(format!("run find {folder} -type f -exec chmod 600 {{}} +")),
    )
}

/// A folder that is not there is made when it is needed, if it can be.
fn unmakeable(context: &Context, path: &Path) -> Option<Finding> {
    let missing = |path: &Path| matches!(context.fs.facts(path), Ok(None));
    if !missing(path) {
        return None;
    }
    let above = path.ancestors().find(|above| !missing(above))?;
    let facts = context.fs.facts(above).ok().flatten()?;
    (facts.kind != PathKind::Folder || !facts.is_writable).then(|| {
        Finding::warning(
            CHECK,
            format!("{} cannot be made, so each call asks AWS anew", path.display()),
        )
        .evidence(match facts.kind {
            PathKind::Folder => format!("{} cannot be written", above.display()),
            _ => format!("{} is no folder", above.display()),
        })
        .fix(format!("make {} a folder that can be written, or set HOME", quoted(above)))
    })
}

/// Files that variables name. The profile files are told with the profiles, and the CA bundle and
/// the token of web identity where they are used.
fn named(context: &Context) -> Option<Finding> {
    let variable = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    let path = PathBuf::from(context.env.get(variable)?);
    let facts = context.fs.facts(&path).ok()?;
    let is_there = facts.is_some_and(|facts| facts.kind != PathKind::DanglingLink);
    let is_used = ["AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"];
    let is_used = context.env.first(&is_used).is_some();
    (!is_there).then(|| {
        let what = format!("{variable} names {}, which does not exist", path.display());
        let finding = match is_used {
            true => Finding::error(ErrorKind::InvalidConfiguration, CHECK, what),
            false => Finding::warning(CHECK, what),
        };
        finding.fix("on EKS, check that the Pod Identity agent runs; elsewhere, unset it")
    })
}

/// As a shell takes it.
fn quoted(path: &Path) -> String {
    let mut text = String::new();
    push_posix(&mut text, &path.display().to_string());
    text
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
