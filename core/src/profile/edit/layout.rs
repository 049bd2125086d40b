//! Where the parts of a text are.

use std::ops::Range;

use super::SectionName;
use crate::profile::FileKind;
use crate::profile::parse::{COMMENT, LineKind, header, split};

/// The lines of a text that follows the grammar.
pub(super) struct Layout<'a> {
    pub(super) lines: Vec<Line<'a>>,
}

/// A line, and where it lies in the text.
pub(super) struct Line<'a> {
    /// Without its end.
    pub(super) text: &'a str,
    /// `\n`, `\r\n`, or nothing at the end of the text.
    pub(super) end: &'a str,
    start: usize,
    kind: LineKind<'a>,
}

/// A property, by the numbers of its lines.
pub(super) struct Property<'a> {
    pub(super) key: &'a str,
    pub(super) line: usize,
    /// Whether nothing stands after its `=`.
    pub(super) is_empty: bool,
    /// The lines that continue it.
    pub(super) more: Vec<usize>,
}

impl<'a> Line<'a> {
    /// Its place in the text, without its end.
    pub(super) fn place(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// Its place with its end.
    pub(super) fn whole(&self) -> Range<usize> {
        self.start..self.start + self.text.len() + self.end.len()
    }

    /// The text of a line that continues another.
    pub(super) fn continuation(&self) -> Option<&'a str> {
        match self.kind {
            LineKind::Continuation(text) => Some(text),
            _ => None,
        }
    }

    /// Its name, if it holds a property among others.
    pub(super) fn sub_property(&self) -> Option<&'a str> {
        let text = self.continuation().filter(|text| !text.starts_with(COMMENT))?;
        split(text).0.map(|(name, _)| name)
    }
}

impl<'a> Layout<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut start = 0;
        let lines = text.split_inclusive('\n').map(|whole| {
            let bare = whole.strip_suffix('\n').unwrap_or(whole);
            // As the parser does, also at the end of the text.
            let bare = bare.strip_suffix('\r').unwrap_or(bare);
            let line =
                Line { text: bare, end: &whole[bare.len()..], start, kind: LineKind::of(bare) };
            start += whole.len();
            line
        });
        Self { lines: lines.collect() }
    }

    /// How lines end here: as the first one does.
    pub(super) fn line_end(&self) -> &'a str {
        self.lines.first().map(|line| line.end).filter(|end| end.ends_with('\n')).unwrap_or("\n")
    }

    /// The sections called `name`, each from its header up to the next one.
    pub(super) fn sections(&self, file: FileKind, name: &SectionName) -> Vec<Range<usize>> {
        let headers: Vec<_> = self.headers().collect();
        let ends = headers.iter().skip(1).map(|(at, _)| *at).chain([self.lines.len()]);
        let sections = headers
            .iter()
            .zip(ends)
            .filter_map(|((start, header), end)| Some((name.matches(file, header)?, *start..end)));
        let sections: Vec<_> = sections.collect();
        let first_rank = sections.iter().any(|(is_first_rank, _)| *is_first_rank);
        sections.into_iter().filter(|(rank, _)| *rank == first_rank).map(|(_, s)| s).collect()
    }

    /// The headers, each with the number of its line.
    pub(super) fn headers(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.lines.iter().enumerate().filter_map(|(at, line)| match line.kind {
            LineKind::Section(rest) => Some((at, header(rest)?.0)),
            _ => None,
        })
    }

    /// The properties of a section.
    pub(super) fn properties(&self, section: &Range<usize>) -> Vec<Property<'a>> {
        let mut properties: Vec<Property<'a>> = Vec::new();
        for number in section.clone() {
            match self.lines[number].kind {
                LineKind::Property(text) => {
                    let Some((key, value)) = split(text).0 else { continue };
                    let is_empty = value.is_empty();
                    properties.push(Property { key, line: number, is_empty, more: Vec::new() });
                }
                LineKind::Continuation(_) => {
                    if let Some(property) = properties.last_mut() {
                        property.more.push(number);
                    }
                }
                LineKind::Nothing | LineKind::Section(_) => {}
            }
        }
        properties
    }

    /// The last line of a section that is not blank or a comment: new properties go below it.
    pub(super) fn last_line(&self, section: &Range<usize>) -> usize {
        let is_something = |number: &usize| !matches!(self.lines[*number].kind, LineKind::Nothing);
        section.clone().rev().find(is_something).unwrap_or(section.start)
    }
}

impl Property<'_> {
    /// The number of its last line.
    pub(super) fn last(&self) -> usize {
        self.more.last().copied().unwrap_or(self.line)
    }

    /// Whether it holds properties of its own.
    pub(super) fn has_sub_properties(&self, layout: &Layout<'_>) -> bool {
        self.is_empty && self.more.iter().any(|line| layout.lines[*line].sub_property().is_some())
    }
}
