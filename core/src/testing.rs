//! What the tests of this crate share.

use std::time::{Duration, SystemTime};

/// 2026-01-01T00:00:00Z.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600)
}
