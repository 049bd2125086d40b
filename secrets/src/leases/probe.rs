use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rolecall_core::{Result, timestamp};
use serde_json::{Value, json};

use super::{Identity, LeaseRequest, Leases};
use crate::audit::Outcome;
use crate::change::Change;
use crate::connect::Account;
use crate::definition::{DynamicSecret, IamUser, SecretKind};
use crate::iam::{Attachment, Iam, has_code};
use crate::lease::Lease;
use crate::make::{Deadline, TAG_EXPIRES, make_session};
use crate::policy;

/// The shortest that AWS makes.
const SESSION: Duration = Duration::from_secs(900);

/// What trying a definition has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// The account that the connection leads to.
    pub account_id: String,
    /// Who it is there.
    pub arn: String,
    /// The actions of IAM or STS that it may not carry out.
    pub missing: Vec<String>,
    /// Those that could not be tried, as one before them is missing or a person must give a code.
    pub untried: Vec<String>,
    /// The policy that would allow them; `None` if none is missing.
    pub policy: Option<Value>,
}

impl Leases {
    /// Tries a definition that is in use: its connection, and for IAM users every step, with a
    /// user that is removed again. The user is a lease like any other until then, so nothing is
    /// left behind if it cannot be removed. Of the other kinds it makes a session of 15 minutes,
    /// which nobody gets, unless that needs the code of an MFA device.
    ///
    /// # Errors
    /// Those of the connection, and AWS's but for missing permissions: an unknown group or policy,
    /// for one.
    pub async fn probe(&self, name: &str) -> Result<Probe> {
        let stored = self.definition(name).await?;
        let secret = &stored.secret;
        let account = self.accounts.of(secret).await?;
        let who = account.sts.get_caller_identity().await?;
        let mut probe = Probe {
            account_id: account.id.clone(),
            arn: who.arn,
            missing: Vec::new(),
            untried: Vec::new(),
            policy: None,
        };
        let SecretKind::IamUser(spec) = &secret.kind else {
            self.try_session(secret, &account, &mut probe).await?;
            return Ok(probe);
        };
        let request = LeaseRequest {
            secret: name.to_owned(),
            identity: Identity { name: "check".to_owned(), ..Identity::default() },
            ..LeaseRequest::default()
        };
        let now = self.store.now().await?;
        let plan = self.plan(&request, secret, stored.version, &account, now).await?;
        let asked = self.record("check", Outcome::Begun, "");
        let lease = self.store.begin(&plan, &self.claimant, &asked).await?;
        let deadline = self.deadline();
        let mut denied = Denied::default();
        let outcome = self.try_steps(&lease, spec, &account, &deadline, &mut denied).await;
        let change = match denied.is_gone {
            true => Change::Refuse("it was only a check".to_owned()),
            false => Change::Revoke,
        };
        let record = match &outcome {
            Ok(()) => self.record("check", Outcome::Done, denied.text()),
            Err(error) => self.record("check", Outcome::Failed, error.to_string()),
        };
        self.store.advance(lease.id, lease.fence, &change, &record).await?;
        outcome?;
        if !denied.actions.is_empty() {
            probe.policy = Some(missing_policy(&account, spec, &lease, &denied));
            probe.missing = denied.actions.into_iter().map(str::to_owned).collect();
            probe.untried = denied.untried.into_iter().map(str::to_owned).collect();
        }
        Ok(probe)
    }

    async fn try_session(
        &self,
        secret: &DynamicSecret,
        account: &Account,
        probe: &mut Probe,
    ) -> Result<()> {
        let (action, resource) = match &secret.kind {
            SecretKind::AssumedRole(role) => ("AssumeRole", role.role_arn.as_str()),
            SecretKind::FederationToken(_) => ("GetFederationToken", "*"),
            SecretKind::SessionToken(_) | SecretKind::IamUser(_) => ("GetSessionToken", "*"),
        };
        if matches!(&secret.kind, SecretKind::SessionToken(token) if token.mfa_serial.is_some()) {
            probe.untried.push(action.to_owned());
            return Ok(());
        }
        let made = make_session(&account.sts, &secret.kind, "check", SESSION, None).await;
        let detail = match account.noting(made) {
            Ok(_) => String::new(),
            Err(error) if has_code(&error, "AccessDenied") => {
                // Tags need a permission of their own, and STS's refusal names which.
                let is_tagging = error.message().contains("sts:TagSession");
                let action = if is_tagging { "TagSession" } else { action };
                probe.missing.push(action.to_owned());
                let statement = json!({
                    "Effect": "Allow",
                    "Action": format!("sts:{action}"),
                    "Resource": resource,
                });
                probe.policy = Some(json!({ "Version": "2012-10-17", "Statement": [statement] }));
                error.to_string()
            }
            Err(error) => return Err(error),
        };
        self.store.note(&secret.name, &self.record("check", Outcome::Done, detail)).await
    }

