//! What is wrong with bounds, before anybody comes.

use rolecall_core::endpoint::by_id;
use serde_json::{Value, json};

use super::bounds::{ArnBound, Bounds, Resource, SubClaim, is_bound_name};
use super::pattern::Pattern;
use super::principal::{is_account, is_id};
use crate::identity::sts_host::StsHost;
use crate::identity::token::TokenFormat;

/// Something to know about bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, as a word for programs: `crosses-accounts`.
    pub code: &'static str,
    /// What it is, for people.
    pub message: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It lets in more or fewer than it looks like.
    Warning,
    /// There can be no policy with it.
    Error,
}

impl Severity {
    /// Its name: `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Lint {
    /// The same as JSON.
    pub fn to_json(&self) -> Value {
        json!({"severity": self.severity.name(), "code": self.code, "message": self.message})
    }
}

impl Bounds {
    /// All that is wrong: bounds that are empty or make no sense (errors), that cross accounts,
    /// that can never fit, or that the caller can choose (warnings).
    pub fn lint(&self) -> Vec<Lint> {
        let mut lints = Lints(Vec::new());
        self.lint_accounts(&mut lints);
        self.lint_names(&mut lints);
        for arn in &self.arns {
            self.lint_arn(arn, &mut lints);
        }
        self.lint_kinds(&mut lints);
        self.lint_sts(&mut lints);
        lints.0
    }

    fn lint_accounts(&self, lints: &mut Lints) {
        if by_id(&self.partition).is_none() {
            let partition = rolecall_core::printable(&self.partition, 40);
            lints.error("partition-unknown", format!("there is no partition {partition}"));
        }
        if self.account_ids.is_empty() {
            lints.error("account-missing", "no account is bound, and at least one must be");
        }
        for account in self.account_ids.iter().filter(|account| !is_account(account)) {
            let account = rolecall_core::printable(account, 40);
            lints.error("account-malformed", format!("the account {account} is not twelve digits"));
        }
        let names = !self.role_names.is_empty() || !self.user_names.is_empty();
        if self.account_ids.len() > 1 && names {
            let message = "the names of roles and users are taken from each of the accounts: who \
                           may create one there comes in; bind ARNs or ids instead";
            lints.warn("crosses-accounts", message);
        }
        let claim = self.unique_identifier;
        let by_name = matches!(claim, Some(SubClaim::RoleName | SubClaim::UserName));
        if self.account_ids.len() > 1 && by_name {
            let message = "the unique identifier is a name, and may be the same in two accounts";
            lints.warn("crosses-accounts", message);
        }
    }

    fn lint_names(&self, lints: &mut Lints) {
        for (what, list) in [("role", &self.role_names), ("user", &self.user_names)] {
            for name in list.iter().filter(|name| !is_bound_name(name)) {
                let name = rolecall_core::printable(name, 40);
                let message = format!("{name} is no name that a {what} can have");
                lints.error("name-malformed", message);
            }
        }
        for (prefix, list) in [("AROA", &self.role_ids), ("AIDA", &self.user_ids)] {
            for id in list.iter().filter(|id| !is_id(id, prefix)) {
                let id = rolecall_core::printable(id, 40);
                lints.error("id-malformed", format!("{id} is no id that starts with {prefix}"));
            }
        }
        let bad = |name: &&String| name.is_empty() || Pattern::new(name).is_none();
        for name in self.session_names.iter().filter(bad) {
            let name = rolecall_core::printable(name, 40);
            lints.error("session-malformed", format!("{name} is no name of a session"));
        }
    }

