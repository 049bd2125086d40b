//! `*` and `?` in one section of an ARN.

/// A pattern, ready to be matched in time linear in the text, whatever the pattern.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: Box<str>,
    /// What stands between the stars.
    pieces: Box<[Piece]>,
}

#[derive(Clone, Debug)]
struct Piece {
    text: Box<[u8]>,
    /// For pieces with `?`: which places of the piece each byte fits, as bits (Shift-And).
    masks: Option<Box<[u64; 128]>>,
}

/// Names of roles, users and sessions have at most this many.
const LONGEST_PIECE: usize = 64;

impl Pattern {
    /// `None`: a piece with `?` is longer than 64, or not ASCII.
    pub(super) fn new(text: &str) -> Option<Self> {
        let mut pieces = text.split('*').map(Piece::new).collect::<Option<Vec<_>>>()?;
        // Stars that follow one another are one star.
        let last = pieces.len() - 1;
        let mut index = 0;
        pieces.retain(|piece| {
            index += 1;
            index == 1 || index == last + 1 || !piece.text.is_empty()
        });
        Some(Self { text: text.into(), pieces: pieces.into() })
    }

    /// Whether it holds no wildcard.
    pub(super) fn is_literal(&self) -> bool {
        !self.text.contains(['*', '?'])
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let mut rest = text.as_bytes();
        let [first, others @ ..] = &*self.pieces else { return false };
        let [middle @ .., last] = others else { return first.fits(rest) };
        let (Some(start), Some(end)) =
            (rest.get(..first.len()), rest.len().checked_sub(last.len()))
        else {
            return false;
        };
        if end < first.len() || !first.fits(start) || !last.fits(&rest[end..]) {
            return false;
        }
        rest = &rest[first.len()..end];
        middle.iter().all(|piece| match piece.find(rest) {
            Some(end) => {
                rest = &rest[end..];
                true
            }
            None => false,
        })
    }
}

impl Piece {
    fn new(text: &str) -> Option<Self> {
        if !text.is_ascii() {
            return None;
        }
        let masks = if text.contains('?') {
            if text.len() > LONGEST_PIECE {
                return None;
            }
            let mut masks = Box::new([0_u64; 128]);
            for (at, byte) in text.bytes().enumerate() {
                let fitting =
                    if byte == b'?' { 0..128 } else { byte.into()..usize::from(byte) + 1 };
                masks[fitting].iter_mut().for_each(|mask| *mask |= 1 << at);
            }
            Some(masks)
        } else {
            None
        };
        Some(Self { text: text.as_bytes().into(), masks })
    }

    fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether the whole of `text` is this piece.
    fn fits(&self, text: &[u8]) -> bool {
        let fit = |(own, byte): (&u8, &u8)| own == byte || *own == b'?' && byte.is_ascii();
        self.len() == text.len() && self.text.iter().zip(text).all(fit)
    }

    /// Where the first occurrence ends.
    fn find(&self, text: &[u8]) -> Option<usize> {
        let Some(masks) = &self.masks else {
            // Two-way search: linear.
            let (own, text) = (std::str::from_utf8(&self.text), std::str::from_utf8(text));
            return text.ok()?.find(own.ok()?).map(|start| start + self.len());
        };
        let last = 1_u64 << (self.len() - 1);
        let mut state = 0_u64;
        for (at, byte) in text.iter().enumerate() {
            state = (state << 1 | 1) & masks.get(usize::from(*byte)).copied().unwrap_or(0);
            if state & last != 0 {
                return Some(at + 1);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The meaning, by trying everything.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|at| naive(rest, &text[at..])),
            ([b'?', rest @ ..], [_, text @ ..]) => naive(rest, text),
            ([own, rest @ ..], [byte, text @ ..]) if own == byte => naive(rest, text),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn it_means_what_the_naive_matcher_means(pattern in "[ab?*]{0,8}", text in "[ab]{0,8}") {
            let found = Pattern::new(&pattern).unwrap().matches(&text);
            prop_assert_eq!(found, naive(pattern.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn it_never_panics(pattern in ".{0,20}", text in ".{0,20}") {
            if let Some(pattern) = Pattern::new(&pattern) {
                let _ = pattern.matches(&text);
            }
        }
    }

    #[test]
    fn regex_characters_are_characters() {
        for pattern in ["a.c", "a+", "(a)", "[a]", "a|b", "^a$"] {
            let compiled = Pattern::new(pattern).unwrap();
            assert!(compiled.matches(pattern) && !compiled.matches("abc"), "{pattern}");
        }
    }
}
