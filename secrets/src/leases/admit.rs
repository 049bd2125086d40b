use rolecall_core::{CredentialsError, ErrorKind, Result};

use super::{Identity, LeaseRequest, Leases};
use crate::auth;
use crate::definition::DynamicSecret;

impl Leases {
    /// The request as whoever has its session may make it: for the identity that was verified.
    ///
    /// # Errors
    /// `Denied` if the session does not hold, or the definition asks for another.
    pub(super) async fn admitted(
        &self,
        request: &LeaseRequest,
        secret: &DynamicSecret,
    ) -> Result<LeaseRequest> {
        let denied = |message: String, help: &str| {
            CredentialsError::new(ErrorKind::Denied, "leases", message)
                .with_place(format!("dynamic secret {}", secret.name))
                .with_help(help)
        };
        let Some(session) = &request.session else {
            if secret.access.is_empty() {
                return Ok(request.clone());
            }
            let message = "it is leased to those who have logged in".to_owned();
            return Err(denied(
                message,
                "log in with `rolecall identity auth`, and give --session",
            ));
        };
        let claims = auth::session_of(&self.context, &*self.store, session.expose()).await?;
        if !secret.access.is_empty() && !secret.access.iter().any(|access| access.fits(&claims)) {
            let message = format!(
                "{}, logged in by {}, is not among those who may have it",
                claims.identity.arn, claims.method
            );
            return Err(denied(message, "log in by another method, or change its --access"));
        }
        let identity = Identity {
            name: claims.name().to_owned(),
            arn: Some(claims.identity.arn.clone()),
            account_id: Some(claims.identity.account.clone()),
        };
        Ok(LeaseRequest { identity, ..request.clone() })
    }
}
