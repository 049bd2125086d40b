//! `tests/identity-vectors.json`: the attack table for verifiers in other languages.

use serde_json::{Value, json};

use crate::cases;
use crate::support::{AUDIENCE, CLUSTER, SECRET, SERVER, SESSION};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/identity-vectors.json");

fn vectors() -> Value {
    // Five megabytes of one letter are of no use to anybody.
    let cases = cases::all().into_iter().filter(|case| case.token.len() < 64 * 1024);
    let cases: Vec<Value> = cases
        .map(|case| {
            json!({
                "row": case.row,
                "name": case.name,
                "token": case.token,
                "bounds": case.bounds,
                "sts": case.answer.map(|(status, body)| json!({"status": status, "body": body})),
                "expected": case.expected,
            })
        })
        .collect();
    json!({
        "about": "Tokens that a verifier of signed sts:GetCallerIdentity requests must take or \
                  refuse, by row of the attack table (0: good ones). All at the time `now`, with a \
                  maximum age of 300 s, each with a fresh replay memory. `sts` is what STS answers; \
                  null: it must not be asked. `expected` is accepted, or the code of the reason.",
        "now": "2026-01-01T00:00:00Z",
        "credentials": {
            "access_key_id": "ASIAIOSFODNN7EXAMPLE",
            "secret_access_key": SECRET,
            "session_token": SESSION,
        },
        "formats": ["akeyless", "vault", "infisical", "eks", "rolecall"],
        "binding": {"server_id": SERVER, "cluster": CLUSTER, "audience": AUDIENCE},
        "cases": cases,
    })
}

#[test]
fn the_file_is_the_table() {
    let wanted = format!("{:#}\n", vectors());
    #[expect(clippy::disallowed_methods, reason = "a test's own data")]
    let held = std::fs::read_to_string(FILE).unwrap_or_default();
    if held != wanted {
        let fresh = concat!(env!("CARGO_TARGET_TMPDIR"), "/identity-vectors.json");
        #[expect(clippy::disallowed_methods, reason = "a test's own data")]
        std::fs::write(fresh, wanted).unwrap();
        panic!("the vectors differ from the table: cp {fresh} {FILE}");
    }
}
