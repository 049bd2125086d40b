//! The world that most tests need.

use serde_json::{Value, json};

use super::{
    AccessKey, Account, Container, EksCluster, Group, Imds, ManagedPolicy, MfaDevice, OidcProvider,
    Policies, Quotas, Role, RoleIam, RolesAnywhereProfile, SamlProvider, SsoAssignment, SsoUser,
    Trust, TrustAnchor, User, UserIam, WebTrust, World,
};
use crate::rolesanywhere;

/// The default world's names and keys, for tests to refer to.
pub mod names {
    /// Account of `alice`, `bob` and the roles without their own account.
    pub const ACCOUNT: &str = "111111111111";
    /// `alice`'s access key id.
    pub const ALICE_KEY: &str = "AKIAALICEEXAMPLE1111";
    /// `alice`'s secret access key.
    pub const ALICE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYALICEKEY11";
    /// `alice`'s MFA device.
    pub const ALICE_MFA: &str = "arn:aws:iam::111111111111:mfa/alice";
    /// The codes of `alice`'s MFA device, each good once.
    pub const ALICE_MFA_CODES: [&str; 6] =
        ["123456", "234567", "345678", "456789", "567890", "678901"];
    /// `bob`'s access key id: nobody trusts him.
    pub const BOB_KEY: &str = "AKIABOBEXAMPLE111111";
    /// `bob`'s secret access key.
    pub const BOB_SECRET: &str = "je7MtGbClwBF/2Zp9Utk/h3yCo8nvbBOBKEY1111";
    /// `root`'s access key id.
    pub const ROOT_KEY: &str = "AKIAROOTEXAMPLE11111";
    /// `root`'s secret access key.
    pub const ROOT_SECRET: &str = "ROOTrXUtnFEMI/K7MDENG/bPxRfiCYROOTKEY111";
    /// `admin`'s access key id in [`ACCOUNT`]: it may do everything.
    pub const ADMIN_KEY: &str = "AKIAADMINEXAMPLE1111";
    /// `admin`'s secret access key in [`ACCOUNT`].
    pub const ADMIN_SECRET: &str = "aDm1nXUtnFEMI/K7MDENG/bPxRfiCYADMINKEY11";
    /// The second account with users.
    pub const OTHER_ACCOUNT: &str = "222222222222";
    /// `admin`'s access key id in [`OTHER_ACCOUNT`].
    pub const OTHER_ADMIN_KEY: &str = "AKIAADMINEXAMPLE2222";
    /// `admin`'s secret access key in [`OTHER_ACCOUNT`].
    pub const OTHER_ADMIN_SECRET: &str = "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";
    /// May make, look after and delete users under [`LEASES_PATH`], with everything that may be
    /// attached to them, and nothing else; `alice` and `admin` may assume it.
    pub const LEASES: &str = "arn:aws:iam::111111111111:role/Leases";
    /// May do what Infisical asks for, and nothing else; `alice` and `admin` may assume it.
    pub const LEASES_INFISICAL: &str = "arn:aws:iam::111111111111:role/LeasesInfisical";
    /// The path that [`LEASES`] is allowed.
    pub const LEASES_PATH: &str = "/rolecall/";
    /// A group without a path.
    pub const GROUP: &str = "Developers";
    /// A group with the path `/team/`.
    pub const GROUP_WITH_PATH: &str = "Auditors";
    /// A policy that is good as a permissions boundary: everything but IAM.
    pub const BOUNDARY: &str = "arn:aws:iam::111111111111:policy/LeaseBoundary";
    /// A policy with a path: reading S3.
    pub const POLICY: &str = "arn:aws:iam::111111111111:policy/team/ReadS3";
    /// First hop of the chain.
    pub const HOP: &str = "arn:aws:iam::222222222222:role/Hop";
    /// Second hop.
    pub const DEPLOY: &str = "arn:aws:iam::333333333333:role/Deploy";
    /// Third hop.
    pub const FINAL: &str = "arn:aws:iam::444444444444:role/Final";
    /// Takes web identity tokens.
    pub const WEB: &str = "arn:aws:iam::111111111111:role/Web";
    /// Takes SAML assertions.
    pub const SAML: &str = "arn:aws:iam::111111111111:role/Saml";
    /// Wants MFA.
    pub const MFA: &str = "arn:aws:iam::111111111111:role/Mfa";
    /// Wants [`EXTERNAL_ID`].
    pub const EXTERNAL: &str = "arn:aws:iam::111111111111:role/External";
    /// A role with a path and sessions of up to twelve hours.
    pub const LONG: &str = "arn:aws:iam::111111111111:role/team/Long";
    /// The role of the EC2 instance whose metadata service the kit serves.
    pub const INSTANCE: &str = "arn:aws:iam::111111111111:role/Instance";
    /// The role of the container whose endpoint the kit serves.
    pub const TASK: &str = "arn:aws:iam::111111111111:role/Task";
    /// The token that the endpoint of EKS Pod Identity takes.
    pub const POD_TOKEN: &str = "kit.pod-identity.token-000000000001";
    /// External id of [`EXTERNAL`].
    pub const EXTERNAL_ID: &str = "external-id:42";
    /// Issuer of web identity tokens.
    pub const OIDC_ISSUER: &str = "https://oidc.kit.example";
    /// Their audience.
    pub const OIDC_AUDIENCE: &str = "sts.amazonaws.com";
    /// Subjects that [`WEB`] takes start with this.
    pub const OIDC_SUBJECT_PREFIX: &str = "system:serviceaccount:";
    /// The SAML provider.
    pub const SAML_PROVIDER: &str = "arn:aws:iam::111111111111:saml-provider/KitIdp";
    /// Its issuer.
    pub const SAML_ISSUER: &str = "https://idp.kit.example/metadata";
    /// The user of IAM Identity Center.
    pub const SSO_USER: &str = "alice@kit.example";
    /// The permission set that it has in [`ACCOUNT`].
    pub const SSO_ROLE: &str = "Developer";
    /// The start URL of its token files.
    pub const SSO_START_URL: &str = "https://kit.awsapps.example/start";
    /// Names the roles of permission sets in [`ACCOUNT`] in trust policies.
    pub const SSO_ROLES: &str = "arn:aws:iam::111111111111:role/aws-reserved/sso.amazonaws.com/*";
    /// The trust anchor, whose authority issues certificates at `/_kit/certificate`.
    pub const TRUST_ANCHOR: &str = "arn:aws:rolesanywhere:us-east-1:111111111111:trust-anchor/7d3f1c52-9a4e-4b61-8c0d-2e5f7a9b1c34";
    /// The profile for [`WORKLOAD`] and [`BUILD_AGENT`]: an hour, no session names.
    pub const PROFILE: &str =
        "arn:aws:rolesanywhere:us-east-1:111111111111:profile/0b8e6d14-3c7a-4f29-9e51-6a2d8c4f7b90";
    /// The same with sessions of up to twelve hours, and session names.
    pub const NAMING_PROFILE: &str =
        "arn:aws:rolesanywhere:us-east-1:111111111111:profile/5e2a9c70-8f1b-4d36-a7c4-1b9d3e6f8a25";
    /// Takes any certificate of [`TRUST_ANCHOR`], for up to twelve hours.
    pub const WORKLOAD: &str = "arn:aws:iam::111111111111:role/Workload";
    /// A cluster of EKS in [`ACCOUNT`] and us-east-1, whose API server lets `alice` and [`HOP`] in.
    pub const CLUSTER: &str = "prod";
    /// One that is still being made.
    pub const NEW_CLUSTER: &str = "new";
    /// A local one on Outposts, which lets `alice` in.
    pub const LOCAL_CLUSTER: &str = "local";
    /// The id of [`LOCAL_CLUSTER`].
    pub const LOCAL_CLUSTER_ID: &str = "d3adbeef-0000-4000-8000-000000000001";
    /// Takes certificates of [`TRUST_ANCHOR`] with the common name `build-agent`, for up to an hour.
    pub const BUILD_AGENT: &str = "arn:aws:iam::111111111111:role/BuildAgent";
}