    fn lint_arn(&self, text: &str, lints: &mut Lints) {
        let shown = rolecall_core::printable(text, 120);
        let arn = match ArnBound::parse(text) {
            Ok(arn) => arn,
            Err((code, flaw)) => return lints.error(code, format!("the ARN {shown}: {flaw}")),
        };
        if !self.account_ids.contains(&arn.account) {
            let message = format!("the ARN {shown} can never fit: its account is not bound");
            lints.warn("never-matches", message);
        }
        if arn.partition != self.partition {
            let message = format!("the ARN {shown} can never fit: it is of another partition");
            lints.warn("never-matches", message);
        }
        match arn.resource {
            Resource::Role { has_path: true, .. } => {
                let message = format!(
                    "the ARN {shown} can never fit: AWS does not say a role's path; leave it out"
                );
                lints.warn("never-matches", message);
            }
            Resource::Role { session: Some(session), .. } if session.text() != "*" => {
                let message = format!("the ARN {shown} names a session: the caller chooses that");
                lints.warn("caller-chosen", message);
            }
            Resource::FederatedUser(_) => {
                let message = format!(
                    "the ARN {shown} names a federated user: whoever may call GetFederationToken \
                     chooses that"
                );
                lints.warn("caller-chosen", message);
            }
            _ => {}
        }
    }

    fn lint_kinds(&self, lints: &mut Lints) {
        let role = [&self.role_names, &self.role_ids, &self.session_names];
        let user = [&self.user_names, &self.user_ids];
        let role = role.iter().any(|list| !list.is_empty());
        let user = user.iter().any(|list| !list.is_empty());
        if role && user {
            let message = "nobody can fit: bounds of roles and of users must both hold, and no \
                           identity is both";
            lints.warn("never-matches", message);
        }
        let no_sub = match self.unique_identifier {
            Some(SubClaim::RoleName | SubClaim::RoleId) => user,
            Some(SubClaim::UserName | SubClaim::UserId) => role,
            _ => false,
        };
        if no_sub {
            let message = "nobody can fit: those who are bound have no such unique identifier";
            lints.warn("never-matches", message);
        }
        let named = !self.role_names.is_empty() || !self.role_ids.is_empty();
        if !self.session_names.is_empty() {
            let message = if named || !self.arns.is_empty() {
                "session names are bound: the caller chooses them"
            } else {
                "session names alone are bound: the caller chooses them, so whoever may assume any \
                 role in the account comes in"
            };
            lints.warn("caller-chosen", message);
        }
        if !role && !user && self.arns.is_empty() {
            let message = "everybody in the accounts comes in; bind ARNs, roles or users too";
            lints.warn("whole-account", message);
        }
    }

    fn lint_sts(&self, lints: &mut Lints) {
        let Some(url) = &self.sts_url else { return };
        let (scheme, host) = match crate::identity::token::bare_host(url) {
            Ok(found) => found,
            Err(flaw) => return lints.error("sts-url", flaw),
        };
        if scheme == "http" {
            let message = "the STS URL is not https: whoever is in between can say who comes in";
            lints.warn("sts-http", message);
        }
        if StsHost::known(&host).is_some_and(|host| host.partition.id != self.partition) {
            let message = "nobody can fit: the STS URL is of another partition";
            lints.warn("never-matches", message);
        }
    }
}

/// Of a policy's dialects: whether one is bound to a server and another is not.
pub(super) fn of_formats(formats: &[TokenFormat], server_id: bool) -> Option<Lint> {
    let is_bound = |format: &TokenFormat| match format {
        TokenFormat::Eks | TokenFormat::Rolecall => true,
        TokenFormat::Vault => server_id,
        _ => false,
    };
    let bound = formats.iter().filter(|format| is_bound(format)).count();
    let mixed = bound > 0 && bound < formats.len();
    let message = "some dialects are bound to this server and others are not: a token made for \
                   another server comes in by those";
    mixed.then(|| Lint {
        severity: Severity::Warning,
        code: "unbound-format",
        message: message.to_owned(),
    })
}

struct Lints(Vec<Lint>);

impl Lints {
    fn warn(&mut self, code: &'static str, message: impl Into<String>) {
        self.0.push(Lint { severity: Severity::Warning, code, message: message.into() });
    }

    fn error(&mut self, code: &'static str, message: impl Into<String>) {
        self.0.push(Lint { severity: Severity::Error, code, message: message.into() });
    }
}
