use std::collections::BTreeMap;

use rolecall_core::{CredentialsError, Result, Secret};
use rolecall_sts::Params;
use serde::Deserialize;

use super::{Iam, PAGE, PAGES, has_code};

/// A user to make.
#[derive(Clone, Debug)]
pub(crate) struct NewUser<'a> {
    pub(crate) name: &'a str,
    pub(crate) path: &'a str,
    pub(crate) permissions_boundary: Option<&'a str>,
    pub(crate) tags: &'a BTreeMap<String, String>,
}

/// A user. Lists leave its tags out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct User {
    pub(crate) user_name: String,
    pub(crate) path: String,
    pub(crate) arn: String,
    /// When it was made, RFC 3339.
    pub(crate) create_date: String,
    #[serde(default)]
    tags: Members<Tag>,
}

impl User {
    /// The account that it is in.
    pub(crate) fn account_id(&self) -> &str {
        self.arn.split(':').nth(4).unwrap_or_default()
    }

    /// The value of a tag.
    pub(crate) fn tag(&self, key: &str) -> Option<&str> {
        let found = self.tags.member.iter().find(|tag| tag.key == key);
        found.map(|tag| tag.value.as_str())
    }
}

/// An access key, while its secret is known.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AccessKey {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: Secret,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

/// What every list answers: one of the lists, and whether and where it goes on.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Page {
    is_truncated: bool,
    marker: Option<String>,
    users: Members<User>,
    policy_names: Members<String>,
    #[serde(
        alias = "AccessKeyMetadata",
        alias = "Certificates",
        alias = "SSHPublicKeys",
        alias = "ServiceSpecificCredentials",
        alias = "MFADevices",
        alias = "AttachedPolicies",
        alias = "Groups"
    )]
    attachments: Members<Attached>,
}

/// The members of a list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Members<T> {
    #[serde(default = "Vec::new")]
    member: Vec<T>,
}

impl<T> Default for Members<T> {
    fn default() -> Self {
        Self { member: Vec::new() }
    }
}

/// Something attached to a user, by the name under which it is removed.
#[derive(Deserialize)]
struct Attached {
    #[serde(
        alias = "AccessKeyId",
        alias = "CertificateId",
        alias = "SSHPublicKeyId",
        alias = "ServiceSpecificCredentialId",
        alias = "SerialNumber",
        alias = "PolicyArn",
        alias = "GroupName"
    )]
    name: String,
}

