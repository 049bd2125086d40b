//! For tests: what is there, and what somebody else adds to a user.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::policy::Document;
use super::{keys, managed};
use crate::state::State;
use crate::world::{Attachment, LastUsed, LoginProfile, MfaDevice, World, names};

/// A user with everything attached to it, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IamUser {
    /// The account it lives in.
    pub account: String,
    /// Its name.
    pub name: String,
    /// Its path.
    pub path: String,
    /// Its ARN.
    pub arn: String,
    /// `AIDA…`.
    pub id: String,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// ARN of its permissions boundary.
    pub permissions_boundary: Option<String>,
    /// Access keys.
    pub access_keys: Vec<IamKey>,
    /// It has a password for the console.
    pub login_profile: bool,
    /// Ids of signing certificates.
    pub signing_certificates: Vec<String>,
    /// Ids of SSH public keys.
    pub ssh_public_keys: Vec<String>,
    /// Ids of service-specific credentials.
    pub service_specific_credentials: Vec<String>,
    /// Serial numbers of MFA devices.
    pub mfa_devices: Vec<String>,
    /// Documents of inline policies, by name.
    pub inline_policies: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub attached_policies: Vec<String>,
    /// Names of groups.
    pub groups: Vec<String>,
}

/// An access key without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IamKey {
    /// `AKIA…`.
    pub id: String,
    /// Whether it may be used.
    pub active: bool,
    /// When it was made, in seconds since 1970.
    pub created: i64,
    /// When it was last used.
    pub last_used: Option<LastUsed>,
}

/// All users of an account but its root, or of all accounts.
pub(crate) fn look(world: &World, account: Option<&str>) -> Vec<IamUser> {
    let ids = |list: &[Attachment]| list.iter().map(|one| one.id.clone()).collect();
    let users = world.users.iter().filter(|user| !user.root);
    let users = users.filter(|user| account.is_none_or(|account| user.account == account));
    users
        .map(|user| IamUser {
            account: user.account.clone(),
            name: user.name.clone(),
            path: user.path.clone(),
            arn: world.user_arn(user),
            id: user.unique_id(),
            created: user.iam.created,
            tags: user.iam.tags.clone(),
            permissions_boundary: user.iam.permissions_boundary.clone(),
            access_keys: user
                .access_keys
                .iter()
                .map(|key| IamKey {
                    id: key.id.clone(),
                    active: key.active,
                    created: key.created,
                    last_used: key.last_used.clone(),
                })
                .collect(),
            login_profile: user.iam.login_profile.is_some(),
            signing_certificates: ids(&user.iam.signing_certificates),
            ssh_public_keys: ids(&user.iam.ssh_public_keys),
            service_specific_credentials: ids(&user.iam.service_specific_credentials),
            mfa_devices: user.mfa_devices.iter().map(|device| device.serial.clone()).collect(),
            inline_policies: user.iam.policies.inline.clone(),
            attached_policies: user.iam.policies.attached.clone(),
            groups: user.iam.groups.clone(),
        })
        .collect()
}

/// What somebody adds to a user by hand, past the calls: each thing that is named is added once.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ByHand {
    /// The user's account.
    pub account: String,
    /// The user's name.
    pub user: String,
    /// A password for the console.
    pub login_profile: bool,
    /// An access key.
    pub access_key: bool,
    /// A signing certificate.
    pub signing_certificate: bool,
    /// An SSH public key.
    pub ssh_public_key: bool,
    /// A service-specific credential of CodeCommit.
    pub service_specific_credential: bool,
    /// A virtual MFA device, which outlives being taken from its user.
    pub virtual_mfa: bool,
    /// An MFA device of metal.
    pub hardware_mfa: bool,
    /// A security key.
    pub security_key: bool,
    /// Documents of inline policies, by name.
    pub inline_policies: BTreeMap<String, String>,
    /// ARNs of managed policies.
    pub attached_policies: Vec<String>,
    /// Names of groups.
    pub groups: Vec<String>,
    /// Tags, which replace those of the same key.
    pub tags: BTreeMap<String, String>,
}

