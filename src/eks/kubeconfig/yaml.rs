//! YAML as a tree whose nodes know where they stand in the text.

use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};
use zeroize::Zeroizing;

/// How deep nodes may lie in each other. A kubeconfig needs ten.
const DEEPEST: usize = 100;

/// Why a text is not what is wanted, and in which line (from 1), if it is a line's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) line: Option<usize>,
    pub(super) message: String,
}

impl Flaw {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { line: None, message: message.into() }
    }

    /// A fault at a byte of `text`.
    pub(super) fn at(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.bytes().filter(|&b| b == b'\n').count() + 1;
        Self { line: Some(line), message: message.into() }
    }
}

/// One value. It may be a secret: what can be seen of it is where it is.
pub(super) struct Node {
    pub(super) kind: Kind,
    /// Its bytes, without the white space and comments around it. A block scalar's begin with its
    /// text, not with its `|`; what is not there at all is empty.
    pub(super) range: Range<usize>,
    /// Whether it has an anchor, to which aliases may point.
    pub(super) is_anchored: bool,
}

pub(super) enum Kind {
    Scalar {
        value: Zeroizing<String>,
        style: Style,
    },
    Mapping {
        entries: Vec<Entry>,
        is_flow: bool,
    },
    Sequence {
        items: Vec<Node>,
        is_flow: bool,
    },
    /// Another node once more, by the number of its anchor.
    Alias(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without quotes: it may be a number, a truth value or nothing.
    Plain,
    Quoted,
    /// `|` or `>`.
    Block,
    /// `!!str` and the like say what it is.
    Tagged,
}

/// A key and its value.
pub(super) struct Entry {
    pub(super) key: Node,
    pub(super) value: Node,
}

impl Entry {
    pub(super) fn is_named(&self, name: &str) -> bool {
        self.key.text() == Some(name)
    }
}

impl Node {
    /// The text of a scalar, whatever it means.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { value, .. } => Some(value),
            _ => None,
        }
    }

    /// The value of a key, if this is a mapping that has it.
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        let Kind::Mapping { entries, .. } = &self.kind else { return None };
        entries.iter().find(|entry| entry.is_named(name)).map(|entry| &entry.value)
    }

    /// Whether it stands for nothing: `null`, `~` or no text.
    pub(super) fn is_null(&self) -> bool {
        match &self.kind {
            Kind::Scalar { value, style: Style::Plain } => is_null(value),
            _ => false,
        }
    }

    /// What it is, for messages.
    pub(super) fn what(&self) -> &'static str {
        match &self.kind {
            _ if self.is_null() => "nothing",
            Kind::Scalar { .. } => "a text",
            Kind::Mapping { .. } => "a mapping",
            Kind::Sequence { .. } => "a list",
            Kind::Alias(_) => "an alias",
        }
    }

    /// Whether an anchor or an alias is in it.
    pub(super) fn has_anchors(&self) -> bool {
        self.is_anchored
            || match &self.kind {
                Kind::Scalar { .. } => false,
                Kind::Alias(_) => true,
                Kind::Sequence { items, .. } => items.iter().any(Node::has_anchors),
                Kind::Mapping { entries, .. } => {
                    entries.iter().any(|entry| entry.key.has_anchors() || entry.value.has_anchors())
                }
            }
    }
}

/// Whether a plain text stands for nothing.
pub(super) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// Reads the one document of `text`; `None` if there is nothing but comments.
///
/// # Errors
/// If it is not YAML, holds several documents, or lies too deep.
pub(super) fn parse(text: &str) -> Result<Option<Node>, Flaw> {
    let offsets = Offsets::of(text);
    let mut reader = Reader { text, offsets, open: Vec::new(), root: None, documents: 0 };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| reader.not_yaml(&error))?;
        reader.take(event, span)?;
    }
    Ok(reader.root)
}

/// Where each character begins: the parser counts characters.
struct Offsets(Option<Vec<usize>>);

impl Offsets {
    fn of(text: &str) -> Self {
        Self((!text.is_ascii()).then(|| text.char_indices().map(|(offset, _)| offset).collect()))
    }

