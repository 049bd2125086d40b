//! What STS answers, by the letter: nothing but elements that are known, each once, of plain text.

use quick_xml::Reader;
use quick_xml::events::Event;
use rolecall_core::ErrorKind;

use super::principal::CallerIdentity;
use crate::identity::refusal::{Check, Refusal};

/// Answers of GetCallerIdentity have less than a kilobyte.
pub(super) const LONGEST: usize = 64 * 1024;
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Reads a success.
pub(super) fn read(body: &[u8]) -> Result<CallerIdentity, Refusal> {
    if body.len() > LONGEST {
        return Err(refuse("answer-too-long", "the answer is longer than 64 KiB"));
    }
    let text = std::str::from_utf8(body);
    let text = text.map_err(|_| refuse("answer-not-xml", "the answer is not UTF-8"))?;
    if !text.starts_with("<?xml ") && !text.starts_with("<GetCallerIdentityResponse ") {
        return Err(refuse(
            "answer-not-xml",
            "the answer is not GetCallerIdentity's from its start",
        ));
    }
    let mut fields = Fields::default();
    let mut path: Vec<Element> = Vec::with_capacity(4);
    let mut reader = Reader::from_str(text);
    let mut ended = false;
    loop {
        // quick-xml's own messages may quote the document.
        match reader.read_event().map_err(|_| malformed())? {
            Event::Decl(_) if path.is_empty() && !ended && reader.buffer_position() < 100 => {}
            Event::Start(start) if !ended => {
                let name = start.name();
                let element =
                    Element::of(path.last().copied(), name.as_ref()).ok_or_else(unknown)?;
                let mut attributes = start.attributes();
                if element == Element::Response {
                    let first = attributes.next().and_then(Result::ok);
                    let fits = first.is_some_and(|first| {
                        first.key.as_ref() == "xmlns" && first.value.as_ref() == NAMESPACE
                    });
                    if !fits {
                        return Err(refuse("answer-namespace", "the answer is not of STS"));
                    }
                }
                if attributes.next().is_some() {
                    return Err(unknown());
                }
                fields.open(element)?;
                path.push(element);
            }
            Event::End(_) => ended = path.pop() == Some(Element::Response),
            Event::Text(text) => fields.text(path.last().copied(), text.as_ref())?,
            Event::DocType(_) => return Err(refuse("answer-dtd", "the answer has a DTD")),
            Event::GeneralRef(_) => {
                return Err(refuse("answer-entity", "the answer has an entity"));
            }
            Event::CData(_) => return Err(refuse("answer-cdata", "the answer has CDATA")),
            Event::Comment(_) => return Err(refuse("answer-comment", "the answer has a comment")),
            Event::Empty(_) => return Err(unknown()),
            Event::Eof if ended => break,
            _ => return Err(malformed()),
        }
    }
    fields.identity()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Element {
    Response,
    Result,
    Arn,
    UserId,
    Account,
    Metadata,
    RequestId,
}

impl Element {
    fn of(parent: Option<Self>, name: &str) -> Option<Self> {
        match (parent, name) {
            (None, "GetCallerIdentityResponse") => Some(Self::Response),
            (Some(Self::Response), "GetCallerIdentityResult") => Some(Self::Result),
            (Some(Self::Response), "ResponseMetadata") => Some(Self::Metadata),
            (Some(Self::Result), "Arn") => Some(Self::Arn),
            (Some(Self::Result), "UserId") => Some(Self::UserId),
            (Some(Self::Result), "Account") => Some(Self::Account),
            (Some(Self::Metadata), "RequestId") => Some(Self::RequestId),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Fields {
    seen: Vec<u8>,
    arn: String,
    user_id: String,
    account: String,
}

impl Fields {
    fn open(&mut self, element: Element) -> Result<(), Refusal> {
        let mark = element as u8;
        if self.seen.contains(&mark) {
            return Err(refuse("answer-duplicate", "the answer has an element twice"));
        }
        self.seen.push(mark);
        Ok(())
    }

    fn text(&mut self, element: Option<Element>, text: &str) -> Result<(), Refusal> {
        match element {
            Some(Element::Arn) => self.arn.push_str(text),
            Some(Element::UserId) => self.user_id.push_str(text),
            Some(Element::Account) => self.account.push_str(text),
            Some(Element::RequestId) => {}
            _ if text.bytes().all(|b| b.is_ascii_whitespace()) => {}
            _ => return Err(malformed()),
        }
        Ok(())
    }

    fn identity(self) -> Result<CallerIdentity, Refusal> {
        if [&self.arn, &self.user_id, &self.account].iter().any(|text| text.is_empty()) {
            return Err(refuse("answer-incomplete", "the answer lacks Arn, UserId or Account"));
        }
        CallerIdentity::new(&self.account, &self.arn, &self.user_id)
    }
}

/// What AWS calls its refusal: a word, or nothing.
pub(super) fn error_code(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body.get(..LONGEST.min(body.len()))?).ok()?;
    let (code, _) = text.split_once("<Code>")?.1.split_once("</Code>")?;
    let word = !code.is_empty() && code.bytes().all(|b| b.is_ascii_alphanumeric());
    (word && code.len() <= 64).then_some(code)
}

fn unknown() -> Refusal {
    refuse("answer-unknown", "the answer has an element or attribute that is not known")
}

fn malformed() -> Refusal {
    refuse("answer-malformed", "the answer is not well-formed")
}

fn refuse(code: &'static str, message: &str) -> Refusal {
    Refusal::new(Check::Answer, code, message).with_kind(ErrorKind::Malformed)
}
