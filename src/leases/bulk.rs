//! What is done with many leases at once, and how one is ended.

use rolecall_core::{CredentialsError, ErrorKind, Result};
use rolecall_secrets::{
    Conflict, DynamicSecret, Fate, LeaseFilter, LeaseId, LeaseState, Leases, ReapOptions, Reaped,
    SecretKind, StoredSecret,
};
use tokio::task::JoinSet;

const PAGE: u32 = 1000;
/// How many are taken back at once; the budget of calls of the account counts all the same.
const AT_ONCE: usize = 8;

/// How far [`revoke_all`] has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Leases that are taken back.
    pub revoked: usize,
    /// Leases that are not, yet.
    pub failed: usize,
    /// Leases in all.
    pub total: usize,
}

/// The leases of a definition that are not over.
///
/// # Errors
/// `InvalidConfiguration` if there is no such definition; the store's.
pub async fn running(leases: &Leases, secret: &str) -> Result<Vec<LeaseId>> {
    leases.definition(secret).await?;
    let filter = LeaseFilter {
        secret: Some(secret.to_owned()),
        states: LeaseState::ALL.into_iter().filter(|state| !state.is_over()).collect(),
        ..LeaseFilter::default()
    };
    let mut ids: Vec<LeaseId> = Vec::new();
    loop {
        // A page may be short of leases that cannot be read.
        let page = leases.leases(&filter, ids.last().copied(), PAGE).await?;
        if page.is_empty() {
            return Ok(ids);
        }
        ids.extend(page.iter().map(|lease| lease.id));
    }
}

/// Takes leases back, several at once, and gives those that could not be, in their order, with the
/// reason. Those are tried again by whoever works on leases, unless they are sessions.
pub async fn revoke_all(
    leases: &Leases,
    ids: &[LeaseId],
    mut report: impl FnMut(Progress),
) -> Vec<(LeaseId, CredentialsError)> {
    let mut progress = Progress { total: ids.len(), ..Progress::default() };
    let mut failures = Vec::new();
    let mut work = JoinSet::new();
    let mut left = ids.iter().copied();
    loop {
        while work.len() < AT_ONCE {
            let Some(id) = left.next() else { break };
            let leases = leases.clone();
            work.spawn(async move { (id, revoke(&leases, id).await) });
        }
        let Some(done) = work.join_next().await else { break };
        match done {
            Ok((_, Ok(()))) => progress.revoked += 1,
            Ok((id, Err(error))) => {
                progress.failed += 1;
                failures.push((id, error));
            }
            // Only a panic or the runtime's end does that.
            Err(error) => tracing::warn!(%error, "a revocation was broken off"),
        }
        report(progress);
    }
    failures.sort_by_key(|(id, _)| *id);
    failures
}

/// Ends a lease that nobody needs any more: takes a user back, and leaves a session to its end. One
/// that is over is done.
///
/// # Errors
/// `Unavailable` as long as the user is not gone: whoever works on leases goes on with it;
/// `InvalidConfiguration` if there is no such lease; the store's.
pub async fn end(leases: &Leases, id: LeaseId) -> Result<()> {
    let lease = leases.lease(id).await?;
    if lease.state.is_over() || !lease.principal.is_revocable() {
        return Ok(());
    }
    match revoke(leases, id).await {
        // Somebody else was faster.
        Err(error) if Conflict::of(&error) == Some(Conflict::WrongState) => Ok(()),
        outcome => outcome,
    }
}

/// Takes one back; an error as long as it is not gone.
async fn revoke(leases: &Leases, id: LeaseId) -> Result<()> {
    let lease = leases.revoke(id).await?;
    if lease.state == LeaseState::Revoked {
        return Ok(());
    }
    let why = lease.failure.unwrap_or_else(|| "somebody else is taking it back".to_owned());
    Err(CredentialsError::new(ErrorKind::Unavailable, format!("lease {id}"), why)
        .with_help("it is tried again by `rolecall lease worker` until it is done"))
}

/// [`Leases::reap`] for one definition or all of them, and for the paths and connections that they
/// had before; a user that several of them reach is told once, and `most` counts for all together.
/// What fails keeps nobody from the rest: the last failure of a definition as it is now is told,
/// while connections of the past are only warned of.
pub async fn reap_all(leases: &Leases, secret: Option<&str>, options: &ReapOptions) -> Reaped {
    let mut found = Reaped::default();
    let places = match places(leases, secret).await {
        Ok(places) => places,
        Err(error) => return Reaped { failure: Some(error), ..found },
    };
    for (secret, is_current) in places {
        let tried = found.orphans.iter().filter(|orphan| orphan.fate != Fate::Found).count();
        let most = options.most.saturating_sub(tried);
        let part = leases.reap(&secret, &ReapOptions { most, ..options.clone() }).await;
        for orphan in part.orphans {
            match found.orphans.iter_mut().find(|known| known.arn == orphan.arn) {
                None => found.orphans.push(orphan),
                // What one connection may not remove, an older one may. One that was removed may
                // still be listed.
                Some(known) if orphan.fate == Fate::Removed => *known = orphan,
                Some(_) => {}
            }
        }
        match part.failure {
            Some(error) if is_current => {
                found.failure = Some(error.with_place(format!("dynamic secret {}", secret.name)));
            }
            Some(error) => {
                tracing::warn!("a connection that {} had before: {error}", secret.name);
            }
            None => {}
        }
    }
    found
}

/// Where users may be: each path by each connection that a definition has or had, the current ones
/// first. Whether it is as the definition is now.
async fn places(leases: &Leases, secret: Option<&str>) -> Result<Vec<(DynamicSecret, bool)>> {
    let mut places: Vec<(DynamicSecret, bool)> = Vec::new();
    for stored in users(leases, secret).await? {
        let newest = stored.secret;
        for version in (1..=stored.version).rev() {
            let Some(older) = leases.store().secret(&newest.name, Some(version)).await? else {
                continue;
            };
            let older = older.secret;
            // Keys may have been rotated since, so the newest connection may reach what an older
            // one made.
            let by_newest = DynamicSecret {
                connection: newest.connection.clone(),
                region: newest.region.clone(),
                ..older.clone()
            };
            // What the newest connection may not look at, an older one may.
            for place in [(by_newest, version == stored.version), (older, false)] {
                if !places.iter().any(|known| is_same(&known.0, &place.0)) {
                    places.push(place);
                }
            }
        }
    }
    places.sort_by_key(|(_, is_current)| !is_current);
    Ok(places)
}

fn is_same(one: &DynamicSecret, other: &DynamicSecret) -> bool {
    let path = |secret: &DynamicSecret| match &secret.kind {
        SecretKind::IamUser(user) => Some(user.path.clone()),
        _ => None,
    };
    one.connection == other.connection && one.region == other.region && path(one) == path(other)
}

/// Every definition, in the order of their names.
///
/// # Errors
/// The store's.
pub async fn definitions(leases: &Leases) -> Result<Vec<StoredSecret>> {
    let mut all: Vec<StoredSecret> = Vec::new();
    loop {
        let after = all.last().map(|stored| stored.secret.name.clone());
        let page = leases.store().secrets(after.as_deref(), PAGE).await?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// One definition, or all that make users.
async fn users(leases: &Leases, secret: Option<&str>) -> Result<Vec<StoredSecret>> {
    if let Some(name) = secret {
        return Ok(vec![leases.definition(name).await?]);
    }
    let mut all = definitions(leases).await?;
    all.retain(|stored| matches!(stored.secret.kind, SecretKind::IamUser(_)));
    Ok(all)
}