    fn byte(&self, character: usize, end: usize) -> usize {
        match &self.0 {
            None => character.min(end),
            Some(offsets) => offsets.get(character).copied().unwrap_or(end),
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    offsets: Offsets,
    /// The collections that have begun and not ended, outermost first.
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

struct Open {
    start: usize,
    is_anchored: bool,
    is_flow: bool,
    is_mapping: bool,
    key: Option<Node>,
    entries: Vec<Entry>,
    items: Vec<Node>,
}

impl Reader<'_> {
    fn byte(&self, character: usize) -> usize {
        self.offsets.byte(character, self.text.len())
    }

    fn not_yaml(&self, error: &ScanError) -> Flaw {
        let message = format!("it is not YAML: {}", error.info());
        Flaw { line: Some(error.marker().line()), message }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Flaw> {
        let (start, end) = (self.byte(span.start.index()), self.byte(span.end.index()));
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Flaw::at(self.text, start, "a second document begins here"));
                }
            }
            Event::Scalar(value, style, anchor, tag) => {
                let style = match style {
                    _ if tag.is_some() => Style::Tagged,
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let kind = Kind::Scalar { value: Zeroizing::new(value.into_owned()), style };
                let shown = self.text.get(start..end).unwrap_or_default().trim_end();
                let range = start..start + shown.len();
                self.put(Node { kind, range, is_anchored: anchor != 0 })?;
            }
            Event::Alias(anchor) => {
                let (kind, range) = (Kind::Alias(anchor), start..end);
                self.put(Node { kind, range, is_anchored: false })?;
            }
            Event::SequenceStart(anchor, _) => self.begin(start, end, anchor, false)?,
            Event::MappingStart(anchor, _) => self.begin(start, end, anchor, true)?,
            Event::SequenceEnd | Event::MappingEnd => self.end(start)?,
            _ => {}
        }
        Ok(())
    }

    fn begin(
        &mut self,
        start: usize,
        end: usize,
        anchor: usize,
        is_mapping: bool,
    ) -> Result<(), Flaw> {
        if self.open.len() == DEEPEST {
            return Err(Flaw::at(self.text, start, "it lies too deep"));
        }
        // The span ends with the bracket, if there is one.
        let shown = self.text.get(start..end).unwrap_or_default();
        let is_flow = shown.ends_with(if is_mapping { '{' } else { '[' });
        self.open.push(Open {
            start,
            is_anchored: anchor != 0,
            is_flow,
            is_mapping,
            key: None,
            entries: Vec::new(),
            items: Vec::new(),
        });
        Ok(())
    }

    fn end(&mut self, bracket: usize) -> Result<(), Flaw> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let last = match open.is_mapping {
            true => open.entries.last().map(|entry| entry.value.range.end),
            false => open.items.last().map(|item| item.range.end),
        };
        let end = if open.is_flow { bracket + 1 } else { last.unwrap_or(open.start) };
        let kind = match open.is_mapping {
            true => Kind::Mapping { entries: open.entries, is_flow: open.is_flow },
            false => Kind::Sequence { items: open.items, is_flow: open.is_flow },
        };
        self.put(Node { kind, range: open.start..end, is_anchored: open.is_anchored })
    }

    fn put(&mut self, mut node: Node) -> Result<(), Flaw> {
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        if !open.is_mapping {
            open.items.push(node);
            return Ok(());
        }
        match open.key.take() {
            None => open.key = Some(node),
            Some(key) => {
                if node.range.is_empty() && matches!(node.kind, Kind::Scalar { .. }) {
                    // The parser has no place for what is not there: it is behind the colon.
                    let end = after(self.text, key.range.end, b':').unwrap_or(key.range.end);
                    node.range = end..end;
                }
                open.entries.push(Entry { key, value: node });
            }
        }
        Ok(())
    }
}

/// The place behind the next `sign` from `offset` on, if only white space and comments come before.
pub(super) fn after(text: &str, mut offset: usize, sign: u8) -> Option<usize> {
    let bytes = text.as_bytes();
    loop {
        match bytes.get(offset)? {
            b' ' | b'\t' | b'\r' | b'\n' => offset += 1,
            b'#' => offset += text[offset..].find('\n')?,
            found => return (*found == sign).then_some(offset + 1),
        }
    }
}
