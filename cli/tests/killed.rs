//! kill -9 at any time: no torn file stays behind, and no lock that blocks the next.

use std::time::Duration;

use rolecall_kit::{Fault, FaultRule};

use crate::support::Sandbox;

const ROUNDS: u64 = 100;
const VICTIMS: usize = 3;
/// A survivor waits for no one; this is for a machine that is busy.
const PROMPTLY: Duration = Duration::from_secs(10);

/// Where the kills fall, in microseconds from the moment they are counted from.
struct Aim {
    /// While AWS is asked, and counted from its answer: most fall around the write.
    at_the_answer: bool,
    longest: u64,
}

#[test]
fn killing_refreshes_leaves_no_torn_file_and_no_lock_that_blocks() {
    let mut random = fastrand::Rng::with_seed(0x726f_6c65);
    let sandbox = Sandbox::new();
    let (mut killed, mut asked) = (0, 0);
    for round in 0..ROUNDS {
        let aim = match round % 2 {
            0 => Aim { at_the_answer: false, longest: 40_000 },
            _ => Aim { at_the_answer: true, longest: 6_000 },
        };
        end_credentials(&sandbox);
        let args = ["export", "--profile", "hop"];
        killed += kill_some(&sandbox, &args, &aim, &mut random, round);
        sandbox.cache_entries();

        let survivor = sandbox.start(&args).finish_within(PROMPTLY).good().json();
        assert!(survivor["SessionToken"].is_string());
        assert_eq!(sandbox.cache_entries().len(), 1);
        let now = sandbox.kit.count("AssumeRole");
        assert!(now > asked, "nobody asked AWS, so nobody was killed at it");
        asked = now;
    }
    let all = ROUNDS * VICTIMS as u64;
    assert!(killed > all / 10, "only {killed} of {all} were killed before their end");

    sandbox.run(&["cache", "clear"]).good();
    let left: Vec<_> = std::fs::read_dir(sandbox.cache()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Makes what is in the cache old, so that the next process overwrites it.
fn end_credentials(sandbox: &Sandbox) {
    for entry in std::fs::read_dir(sandbox.cache()).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read(&path).unwrap();
            let mut entry: serde_json::Value = serde_json::from_slice(&text).unwrap();
            entry["Credentials"]["Expiration"] = "2020-01-01T00:00:00+00:00".into();
            std::fs::write(&path, entry.to_string()).unwrap();
        }
    }
}

/// Starts processes, kills each at a random time, and says how many had not ended by themselves.
fn kill_some(
    sandbox: &Sandbox,
    args: &[&str],
    aim: &Aim,
    random: &mut fastrand::Rng,
    round: u64,
) -> u64 {
    let gate = format!("round {round}");
    let before = sandbox.kit.count("AssumeRole");
    if aim.at_the_answer {
        let hold = Fault::Hold { gate: gate.clone() };
        sandbox.kit.inject(FaultRule::next("AssumeRole", 1, hold));
    }
    let mut victims: Vec<_> = (0..VICTIMS).map(|_| sandbox.start(args)).collect();
    if aim.at_the_answer {
        assert!(sandbox.kit.wait_for("AssumeRole", before + 1));
        sandbox.kit.open(&gate);
    }
    let mut killed = 0;
    for victim in &mut victims {
        let time = Duration::from_micros(random.u64(0..aim.longest));
        if !victim.ends_within(time) {
            victim.kill();
            killed += 1;
        }
    }
    for victim in victims {
        victim.finish();
    }
    // Nobody may have come to ask: the hold is not for the next round.
    sandbox.kit.clear_faults();
    sandbox.kit.open(&gate);
    killed
}