impl Iam {
    /// Makes a user. Never sent again unless it certainly was not carried out.
    pub(crate) async fn create_user(&self, user: &NewUser<'_>) -> Result<User> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            user: User,
        }
        let mut params = named(user.name);
        params.add("Path", user.path);
        params.add_if("PermissionsBoundary", user.permissions_boundary);
        params.add_pairs("Tags", ("Key", "Value"), user.tags);
        let answer: Answer = self.call_once("CreateUser", params).await?;
        Ok(answer.user)
    }

    /// A user with its tags; `None` if there is none of that name.
    pub(crate) async fn user(&self, name: &str) -> Result<Option<User>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            user: User,
        }
        let answer = self.call::<Answer>("GetUser", named(name)).await;
        absent_is_none(answer.map(|answer| answer.user))
    }

    /// A user below `path` with its tags; `None` if there is none of that name there.
    ///
    /// Where the caller's policy is limited to a path, IAM answers `AccessDenied` for a name that
    /// does not exist: it cannot tell that it would be below the path. The list of the path can.
    pub(crate) async fn user_below(&self, path: &str, name: &str) -> Result<Option<User>> {
        let denied = match self.user(name).await {
            Err(error) if has_code(&error, "AccessDenied") => error,
            result => return result,
        };
        match self.is_listed(path, name).await {
            Ok(false) => Ok(None),
            Ok(true) => Err(denied),
            Err(error) => {
                let message = "whether there is such a user cannot be told: allow iam:GetUser on \
                               the definition's path and iam:ListUsers";
                tracing::debug!(%error, user = name, "cannot be listed");
                Err(denied.with_help(message))
            }
        }
    }

    /// The name of the user that has an access key; `None` if there is no such key.
    pub(crate) async fn key_owner(&self, access_key_id: &str) -> Result<Option<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            #[serde(default)]
            user_name: Option<String>,
        }
        let mut params = Params::new();
        params.add("AccessKeyId", access_key_id);
        let answer = self.call::<Answer>("GetAccessKeyLastUsed", params).await;
        Ok(absent_is_none(answer)?.and_then(|answer| answer.user_name))
    }

    /// Whether there is a user of that name below `path`.
    pub(crate) async fn is_listed(&self, path: &str, name: &str) -> Result<bool> {
        let mut marker = None;
        for _ in 0..PAGES {
            let (users, next) = self.users(path, marker.as_deref()).await?;
            // Names are unique whatever their case.
            if users.iter().any(|user| user.user_name.eq_ignore_ascii_case(name)) {
                return Ok(true);
            }
            marker = next;
            if marker.is_none() {
                break;
            }
        }
        Ok(false)
    }

    /// Sets tags of a user.
    pub(crate) async fn tag_user(&self, name: &str, tags: &BTreeMap<String, String>) -> Result<()> {
        let mut params = named(name);
        params.add_pairs("Tags", ("Key", "Value"), tags);
        self.command("TagUser", params).await
    }

    /// Users whose path begins with `prefix`, one page after the other: the first, then those
    /// after `marker`.
    pub(crate) async fn users(
        &self,
        prefix: &str,
        marker: Option<&str>,
    ) -> Result<(Vec<User>, Option<String>)> {
        let mut params = Params::new();
        params.add("PathPrefix", prefix);
        let page = self.page("ListUsers", &params, marker).await?;
        let next = page.next();
        Ok((page.users.member, next))
    }

    /// Puts a user into a group.
    pub(crate) async fn add_user_to_group(&self, name: &str, group: &str) -> Result<()> {
        let mut params = named(name);
        params.add("GroupName", group);
        self.command("AddUserToGroup", params).await
    }

    /// Attaches a managed policy.
    pub(crate) async fn attach_user_policy(&self, name: &str, arn: &str) -> Result<()> {
        let mut params = named(name);
        params.add("PolicyArn", arn);
        self.command("AttachUserPolicy", params).await
    }

    /// Writes an inline policy, also over an older one of that name.
    pub(crate) async fn put_user_policy(
        &self,
        name: &str,
        policy: &str,
        document: &str,
    ) -> Result<()> {
        let mut params = named(name);
        params.add("PolicyName", policy);
        params.add("PolicyDocument", document);
        self.command("PutUserPolicy", params).await
    }

    /// Makes an access key. Never sent again unless it certainly was not carried out.
    pub(crate) async fn create_access_key(&self, name: &str) -> Result<AccessKey> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            access_key: AccessKey,
        }
        let answer: Answer = self.call_once("CreateAccessKey", named(name)).await?;
        Ok(answer.access_key)
    }

    /// Removes a user that has nothing attached; whether it was there.
    pub(crate) async fn delete_user(&self, name: &str) -> Result<bool> {
        let deleted = self.command("DeleteUser", named(name)).await;
        Ok(absent_is_none(deleted)?.is_some())
    }

    /// The names of what is attached to a user, by the list `action`.
    pub(super) async fn attached(&self, action: &str, user: &str) -> Result<Vec<String>> {
        let pages = match absent_is_none(self.all(action, &named(user)).await)? {
            Some(pages) => pages.into_iter(),
            None => return Ok(Vec::new()),
        };
        let names = pages.flat_map(|page| {
            let attached = page.attachments.member.into_iter().map(|attached| attached.name);
            page.policy_names.member.into_iter().chain(attached)
        });
        Ok(names.collect())
    }

    /// All pages of a list.
    async fn all(&self, action: &str, params: &Params) -> Result<Vec<Page>> {
        let mut pages = Vec::new();
        let mut marker = None;
        for _ in 0..PAGES {
            let page = self.page(action, params, marker.as_deref()).await?;
            marker = page.next();
            pages.push(page);
            if marker.is_none() {
                break;
            }
        }
        Ok(pages)
    }

    async fn page(&self, action: &str, params: &Params, marker: Option<&str>) -> Result<Page> {
        let mut params = params.clone();
        params.add("MaxItems", PAGE);
        params.add_if("Marker", marker);
        self.call(action, params).await
    }
}

impl Page {
    fn next(&self) -> Option<String> {
        self.marker.clone().filter(|_| self.is_truncated)
    }
}

/// The parameters of a call about one user.
pub(super) fn named(user: &str) -> Params {
    let mut params = Params::new();
    params.add("UserName", user);
    params
}

fn absent_is_none<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removing what is not there is done.
pub(super) fn absent_is_done(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if is_absent(&error) => Ok(()),
        result => result,
    }
}

fn is_absent(error: &CredentialsError) -> bool {
    has_code(error, "NoSuchEntity")
}