use names::{ACCOUNT, ALICE_MFA};

/// - Account 111111111111: users `alice` (an MFA device with six codes), `bob` (trusted by nobody)
///   and the root user; roles `Web` (web identity tokens of `https://oidc.kit.example`), `Saml`,
///   `Mfa`, `External` and `team/Long` (up to 12 hours), which trust `alice`; `Instance` and `Task`,
///   whose credentials the metadata service and the containers' endpoint give; `Workload` and
///   `BuildAgent`, for IAM Roles Anywhere.
///   Its user `admin` may do everything; the roles `Leases` and `LeasesInfisical` may look after
///   users; the groups `Developers` and `team/Auditors` and the policies `LeaseBoundary` and
///   `team/ReadS3` are there to be used by them.
/// - IAM Identity Center: user `alice@kit.example` with the permission set `Developer` in
///   111111111111.
/// - Clusters of EKS in 111111111111 and us-east-1: `prod`, `new` (still being made) and `local` (on
///   Outposts).
/// - Account 222222222222: role `Hop`, which trusts `alice`, the permission sets and `Workload`; a
///   user `admin`.
/// - Account 333333333333: role `Deploy`, which trusts `Hop` (and `alice`, for single hops).
/// - Account 444444444444: role `Final`, which trusts `Deploy` only. Its root is managed by
///   111111111111 (`AssumeRoot`).
impl Default for World {
    fn default() -> World {
        let alice = format!("arn:aws:iam::{ACCOUNT}:user/alice");
        World {
            accounts: vec![
                account(ACCOUNT, None),
                account("222222222222", None),
                account("333333333333", None),
                account("444444444444", Some(ACCOUNT)),
            ],
            users: vec![
                User {
                    mfa_devices: vec![MfaDevice {
                        serial: ALICE_MFA.to_owned(),
                        codes: names::ALICE_MFA_CODES.map(Into::into).to_vec(),
                        reusable: false,
                    }],
                    ..user("alice", names::ALICE_KEY, names::ALICE_SECRET)
                },
                user("bob", names::BOB_KEY, names::BOB_SECRET),
                User { root: true, ..user("root", names::ROOT_KEY, names::ROOT_SECRET) },
                administrator(ACCOUNT, names::ADMIN_KEY, names::ADMIN_SECRET),
                administrator(
                    names::OTHER_ACCOUNT,
                    names::OTHER_ADMIN_KEY,
                    names::OTHER_ADMIN_SECRET,
                ),
            ],
            roles: vec![
                role("222222222222", "Hop", trusting(&[&alice, names::SSO_ROLES, names::WORKLOAD])),
                role("333333333333", "Deploy", trusting(&[names::HOP, &alice])),
                role("444444444444", "Final", trusting(&[names::DEPLOY])),
                role(ACCOUNT, "Mfa", Trust { mfa: true, ..trusting(&[&alice]) }),
                role(
                    ACCOUNT,
                    "External",
                    Trust {
                        external_id: Some(names::EXTERNAL_ID.to_owned()),
                        ..trusting(&[&alice])
                    },
                ),
                Role {
                    path: "/team/".to_owned(),
                    max_session_duration: 43_200,
                    ..role(ACCOUNT, "Long", trusting(&[&alice]))
                },
                role(
                    ACCOUNT,
                    "Web",
                    Trust {
                        web_identity: Some(WebTrust {
                            provider: names::OIDC_ISSUER.to_owned(),
                            audiences: vec![names::OIDC_AUDIENCE.to_owned()],
                            subjects: vec![format!("{}*", names::OIDC_SUBJECT_PREFIX)],
                        }),
                        ..Trust::default()
                    },
                ),
                Role {
                    max_session_duration: 43_200,
                    ..role(ACCOUNT, "Workload", certified(&json!({})))
                },
                role(
                    ACCOUNT,
                    "BuildAgent",
                    certified(&json!({"aws:PrincipalTag/x509Subject/CN": "build-agent"})),
                ),
                role(ACCOUNT, "Instance", Trust::default()),
                role(ACCOUNT, "Task", Trust::default()),
                role(
                    ACCOUNT,
                    "Saml",
                    Trust {
                        saml_provider: Some(names::SAML_PROVIDER.to_owned()),
                        ..Trust::default()
                    },
                ),
                leases("Leases", LEASES_POLICY, &alice),
                leases("LeasesInfisical", INFISICAL_POLICY, &alice),
            ],
            groups: vec![
                Group { policies: inline("ReadQueues", READ_QUEUES), ..group(names::GROUP, "/") },
                group(names::GROUP_WITH_PATH, "/team/"),
            ],
            policies: vec![
                policy("LeaseBoundary", "/", ALL_BUT_IAM),
                policy("ReadS3", "/team/", READ_S3),
            ],
            unassigned_mfa: Vec::new(),
            oidc_providers: vec![OidcProvider {
                account: ACCOUNT.to_owned(),
                url: names::OIDC_ISSUER.to_owned(),
                audiences: vec![names::OIDC_AUDIENCE.to_owned()],
                hs256_key: "kit-oidc-hs256-key-000000000000001".into(),
                accept_unsigned: false,
            }],
            saml_providers: vec![SamlProvider {
                arn: names::SAML_PROVIDER.to_owned(),
                issuer: names::SAML_ISSUER.to_owned(),
                key: "kit-saml-key-0000000000000000000001".into(),
                accept_unsigned: false,
            }],
            sso_users: vec![SsoUser {
                name: names::SSO_USER.to_owned(),
                assignments: vec![SsoAssignment {
                    account: ACCOUNT.to_owned(),
                    role: names::SSO_ROLE.to_owned(),
                }],
            }],
            trust_anchors: vec![TrustAnchor {
                arn: names::TRUST_ANCHOR.to_owned(),
                certificates: rolesanywhere::AUTHORITIES.to_owned(),
                enabled: true,
            }],
            eks_clusters: vec![
                EksCluster {
                    access: vec![alice.clone(), names::HOP.to_owned()],
                    ..cluster(names::CLUSTER)
                },
                EksCluster { status: "CREATING".to_owned(), ..cluster(names::NEW_CLUSTER) },
                EksCluster {
                    local_id: Some(names::LOCAL_CLUSTER_ID.to_owned()),
                    access: vec![alice.clone()],
                    ..cluster(names::LOCAL_CLUSTER)
                },
            ],
            roles_anywhere_profiles: vec![
                profile(names::PROFILE),
                RolesAnywhereProfile {
                    duration_seconds: 43_200,
                    accept_role_session_name: true,
                    ..profile(names::NAMING_PROFILE)
                },
            ],
            sts_region: None,
            imds: Imds::default(),
            container: Container::default(),
            hints: super::Hints::default(),
        }
    }
}

