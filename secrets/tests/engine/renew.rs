//! How far a lease can be renewed.

use rolecall_core::ErrorKind;
use rolecall_secrets::DynamicSecret;

use crate::bed::{Bed, MINUTE, secret, take};

#[tokio::test]
async fn what_nobody_asked_for_in_so_many_words_is_cut_to_the_maximum() {
    let bed = Bed::new();
    let leases = bed.leases("one").await;
    let lease = take(&leases, MINUTE * 10).await;
    // Lowered since the lease was made.
    let lower = DynamicSecret { max_ttl: MINUTE * 25, default_ttl: MINUTE * 20, ..secret() };
    leases.redefine(&lower, 1).await.unwrap();
    let error = leases.renew(lease.id, Some(MINUTE * 20), None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.message().contains("900 s at most"), "{error}");
    let renewed = leases.renew_up_to(lease.id, MINUTE * 5, None).await.unwrap();
    assert_eq!(renewed.expires_at, lease.expires_at + MINUTE * 5);
    let renewed = leases.renew(lease.id, None, None).await.unwrap();
    assert_eq!(renewed.expires_at, lease.created_at + MINUTE * 25);
    for by in [None, Some(MINUTE)] {
        let error = leases.renew(lease.id, by, None).await.unwrap_err();
        assert!(error.message().contains("0 s at most"), "{error}");
    }
    leases.renew_up_to(lease.id, MINUTE, None).await.unwrap_err();
    let user = bed.users().into_iter().next().unwrap();
    let end = rolecall_core::timestamp::format(renewed.expires_at);
    assert_eq!(user.tags["rolecall:expires"], end);
}