impl Default for ByHand {
    fn default() -> ByHand {
        ByHand {
            account: names::ACCOUNT.to_owned(),
            user: String::new(),
            login_profile: false,
            access_key: false,
            signing_certificate: false,
            ssh_public_key: false,
            service_specific_credential: false,
            virtual_mfa: false,
            hardware_mfa: false,
            security_key: false,
            inline_policies: BTreeMap::new(),
            attached_policies: Vec::new(),
            groups: Vec::new(),
            tags: BTreeMap::new(),
        }
    }
}

impl ByHand {
    /// One of each kind of thing that keeps a user from being deleted.
    pub fn everything(account: &str, user: &str) -> ByHand {
        const DENY: &str =
            r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#;
        ByHand {
            account: account.to_owned(),
            user: user.to_owned(),
            login_profile: true,
            access_key: true,
            signing_certificate: true,
            ssh_public_key: true,
            service_specific_credential: true,
            virtual_mfa: true,
            hardware_mfa: true,
            security_key: true,
            inline_policies: [("ByHand".to_owned(), DENY.to_owned())].into(),
            attached_policies: vec!["arn:aws:iam::aws:policy/AWSDenyAll".to_owned()],
            groups: vec![names::GROUP.to_owned()],
            tags: BTreeMap::new(),
        }
    }
}

/// Adds them, and tells the ids of what has one. Quotas do not hold: who made it had their ways.
pub(crate) fn add(state: &mut State, wanted: &ByHand) -> Result<Value, String> {
    let now = state.clock.now();
    let (account, name) = (&wanted.account, &wanted.user);
    let at = state
        .world
        .user_index(account, name)
        .ok_or_else(|| format!("there is no user {name} in {account}"))?;
    for arn in &wanted.attached_policies {
        managed::find(&state.world, account, arn).ok_or_else(|| format!("no policy {arn}"))?;
    }
    for group in &wanted.groups {
        state.world.group(account, group).ok_or_else(|| format!("no group {group}"))?;
    }
    for document in wanted.inline_policies.values() {
        Document::parse(document).map_err(|error| error.to_string())?;
    }
    let mut ids = json!({});
    let attachment = |prefix: &str, service: &str| Attachment {
        id: format!("{prefix}{}", crate::sts::letters::<20>()),
        created: now,
        service: service.to_owned(),
    };
    let partition = state.world.partition(account).to_owned();
    let user = &mut state.world.users[at];
    if wanted.login_profile {
        user.iam.login_profile = Some(LoginProfile { created: now, ..LoginProfile::default() });
    }
    if wanted.access_key {
        let key = keys::generate(now);
        ids["access_key"] = json!(key.id);
        state.minted.push(key.secret.clone());
        user.access_keys.push(key);
    }
    for (is_wanted, name, list, one) in [
        (
            wanted.signing_certificate,
            "signing_certificate",
            &mut user.iam.signing_certificates,
            attachment("ASCA", ""),
        ),
        (
            wanted.ssh_public_key,
            "ssh_public_key",
            &mut user.iam.ssh_public_keys,
            attachment("APKA", ""),
        ),
        (
            wanted.service_specific_credential,
            "service_specific_credential",
            &mut user.iam.service_specific_credentials,
            attachment("ACCA", "codecommit.amazonaws.com"),
        ),
    ] {
        if is_wanted {
            ids[name] = json!(one.id);
            list.push(one);
        }
    }
    let number = crate::sts::letters::<12>();
    for (is_wanted, name, serial) in [
        (wanted.virtual_mfa, "virtual_mfa", format!("arn:{partition}:iam::{account}:mfa/{number}")),
        (wanted.hardware_mfa, "hardware_mfa", format!("GAHT{number}")),
        (
            wanted.security_key,
            "security_key",
            format!("arn:{partition}:iam::{account}:u2f/user/{name}/{number}"),
        ),
    ] {
        if is_wanted {
            ids[name] = json!(serial);
            user.mfa_devices.push(MfaDevice { serial, codes: Vec::new(), reusable: false });
        }
    }
    user.iam.policies.inline.extend(wanted.inline_policies.clone());
    for (list, new) in [
        (&mut user.iam.policies.attached, &wanted.attached_policies),
        (&mut user.iam.groups, &wanted.groups),
    ] {
        for one in new {
            if !list.contains(one) {
                list.push(one.clone());
            }
        }
    }
    user.iam.tags.extend(wanted.tags.clone());
    Ok(ids)
}
