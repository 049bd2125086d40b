use std::fmt::Write;

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::Certificate;

/// The certificates of a token as `read-certificate-data` lists them: SHA-1 fingerprint and subject.
pub fn matching_identities(certificates: &[Certificate]) -> String {
    let mut text = match certificates {
        [] => "No matching identities\n".to_owned(),
        _ => "Matching identities\n".to_owned(),
    };
    for (number, certificate) in certificates.iter().enumerate() {
        let fingerprint = hex::encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate.der()));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}) {fingerprint} \"{}\"", number + 1, certificate.subject());
    }
    text
}
