use std::time::Duration;

use http::StatusCode;

use super::{ImdsSettings, PROVIDER};
use crate::http::HttpError;
use crate::{CredentialsError, ErrorKind};

/// Why the metadata service gives nothing.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// Nothing takes connections there.
    Absent(String),
    /// Answers to PUT get lost on the way.
    HopLimit {
        /// What raises the limit.
        command: String,
    },
    /// It is switched off: 403.
    Disabled,
    /// It knows no tokens, and is not to be asked without one.
    OnlyV1(StatusCode),
    /// It takes connections and does not answer.
    Slow {
        /// How long it was given.
        limit: Duration,
    },
    /// The instance has no role.
    NoRole,
    /// It said no, in other words than [`Self::Disabled`].
    Refused(String),
    /// It failed, or the connection did.
    Broken(String),
    /// What it says makes no sense.
    Malformed(String),
    /// Settings of this machine are in the way.
    Unusable(HttpError),
}

impl Failure {
    /// Whether it may well pass, so that old credentials can be used until then. Who has old
    /// credentials has had answers: one that is lost now is no sign of the hop limit.
    pub(super) fn is_outage(&self) -> bool {
        matches!(
            self,
            Self::Absent(_)
                | Self::HopLimit { .. }
                | Self::Slow { .. }
                | Self::Broken(_)
                | Self::Malformed(_)
        )
    }

    /// For people.
    pub(super) fn into_error(self, settings: &ImdsSettings) -> CredentialsError {
        let service = format!("the EC2 metadata service ({})", settings.endpoint);
        let seconds = |limit: Duration| format!("{} s", limit.as_secs_f64());
        let again = "is it overloaded, or is a firewall in between?";
        let (kind, message, help) = match self {
            Self::Absent(reason) => (
                ErrorKind::NotConfigured,
                format!("there is no EC2 metadata service at {}: {reason}", settings.endpoint),
                "outside EC2, name a profile, or set AWS_EC2_METADATA_DISABLED=true".to_owned(),
            ),
            Self::HopLimit { command } => (
                ErrorKind::InvalidConfiguration,
                format!(
                    "{service} is there, but its answers to PUT, and so its tokens, do not get as \
                     far as this process: it is a hop further away than the instance's hop limit \
                     allows, as processes in containers are"
                ),
                format!("run {command}"),
            ),
            Self::Disabled => (
                ErrorKind::Denied,
                format!("{service} is switched off: it answered 403"),
                "switch it on with aws ec2 modify-instance-metadata-options --instance-id \
                 INSTANCE_ID --http-endpoint enabled, or get credentials from elsewhere"
                    .to_owned(),
            ),
            Self::OnlyV1(status) => (
                ErrorKind::Denied,
                format!(
                    "{service} gives no tokens (it answered {}), and asking it without one is \
                     switched off",
                    status.as_u16()
                ),
                "unset AWS_EC2_METADATA_V1_DISABLED and ec2_metadata_v1_disabled if IMDSv1 is to \
                 be used"
                    .to_owned(),
            ),
            Self::Slow { limit } => (
                ErrorKind::TimedOut,
                format!(
                    "{service} takes connections but does not answer within {}",
                    seconds(limit)
                ),
                format!("{again} AWS_METADATA_SERVICE_TIMEOUT gives it more seconds"),
            ),
            Self::NoRole => (
                ErrorKind::NotConfigured,
                format!("{service} has no credentials: no IAM role is attached to the instance"),
                "attach an instance profile to the instance, or name a profile".to_owned(),
            ),
            Self::Refused(what) => (
                ErrorKind::Denied,
                format!("{service} gives no credentials: {what}"),
                "check the instance profile, its role, and the role's trust in ec2.amazonaws.com"
                    .to_owned(),
            ),
            Self::Broken(what) => {
                (ErrorKind::Unavailable, format!("{service} failed: {what}"), again.to_owned())
            }
            Self::Malformed(what) => (
                ErrorKind::Malformed,
                format!("{service} makes no sense: {what}"),
                "is something else at that address? See AWS_EC2_METADATA_SERVICE_ENDPOINT"
                    .to_owned(),
            ),
            Self::Unusable(error) => (
                ErrorKind::InvalidConfiguration,
                format!("{service} cannot be asked: {error}"),
                "check AWS_EC2_METADATA_SERVICE_ENDPOINT and the CA bundle".to_owned(),
            ),
        };
        CredentialsError::new(kind, PROVIDER, message).with_help(help)
    }
}
