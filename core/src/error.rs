use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::printable;

/// What kind of thing went wrong: the one table behind exit codes, C status codes and Python
/// exceptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing is configured here. The only kind that lets a chain go on to its next provider.
    NotConfigured,
    /// Something is configured and it is wrong: a file, a profile, a flag, a variable.
    InvalidConfiguration,
    /// The other side understood and said no: access denied, expired or unknown keys, wrong MFA.
    Denied,
    /// The other side could not be reached or could not answer now. Worth trying again later.
    Unavailable,
    /// A bounded wait ended.
    TimedOut,
    /// An answer arrived and makes no sense.
    Malformed,
    /// A fault of rolecall itself or of the machine under it.
    Internal,
}

impl ErrorKind {
    /// Every kind, for tables that must cover them all.
    pub const ALL: [Self; 7] = [
        Self::NotConfigured,
        Self::InvalidConfiguration,
        Self::Denied,
        Self::Unavailable,
        Self::TimedOut,
        Self::Malformed,
        Self::Internal,
    ];

    /// The name, as `--error-format json` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotConfigured => "NotConfigured",
            Self::InvalidConfiguration => "InvalidConfiguration",
            Self::Denied => "Denied",
            Self::Unavailable => "Unavailable",
            Self::TimedOut => "TimedOut",
            Self::Malformed => "Malformed",
            Self::Internal => "Internal",
        }
    }

    /// The exit code of the program `rolecall` (0 is done, 2 bad usage).
    pub fn exit_code(self) -> u8 {
        match self {
            Self::NotConfigured => 3,
            Self::InvalidConfiguration => 4,
            Self::Denied => 5,
            Self::Unavailable | Self::TimedOut => 6,
            Self::Malformed => 7,
            Self::Internal => 1,
        }
    }
}

/// Why there are no credentials: what failed, in which provider, and what to do next.
///
/// Cheap to clone, so that all who waited for one refresh can have its error.
#[derive(Clone, Debug)]
pub struct CredentialsError(Arc<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    kind: ErrorKind,
    provider: Cow<'static, str>,
    message: String,
    place: Option<String>,
    help: Option<String>,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The result of anything that may fail for want of credentials or configuration.
pub type Result<T, E = CredentialsError> = std::result::Result<T, E>;

impl CredentialsError {
    /// An error of `provider` (a short name as users know it: `profile prod`, `STS AssumeRole`).
    pub fn new(
        kind: ErrorKind,
        provider: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            provider: provider.into(),
            message: printable(&message.into(), usize::MAX),
            place: None,
            help: None,
            source: None,
        }))
    }

    /// Adds where it is configured: `profile x (/home/me/.aws/config:7)`. The first place stays, as
    /// errors pass from the inside out.
    #[must_use]
    pub fn with_place(mut self, place: impl Into<String>) -> Self {
        if self.0.place.is_none() {
            Arc::make_mut(&mut self.0).place = Some(printable(&place.into(), usize::MAX));
        }
        self
    }

    /// Adds what the reader can do about it: one sentence without a full stop.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).help = Some(printable(&help.into(), usize::MAX));
        self
    }

    /// Adds the error underneath.
    #[must_use]
    pub fn with_source(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.0).source = Some(Arc::new(source));
        self
    }

    /// The kind, which decides what callers do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The provider that failed.
    pub fn provider(&self) -> &str {
        &self.0.provider
    }

    /// Where it is configured, if that is known.
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// What failed.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next, where there is something to say.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// The messages of the errors underneath, outermost first.
    pub fn causes(&self) -> Vec<String> {
        std::iter::successors(self.source(), |&error| error.source())
            .map(ToString::to_string)
            .collect()
    }
}

impl fmt::Display for CredentialsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.0.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}", self.0.provider, self.0.message)?;
        match &self.0.help {
            Some(help) => write!(f, "; {help}"),
            None => Ok(()),
        }
    }
}

impl Error for CredentialsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_exit_codes_keep_clear_of_usage_errors() {
        let names: std::collections::HashSet<_> = ErrorKind::ALL.iter().map(|k| k.name()).collect();
        assert_eq!(names.len(), ErrorKind::ALL.len());
        assert!(ErrorKind::ALL.iter().all(|k| ![0, 2].contains(&k.exit_code())));
    }

    #[test]
    fn display_names_the_innermost_place_the_provider_and_the_help() {
        let error = CredentialsError::new(ErrorKind::Denied, "STS AssumeRole", "access denied")
            .with_help("ask for sts:AssumeRole")
            .with_place("profile prod")
            .with_place("profile outer")
            .with_source(std::io::Error::other("underneath"));
        assert_eq!(
            error.to_string(),
            "profile prod: STS AssumeRole: access denied; ask for sts:AssumeRole"
        );
        assert_eq!(error.causes(), ["underneath"]);
    }
}