fn account(id: &str, root_managed_by: Option<&str>) -> Account {
    Account {
        id: id.to_owned(),
        partition: super::aws(),
        root_managed_by: root_managed_by.map(str::to_owned),
        quotas: Quotas::default(),
    }
}

fn user(name: &str, key: &str, secret: &str) -> User {
    User {
        account: ACCOUNT.to_owned(),
        name: name.to_owned(),
        path: super::slash(),
        access_keys: vec![AccessKey {
            id: key.to_owned(),
            secret: secret.into(),
            active: true,
            created: 0,
            last_used: None,
        }],
        ..User::default()
    }
}

fn role(account: &str, name: &str, trust: Trust) -> Role {
    Role {
        account: account.to_owned(),
        name: name.to_owned(),
        path: super::slash(),
        max_session_duration: super::hour(),
        trust,
        ..Role::default()
    }
}

fn trusting(principals: &[&str]) -> Trust {
    Trust {
        principals: principals.iter().map(|arn| (*arn).to_owned()).collect(),
        ..Trust::default()
    }
}

fn administrator(account: &str, key: &str, secret: &str) -> User {
    User {
        account: account.to_owned(),
        iam: UserIam {
            policies: Policies {
                attached: vec!["arn:aws:iam::aws:policy/AdministratorAccess".to_owned()],
                ..Policies::default()
            },
            ..UserIam::default()
        },
        ..user("admin", key, secret)
    }
}

