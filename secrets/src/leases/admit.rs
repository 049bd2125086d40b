use rolecall_core::{CredentialsError, ErrorKind, Result, Secret};

use super::{Identity, LeaseRequest, Leases};
use crate::auth::SessionClaims;
use crate::definition::DynamicSecret;
use crate::lease::Lease;

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
        let Some(claims) = self.admit(request.session.as_ref(), secret).await? else {
            return Ok(request.clone());
        };
        let identity = Identity {
            name: claims.name().to_owned(),
            arn: Some(claims.identity.arn.clone()),
            account_id: Some(claims.identity.account.clone()),
        };
        Ok(LeaseRequest { identity, ..request.clone() })
    }

    /// Who has `session`; `None` without one where the definition asks for none.
    ///
    /// # Errors
    /// `Denied` if it does not hold, or the definition asks for another.
    pub(super) async fn admit(
        &self,
        session: Option<&Secret>,
        secret: &DynamicSecret,
    ) -> Result<Option<SessionClaims>> {
        let denied = |message: String, help: &str| {
            CredentialsError::new(ErrorKind::Denied, "leases", message)
                .with_place(format!("dynamic secret {}", secret.name))
                .with_help(help)
        };
        let Some(session) = session else {
            if secret.access.is_empty() {
                return Ok(None);
            }
            let message = "it is leased to those who have logged in".to_owned();
            return Err(denied(
                message,
                "log in with `rolecall identity auth`, and give --session",
            ));
        };
        let claims = self.auth()?.session(session.expose()).await?;
        if !secret.access.is_empty() && !secret.access.iter().any(|access| access.fits(&claims)) {
            let message = format!(
                "{}, logged in by {}, is not among those who may have it",
                claims.identity.arn, claims.method
            );
            return Err(denied(message, "log in by another method, or change its --access"));
        }
        Ok(Some(claims))
    }

    /// [`Self::admit`] by the access rules as they are now, to a lease that was made before.
    pub(super) async fn admit_to(
        &self,
        session: Option<&Secret>,
        lease: &Lease,
    ) -> Result<Option<SessionClaims>> {
        let now = self.store.secret(&lease.secret, None).await?;
        match now {
            Some(now) => self.admit(session, &now.secret).await,
            None => self.admit(session, &self.definition_of(lease).await?).await,
        }
    }
}
