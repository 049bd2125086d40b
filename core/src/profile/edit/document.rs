use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::layout::{Layout, Line, Property};
use super::{SectionName, SettingKey, SettingValue, at, refused};
use crate::profile::FileKind;
use crate::profile::parse::{COMMENT, WHITE, comment_start, parse, sub_properties};
use crate::profile::set::{BYTE_ORDER_MARK, parsed, text_of};
use crate::{CredentialsError, ErrorKind, Result, Secret};

/// The sub-properties that we write first in a property, as AWS CLI indents them.
const INDENT: &str = "    ";

/// The text of a profile file, which can be changed in places.
///
/// What is set is written as AWS CLI writes it, `key = value`, and a comment beside it stays.
/// Everything else keeps its bytes: order, comments, blank lines, line ends. One exception: an
/// indented comment would become part of a value, and loses its indentation, if the property above
/// it gets a value.
pub struct Document {
    kind: FileKind,
    file: Arc<Path>,
    text: Zeroizing<String>,
}

/// What goes where in place of what.
type Splice = (Range<usize>, Zeroizing<String>);

impl Document {
    /// Takes the text of a file.
    ///
    /// # Errors
    /// `InvalidConfiguration`, with the line, for what breaks the grammar: what we do not
    /// understand we do not change.
    pub fn parse(kind: FileKind, file: &Path, bytes: &[u8]) -> Result<Self> {
        let file: Arc<Path> = file.into();
        let text = text_of(&file, bytes)?;
        parsed(&file, text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text))?;
        // Exactly as large as needed, so that no copy of a secret is left behind by growing.
        let mut copy = Zeroizing::new(String::with_capacity(text.len()));
        copy.push_str(text);
        Ok(Self { kind, file, text: copy })
    }

    /// The text as it is now.
    pub fn bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The value of a property; `None` if it is not there, or if others are inside it.
    ///
    /// # Errors
    /// `Internal` never happens to a document that was parsed.
    pub fn get(&self, section: &SectionName, key: &SettingKey) -> Result<Option<Secret>> {
        let sections = Layout::of(self.body()).sections(self.kind, section);
        let parsed = parse(self.body()).map_err(|_| self.broken())?;
        let is_ours = |line: u32| sections.iter().any(|s| s.start + 1 == line as usize);
        let properties = parsed.sections.iter().filter(|s| is_ours(s.line));
        let mut properties = properties.flat_map(|section| &section.properties);
        let found = properties.rfind(|p| p.key.eq_ignore_ascii_case(key.name()));
        let value = found.map(|property| Zeroizing::new(property.value()));
        Ok(value.and_then(|value| match key.sub() {
            Some(sub) => {
                let of_that_name = sub_properties(&value).filter(|(name, _)| *name == sub);
                of_that_name.last().map(|(_, value)| value.into())
            }
            None if sub_properties(&value).next().is_some() => None,
            None => Some(value.as_str().into()),
        }))
    }

    /// Sets a property, in a section that is added if it is not there; says whether that changed
    /// anything.
    ///
    /// # Errors
    /// `InvalidConfiguration` if a plain value would take the place of properties inside it, or the
    /// other way round.
    pub fn set(
        &mut self,
        section: &SectionName,
        key: &SettingKey,
        value: &SettingValue,
    ) -> Result<bool> {
        let is_value = |found: &Option<Secret>| {
            found.as_ref().is_some_and(|found| found.expose() == value.expose())
        };
        if is_value(&self.get(section, key)?) {
            return Ok(false);
        }
        let layout = Layout::of(self.body());
        let sections = layout.sections(self.kind, section);
        let mut properties = sections.iter().flat_map(|section| layout.properties(section));
        // The last one counts, for every reader that takes the file at all.
        let found = properties.rfind(|p| p.key.eq_ignore_ascii_case(key.name()));
        let splices = match (&found, key.sub()) {
            (Some(property), None) => self.replace(&layout, property, key, value)?,
            (Some(property), Some(sub)) => {
                self.set_sub_property(&layout, property, key, sub, value)?
            }
            (None, _) => self.insert(&layout, section, &sections, key, value)?,
        };
        let changed = self.spliced(splices);
        let before = std::mem::replace(&mut self.text, changed);
        // No file is written that does not say afterwards what it should.
        match self.get(section, key) {
            Ok(found) if is_value(&found) => Ok(true),
            _ => {
                self.text = before;
                Err(self.broken())
            }
        }
    }

    /// Removes a property wherever the section has it; says whether it did. The last property
    /// inside another takes that with it.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn remove(&mut self, section: &SectionName, key: &SettingKey) -> Result<bool> {
        let layout = Layout::of(self.body());
        let sections = layout.sections(self.kind, section);
        let properties = sections.iter().flat_map(|section| layout.properties(section));
        let properties = properties.filter(|p| p.key.eq_ignore_ascii_case(key.name()));
        let properties: Vec<_> = properties.collect();
        let mut splices = Vec::new();
        for property in &properties {
            let subs = property.more.iter().filter(|_| property.is_empty);
            let subs = subs.filter_map(|line| Some((*line, layout.lines[*line].sub_property()?)));
            let subs: Vec<_> = subs.collect();
            match key.sub() {
                Some(sub) if !subs.iter().any(|(_, name)| *name == sub) => continue,
                // An empty one still stands above another of its name.
                Some(sub) if properties.len() > 1 || subs.iter().any(|(_, name)| *name != sub) => {
                    let gone = subs.iter().filter(|(_, name)| *name == sub);
                    splices.extend(gone.map(|(line, _)| remove_line(&layout.lines[*line])));
                }
                _ => {
                    splices.push(remove_line(&layout.lines[property.line]));
                    splices.extend(drop_continuations(&layout, property));
                }
            }
        }
        let changed = !splices.is_empty();
        if changed {
            let text = self.spliced(splices);
            let before = std::mem::replace(&mut self.text, text);
            if parse(self.body()).is_err() {
                self.text = before;
                return Err(self.broken());
            }
        }
        Ok(changed)
    }

    /// Sees to it that there is such a section; says whether there was none.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is one that only AWS CLI reads, for the quotes in its name.
    pub fn add_section(&mut self, section: &SectionName) -> Result<bool> {
        let layout = Layout::of(self.body());
        if !layout.sections(self.kind, section).is_empty() {
            return Ok(false);
        }
        let splice = self.new_section(&layout, section, Vec::new())?;
        self.text = self.spliced(vec![splice]);
        Ok(true)
    }

    /// The text without a byte order mark.
    fn body(&self) -> &str {
        self.text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&self.text)
    }

    fn replace(
        &self,
        layout: &Layout<'_>,
        property: &Property<'_>,
        key: &SettingKey,
        value: &SettingValue,
    ) -> Result<Vec<Splice>> {
        if property.has_sub_properties(layout) {
            let place = at(&self.file, property.line);
            let message = format!("{place}: {key} has no value: it holds other settings");
            return Err(refused(message).with_help(format!("name one of them, as {key}.NAME")));
        }
        let mut splices = vec![replace_value(&layout.lines[property.line], property.key, value)];
        splices.extend(drop_continuations(layout, property));
        Ok(splices)
    }

    fn set_sub_property(
        &self,
        layout: &Layout<'_>,
        property: &Property<'_>,
        key: &SettingKey,
        sub: &str,
        value: &SettingValue,
    ) -> Result<Vec<Splice>> {
        if !property.is_empty {
            let place = at(&self.file, property.line);
            let name = key.name();
            let message =
                format!("{place}: {name} has a value of its own and cannot hold other settings");
            return Err(refused(message).with_help(format!("remove the value of {name} first")));
        }
        let subs = property.more.iter().map(|line| &layout.lines[*line]);
        let subs: Vec<_> = subs.filter(|line| line.sub_property().is_some()).collect();
        if let Some(line) = subs.iter().rfind(|line| line.sub_property() == Some(sub)) {
            return Ok(vec![replace_value(line, sub, value)]);
        }
        let indent = subs.first().map_or(INDENT, |line| indentation(line));
        let line = vec![indent, sub, " = ", value.expose()];
        Ok(vec![add_below(layout, property.last(), &[line])])
    }

    fn insert(
        &self,
        layout: &Layout<'_>,
        section: &SectionName,
        sections: &[Range<usize>],
        key: &SettingKey,
        value: &SettingValue,
    ) -> Result<Vec<Splice>> {
        let lines = match key.sub() {
            None => vec![vec![key.name(), " = ", value.expose()]],
            Some(sub) => {
                vec![vec![key.name(), " ="], vec![INDENT, sub, " = ", value.expose()]]
            }
        };
        let splice = match sections.last() {
            Some(found) => add_below(layout, layout.last_line(found), &lines),
            None => self.new_section(layout, section, lines)?,
        };
        Ok(vec![splice])
    }

    fn new_section(
        &self,
        layout: &Layout<'_>,
        section: &SectionName,
        lines: Vec<Vec<&str>>,
    ) -> Result<Splice> {
        if let Some((line, header)) = layout.headers().find(|(_, h)| section.is_quoted_in(h)) {
            let (place, name) = (at(&self.file, line), section.name());
            let message = format!("{place}: AWS CLI alone reads [{header}] as {name}");
            return Err(refused(message).with_help("write the name without quotes"));
        }
        let header = section.header(self.kind);
        let mut all = vec![vec!["[", header.as_str(), "]"]];
        all.extend(lines);
        Ok(match layout.lines.len().checked_sub(1) {
            Some(last) => add_below(layout, last, &all),
            None => (0..0, joined("", layout.line_end(), &all)),
        })
    }

    /// The text with `splices`, in one piece.
    fn spliced(&self, mut splices: Vec<Splice>) -> Zeroizing<String> {
        splices.sort_by_key(|(place, _)| (place.start, place.end));
        let body = self.body();
        let mark = self.text.len() - body.len();
        let more: usize = splices.iter().map(|(_, text)| text.len()).sum();
        let mut text = Zeroizing::new(String::with_capacity(self.text.len() + more));
        text.push_str(&self.text[..mark]);
        let mut done = 0;
        for (place, new) in splices {
            text.push_str(&body[done..place.start]);
            text.push_str(&new);
            done = place.end;
        }
        text.push_str(&body[done..]);
        text
    }

    fn broken(&self) -> CredentialsError {
        let message = format!("{} could not be changed safely", self.file.display());
        CredentialsError::new(ErrorKind::Internal, "profile files", message)
            .with_help("change it by hand, and report this with the form of the section")
    }
}

