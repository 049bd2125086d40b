use rolecall_core::Result;
use rolecall_sts::Params;

use super::Iam;
use super::calls::{absent_is_done, named};

/// What must be gone before a user can be deleted, in the order in which it goes: first what lets
/// somebody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attachment {
    AccessKey,
    LoginProfile,
    SigningCertificate,
    SshPublicKey,
    ServiceSpecificCredential,
    MfaDevice,
    InlinePolicy,
    ManagedPolicy,
    Group,
}

/// The calls for one kind: how it is listed, and how one is removed.
struct Calls {
    list: &'static str,
    /// The parameter that names one when it is removed.
    parameter: &'static str,
    remove: &'static str,
}

impl Attachment {
    /// All nine.
    pub(crate) const ALL: [Self; 9] = [
        Self::AccessKey,
        Self::LoginProfile,
        Self::SigningCertificate,
        Self::SshPublicKey,
        Self::ServiceSpecificCredential,
        Self::MfaDevice,
        Self::InlinePolicy,
        Self::ManagedPolicy,
        Self::Group,
    ];

    /// What a lease attaches to its user; the others are somebody else's doing.
    pub(crate) const OURS: [Self; 4] =
        [Self::AccessKey, Self::InlinePolicy, Self::ManagedPolicy, Self::Group];

    fn calls(self) -> Option<Calls> {
        let calls = |list, parameter, remove| Some(Calls { list, parameter, remove });
        match self {
            Self::AccessKey => calls("ListAccessKeys", "AccessKeyId", "DeleteAccessKey"),
            Self::LoginProfile => None,
            Self::SigningCertificate => {
                calls("ListSigningCertificates", "CertificateId", "DeleteSigningCertificate")
            }
            Self::SshPublicKey => {
                calls("ListSSHPublicKeys", "SSHPublicKeyId", "DeleteSSHPublicKey")
            }
            Self::ServiceSpecificCredential => calls(
                "ListServiceSpecificCredentials",
                "ServiceSpecificCredentialId",
                "DeleteServiceSpecificCredential",
            ),
            Self::MfaDevice => calls("ListMFADevices", "SerialNumber", "DeactivateMFADevice"),
            Self::InlinePolicy => calls("ListUserPolicies", "PolicyName", "DeleteUserPolicy"),
            Self::ManagedPolicy => {
                calls("ListAttachedUserPolicies", "PolicyArn", "DetachUserPolicy")
            }
            Self::Group => calls("ListGroupsForUser", "GroupName", "RemoveUserFromGroup"),
        }
    }
}

impl Iam {
    /// The names of a user's attachments of one kind; none if there is no such user. Login profiles
    /// have no name and are not listed.
    pub(crate) async fn attachments(&self, user: &str, kind: Attachment) -> Result<Vec<String>> {
        let Some(calls) = kind.calls() else { return Ok(Vec::new()) };
        self.attached(calls.list, user).await
    }

    /// Removes one attachment; one that is not there is removed.
    pub(crate) async fn remove(&self, user: &str, kind: Attachment, name: &str) -> Result<()> {
        let Some(calls) = kind.calls() else { return self.remove_login_profile(user).await };
        let mut params = named(user);
        params.add(calls.parameter, name);
        absent_is_done(self.command(calls.remove, params).await)?;
        if kind == Attachment::MfaDevice && name.contains(":mfa/") {
            // A virtual device stays behind, and its name with it; security keys go (`:u2f/`), and
            // those of metal are only taken from their users.
            let mut params = Params::new();
            params.add("SerialNumber", name);
            absent_is_done(self.command("DeleteVirtualMFADevice", params).await)?;
        }
        Ok(())
    }

    /// Removes all attachments of one kind.
    pub(crate) async fn sweep(&self, user: &str, kind: Attachment) -> Result<()> {
        if kind == Attachment::LoginProfile {
            return self.remove_login_profile(user).await;
        }
        for name in self.attachments(user, kind).await? {
            self.remove(user, kind, &name).await?;
        }
        Ok(())
    }

    async fn remove_login_profile(&self, user: &str) -> Result<()> {
        absent_is_done(self.command("DeleteLoginProfile", named(user)).await)
    }
}
