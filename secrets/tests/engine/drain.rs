//! Many leases due at once.

use std::time::Duration;

use rolecall_core::Env;
use rolecall_secrets::{LeaseFilter, LeaseOptions, Leases, Worker, WorkerOptions};

use crate::bed::{Bed, MINUTE, admin, connect, options, take};

/// By a clock that moves only by the waits of the rate budget, so what it shows is what the budget
/// allows, whatever the machine can do. `DRAIN_LEASES` asks for more of them.
#[tokio::test(flavor = "multi_thread")]
async fn leases_due_at_once_drain_at_the_rate_budget() {
    let count = Env::real().get("DRAIN_LEASES").and_then(|text| text.parse().ok()).unwrap_or(60);
    let bed = Bed::new();
    bed.kit.change_world(|world| {
        for account in &mut world.accounts {
            account.quotas.users = 1_000_000;
        }
    });
    let leases = bed.leases("one").await;
    for _ in 0..count {
        take(&leases, MINUTE * 10).await;
    }
    bed.pass(MINUTE * 30);
    let rate = 20;
    let budgeted = LeaseOptions { calls_per_second: Some(rate), ..options() };
    let connect = connect(&bed.kit.url(), admin(), None);
    let leases = Leases::new(bed.context(), bed.store("one").await, connect, budgeted);
    // One at a time, as each wait moves the one clock for all.
    let worker = Worker::new(leases.clone(), WorkerOptions { concurrency: 1 });
    let before = bed.kit.operations("iam").len();
    let began = bed.clock.now();
    let mut done = 0;
    while done < count {
        let now = worker.run_once().await.unwrap();
        assert!(now > 0, "{done} of {count}");
        done += now;
        // AWS's clock goes on meanwhile.
        let passed = bed.clock.now().duration_since(began).unwrap().as_secs().cast_signed();
        bed.kit.freeze(crate::bed::START + 1800 + passed);
    }
    let took = bed.clock.now().duration_since(began).unwrap();
    let calls = bed.kit.operations("iam").len() - before;
    let per_second = calls as f64 / took.as_secs_f64();
    println!(
        "{count} leases in {took:?}: {calls} calls, {per_second:.2} a second of {rate} allowed; \
         100,000 would take {:?}",
        took * 100_000 / u32::try_from(count).unwrap()
    );
    // What was saved up at the beginning, a second's worth, comes on top.
    let allowed = f64::from(rate) * (took + Duration::from_secs(1)).as_secs_f64();
    assert!(calls as f64 <= allowed, "more than the budget");
    assert!(calls as f64 >= 0.95 * f64::from(rate) * took.as_secs_f64(), "less than the budget");
    assert!(bed.users().is_empty());
    let left = leases.leases(&LeaseFilter::default(), None, 1_000_000).await.unwrap();
    assert!(left.iter().all(|lease| lease.state.is_over()));
}
