//! IAM as a client sees it.

#[path = "../support/mod.rs"]
mod support;

mod access;
mod attachments;
mod keys;
mod odds;
mod users;

use rolecall_kit::{Kit, World};

/// The account of most tests.
const ACCOUNT: &str = rolecall_kit::names::ACCOUNT;
const READ_ONLY: &str = "arn:aws:iam::aws:policy/ReadOnlyAccess";

fn kit() -> Kit {
    Kit::start(World::default())
}

/// A policy of one statement.
fn policy(effect: &str, action: &str, resource: &str, condition: &str) -> String {
    serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": effect, "Action": action, "Resource": resource,
        "Condition": serde_json::from_str::<serde_json::Value>(condition).expect("JSON"),
    }]})
    .to_string()
}