fn leases(name: &str, document: &str, alice: &str) -> Role {
    let admin = format!("arn:aws:iam::{ACCOUNT}:user/admin");
    Role {
        iam: RoleIam { policies: inline("Leases", document), ..RoleIam::default() },
        ..role(ACCOUNT, name, trusting(&[alice, &admin]))
    }
}

fn inline(name: &str, document: &str) -> Policies {
    Policies { inline: [(name.to_owned(), document.to_owned())].into(), ..Policies::default() }
}

fn group(name: &str, path: &str) -> Group {
    Group {
        account: ACCOUNT.to_owned(),
        name: name.to_owned(),
        path: path.to_owned(),
        ..Group::default()
    }
}

fn policy(name: &str, path: &str, document: &str) -> ManagedPolicy {
    ManagedPolicy {
        account: ACCOUNT.to_owned(),
        name: name.to_owned(),
        path: path.to_owned(),
        document: document.to_owned(),
    }
}

const LEASES_POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Sid": "Users", "Effect": "Allow", "Resource": "arn:aws:iam::*:user/rolecall/*", "Action": [
    "iam:CreateUser", "iam:GetUser", "iam:DeleteUser", "iam:TagUser", "iam:UntagUser",
    "iam:ListUserTags", "iam:PutUserPermissionsBoundary", "iam:DeleteUserPermissionsBoundary",
    "iam:CreateAccessKey", "iam:UpdateAccessKey", "iam:DeleteAccessKey", "iam:ListAccessKeys",
    "iam:GetAccessKeyLastUsed", "iam:PutUserPolicy", "iam:GetUserPolicy", "iam:DeleteUserPolicy",
    "iam:ListUserPolicies", "iam:AttachUserPolicy", "iam:DetachUserPolicy",
    "iam:ListAttachedUserPolicies", "iam:ListGroupsForUser", "iam:GetLoginProfile",
    "iam:DeleteLoginProfile", "iam:ListSigningCertificates", "iam:DeleteSigningCertificate",
    "iam:ListSSHPublicKeys", "iam:DeleteSSHPublicKey", "iam:ListServiceSpecificCredentials",
    "iam:DeleteServiceSpecificCredential", "iam:ListMFADevices", "iam:DeactivateMFADevice"]},
  {"Sid": "Groups", "Effect": "Allow", "Resource": "arn:aws:iam::*:group/*",
    "Action": ["iam:GetGroup", "iam:AddUserToGroup", "iam:RemoveUserFromGroup"]},
  {"Sid": "Devices", "Effect": "Allow", "Resource": "arn:aws:iam::*:mfa/*",
    "Action": ["iam:DeactivateMFADevice", "iam:DeleteVirtualMFADevice"]},
  {"Sid": "Look", "Effect": "Allow", "Resource": "*", "Action": ["iam:ListUsers",
    "iam:GetPolicy", "iam:GetAccountSummary", "iam:SimulatePrincipalPolicy"]}]}"#;

const INFISICAL_POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Resource": "*", "Action": ["iam:AttachUserPolicy", "iam:CreateAccessKey",
    "iam:CreateUser", "iam:DeleteAccessKey", "iam:DeleteUser", "iam:DeleteUserPolicy",
    "iam:DetachUserPolicy", "iam:GetUser", "iam:ListAccessKeys", "iam:ListAttachedUserPolicies",
    "iam:ListGroupsForUser", "iam:ListUserPolicies", "iam:PutUserPolicy", "iam:AddUserToGroup",
    "iam:RemoveUserFromGroup", "iam:TagUser"]}]}"#;

const READ_QUEUES: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": ["sqs:GetQueue*", "sqs:ListQueues"], "Resource": "*"}]}"#;

const ALL_BUT_IAM: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]}"#;

const READ_S3: &str = r#"{"Version": "2012-10-17", "Statement": [
  {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}]}"#;
/// Trusts certificates of the trust anchor that fulfil `StringEquals` with these values.
fn certified(equals: &Value) -> Trust {
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "rolesanywhere.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": {
                "ArnEquals": {"aws:SourceArn": names::TRUST_ANCHOR},
                "StringEquals": equals,
            },
        }],
    });
    Trust { policy: Some(policy), ..Trust::default() }
}

fn profile(arn: &str) -> RolesAnywhereProfile {
    RolesAnywhereProfile {
        arn: arn.to_owned(),
        role_arns: vec![names::WORKLOAD.to_owned(), names::BUILD_AGENT.to_owned()],
        enabled: true,
        duration_seconds: super::hour(),
        accept_role_session_name: false,
        session_policy: None,
    }
}

fn cluster(name: &str) -> EksCluster {
    EksCluster {
        name: name.to_owned(),
        account: ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        status: "ACTIVE".to_owned(),
        local_id: None,
        access: Vec::new(),
    }
}
