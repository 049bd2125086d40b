//! What is asked of leases, read from JSON: for runtimes that know no types of Rust.

use std::time::{Duration, SystemTime};

use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Secret, json};
use rolecall_secrets::{Identity, LeaseFilter, LeaseId, LeaseRequest, LeaseState, ReapOptions};
use serde::Deserialize;

/// How many leases a page has where nothing is said.
pub const PAGE: u32 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    secret: String,
    ttl_seconds: Option<u64>,
    #[serde(default)]
    identity: Whom,
    session: Option<Secret>,
    #[serde(default)]
    note: String,
    mfa_code: Option<Secret>,
    #[serde(default)]
    keep: bool,
    #[serde(default)]
    wait: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whom {
    name: Option<String>,
    arn: Option<String>,
    account_id: Option<String>,
}

/// Reads a request: `{"secret": "ci/reader", "ttl_seconds": 900, "identity": {"name": "build-7",
/// "arn", "account_id"}, "session": "JWT", "note", "mfa_code", "keep": false, "wait": false}`; all but
/// `secret` may be left out. Whom it is for is as [`whom`] says.
///
/// # Errors
/// `InvalidConfiguration` if it is none.
pub fn read_request(context: &Context, text: &str) -> Result<LeaseRequest> {
    let request: Request = json::read("lease request", text)?;
    let Whom { name, arn, account_id } = request.identity;
    Ok(LeaseRequest {
        secret: request.secret,
        ttl: request.ttl_seconds.map(Duration::from_secs),
        identity: Identity { arn, account_id, ..whom(context, name) },
        session: request.session,
        note: request.note,
        mfa_code: request.mfa_code,
        keep: request.keep,
        wait: request.wait,
    })
}

/// Whom a lease is for: who is named, or else the user whose process this is.
pub fn whom(context: &Context, name: Option<String>) -> Identity {
    let name = name.unwrap_or_else(|| super::user_name(context));
    Identity { name, ..Identity::default() }
}

/// The states of leases that are not over, which are listed where no others are named.
pub fn live_states() -> Vec<LeaseState> {
    LeaseState::ALL.into_iter().filter(|state| !state.is_over()).collect()
}

/// A page of leases to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Which leases.
    pub filter: LeaseFilter,
    /// Those after this one.
    pub after: Option<LeaseId>,
    /// How many at most.
    pub limit: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    secret: Option<String>,
    states: Option<Vec<String>>,
    identity: Option<String>,
    expires_within_seconds: Option<u64>,
    after: Option<String>,
    limit: Option<u32>,
}

/// Reads what to list: `{"secret", "states": ["active"], "identity", "expires_within_seconds",
/// "after", "limit": 100}`; without `states` those that are not over. All may be left out. `now` is
/// the store's.
///
/// # Errors
/// `InvalidConfiguration` if it is none.
pub fn read_listing(text: &str, now: SystemTime) -> Result<Listing> {
    let list: List = json::read("list of leases", text)?;
    let states = match list.states {
        None => live_states(),
        Some(names) => names.iter().map(|name| state(name)).collect::<Result<_>>()?,
    };
    let within = list.expires_within_seconds.map(Duration::from_secs);
    let filter = LeaseFilter {
        secret: list.secret,
        states,
        identity: list.identity,
        expires_before: within.and_then(|within| now.checked_add(within)),
    };
    let after = list.after.as_deref().map(read_lease_id).transpose()?;
    Ok(Listing { filter, after, limit: list.limit.unwrap_or(PAGE).clamp(1, 10_000) })
}

fn state(name: &str) -> Result<LeaseState> {
    LeaseState::named(name).ok_or_else(|| {
        let names: Vec<_> = LeaseState::ALL.iter().map(|state| state.name()).collect();
        wrong(format!("a lease is never {name:?}, but {}", names.join(", ")))
    })
}

/// Reads a lease's id.
///
/// # Errors
/// `InvalidConfiguration` if it is none.
pub fn read_lease_id(text: &str) -> Result<LeaseId> {
    text.parse().map_err(|why: &str| wrong(format!("{text:?} is no lease: {why}")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Reap {
    secret: Option<String>,
    #[serde(default)]
    remove: bool,
    most: Option<usize>,
    #[serde(default)]
    unexpired: bool,
    store_id: Option<String>,
}

/// Reads how to look for users that no lease needs: `{"secret", "remove": false, "most": 50,
/// "unexpired": false, "store_id"}`; all may be left out. Gives the dynamic secret, if one is named.
///
/// # Errors
/// `InvalidConfiguration` if it is none.
pub fn read_reap(text: &str) -> Result<(Option<String>, ReapOptions)> {
    let reap: Reap = json::read("reap", text)?;
    let options = ReapOptions {
        remove: reap.remove,
        unexpired: reap.unexpired,
        store_id: reap.store_id,
        ..ReapOptions::default()
    };
    Ok((reap.secret, ReapOptions { most: reap.most.unwrap_or(options.most), ..options }))
}

fn wrong(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "leases", message)
}

#[cfg(test)]
mod tests {
    use rolecall_core::Env;

    use super::*;

    #[test]
    fn requests_are_read() {
        let env = Env::from_pairs([("USER", "ann")]);
        let context = Context { env, ..Context::real() };
        let read_request = |text: &str| super::read_request(&context, text);
        for (text, name) in [("", "ann"), (r#", "identity": {"arn": "arn:x"}"#, "ann")] {
            let request = read_request(&format!(r#"{{"secret": "a"{text}}}"#)).unwrap();
            assert_eq!((request.identity.name.as_str(), request.wait), (name, false));
        }
        let request = read_request(
            r#"{"secret": "a", "ttl_seconds": 60, "identity": {"name": "n"}, "wait": true}"#,
        );
        let request = request.unwrap();
        assert_eq!((request.secret.as_str(), request.ttl), ("a", Some(Duration::from_secs(60))));
        assert_eq!(
            (request.identity.name.as_str(), request.wait, request.keep),
            ("n", true, false)
        );
        for wrong in
            ["{}", r#"{"secret": "a", "ttl": 60}"#, r#"{"secret": "a", "ttl_seconds": -1}"#]
        {
            let error = read_request(wrong).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{wrong}");
        }
    }

    #[test]
    fn listings_are_read() {
        let now = SystemTime::UNIX_EPOCH;
        let listing = read_listing("{}", now).unwrap();
        assert_eq!(listing.limit, PAGE);
        assert!(listing.filter.states.contains(&LeaseState::Active));
        assert!(!listing.filter.states.contains(&LeaseState::Revoked));
        let listing = read_listing(r#"{"states": ["revoked"], "limit": 0}"#, now).unwrap();
        assert_eq!((listing.filter.states, listing.limit), (vec![LeaseState::Revoked], 1));
        for wrong in [r#"{"states": ["gone"]}"#, r#"{"after": "x"}"#, r#"{"limits": 1}"#] {
            let error = read_listing(wrong, now).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{wrong}");
        }
    }

    #[test]
    fn reaping_looks_only_unless_it_is_told_to_remove() {
        let (secret, options) = read_reap("{}").unwrap();
        assert!(secret.is_none() && !options.remove && !options.unexpired && options.most > 0);
        assert_eq!(read_reap(r#"{"most": 3}"#).unwrap().1.most, 3);
        assert!(read_reap(r#"{"max": 3}"#).is_err());
    }
}
