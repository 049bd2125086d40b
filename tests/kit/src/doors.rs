//! The kit's only doors to the machine: the time, timers, files and random bytes.
//!
//! The workspace bans these calls elsewhere (`clippy.toml`); the kit runs for real, so it opens
//! them here and nowhere else.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};

/// Seconds since 1970 by the machine's clock.
#[expect(clippy::disallowed_methods, reason = "the kit's clock starts from the machine's")]
pub(crate) fn unix_now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_secs()).unwrap_or(i64::MAX)
}

/// Waits for real: only for the delays that a test asked for.
#[expect(clippy::disallowed_methods, reason = "a delay that a test asked for")]
pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Bounds a future in real time: a peer that stops sending must not hold a connection for ever.
#[expect(clippy::disallowed_methods, reason = "the network's time-outs are real time")]
pub(crate) async fn timeout<F: Future>(duration: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(duration, future).await.ok()
}

/// A file or folder of the AWS SDKs' conformance data, which lies beside the project.
///
/// # Panics
/// If it is missing.
pub fn conformance(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance").join(name);
    let help = "CONTRIBUTING.md says where it comes from";
    assert!(path.exists(), "{} is missing: {help}", path.display());
    path
}

/// Reads a file named on the program's command line.
///
/// # Errors
/// What the operating system says.
#[expect(clippy::disallowed_methods, reason = "files named on the program's command line")]
pub fn read_file(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

/// Writes a file named on the program's command line.
///
/// # Errors
/// What the operating system says.
#[expect(clippy::disallowed_methods, reason = "files named on the program's command line")]
pub fn write_file(path: &Path, contents: &str) -> std::io::Result<()> {
    std::fs::write(path, contents)
}

/// Fills an array with random bytes.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).expect("the system has random bytes");
    bytes
}