/// Adds lines below line `number`. A last line without an end gets one.
fn add_below(layout: &Layout<'_>, number: usize, lines: &[Vec<&str>]) -> Splice {
    let line = &layout.lines[number];
    let (before, end) = match line.end {
        "" => (layout.line_end(), layout.line_end()),
        // Half an end, at the end of the text.
        "\r" => ("\n", layout.line_end()),
        end => ("", end),
    };
    let place = line.whole().end;
    (place..place, joined(before, end, lines))
}

fn indentation<'a>(line: &Line<'a>) -> &'a str {
    &line.text[..line.text.len() - line.text.trim_start_matches(WHITE).len()]
}

/// Gives the value a new line, with the indentation and the comment of the old.
fn replace_value(line: &Line<'_>, key: &str, value: &SettingValue) -> Splice {
    let indent = indentation(line);
    let rest = &line.text[indent.len()..];
    let comment = comment_start(rest).map_or("", |start| {
        let before = rest[..start].trim_end();
        &rest[before.len()..]
    });
    let text = joined("", "", &[vec![indent, key, " = ", value.expose(), comment]]);
    (line.place(), text)
}

fn remove_line(line: &Line<'_>) -> Splice {
    (line.whole(), Zeroizing::default())
}

/// Takes away the lines that continue a property; comments among them stay, as comments.
fn drop_continuations(layout: &Layout<'_>, property: &Property<'_>) -> Vec<Splice> {
    let lines = property.more.iter().map(|line| &layout.lines[*line]);
    let splices = lines.map(|line| match line.continuation() {
        Some(text) if text.starts_with(COMMENT) => {
            (line.place(), joined("", "", &[vec![line.text.trim_start_matches(WHITE)]]))
        }
        _ => remove_line(line),
    });
    splices.collect()
}

