//! AWS Query answers, read strictly: one well-formed document of the expected name and namespace,
//! without a DTD. Elements that are not known are tolerated, as AWS adds some.

use std::fmt;
use std::time::SystemTime;

use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};
use rolecall_core::{Secret, timestamp};
use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};

/// Answers are five deep or so.
const DEEPEST: usize = 32;

/// What an answer must look like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape<'a> {
    /// The root element: `AssumeRoleResponse`.
    pub root: &'a str,
    /// The namespace of all of it.
    pub namespace: &'a str,
    /// Whether it may have no namespace at all, as some servers' errors do.
    pub namespace_optional: bool,
    /// The child that is asked for: `AssumeRoleResult`.
    pub child: &'a str,
}

/// What is wrong with a document. Never holds any of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw(String);

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn flaw(text: impl Into<String>) -> Flaw {
    Flaw(text.into())
}

/// Reads the child that `shape` asks for.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8], shape: Shape<'_>) -> Result<T, Flaw> {
    let child = find(body, shape)?.ok_or_else(|| flaw(format!("{} is missing", shape.child)))?;
    decode(child)
}

/// Reads the text of a child of the root, where it has one.
pub(crate) fn read_text(body: &[u8], shape: Shape<'_>) -> Option<String> {
    let child = find(body, shape).ok()??;
    decode(child).ok()
}

/// Checks the whole document, and gives the child's part of it.
pub(crate) fn find<'a>(body: &'a [u8], shape: Shape<'_>) -> Result<Option<&'a str>, Flaw> {
    let text = std::str::from_utf8(body).map_err(|_| flaw("it is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().is_empty() {
        return Err(flaw("it is empty"));
    }
    let mut walk = Walk { shape, text, depth: 0, start: None, found: None, ended: false };
    let mut reader = NsReader::from_str(text);
    loop {
        let before = position(&reader);
        // quick-xml's own messages may quote the document.
        let event = reader.read_resolved_event().map_err(|_| flaw("it is not well-formed XML"))?;
        match event {
            (namespace, Event::Start(element)) => {
                walk.open(namespace, element.local_name().as_ref(), before)?;
                walk.depth += 1;
            }
            (namespace, Event::Empty(element)) => {
                walk.open(namespace, element.local_name().as_ref(), before)?;
                walk.close(position(&reader))?;
            }
            (_, Event::End(_)) => {
                walk.depth -= 1;
                walk.close(position(&reader))?;
            }
            (_, Event::Text(text)) if walk.depth == 0 && !is_blank(&text) => {
                return Err(flaw("it is not XML"));
            }
            (_, Event::DocType(_)) => return Err(flaw("it has a DTD")),
            (_, Event::CData(_) | Event::GeneralRef(_)) if walk.depth == 0 => {
                return Err(flaw("it is not XML"));
            }
            (_, Event::Eof) => break,
            _ => {}
        }
    }
    if !walk.ended {
        return Err(flaw("it is cut short"));
    }
    Ok(walk.found)
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_whitespace())
}

fn position(reader: &NsReader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

struct Walk<'a, 's> {
    shape: Shape<'s>,
    text: &'a str,
    depth: usize,
    start: Option<usize>,
    found: Option<&'a str>,
    ended: bool,
}

impl Walk<'_, '_> {
    fn open(&mut self, space: ResolveResult<'_>, name: &str, at: usize) -> Result<(), Flaw> {
        let namespace_fits = match space {
            ResolveResult::Bound(Namespace(space)) => space == self.shape.namespace,
            ResolveResult::Unbound => self.shape.namespace_optional,
            ResolveResult::Unknown(_) => false,
        };
        if self.depth == 0 && (self.ended || name != self.shape.root) {
            return Err(flaw(format!("its root is not {}", self.shape.root)));
        }
        if !namespace_fits {
            return Err(flaw(format!("its namespace is not {}", self.shape.namespace)));
        }
        if self.depth >= DEEPEST {
            return Err(flaw("it is nested too deeply"));
        }
        if self.depth == 1 && name == self.shape.child {
            if self.found.is_some() {
                return Err(flaw(format!("{} is there twice", self.shape.child)));
            }
            self.start = Some(at);
        }
        Ok(())
    }

    /// After the element at the present depth has ended before `end`.
    fn close(&mut self, end: usize) -> Result<(), Flaw> {
        if self.depth == 0 {
            self.ended = true;
        }
        if self.depth == 1
            && let Some(start) = self.start.take()
        {
            let part = self.text.get(start..end);
            self.found = Some(part.ok_or_else(|| flaw("it is not well-formed XML"))?);
        }
        Ok(())
    }
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, Flaw> {
    quick_xml::de::from_str(part).map_err(|error| {
        let text = error.to_string();
        // The only messages that hold nothing but names of ours.
        let safe = ["missing field", "duplicate field"].iter().any(|s| text.starts_with(s));
        flaw(if safe { text } else { "an element has a value of another type".to_owned() })
    })
}

/// Reads a secret; for `#[serde(deserialize_with = …)]`.
///
/// # Errors
/// If there is no text.
pub fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
    struct Text;

    impl Visitor<'_> for Text {
        type Value = Secret;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
            Ok(Secret::from(text))
        }

        fn visit_string<E: Error>(self, text: String) -> Result<Secret, E> {
            Ok(Secret::from(text))
        }
    }

    deserializer.deserialize_string(Text)
}

