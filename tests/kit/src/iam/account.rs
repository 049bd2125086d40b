//! The account as a whole.

use super::{Answer, Work};
use crate::xml::Element;

pub(super) fn get_account_summary(work: &mut Work<'_>) -> Answer {
    let (world, account) = (work.world(), work.account());
    let quotas = world.quotas(account);
    let users = || world.users.iter().filter(|user| user.account == account && !user.root);
    let devices = world.users.iter().filter(|user| user.account == account);
    let assigned: usize = devices.map(|user| user.mfa_devices.len()).sum();
    let unassigned = world.unassigned_mfa.iter().filter(|it| it.account == account).count();
    let entries = [
        ("Users", users().count()),
        ("UsersQuota", quotas.users),
        ("Groups", world.groups.iter().filter(|group| group.account == account).count()),
        ("GroupsQuota", quotas.groups),
        ("GroupsPerUserQuota", quotas.groups_per_user),
        ("Roles", world.roles.iter().filter(|role| role.account == account).count()),
        ("RolesQuota", 1000),
        ("Policies", world.policies.iter().filter(|policy| policy.account == account).count()),
        ("PoliciesQuota", 1500),
        ("AttachedPoliciesPerUserQuota", quotas.attached_policies_per_user),
        ("UserPolicySizeQuota", quotas.user_policy_size),
        ("AccessKeysPerUserQuota", quotas.access_keys_per_user),
        ("SigningCertificatesPerUserQuota", 2),
        ("MFADevices", assigned + unassigned),
        ("MFADevicesInUse", assigned),
        ("AccountMFAEnabled", 0),
    ];
    let entry = |(key, value): &(&str, usize)| {
        let fields = vec![Element::text("key", *key), Element::text("value", value.to_string())];
        Element::parent("entry", fields)
    };
    Ok(vec![Element::parent("SummaryMap", entries.iter().map(entry).collect())])
}
