//! Calls that take long, or come late.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rolecall_core::http::{HttpClient, HttpError, HttpFailure, Request, Response};
use rolecall_core::{Clock, Context, Credentials, ErrorKind, ProvideCredentials};
use rolecall_kit::ByHand;
use rolecall_secrets::{Claimant, LeaseFilter, LeaseId, LeaseOptions, LeaseState, Leases, Store};

use crate::bed::{Bed, MINUTE, admin, connect, define, look, options, request, take, worker};

/// A network that keeps one call back, and says that it broke.
#[derive(Debug)]
struct Slow {
    inner: Arc<dyn HttpClient>,
    operation: &'static str,
    kept: Mutex<Option<Request>>,
}

impl Slow {
    /// What was kept back arrives.
    async fn deliver(&self) -> u16 {
        let request = self.kept.lock().unwrap().take().unwrap();
        self.inner.send(request).await.unwrap().status().as_u16()
    }
}

#[async_trait]
impl HttpClient for Slow {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let action = format!("Action={}&", self.operation);
        let is_it = String::from_utf8_lossy(request.body()).starts_with(&action);
        if is_it && self.kept.lock().unwrap().is_none() {
            *self.kept.lock().unwrap() = Some(request);
            return Err(HttpError::new(HttpFailure::Interrupted, "on purpose"));
        }
        self.inner.send(request).await
    }
}

#[tokio::test]
async fn a_user_that_is_made_late_is_found_and_removed() {
    let bed = Bed::new();
    let slow = Arc::new(Slow {
        inner: Context::real().http,
        operation: "CreateUser",
        kept: Mutex::default(),
    });
    let connect = connect(&bed.kit.url(), admin(), Some(slow.clone()));
    let leases = Leases::new(bed.context(), bed.store("one").await, connect, options());
    define(&leases).await;
    leases.create(&request(MINUTE * 10)).await.unwrap_err();
    let all = async || leases.leases(&LeaseFilter::default(), None, 9).await.unwrap();
    let worker = worker(&leases);
    for minutes in [3, 10] {
        bed.pass(MINUTE * minutes);
        worker.run_once().await.unwrap();
        let lease = &all().await[0];
        assert_eq!(lease.state, LeaseState::Revoking, "it was given up after {minutes} minutes");
    }
    // Its signature still holds.
    assert_eq!(slow.deliver().await, 200);
    assert_eq!(bed.users().len(), 1);
    bed.pass(MINUTE * 10);
    worker.run_once().await.unwrap();
    assert_eq!(all().await[0].state, LeaseState::Revoked);
    assert!(bed.users().is_empty());
}

#[tokio::test]
async fn a_user_that_was_seen_made_is_known_to_be_gone_sooner() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let lease = take(&leases, MINUTE * 10).await;
    bed.kit.change_world(|world| world.users.retain(|user| user.name != lease.principal.name));
    bed.pass(MINUTE * 3);
    assert_eq!(leases.revoke(lease.id).await.unwrap().state, LeaseState::Revoked);
}

#[tokio::test]
async fn who_gets_no_turn_in_time_gives_up_before_others_may_take_over() {
    let bed = Bed::new();
    let lease = take(&bed.leases("one").await, MINUTE * 10).await;
    // More than one claim is long enough for, at a call a second.
    let document = r#"{"Statement":{"Effect":"Deny","Action":"*","Resource":"*"}}"#.to_owned();
    let inline_policies = (0..90).map(|n| (format!("p{n}"), document.clone())).collect();
    let user = lease.principal.name.clone();
    let more = ByHand { user, inline_policies, ..ByHand::default() };
    bed.kit.add_by_hand(&more).unwrap();
    let connect = connect(&bed.kit.url(), admin(), None);
    let slow = LeaseOptions { calls_per_second: Some(1), ..options() };
    let slow = Leases::new(bed.context(), bed.store("one").await, connect, slow);
    let began = bed.clock.elapsed();
    let revoked = slow.revoke(lease.id).await.unwrap();
    let took = bed.clock.elapsed() - began;
    assert!(took <= MINUTE, "it worked for {took:?} on a claim of 120 s");
    assert_eq!(revoked.state, LeaseState::Revoking);
    let failure = revoked.failure.unwrap();
    assert!(failure.contains("others may work on the lease"), "{failure}");
    // What it has done is done, and the rest follows.
    for _ in 0..2 {
        bed.pass(MINUTE);
        worker(&slow).run_once().await.unwrap();
    }
    assert_eq!(look(&slow, lease.id).await.state, LeaseState::Revoked);
    assert!(bed.users().is_empty());
}

/// Keys that are long in coming for the first time. Meanwhile somebody else may claim the lease.
#[derive(Debug)]
struct Dawdling {
    clock: Clock,
    store: Arc<dyn Store>,
    claims: Option<LeaseId>,
    has_come: AtomicBool,
}

#[async_trait]
impl ProvideCredentials for Dawdling {
    async fn provide_credentials(&self) -> rolecall_core::Result<Credentials> {
        if self.has_come.swap(true, Ordering::SeqCst) {
            return admin().provide_credentials().await;
        }
        self.clock.advance(MINUTE * 2);
        if let Some(id) = self.claims {
            let other = Claimant { name: "other@box".to_owned(), hold: MINUTE * 20 };
            assert!(self.store.claim(id, &other).await?.is_some());
        }
        admin().provide_credentials().await
    }
}

#[tokio::test]
async fn who_was_long_on_the_way_to_aws_works_on_a_new_claim_or_not_at_all() {
    for is_claimed in [true, false] {
        let bed = Bed::new();
        let lease = take(&bed.leases("one").await, MINUTE * 30).await;
        let store = bed.store("one").await;
        let claims = is_claimed.then_some(lease.id);
        let keys = Dawdling {
            clock: bed.clock.clone(),
            store: store.clone(),
            claims,
            has_come: AtomicBool::new(false),
        };
        let connect = connect(&bed.kit.url(), Arc::new(keys), None);
        let leases = Leases::new(bed.context(), store, connect, options());
        let calls = bed.kit.operations("iam").len();
        let renewed = leases.renew(lease.id, None, None).await;
        if is_claimed {
            let error = renewed.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
            assert_eq!(bed.kit.operations("iam").len(), calls);
        } else {
            assert_eq!(renewed.unwrap().fence, lease.fence + 2);
        }
    }
}

/// A network that works until the clock is set back at each call.
#[derive(Debug)]
struct Backwards {
    inner: Arc<dyn HttpClient>,
    clock: Clock,
    is_broken: AtomicBool,
}

#[async_trait]
impl HttpClient for Backwards {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        if self.is_broken.load(Ordering::SeqCst) {
            self.clock.set_back(MINUTE);
            return Err(HttpError::new(HttpFailure::Tls, "on purpose"));
        }
        self.inner.send(request).await
    }
}

#[tokio::test]
async fn a_key_is_waited_for_as_long_as_time_passes_whatever_the_clock_is_set_to() {
    let bed = Bed::new();
    let http = Arc::new(Backwards {
        inner: Context::real().http,
        clock: bed.clock.clone(),
        is_broken: AtomicBool::new(false),
    });
    let connect = connect(&bed.kit.url(), admin(), Some(http.clone()));
    let leases = Leases::new(bed.context(), bed.store("one").await, connect, options());
    define(&leases).await;
    let issued = leases.create(&request(MINUTE * 10)).await.unwrap();
    http.is_broken.store(true, Ordering::SeqCst);
    let waited = Clock::real().timeout(Duration::from_secs(20), leases.until_usable(&issued)).await;
    assert!(!waited.expect("it waits for ever").unwrap());
}
