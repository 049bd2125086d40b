//! What the tests of this crate share.

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs openssl with arguments separated by white space and `input` on standard input; gives its
/// standard output.
pub(crate) fn openssl(arguments: &str, input: &[u8]) -> Vec<u8> {
    run("openssl", &arguments.split_whitespace().collect::<Vec<_>>(), input)
}

/// Runs a program that has to succeed.
pub(crate) fn run(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    run_in(&[], program, arguments, input)
}

/// The same, with variables added to the environment.
#[expect(clippy::disallowed_methods, reason = "fixtures are made by other programs")]
pub(crate) fn run_in(
    variables: &[(&str, &str)],
    program: &str,
    arguments: &[&str],
    input: &[u8],
) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{program} cannot be run: {e}"));
    // A program that does not read its input closes it: no failure.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    output.stdout
}

/// A request with ARNs of us-east-2.
pub(crate) fn request() -> crate::RolesAnywhere {
    let arn = |kind: &str| format!("arn:aws:rolesanywhere:us-east-2:123456789012:{kind}/x");
    crate::RolesAnywhere {
        trust_anchor_arn: arn("trust-anchor"),
        profile_arn: arn("profile"),
        role_arn: "arn:aws:iam::123456789012:role/R".to_owned(),
        ..crate::RolesAnywhere::default()
    }
}
