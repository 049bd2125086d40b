//! The operations and their parameters, as AWS's API model lists them.

use super::target::Target;
use super::{Answer, Work, account, groups, inline, keys, policies, simulate, sweep, tags, users};
use crate::query::{
    ANY, ARN, IAM_NAME, Kind, MARKER, PATH, PATH_PREFIX, POLICY, Param, SERIAL, TAG, WORD, one_of,
    param, required, secret, text,
};

pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) response: &'static str,
    /// `None` if the answer holds nothing.
    pub(super) result: Option<&'static str>,
    pub(super) target: Target,
    pub(super) params: &'static [Param],
    pub(super) run: fn(&mut Work<'_>) -> Answer,
}

const USER: Param = required("UserName", text(1, 128, IAM_NAME));
const SELF: Param = param("UserName", text(1, 128, IAM_NAME));
const NEW_USER: Param = required("UserName", text(1, 64, IAM_NAME));
const GROUP: Param = required("GroupName", text(1, 128, IAM_NAME));
const NEW_PATH: Param = param("Path", text(1, 512, PATH));
const PREFIX: Param = param("PathPrefix", text(1, 512, PATH_PREFIX));
const PAGE_MARKER: Param = param("Marker", text(1, 320, MARKER));
const PAGE_SIZE: Param = param("MaxItems", Kind::Number { min: 1, max: 1000 });
const TAG_KEY: Param = required("", text(1, 128, TAG));
const ONE_TAG: Param = required(
    "",
    Kind::Fields(&[required("Key", text(1, 128, TAG)), required("Value", text(0, 256, TAG))]),
);
const TAG_LIST: Kind = Kind::List { min: 0, max: 50, item: &ONE_TAG };
const BOUNDARY: Kind = text(20, 2048, ARN);
const KEY_ID: Param = required("AccessKeyId", text(16, 128, WORD));
const POLICY_NAME: Param = required("PolicyName", text(1, 128, IAM_NAME));
const POLICY_ARN: Param = required("PolicyArn", text(20, 2048, ARN));
const DOCUMENT: Kind = text(1, 131_072, POLICY);
const ONE_DOCUMENT: Param = required("", DOCUMENT);
const SERIAL_NUMBER: Param = required("SerialNumber", text(9, 256, SERIAL));
const FLAG: Kind = one_of(&["true", "false"]);
const ACTION: Param = required("", text(3, 128, ANY));
const RESOURCE: Param = required("", text(1, 2048, ANY));
const VALUE: Param = required("", text(0, 2048, ANY));
const CONTEXT_ENTRY: Param = required(
    "",
    Kind::Fields(&[
        param("ContextKeyName", text(5, 256, ANY)),
        param("ContextKeyValues", Kind::List { min: 0, max: 100, item: &VALUE }),
        param("ContextKeyType", text(1, 64, ANY)),
    ]),
);

/// An operation whose answer holds a result.
macro_rules! asks {
    ($name:literal, $target:ident, [$($param:expr),* $(,)?], $run:path) => {
        Operation {
            name: $name,
            response: concat!($name, "Response"),
            result: Some(concat!($name, "Result")),
            target: Target::$target,
            params: &[$($param),*],
            run: $run,
        }
    };
}

/// An operation whose answer holds nothing.
macro_rules! does {
    ($name:literal, $target:ident, [$($param:expr),* $(,)?], $run:path) => {
        Operation { result: None, ..asks!($name, $target, [$($param),*], $run) }
    };
}

