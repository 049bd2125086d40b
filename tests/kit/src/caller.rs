//! Who is calling, proven by a signature.

use crate::calls::Call;
use crate::error::AwsError;
use crate::principal::{Principal, Session};
use crate::sigv4::{Expected, SignedRequest, verify};
use crate::state::State;
use crate::world::LastUsed;

/// Who is calling.
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) session: Option<Session>,
}

impl Caller {
    /// Verifies a request's signature, records whose it is and that the key was used.
    pub(crate) fn authenticate(
        state: &mut State,
        request: &SignedRequest<'_>,
        expected: &Expected<'_>,
        call: &mut Call,
    ) -> Result<Caller, AwsError> {
        let now = state.clock.now();
        let verified = verify(request, expected, now, |id| state.key(id))?;
        let id = &verified.access_key_id;
        let principal = state.principal(id).ok_or_else(invalid_key)?;
        call.principal = Some(principal.arn().to_owned());
        let session = state.sessions.get(id).cloned();
        if session.is_none()
            && let Some(key) = state.world.access_key_mut(id)
        {
            key.last_used = Some(LastUsed {
                at: now,
                service: expected.service.to_owned(),
                region: verified.region,
            });
        }
        Ok(Caller { principal, session })
    }
}

/// 403 `InvalidClientTokenId`.
pub(crate) fn invalid_key() -> AwsError {
    AwsError::new(
        403,
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
    )
}