/// Reads a moment in RFC 3339; for `#[serde(deserialize_with = …)]`.
///
/// # Errors
/// If it is not one.
pub fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
    let text: String = serde::Deserialize::deserialize(deserializer)?;
    timestamp::parse(text.trim()).ok_or_else(|| D::Error::custom("not a moment in time"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    const SHAPE: Shape<'_> = Shape {
        root: "GetResponse",
        namespace: "urn:x",
        namespace_optional: false,
        child: "GetResult",
    };

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "PascalCase")]
    struct Thing {
        name: String,
        size: Option<u32>,
    }

    fn document(inner: &str) -> String {
        format!("<GetResponse xmlns=\"urn:x\">{inner}<ResponseMetadata/></GetResponse>")
    }

    fn thing(text: &str) -> Result<Thing, Flaw> {
        read(text.as_bytes(), SHAPE)
    }

    #[test]
    fn reads_the_result_and_tolerates_what_it_does_not_know() {
        let result = "<GetResult><New><Deep a=\"1\">x</Deep></New><Name>a&amp;b</Name></GetResult>";
        let expected = Thing { name: "a&b".to_owned(), size: None };
        assert_eq!(thing(&document(result)).unwrap(), expected);
        let declared =
            format!("\u{feff}<?xml version=\"1.0\"?>\n{}\n<!-- end -->", document(result));
        assert_eq!(thing(&declared).unwrap(), expected);
    }

    #[test]
    fn all_else_is_a_flaw_that_quotes_nothing() {
        let good = "<GetResult><Name>hunter2</Name></GetResult>";
        let whole = document(good);
        for (text, said) in [
            ("", "empty"),
            ("  \n", "empty"),
            ("hunter2", "not XML"),
            ("{\"hunter2\":1}", "not XML"),
            ("<html><body>hunter2</body></html>", "root is not GetResponse"),
            (&whole[..whole.len() - 3], ""),
            (&whole[..whole.len() - "</GetResponse>".len()], "cut short"),
            (&format!("<!DOCTYPE hunter2>{whole}"), "DTD"),
            (&whole.replace("urn:x", "urn:hunter2"), "namespace"),
            (&whole.replace(" xmlns=\"urn:x\"", ""), "namespace"),
            (&format!("{whole}hunter2"), "not XML"),
            (&format!("{whole}{whole}"), "root"),
            (&document(""), "GetResult is missing"),
            (&document(&format!("<Deep>{good}</Deep>")), "GetResult is missing"),
            (&document(&format!("{good}{good}")), "twice"),
            (&document("<GetResult/>"), "missing field"),
            (&document("<GetResult><Name>a</Name><Name>b</Name></GetResult>"), "duplicate field"),
            (&document("<GetResult><Name>a</Name><Size>hunter2</Size></GetResult>"), "type"),
            (&document("<GetResult><Name>&hunter2;</Name></GetResult>"), ""),
            (&document("<GetResult><Name xmlns=\"urn:y\">hunter2</Name></GetResult>"), "namespace"),
            (&document(&format!("{}{}", "<a>".repeat(99), "</a>".repeat(99))), "deeply"),
        ] {
            let Flaw(found) = thing(text).expect_err(text);
            assert!(found.contains(said) && !found.contains("hunter2"), "{text}: {found}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_a_flaw() {
        assert!(read::<Thing>(b"<GetResponse>\xff</GetResponse>", SHAPE).is_err());
    }

    proptest! {
        #[test]
        fn never_panics_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = read::<Thing>(&bytes, SHAPE);
        }

        #[test]
        fn never_panics_on_anything_like_xml(
            parts in prop::collection::vec(prop::sample::select(vec![
                "<GetResponse xmlns=\"urn:x\">", "</GetResponse>", "<GetResult>", "</GetResult>",
                "<GetResult/>", "<Name>", "</Name>", "é", "<![CDATA[x]]>", "<!--", "-->", "<?x?>",
                "&amp;", "&#0;", "&#x110000;", "<a:b xmlns:a='c'>", "</a:b>", "<!DOCTYPE a [", "]>",
                "<", ">", "\"", " ", "\u{feff}",
            ]), 0..16),
        ) {
            let _ = thing(&parts.concat());
        }
    }
}
