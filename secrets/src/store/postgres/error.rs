use std::error::Error as _;

use deadpool_postgres::{HookError, PoolError};
use rolecall_core::{CredentialsError, ErrorKind};
use tokio_postgres::error::SqlState;

use super::super::PROVIDER;

/// What the database says, with what to do about it. Its details, which may quote what was
/// written, are left out.
pub(super) fn failed(error: tokio_postgres::Error) -> CredentialsError {
    let (kind, help) = match error.code() {
        Some(code) => of_code(code),
        None if is_tls(&error) => (
            ErrorKind::InvalidConfiguration,
            "name the authority's certificate with sslrootcert=FILE in the connection string",
        ),
        None => (ErrorKind::Unavailable, "check that the server runs and can be reached"),
    };
    let message = match error.as_db_error() {
        Some(told) => told.message().to_owned(),
        None => std::iter::successors(error.source(), |&error| error.source())
            .fold(error.to_string(), |text, cause| format!("{text}: {cause}")),
    };
    CredentialsError::new(kind, PROVIDER, message).with_help(help)
}

fn of_code(code: &SqlState) -> (ErrorKind, &'static str) {
    use ErrorKind::{Denied, Internal, InvalidConfiguration, TimedOut, Unavailable};
    match code.code() {
        "28P01" | "28000" => (Denied, "check the user and the password, or set PGPASSWORD"),
        "42501" => (Denied, "grant the user CREATE on the database, or the tables of the store"),
        "3D000" => (InvalidConfiguration, "create the database first"),
        "25006" => (InvalidConfiguration, "this is a read-only server: name the primary"),
        "57014" | "25P03" => (TimedOut, "look what keeps the server busy, and try again"),
        "55P03" | "40001" | "40P01" => (Unavailable, "others work on the same thing: try again"),
        "53100" => (Unavailable, "the server's disk is full: make room and try again"),
        code if code.starts_with("53") => (Unavailable, "the server is short of room: try again"),
        code if code.starts_with("57") || code.starts_with("08") => {
            (Unavailable, "the server is starting or stopping: try again")
        }
        _ => (Internal, "report this as a fault of rolecall"),
    }
}

fn is_tls(error: &tokio_postgres::Error) -> bool {
    std::iter::successors(error.source(), |&error| error.source()).any(|cause| {
        let inner = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause.is::<rustls::Error>() || inner.is_some_and(|inner| inner.is::<rustls::Error>())
    })
}

/// Why there is no connection.
pub(super) fn no_connection(error: PoolError) -> CredentialsError {
    let fail = |kind, message: &str, help: &str| {
        CredentialsError::new(kind, PROVIDER, message).with_help(help)
    };
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            failed(error)
        }
        PoolError::Timeout(_) => fail(
            ErrorKind::TimedOut,
            "there was no connection to the server in time",
            "check that it can be reached and is not busy",
        ),
        PoolError::Closed | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            fail(ErrorKind::Internal, "the connections are closed", "report this as a fault")
        }
    }
}
