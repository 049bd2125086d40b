//! The crash matrix: processes that die at any moment, and an AWS that loses replies, throttles and
//! lags, while clocks jump. In the end nothing may be left, and nothing may have ended early.

mod door;
mod mortal;
mod run;

use std::time::Instant;

use rolecall_core::Env;

pub(crate) use self::door::Process;
pub(crate) use self::mortal::Mortal;
use self::run::{Ground, run};

/// How long a test goes on, unless a number of runs is asked for by `CRASH_RUNS`.
const SECONDS: u64 = 50;
/// How many runs there are however long they take.
const LEAST: u64 = 20;

/// Runs from `first` on: as many as asked for, or as time allows, but no more than `most`.
async fn matrix(name: &str, first: u64, most: u64, ground: Ground) {
    let env = Env::real();
    let number = |name: &str| env.get(name).and_then(|text| text.parse::<u64>().ok());
    let first = number("CRASH_SEED").unwrap_or(first);
    let asked = number("CRASH_RUNS");
    let began = Instant::now();
    let mut count = 0;
    let is_enough = |count| match asked {
        Some(asked) => count >= asked,
        None => count >= most || count >= LEAST && began.elapsed().as_secs() >= SECONDS,
    };
    while !is_enough(count) {
        let seed = first + count;
        if let Err(flaws) = run(&ground, seed).await {
            panic!("on {name}: CRASH_SEED={seed} CRASH_RUNS=1:\n{}", flaws.join("\n"));
        }
        count += 1;
    }
    let tally = ground.tally.lock().unwrap();
    println!("{name}: {count} runs in {:?}: {tally:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_on_sqlite_whatever_dies_when() {
    matrix("SQLite", 1, 10_000, Ground::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_on_postgres_whatever_dies_when() {
    matrix("PostgreSQL", 1_000_000, 100, Ground::postgres().await).await;
}
