//! Waiting for a future from code that is not asynchronous.

use std::future::Future;
use std::time::Duration;

use rolecall_core::{CredentialsError, ErrorKind, Result};

/// How long what must be brought to its end is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs `future` to its end on this thread, in a runtime that is made for it and ends with it. A
/// renewal of an SSO token that is under way is waited for, at most five seconds.
///
/// # Errors
/// `Internal` if the system has no means for a runtime.
///
/// # Panics
/// Inside an asynchronous runtime, where the future is to be awaited instead.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        CredentialsError::new(ErrorKind::Internal, "runtime", format!("cannot start: {error}"))
            .with_source(error)
    })?;
    let output = runtime.block_on(async {
        let output = future.await;
        rolecall_sts::finish_renewals(PATIENCE).await;
        output
    });
    // A question to a person may still hold a thread: it must not hold the process.
    runtime.shutdown_background();
    Ok(output)
}
