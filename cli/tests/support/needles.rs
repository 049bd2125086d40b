use std::collections::BTreeSet;

use rolecall_kit::Kit;

/// Secrets to search for, in every form in which they could have got somewhere.
pub(crate) struct Needles {
    long: BTreeSet<String>,
    /// MFA codes: searched for as words, since six digits come up in any time of day.
    codes: BTreeSet<String>,
}

impl Needles {
    /// All that the kit knows and has handed out so far, and `more`.
    pub(crate) fn new(kit: &Kit, more: &[&str]) -> Self {
        let known = kit.secrets();
        let all = known.iter().map(|secret| secret.expose()).chain(more.iter().copied());
        let mut needles = Self { long: BTreeSet::new(), codes: BTreeSet::new() };
        for secret in all {
            if secret.len() <= 6 {
                needles.codes.insert(secret.to_owned());
                continue;
            }
            // A part is a leak too, and so is another encoding.
            let half = secret.len() / 2;
            let parts = [secret, &secret[..half], &secret[half..]];
            for part in parts.into_iter().filter(|part| is_telling(part)) {
                needles.long.insert(part.to_owned());
                needles.long.insert(percent_encoded(part));
                needles.long.insert(part.escape_debug().to_string());
            }
        }
        needles
    }

    /// Fails if `text` holds one of them.
    #[track_caller]
    pub(crate) fn assert_absent(&self, place: &str, text: &str) {
        let found = self.long.iter().find(|needle| text.contains(needle.as_str()));
        let words = || text.split(|c: char| !c.is_ascii_alphanumeric());
        let code = self.codes.iter().find(|code| words().any(|word| word == code.as_str()));
        let found = found.or(code);
        assert!(found.is_none(), "{place} holds the secret {found:?}:\n{text}");
    }

    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.long.iter().any(|needle| text.contains(needle.as_str()))
    }
}

/// A row of zeros comes up anywhere.
fn is_telling(part: &str) -> bool {
    part.chars().collect::<BTreeSet<_>>().len() >= 8
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
