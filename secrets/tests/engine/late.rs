//! Calls that take long, or come late.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use rolecall_core::Context;
use rolecall_core::http::{HttpClient, HttpError, HttpFailure, Request, Response};
use rolecall_kit::ByHand;
use rolecall_secrets::{LeaseFilter, LeaseOptions, LeaseState, Leases};

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
    bed.pass(MINUTE * 8);
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
