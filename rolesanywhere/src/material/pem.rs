//! PEM as people have it: several blocks with anything between them, lines of any length, headers.
//!
//! The strict form of RFC 7468, which libraries read, is not what browsers, mail and `openssl x509
//! -text` leave.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

/// With padding or without.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One block.
#[derive(Debug)]
pub(super) struct Block<'a> {
    /// `CERTIFICATE`, `EC PRIVATE KEY`.
    pub(super) label: &'a str,
    /// The line it begins at, from 1.
    pub(super) line: usize,
    /// Whether it has the header `Proc-Type: 4,ENCRYPTED` (RFC 1421): OpenSSL's own encryption.
    pub(super) is_encrypted_as_of_old: bool,
    /// What it holds.
    pub(super) der: Zeroizing<Vec<u8>>,
}

/// What is wrong with a block, and the line it begins at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) line: usize,
    pub(super) what: String,
}

pub(super) const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The blocks of `text`, in order.
pub(super) fn blocks(text: &str) -> Result<Vec<Block<'_>>, Flaw> {
    let mut found = Vec::new();
    let mut lines = text.lines().map(str::trim).enumerate();
    while let Some((index, line)) = lines.next() {
        let Some(label) = boundary(line, BEGIN) else { continue };
        let line = index + 1;
        let flaw = |what: String| Flaw { line, what };
        let name = rolecall_core::printable(label, 60);
        let mut is_encrypted_as_of_old = false;
        // Room for all of it: a buffer that grows leaves copies of a key behind.
        let until_end = lines.clone().take_while(|(_, next)| !next.starts_with(END));
        let room = until_end.map(|(_, next)| next.len()).sum();
        let mut body = Zeroizing::new(String::with_capacity(room));
        loop {
            let Some((_, next)) = lines.next() else {
                return Err(flaw(format!("the block {name} has no end: the file is cut off")));
            };
            if let Some(ended) = boundary(next, END) {
                if ended != label {
                    return Err(flaw(format!("the block {name} ends as another")));
                }
                break;
            }
            if next.starts_with(BEGIN) {
                return Err(flaw(format!("the block {name} has no end before the next begins")));
            }
            match next.split_once(':') {
                Some((header, value)) => {
                    is_encrypted_as_of_old |=
                        header == "Proc-Type" && value.trim_end().ends_with("ENCRYPTED");
                }
                None => body.extend(next.split_whitespace()),
            }
        }
        let mut der = Zeroizing::new(Vec::with_capacity(body.len()));
        let decoded = BASE64.decode_vec(body.as_bytes(), &mut der);
        decoded.map_err(|_| flaw(format!("the block {name} is no base64: it is damaged")))?;
        found.push(Block { label, line, is_encrypted_as_of_old, der });
    }
    Ok(found)
}

fn boundary<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    // A byte order mark may stand before the first.
    let label = line.trim_start_matches('\u{feff}').strip_prefix(start)?.strip_suffix(DASHES)?;
    (!label.contains(DASHES)).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_among_text_whatever_their_lines() {
        let text = "\u{feff}-----BEGIN A-----\r\nAQ\r\nID\r\n-----END A-----\r\nBag: x\n\n  -----BEGIN B \
                    C-----  \nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nBA==\n-----END B C-----";
        let found = blocks(text).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].label, found[0].line, found[0].der.as_slice()),
            ("A", 1, &[1, 2, 3][..])
        );
        assert_eq!((found[1].label, found[1].line, found[1].der.as_slice()), ("B C", 7, &[4][..]));
        assert!(!found[0].is_encrypted_as_of_old && found[1].is_encrypted_as_of_old);
    }

    #[test]
    fn damage_is_told_with_its_line() {
        for (text, says) in [
            ("\n-----BEGIN A-----\nAQID\n", "cut off"),
            ("\n-----BEGIN A-----\nAQID\n-----END B-----", "ends as another"),
            ("\n-----BEGIN A-----\nAQID\n-----BEGIN A-----\n-----END A-----", "before the next"),
            ("\n-----BEGIN A-----\nA!ID\n-----END A-----", "no base64"),
        ] {
            let flaw = blocks(text).unwrap_err();
            assert_eq!(flaw.line, 2);
            assert!(flaw.what.contains(says), "{flaw:?}");
        }
        assert!(blocks("no block").unwrap().is_empty());
    }
}