    async fn try_steps(
        &self,
        lease: &Lease,
        spec: &IamUser,
        account: &Account,
        deadline: &Deadline,
        denied: &mut Denied,
    ) -> Result<()> {
        let (iam, name) = (&account.iam.within(deadline.clone()), lease.principal.name.as_str());
        denied.note("ListUsers", iam.users(&lease.principal.path, None).await.map(|_| ()))?;
        let store_id = self.store.info().await?.id;
        let user = self.user(account, &store_id, lease, deadline);
        let made = match user.create(spec).await {
            Ok(()) => Ok(()),
            // Whatever was refused is no word on whether it was made.
            Err(unmade) if unmade.may_be_left => return Err(unmade.error),
            Err(unmade) => {
                denied.is_gone = true;
                Err(unmade.error)
            }
        };
        // Tags at its creation need a permission of their own, and IAM's refusal names which.
        let tagging = made.as_ref().is_err_and(|error| error.message().contains("iam:TagUser"));
        let is_made = made.is_ok();
        denied.note(if tagging { "TagUser" } else { "CreateUser" }, made)?;
        if !is_made {
            // Of a user that is not there IAM refuses what is allowed for its path.
            denied.untried = steps(spec).filter(|step| !denied.actions.contains(step)).collect();
            return Ok(());
        }
        let tags = [(TAG_EXPIRES.to_owned(), timestamp::format(lease.expires_at))].into();
        self.wait_until_seen(iam, name, &tags).await;
        denied.note("TagUser", iam.tag_user(name, &tags).await)?;
        denied.note("GetUser", iam.user(name).await.map(|_| ()))?;
        for group in &spec.groups {
            denied.note("AddUserToGroup", iam.add_user_to_group(name, group).await)?;
            let removed = iam.remove(name, Attachment::Group, group).await;
            denied.note("RemoveUserFromGroup", removed)?;
        }
        for arn in &spec.policy_arns {
            denied.note("AttachUserPolicy", iam.attach_user_policy(name, arn).await)?;
            let removed = iam.remove(name, Attachment::ManagedPolicy, arn).await;
            denied.note("DetachUserPolicy", removed)?;
        }
        let document = spec.policy_document.clone();
        let document = document.unwrap_or_else(|| policy::dead_man(lease.expires_at));
        let put = iam.put_user_policy(name, policy::INLINE, &document).await;
        denied.note("PutUserPolicy", put)?;
        let removed = iam.remove(name, Attachment::InlinePolicy, policy::INLINE).await;
        denied.note("DeleteUserPolicy", removed)?;
        let key = match iam.create_access_key(name).await {
            Ok(key) => Some(key.access_key_id),
            Err(error) => {
                denied.note("CreateAccessKey", Err(error))?;
                None
            }
        };
        for (kind, action) in LISTS {
            denied.note(action, iam.attachments(name, kind).await.map(|_| ()))?;
        }
        match &key {
            Some(key) => {
                denied.note("GetAccessKeyLastUsed", iam.key_owner(key).await.map(|_| ()))?;
            }
            None => {
                denied.untried.insert("GetAccessKeyLastUsed");
            }
        }
        // One that nobody has: it is gone, if it may be removed.
        let key = key.as_deref().unwrap_or("AKIAIOSFODNN7EXAMPLE");
        denied.note("DeleteAccessKey", iam.remove(name, Attachment::AccessKey, key).await)?;
        match iam.delete_user(name).await {
            // Something could not be taken from it.
            Err(error) if has_code(&error, "DeleteConflict") && !denied.actions.is_empty() => {
                denied.untried.insert("DeleteUser");
                Ok(())
            }
            result => {
                // That there is none is one answer of several that IAM may have.
                denied.is_gone = matches!(result, Ok(true));
                denied.note("DeleteUser", result.map(drop))
            }
        }
    }

