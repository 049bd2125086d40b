use rolecall_core::{CredentialsError, ErrorKind};
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

use super::super::PROVIDER;

const FULL: (ErrorKind, &str, &str) = (
    ErrorKind::Unavailable,
    "the disk is full; nothing was changed",
    "make room on it and try again",
);

fn extended(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|error| error.extended_code)
}

/// What SQLite says, with what to do about it. Whoever knows the file adds it as the place.
pub(super) fn failed(error: rusqlite::Error) -> CredentialsError {
    use ErrorKind::{Internal, InvalidConfiguration, Malformed, Unavailable};
    let (kind, message, help) = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => return locked(),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => return read_only(),
        Some(ErrorCode::DiskFull) => FULL,
        // The file that processes share has no room to grow.
        Some(ErrorCode::SystemIoFailure) if extended(&error) == Some(SQLITE_IOERR_SHMSIZE) => FULL,
        Some(ErrorCode::NotADatabase) => {
            (InvalidConfiguration, "it is not a lease store", "name another file; it is untouched")
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            (Malformed, "the store is damaged", "restore it from a backup")
        }
        Some(ErrorCode::CannotOpen) => (
            InvalidConfiguration,
            "the store cannot be opened",
            "check that the folder is there, is yours and is writable",
        ),
        Some(ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed) => (
            Unavailable,
            "the disk failed; nothing was changed",
            "check the disk; a network file system cannot hold a store",
        ),
        Some(ErrorCode::OutOfMemory) => (Unavailable, "memory is short", "try again later"),
        _ => (Internal, "SQLite failed", "report this as a fault of rolecall"),
    };
    let message = format!("{message} ({error})");
    CredentialsError::new(kind, PROVIDER, message).with_help(help).with_source(error)
}

/// Another process has kept the store for too long.
pub(super) fn locked() -> CredentialsError {
    let message = "the store is locked by another process, which does not let go of it";
    CredentialsError::new(ErrorKind::Unavailable, PROVIDER, message)
        .with_help("see with fuser which one it is, and try again; nothing was changed")
}

/// The file or its folder may only be read.
pub(super) fn read_only() -> CredentialsError {
    let message = "the store is read-only; nothing was changed";
    CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
        .with_help("make the file and its folder writable: the log beside it must be written too")
}

/// The store is one of the process that this one was forked from.
pub(super) fn closed() -> CredentialsError {
    let message = "the store was opened by the process that this one was forked from";
    CredentialsError::new(ErrorKind::Internal, PROVIDER, message).with_help("open it here as well")
}
