//! Many processes at once on a cold cache: one of them asks AWS, the others wait for it.

use std::sync::atomic::{AtomicBool, Ordering};

use rolecall_kit::{Fault, FaultRule, names};

use crate::support::{Running, Sandbox};

const PROCESSES: usize = 100;

/// Starts all of them before AWS answers the first, and gives what they printed: all the same.
#[track_caller]
fn start_at_once(sandbox: &Sandbox, profile: &str, operation: &str) -> String {
    sandbox.kit.inject(FaultRule::next(operation, 1, Fault::Hold { gate: "start".to_owned() }));
    let args = ["export", "--profile", profile];
    let started: Vec<Running> = (0..PROCESSES).map(|_| sandbox.start(&args)).collect();
    assert!(sandbox.kit.wait_for(operation, 1));
    sandbox.kit.open("start");
    let mut printed: Vec<_> = started.into_iter().map(|r| r.finish().good().stdout).collect();
    printed.dedup();
    assert_eq!(printed.len(), 1, "not all got the same");
    printed.remove(0)
}

#[test]
fn a_hundred_processes_make_one_call() {
    let sandbox = Sandbox::new();
    start_at_once(&sandbox, "hop", "AssumeRole");
    assert_eq!(sandbox.kit.count("AssumeRole"), 1);
    sandbox.export("hop").good();
    assert_eq!(sandbox.kit.count("AssumeRole"), 1);
}

#[test]
fn a_hundred_processes_make_one_call_for_the_shortest_session() {
    let sandbox = Sandbox::new();
    sandbox.add_config(&format!(
        "[profile short]\nrole_arn = {}\nsource_profile = alice\nduration_seconds = 900\n",
        names::HOP
    ));
    start_at_once(&sandbox, "short", "AssumeRole");
    sandbox.export("short").good();
    assert_eq!(sandbox.kit.count("AssumeRole"), 1);
    assert_eq!(sandbox.kit.calls()[0].params["DurationSeconds"], "900");
}

#[test]
fn a_hundred_processes_make_one_call_with_a_web_identity() {
    let sandbox = Sandbox::new();
    sandbox.add_web_profile();
    start_at_once(&sandbox, "web", "AssumeRoleWithWebIdentity");
    assert_eq!(sandbox.kit.count("AssumeRoleWithWebIdentity"), 1);
}

#[test]
fn a_hundred_processes_make_one_call_a_hop() {
    let sandbox = Sandbox::new();
    start_at_once(&sandbox, "final", "AssumeRole");
    let calls = sandbox.kit.calls();
    let roles: Vec<_> = calls.iter().map(|call| call.params["RoleArn"].as_str()).collect();
    assert_eq!(roles, [names::HOP, names::DEPLOY, names::FINAL]);
    assert_eq!(sandbox.cache_entries().len(), 3);
}

#[test]
fn processes_that_wait_share_a_refusal_and_later_ones_try_anew() {
    let sandbox = Sandbox::new();
    let denied = Fault::Fail { status: 403, code: "AccessDenied".into(), message: String::new() };
    sandbox.kit.inject(FaultRule::next("AssumeRole", 1, denied));
    let started: Vec<Running> =
        (0..10).map(|_| sandbox.start(&["export", "--profile", "hop"])).collect();
    let codes: Vec<_> = started.into_iter().map(|running| running.finish().code()).collect();
    // Whoever starts after the refusal is later, so how many share it is up to the machine.
    assert!(codes.contains(&5) && codes.iter().all(|code| [0, 5].contains(code)), "{codes:?}");
    assert!(sandbox.kit.count("AssumeRole") <= 2);
    sandbox.run(&["export", "--profile", "hop"]).good();
    assert_eq!(sandbox.kit.count("AssumeRole"), 2);
}

#[test]
fn emptying_the_cache_under_load_does_no_harm() {
    let sandbox = Sandbox::new();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let remover = scope.spawn(|| {
            let mut removals = 0_u32;
            while !done.load(Ordering::SeqCst) {
                // Looks for torn files too.
                sandbox.cache_entries();
                removals += u32::from(std::fs::remove_dir_all(sandbox.cache()).is_ok());
            }
            removals
        });
        for _ in 0..5 {
            let started: Vec<Running> =
                (0..20).map(|_| sandbox.start(&["export", "--profile", "final"])).collect();
            for running in started {
                running.finish().good();
            }
        }
        done.store(true, Ordering::SeqCst);
        let removals = remover.join().unwrap();
        assert!(removals > 10, "the cache was removed only {removals} times");
    });
    sandbox.cache_entries();
    sandbox.export("final").good();
}