    /// A policy limited to a path refuses everything about a user that IAM does not show yet.
    async fn wait_until_seen(&self, iam: &Iam, name: &str, tags: &BTreeMap<String, String>) {
        for attempt in 0..6 {
            let is_seen = matches!(iam.user(name).await, Ok(Some(_)));
            if is_seen || iam.tag_user(name, tags).await.is_ok() {
                return;
            }
            self.context.clock.sleep(Duration::from_millis(250 << attempt)).await;
        }
    }
}

const LISTS: [(Attachment, &str); 4] = [
    (Attachment::AccessKey, "ListAccessKeys"),
    (Attachment::InlinePolicy, "ListUserPolicies"),
    (Attachment::ManagedPolicy, "ListAttachedUserPolicies"),
    (Attachment::Group, "ListGroupsForUser"),
];

/// What no path limits: IAM knows none for lists of users, and keys may have been moved out of it.
const ON_ALL: [&str; 2] = ["GetAccessKeyLastUsed", "ListUsers"];

/// What is tried on the user.
fn steps(spec: &IamUser) -> impl Iterator<Item = &'static str> {
    let groups = ["AddUserToGroup", "RemoveUserFromGroup"];
    let policies = ["AttachUserPolicy", "DetachUserPolicy"];
    let always = [
        "CreateUser",
        "TagUser",
        "GetUser",
        "PutUserPolicy",
        "DeleteUserPolicy",
        "CreateAccessKey",
        "DeleteAccessKey",
        "GetAccessKeyLastUsed",
        "DeleteUser",
    ];
    let lists = LISTS.into_iter().map(|(_, action)| action);
    let groups = groups.into_iter().take(if spec.groups.is_empty() { 0 } else { 2 });
    let policies = policies.into_iter().take(if spec.policy_arns.is_empty() { 0 } else { 2 });
    always.into_iter().chain(lists).chain(groups).chain(policies)
}

/// The actions that were refused for want of a permission.
#[derive(Default)]
struct Denied {
    actions: BTreeSet<&'static str>,
    untried: BTreeSet<&'static str>,
    /// Nothing of what was tried is left.
    is_gone: bool,
}

impl Denied {
    fn note(&mut self, action: &'static str, result: Result<()>) -> Result<()> {
        match result {
            Err(error) if has_code(&error, "AccessDenied") => {
                self.actions.insert(action);
                Ok(())
            }
            // What could not be attached is not there.
            Err(error) if !self.actions.is_empty() && has_code(&error, "NoSuchEntity") => Ok(()),
            result => result,
        }
    }

    fn text(&self) -> String {
        let actions: Vec<&str> = self.actions.iter().copied().collect();
        if actions.is_empty() { String::new() } else { format!("missing: {}", actions.join(", ")) }
    }
}

fn missing_policy(account: &Account, spec: &IamUser, lease: &Lease, denied: &Denied) -> Value {
    let of = |resource: String| format!("arn:{}:iam::{}:{resource}", account.partition, account.id);
    let path = &lease.principal.path;
    let (on_all, others): (Vec<&str>, Vec<&str>) =
        denied.actions.iter().copied().partition(|action| ON_ALL.contains(action));
    let (on_groups, on_users): (Vec<&str>, Vec<&str>) = others
        .into_iter()
        .partition(|action| action.contains("Group") && !action.contains("Groups"));
    let actions = |names: Vec<&str>| -> Vec<String> {
        names.into_iter().map(|name| format!("iam:{name}")).collect()
    };
    let mut statements = Vec::new();
    if !on_users.is_empty() {
        statements.push(json!({
            "Effect": "Allow",
            "Action": actions(on_users),
            "Resource": of(format!("user{path}*")),
        }));
    }
    if !on_groups.is_empty() {
        // A group may have a path, which nothing tells here.
        let places = |group: &String| [format!("group/{group}"), format!("group/*/{group}")];
        let groups: Vec<String> = spec.groups.iter().flat_map(places).map(of).collect();
        statements.push(json!({
            "Effect": "Allow",
            "Action": actions(on_groups),
            "Resource": groups,
        }));
    }
    if !on_all.is_empty() {
        statements.push(json!({ "Effect": "Allow", "Action": actions(on_all), "Resource": "*" }));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}
