//! Status codes.

use std::ffi::{CStr, c_char};

use rolecall::ErrorKind;

/// What came of a call: `ROLECALL_OK`, or why nothing did. Codes are only ever added, never changed:
/// take one you do not know as `ROLECALL_INTERNAL`.
pub type rolecall_status = i32;

/// It is done.
pub const ROLECALL_OK: rolecall_status = 0;
/// Nothing is configured here.
pub const ROLECALL_NOT_CONFIGURED: rolecall_status = 1;
/// Something is configured and it is wrong: a file, a profile, an option, a variable.
pub const ROLECALL_INVALID_CONFIGURATION: rolecall_status = 2;
/// The other side understood and said no.
pub const ROLECALL_DENIED: rolecall_status = 3;
/// The other side could not be reached or could not answer now. Worth trying again later.
pub const ROLECALL_UNAVAILABLE: rolecall_status = 4;
/// A bounded wait ended.
pub const ROLECALL_TIMED_OUT: rolecall_status = 5;
/// An answer arrived and makes no sense.
pub const ROLECALL_MALFORMED: rolecall_status = 6;
/// A fault of rolecall itself or of the machine under it.
pub const ROLECALL_INTERNAL: rolecall_status = 7;
/// A mistake in the call: a NULL where there must be none, a text that is not UTF-8.
pub const ROLECALL_INVALID_ARGUMENT: rolecall_status = 8;

/// Which functions and codes this header has: grows whenever some are added.
pub const ROLECALL_API_VERSION: u32 = 1;

pub(crate) fn status_of(kind: ErrorKind) -> rolecall_status {
    match kind {
        ErrorKind::NotConfigured => ROLECALL_NOT_CONFIGURED,
        ErrorKind::InvalidConfiguration => ROLECALL_INVALID_CONFIGURATION,
        ErrorKind::Denied => ROLECALL_DENIED,
        ErrorKind::Unavailable => ROLECALL_UNAVAILABLE,
        ErrorKind::TimedOut => ROLECALL_TIMED_OUT,
        ErrorKind::Malformed => ROLECALL_MALFORMED,
        // A kind without a code is a fault of ours; a test walks them all.
        _ => ROLECALL_INTERNAL,
    }
}

/// The kind that a code of the caller's stands for.
pub(crate) fn kind_of(status: rolecall_status) -> ErrorKind {
    let all = ErrorKind::ALL.into_iter();
    all.into_iter().find(|kind| status_of(*kind) == status).unwrap_or(ErrorKind::Internal)
}

/// The name of a code: `Ok`, that of an error's kind (`Denied`), `InvalidArgument`, or `Unknown` for
/// a number that is no code. It is there for ever.
#[unsafe(no_mangle)]
pub extern "C" fn rolecall_status_name(status: rolecall_status) -> *const c_char {
    name(status).as_ptr()
}

pub(crate) fn name(status: rolecall_status) -> &'static CStr {
    match status {
        ROLECALL_OK => c"Ok",
        ROLECALL_NOT_CONFIGURED => c"NotConfigured",
        ROLECALL_INVALID_CONFIGURATION => c"InvalidConfiguration",
        ROLECALL_DENIED => c"Denied",
        ROLECALL_UNAVAILABLE => c"Unavailable",
        ROLECALL_TIMED_OUT => c"TimedOut",
        ROLECALL_MALFORMED => c"Malformed",
        ROLECALL_INTERNAL => c"Internal",
        ROLECALL_INVALID_ARGUMENT => c"InvalidArgument",
        _ => c"Unknown",
    }
}

/// The version of the library that runs: `0.1.0`. It is there for ever.
#[unsafe(no_mangle)]
pub extern "C" fn rolecall_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// `ROLECALL_API_VERSION` of the library that runs: one that is lower than the header's lacks
/// something of it.
#[unsafe(no_mangle)]
pub extern "C" fn rolecall_api_version() -> u32 {
    ROLECALL_API_VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_code_and_a_name_of_its_own() {
        for (kind, code) in ErrorKind::ALL.into_iter().zip(1..) {
            assert_eq!(status_of(kind), code, "{kind:?}: codes follow the order of the kinds");
            assert_eq!(kind_of(code), kind);
            assert_eq!(name(code).to_str().unwrap(), kind.name());
        }
        assert_eq!(kind_of(99), ErrorKind::Internal);
        assert_eq!(name(99), c"Unknown");
    }

    /// The one table, as each language tells it.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "it is about files of the source tree")]
    fn every_kind_is_the_same_in_c_in_python_and_as_an_exit_code() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
        let (header, help) = (read("ffi/include/rolecall.h"), read("cli/src/args.rs"));
        let python = read("python/rolecall/__init__.pyi");
        for kind in ErrorKind::ALL {
            let mut constant = "ROLECALL".to_owned();
            for letter in kind.name().chars() {
                if letter.is_ascii_uppercase() {
                    constant.push('_');
                }
                constant.push(letter.to_ascii_uppercase());
            }
            let line = format!("#define {constant} {}\n", status_of(kind));
            assert!(header.contains(&line), "{line}");
            let class = format!("class {}Error(RolecallError)", kind.name());
            assert!(python.contains(&class), "{class}");
            // The program's help has the codes in words.
            let words = match kind {
                ErrorKind::NotConfigured => "3 nothing configured",
                ErrorKind::InvalidConfiguration => "4 wrong configuration",
                ErrorKind::Denied => "5 denied",
                ErrorKind::Unavailable | ErrorKind::TimedOut => "6 not reachable",
                ErrorKind::Malformed => "7 an answer",
                _ => "1 anything else",
            };
            assert!(words.starts_with(&kind.exit_code().to_string()) && help.contains(words));
        }
        // ROLECALL_H, ROLECALL_API_VERSION, ROLECALL_OK, ROLECALL_INVALID_ARGUMENT, and the kinds.
        assert_eq!(header.matches("\n#define ROLECALL_").count(), 4 + ErrorKind::ALL.len());
    }
}