pub(super) const OPERATIONS: &[Operation] = &[
    asks!(
        "CreateUser",
        NewUser,
        [NEW_PATH, NEW_USER, param("PermissionsBoundary", BOUNDARY), param("Tags", TAG_LIST)],
        users::create_user
    ),
    asks!("GetUser", User, [SELF], users::get_user),
    does!(
        "UpdateUser",
        User,
        [USER, param("NewPath", text(1, 512, PATH)), param("NewUserName", text(1, 64, IAM_NAME)),],
        users::update_user
    ),
    does!("DeleteUser", User, [USER], users::delete_user),
    asks!("ListUsers", Users, [PREFIX, PAGE_MARKER, PAGE_SIZE], users::list_users),
    does!("TagUser", User, [USER, required("Tags", TAG_LIST)], tags::tag_user),
    does!(
        "UntagUser",
        User,
        [USER, required("TagKeys", Kind::List { min: 0, max: 50, item: &TAG_KEY })],
        tags::untag_user
    ),
    asks!("ListUserTags", User, [USER, PAGE_MARKER, PAGE_SIZE], tags::list_user_tags),
    does!(
        "PutUserPermissionsBoundary",
        User,
        [NEW_USER, required("PermissionsBoundary", BOUNDARY)],
        users::put_boundary
    ),
    does!("DeleteUserPermissionsBoundary", User, [NEW_USER], users::delete_boundary),
    asks!("CreateAccessKey", User, [SELF], keys::create_access_key),
    does!("DeleteAccessKey", User, [SELF, KEY_ID], keys::delete_access_key),
    does!(
        "UpdateAccessKey",
        User,
        [SELF, KEY_ID, required("Status", one_of(&["Active", "Inactive"]))],
        keys::update_access_key
    ),
    asks!("ListAccessKeys", User, [SELF, PAGE_MARKER, PAGE_SIZE], keys::list_access_keys),
    asks!("GetAccessKeyLastUsed", KeyOwner, [KEY_ID], keys::get_access_key_last_used),
    asks!("CreateGroup", NewGroup, [NEW_PATH, GROUP], groups::create_group),
    asks!("GetGroup", Group, [GROUP, PAGE_MARKER, PAGE_SIZE], groups::get_group),
    does!("AddUserToGroup", Group, [GROUP, USER], groups::add_user_to_group),
    does!("RemoveUserFromGroup", Group, [GROUP, USER], groups::remove_user_from_group),
    asks!("ListGroupsForUser", User, [USER, PAGE_MARKER, PAGE_SIZE], groups::list_groups_for_user),
    does!("AttachUserPolicy", User, [NEW_USER, POLICY_ARN], policies::attach_user_policy),
    does!("DetachUserPolicy", User, [NEW_USER, POLICY_ARN], policies::detach_user_policy),
    asks!(
        "ListAttachedUserPolicies",
        User,
        [NEW_USER, PREFIX, PAGE_MARKER, PAGE_SIZE],
        policies::list_attached_user_policies
    ),
    asks!("GetPolicy", Policy, [POLICY_ARN], policies::get_policy),
    does!(
        "PutUserPolicy",
        User,
        [USER, POLICY_NAME, required("PolicyDocument", DOCUMENT)],
        inline::put_user_policy
    ),
    asks!("GetUserPolicy", User, [USER, POLICY_NAME], inline::get_user_policy),
    does!("DeleteUserPolicy", User, [USER, POLICY_NAME], inline::delete_user_policy),
    asks!("ListUserPolicies", User, [USER, PAGE_MARKER, PAGE_SIZE], inline::list_user_policies),
    asks!(
        "ListSigningCertificates",
        User,
        [SELF, PAGE_MARKER, PAGE_SIZE],
        sweep::list_signing_certificates
    ),
    does!(
        "DeleteSigningCertificate",
        User,
        [SELF, required("CertificateId", text(24, 128, WORD))],
        sweep::delete_signing_certificate
    ),
    asks!("ListSSHPublicKeys", User, [SELF, PAGE_MARKER, PAGE_SIZE], sweep::list_ssh_public_keys),
    does!(
        "DeleteSSHPublicKey",
        User,
        [NEW_USER, required("SSHPublicKeyId", text(20, 128, WORD))],
        sweep::delete_ssh_public_key
    ),
    asks!(
        "ListServiceSpecificCredentials",
        User,
        [SELF, PAGE_MARKER, PAGE_SIZE, param("ServiceName", text(1, 256, ANY))],
        sweep::list_service_specific_credentials
    ),
    does!(
        "DeleteServiceSpecificCredential",
        User,
        [SELF, required("ServiceSpecificCredentialId", text(20, 128, WORD))],
        sweep::delete_service_specific_credential
    ),
    asks!("ListMFADevices", User, [SELF, PAGE_MARKER, PAGE_SIZE], sweep::list_mfa_devices),
    does!("DeactivateMFADevice", User, [USER, SERIAL_NUMBER], sweep::deactivate_mfa_device),
    does!("DeleteVirtualMFADevice", Mfa, [SERIAL_NUMBER], sweep::delete_virtual_mfa_device),
    asks!(
        "ListVirtualMFADevices",
        Mfas,
        [
            param("AssignmentStatus", one_of(&["Assigned", "Unassigned", "Any"])),
            PAGE_MARKER,
            PAGE_SIZE,
        ],
        sweep::list_virtual_mfa_devices
    ),
    asks!(
        "CreateLoginProfile",
        User,
        [
            NEW_USER,
            secret(required("Password", text(1, 128, POLICY))),
            param("PasswordResetRequired", FLAG),
        ],
        sweep::create_login_profile
    ),
    asks!("GetLoginProfile", User, [NEW_USER], sweep::get_login_profile),
    does!("DeleteLoginProfile", User, [NEW_USER], sweep::delete_login_profile),
    asks!("GetAccountSummary", Account, [], account::get_account_summary),
    asks!(
        "SimulatePrincipalPolicy",
        Source,
        [
            required("PolicySourceArn", text(20, 2048, ARN)),
            param("PolicyInputList", Kind::List { min: 0, max: 100, item: &ONE_DOCUMENT }),
            param(
                "PermissionsBoundaryPolicyInputList",
                Kind::List { min: 0, max: 100, item: &ONE_DOCUMENT }
            ),
            required("ActionNames", Kind::List { min: 0, max: 1000, item: &ACTION }),
            param("ResourceArns", Kind::List { min: 0, max: 1000, item: &RESOURCE }),
            param("ContextEntries", Kind::List { min: 0, max: 100, item: &CONTEXT_ENTRY }),
            PAGE_MARKER,
            PAGE_SIZE,
        ],
        simulate::simulate_principal_policy
    ),
];

pub(super) fn find(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}