/// Lines made of parts, in one piece: `before`, then each line and `end`.
fn joined(before: &str, end: &str, lines: &[Vec<&str>]) -> Zeroizing<String> {
    let parts = || {
        let lines = lines.iter().flat_map(|line| line.iter().copied().chain([end]));
        std::iter::once(before).chain(lines)
    };
    let mut text = Zeroizing::new(String::with_capacity(parts().map(str::len).sum()));
    parts().for_each(|part| text.push_str(part));
    text
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("kind", &self.kind)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document::parse(FileKind::Config, Path::new("/c"), text.as_bytes()).unwrap()
    }

    fn after(text: &str, edit: impl Fn(&mut Document, &SectionName) -> Result<bool>) -> String {
        let mut document = document(text);
        edit(&mut document, &SectionName::profile("x").unwrap()).unwrap();
        document.text.to_string()
    }

    fn set(text: &str, key: &str, value: &str) -> String {
        let value = SettingValue::new(value.into()).unwrap();
        after(text, |document, section| document.set(section, &key.parse().unwrap(), &value))
    }

    fn remove(text: &str, key: &str) -> String {
        after(text, |document, section| document.remove(section, &key.parse().unwrap()))
    }

    #[test]
    fn a_value_is_set_where_it_stands_or_below_the_others() {
        for (text, expected) in [
            ("", "[profile x]\nk = v\n"),
            ("[default]\na = b", "[default]\na = b\n[profile x]\nk = v\n"),
            ("[profile x]", "[profile x]\nk = v\n"),
            ("[profile x]\r\na=b", "[profile x]\r\na=b\r\nk = v\r\n"),
            ("[profile x] # k = w\nk=w", "[profile x] # k = w\nk = v"),
            ("[profile x]\nK\t=w\t; why\r\n\r\n", "[profile x]\nK = v\t; why\r\n\r\n"),
            ("[profile x]\nk = # why", "[profile x]\nk = v # why"),
            (
                "[profile x]\na = b\n\n# of y\n[profile y]",
                "[profile x]\na = b\nk = v\n\n# of y\n[profile y]",
            ),
            ("[profile x]\na = b\n  # of a\n", "[profile x]\na = b\n  # of a\nk = v\n"),
            ("[profile x]\nk = 1\n 2\n # c\n\n 3\n# d\n", "[profile x]\nk = v\n# c\n\n# d\n"),
            ("[profile x]\ns3 =\n k = w\n", "[profile x]\ns3 =\n k = w\nk = v\n"),
            (
                "[profile x]\nk = 1\n[profile x]\nk = 2\n",
                "[profile x]\nk = 1\n[profile x]\nk = v\n",
            ),
            ("[x]\nk = w\n", "[x]\nk = w\n[profile x]\nk = v\n"),
            ("\u{feff}[profile x]\n", "\u{feff}[profile x]\nk = v\n"),
            ("[profile x]\nk = v # as it is", "[profile x]\nk = v # as it is"),
            ("# only a comment\r", "# only a comment\r\n[profile x]\nk = v\n"),
        ] {
            assert_eq!(set(text, "k", "v"), expected, "{text:?}");
        }
    }

    #[test]
    fn a_value_inside_another_is_set_as_its_neighbours_are() {
        for (text, expected) in [
            ("", "[profile x]\ns3 =\n    k = v\n"),
            ("[profile x]\na = b\n", "[profile x]\na = b\ns3 =\n    k = v\n"),
            ("[profile x]\ns3 =\na = b\n", "[profile x]\ns3 =\n    k = v\na = b\n"),
            ("[profile x]\ns3 = # c\n\tj=1", "[profile x]\ns3 = # c\n\tj=1\n\tk = v\n"),
            ("[profile x]\ns3=\n  k=1 # c\n  j=2\n", "[profile x]\ns3=\n  k = v # c\n  j=2\n"),
            ("[profile x]\ns3=\r\n  # k=1\r\n", "[profile x]\ns3=\r\n  # k=1\r\n    k = v\r\n"),
        ] {
            assert_eq!(set(text, "s3.k", "v"), expected, "{text:?}");
        }
    }

    #[test]
    fn what_is_removed_takes_nothing_along() {
        for (text, key, expected) in [
            ("[profile x]\nk = v # c\na = b", "k", "[profile x]\na = b"),
            ("[profile x]\na = b\nk = v", "k", "[profile x]\na = b\n"),
            ("[profile x]\nk =\n a = b\n # c\n", "k", "[profile x]\n# c\n"),
            ("[profile x]\nk =\n a = b\n c = d\n", "k.a", "[profile x]\nk =\n c = d\n"),
            ("[profile x]\nk =\n a = b\ne = f\n", "k.a", "[profile x]\ne = f\n"),
            ("[x]\n[profile x]\nk=\n c=d\nk=\n a=b\n", "k.a", "[x]\n[profile x]\nk=\n c=d\nk=\n"),
            ("[profile x]\nk = 1\n[profile y]\nk = 2\n", "k", "[profile x]\n[profile y]\nk = 2\n"),
            ("[profile x]\nk = 1\n", "k.a", "[profile x]\nk = 1\n"),
            ("[profile x]\nk = 1\n", "j", "[profile x]\nk = 1\n"),
        ] {
            assert_eq!(remove(text, key), expected, "{text:?}");
        }
    }

    #[test]
    fn the_section_that_counts_is_the_one_that_is_changed() {
        let section = SectionName::profile("default").unwrap();
        let (key, value) = ("k".parse().unwrap(), SettingValue::new("v".into()).unwrap());
        let mut document = document("[profile default]\n[default]\nk = old\n");
        document.set(&section, &key, &value).unwrap();
        assert_eq!(document.text.as_str(), "[profile default]\nk = v\n[default]\nk = old\n");
    }

    #[test]
    fn a_section_is_added_once() {
        let add = |text: &str| after(text, |document, section| document.add_section(section));
        assert_eq!(add("[default]"), "[default]\n[profile x]\n");
        assert_eq!(add("[profile x] # mine"), "[profile x] # mine");
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_its_line() {
        let (section, value) = (SectionName::profile("x"), SettingValue::new("v".into()));
        let (section, value) = (section.unwrap(), value.unwrap());
        for (text, key, says) in [
            ("[profile x]\nk =\n a = b\n", "k", "/c:2: k has no value: it holds other settings"),
            ("[profile x]\nk = 1\n", "k.a", "/c:2: k has a value of its own"),
            ("\n[profile \"x\"]\nk = 1\n", "k", "/c:2: AWS CLI alone reads [profile \"x\"] as x"),
        ] {
            let mut document = document(text);
            let error = document.set(&section, &key.parse().unwrap(), &value).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().contains(says), "{error}");
            assert_eq!(document.text.as_str(), text);
        }
    }

    #[test]
    fn long_lines_are_as_good_as_short_ones() {
        let long = "x".repeat(100 * 1024);
        let text =
            format!("# {long}\n[profile x]\na = {long}\nk = {long}\n[profile y]\nb = {long}");
        let expected = text.replace(&format!("k = {long}"), "k = v");
        assert_eq!(set(&text, "k", "v"), expected);
        assert_eq!(set(&expected, "k", &long), text);
    }

    #[test]
    fn nothing_of_the_text_shows() {
        let document = document("[profile x]\naws_secret_access_key = hunter2\n");
        assert!(!format!("{document:?}").contains("hunter2"));
    }
}
