//! Changes to a text of YAML that leave every other byte as it is.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::value::{NO_TEXT, Value, spaces, write_behind_colon, write_entry};
use super::yaml::{Entry, Flaw, Kind, Node, Style, after};

const NO_NAME: &str = "a mapping that would have to change has a key that is no text, or begins \
    with NUL";

/// Changes to one text, gathered and then made at once.
pub(super) struct Editor<'t> {
    text: &'t str,
    newline: &'static str,
    /// What stands in the place of which bytes. None reach into each other.
    changes: Vec<(Range<usize>, String)>,
}

impl<'t> Editor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Self { text, newline, changes: Vec::new() }
    }

    /// The text with all changes.
    pub(super) fn finish(mut self) -> String {
        // Insertions at one place stay in the order in which they were made.
        self.changes.sort_by_key(|(range, _)| (range.start, range.end));
        // Room for all of it: a string that grows leaves copies of others' secrets behind.
        let new: usize =
            self.changes.iter().map(|(_, new)| new.len() + new.matches('\n').count()).sum();
        let mut text = String::with_capacity(self.text.len() + new);
        let mut done = 0;
        for (range, new) in &self.changes {
            text.push_str(self.text.get(done..range.start).unwrap_or_default());
            text.push_str(&new.replace('\n', self.newline));
            done = range.end;
        }
        text.push_str(&self.text[done..]);
        text
    }

    /// Makes the mapping or list `node`, which comes behind `from`, say `wanted`, with as few changes
    /// as that takes.
    ///
    /// # Errors
    /// If it is written in a way that cannot be changed in part.
    pub(super) fn update(&mut self, node: &Node, from: usize, wanted: &Value) -> Result<(), Flaw> {
        if Value::of(node) == *wanted {
            return Ok(());
        }
        if node.is_anchored {
            return Err(self.flaw(node, "it has an anchor: what points at it would change too"));
        }
        match (&node.kind, wanted) {
            (Kind::Mapping { entries, is_flow: false }, Value::Map(wanted))
                if !entries.is_empty() && !wanted.is_empty() =>
            {
                self.update_mapping(entries, wanted)
            }
            (Kind::Sequence { items, is_flow: false }, Value::List(wanted))
                if !items.is_empty() && !wanted.is_empty() =>
            {
                self.update_list(items, from, wanted)
            }
            (Kind::Sequence { items, is_flow: true }, Value::List(values))
                if items.len() <= values.len() =>
            {
                self.update_brackets(node, items, values)
            }
            (Kind::Mapping { entries, is_flow: true }, Value::Map(values))
                if entries
                    .iter()
                    .all(|entry| values.iter().any(|(key, _)| entry.is_named(key))) =>
            {
                self.update_braces(node, entries, values)
            }
            _ => self.replace(node, wanted, Value::inline),
        }
    }

    fn update_mapping(
        &mut self,
        entries: &[Entry],
        wanted: &[(String, Value)],
    ) -> Result<(), Flaw> {
        let seen = self.names(entries)?;
        let by_key: HashMap<_, _> =
            wanted.iter().map(|(key, value)| (key.as_str(), value)).collect();
        for entry in entries {
            match entry.key.text().and_then(|key| by_key.get(key)) {
                Some(value) => self.update_value(entry, value)?,
                None => self.remove_entry(entry)?,
            }
        }
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        let indent = self.column(first.key.range.start);
        let new = wanted.iter().filter(|(key, _)| !seen.contains(key.as_str()));
        for (key, value) in new {
            let mut text = String::new();
            spaces(&mut text, indent);
            write_entry(&mut text, indent, key, value);
            self.insert_line_after(last.value.range.end, text);
        }
        Ok(())
    }

    fn update_value(&mut self, entry: &Entry, wanted: &Value) -> Result<(), Flaw> {
        let is = Value::of(&entry.value);
        if is == *wanted {
            return Ok(());
        }
        let is_same_kind = matches!(
            (&is, wanted),
            (Value::Map(_), Value::Map(_)) | (Value::List(_), Value::List(_))
        );
        let is_block = match &entry.value.kind {
            Kind::Mapping { entries, is_flow } => !is_flow && !entries.is_empty(),
            Kind::Sequence { items, is_flow } => !is_flow && !items.is_empty(),
            _ => false,
        };
        if is_same_kind && is_block {
            let from = self.behind_colon(entry)?;
            return self.update(&entry.value, from, wanted);
        }
        self.replace_value(entry, wanted)
    }

    /// Puts `wanted` behind a key in the place of whatever is there.
    fn replace_value(&mut self, entry: &Entry, wanted: &Value) -> Result<(), Flaw> {
        self.refuse_anchor(&entry.value)?;
        self.refuse_odd_keys(&entry.value, wanted)?;
        let colon = self.behind_colon(entry)?;
        let old = colon..entry.value.range.end.max(colon);
        if self.text[old.start..entry.value.range.start.max(colon)].contains('#') {
            let message = "a comment stands between a key and its value, and would be lost";
            return Err(self.flaw(&entry.value, message));
        }
        let indent = self.column(entry.key.range.start);
        let mut text = String::new();
        write_behind_colon(&mut text, indent, wanted);
        let is_single = !text.trim_end().contains('\n');
        if is_single || !self.has_more_in_line(old.end) {
            text.truncate(text.trim_end().len());
            self.changes.push((old, text));
            return Ok(());
        }
        // A comment behind the old value stays in the line of the key.
        let below = text.trim_start_matches('\n').to_owned();
        self.insert_line_after(old.end, below);
        self.changes.push((old, String::new()));
        Ok(())
    }

    fn remove_entry(&mut self, entry: &Entry) -> Result<(), Flaw> {
        self.refuse_anchor(&entry.value)?;
        let start = self.line_start(entry.key.range.start);
        if !self.text[start..entry.key.range.start].trim().is_empty() {
            let message = "its first key would have to go, which cannot be done in part";
            return Err(self.flaw(&entry.key, message));
        }
        self.changes.push((start..self.line_end(entry.value.range.end), String::new()));
        Ok(())
    }

    fn behind_colon(&self, entry: &Entry) -> Result<usize, Flaw> {
        after(self.text, entry.key.range.end, b':')
            .ok_or_else(|| self.flaw(&entry.key, "its value cannot be found"))
    }

    fn update_list(&mut self, items: &[Node], from: usize, wanted: &[Value]) -> Result<(), Flaw> {
        let mut behind = from;
        let mut column = None;
        for (number, item) in items.iter().enumerate() {
            let dash = after(self.text, behind, b'-')
                .ok_or_else(|| self.flaw(item, "the dash before it cannot be found"))?;
            column.get_or_insert(self.column(dash - 1));
            behind = item.range.end.max(dash);
            match wanted.get(number) {
                Some(value) => self.update(item, dash, value)?,
                None => {
                    self.refuse_anchor(item)?;
                    let start = self.line_start(dash - 1);
                    if !self.text[start..dash - 1].trim().is_empty() {
                        return Err(self.flaw(item, "it cannot be taken out of its list"));
                    }
                    self.changes.push((start..self.line_end(behind), String::new()));
                }
            }
        }
        let indent = column.unwrap_or_default();
        for value in wanted.iter().skip(items.len()) {
            let mut text = String::new();
            spaces(&mut text, indent);
            Value::List(vec![value.clone()]).write(&mut text, indent);
            self.insert_line_after(behind, text);
        }
        Ok(())
    }

    /// Changes a list in brackets: items in their places, new ones at the end.
    fn update_brackets(
        &mut self,
        node: &Node,
        items: &[Node],
        wanted: &[Value],
    ) -> Result<(), Flaw> {
        for (item, value) in items.iter().zip(wanted) {
            self.update_inline(item, value)?;
        }
        let new: Vec<_> = wanted.iter().skip(items.len()).map(Value::json).collect();
        self.append_inline(node, items.last(), &new);
        Ok(())
    }

    /// Changes a mapping in braces, in the same way.
    fn update_braces(
        &mut self,
        node: &Node,
        entries: &[Entry],
        wanted: &[(String, Value)],
    ) -> Result<(), Flaw> {
        self.names(entries)?;
        let mut new = Vec::new();
        for (key, value) in wanted {
            match entries.iter().find(|entry| entry.is_named(key)) {
                Some(entry) => self.update_inline(&entry.value, value)?,
                None => new.push(format!("{}: {}", Value::text(key).json(), value.json())),
            }
        }
        self.append_inline(node, entries.last().map(|entry| &entry.value), &new);
        Ok(())
    }

    fn update_inline(&mut self, node: &Node, wanted: &Value) -> Result<(), Flaw> {
        match node.kind {
            _ if Value::of(node) == *wanted => Ok(()),
            Kind::Mapping { .. } | Kind::Sequence { .. } if !self.is_empty(node) => {
                self.update(node, node.range.start, wanted)
            }
            _ => self.replace(node, wanted, Value::json),
        }
    }

    fn is_empty(&self, node: &Node) -> bool {
        match &node.kind {
            Kind::Mapping { entries, .. } => entries.is_empty(),
            Kind::Sequence { items, .. } => items.is_empty(),
            _ => false,
        }
    }

    /// Adds to a collection in brackets or braces, behind its last node.
    fn append_inline(&mut self, collection: &Node, last: Option<&Node>, new: &[String]) {
        let (place, comma) = match last {
            Some(last) => (last.range.end, ", "),
            None => (collection.range.end - 1, ""),
        };
        if !new.is_empty() {
            self.changes.push((place..place, format!("{comma}{}", new.join(", "))));
        }
    }

    /// Puts a value in the place of a node, as `shown` writes it.
    fn replace(
        &mut self,
        node: &Node,
        wanted: &Value,
        shown: fn(&Value) -> String,
    ) -> Result<(), Flaw> {
        self.refuse_anchor(node)?;
        self.refuse_odd_keys(node, wanted)?;
        let is_plain = match &node.kind {
            Kind::Scalar { style, .. } => matches!(style, Style::Plain | Style::Quoted),
            Kind::Mapping { is_flow, .. } | Kind::Sequence { is_flow, .. } => *is_flow,
            Kind::Alias(_) => false,
        };
        if !is_plain || node.range.is_empty() {
            return Err(self.flaw(node, "what is written so cannot be changed in place"));
        }
        self.changes.push((node.range.clone(), shown(wanted)));
        Ok(())
    }

    /// The keys of a mapping: texts, none of which may stand twice.
    fn names<'n>(&self, entries: &'n [Entry]) -> Result<HashSet<&'n str>, Flaw> {
        let mut seen = HashSet::new();
        for entry in entries {
            let name = entry.key.text().filter(|name| !name.starts_with(NO_TEXT));
            let Some(name) = name else {
                return Err(self.flaw(&entry.key, NO_NAME));
            };
            if !seen.insert(name) {
                let message = format!("the key {name} stands twice in one mapping");
                return Err(self.flaw(&entry.key, message));
            }
        }
        Ok(seen)
    }

    /// What would be written anew must have keys that can be written.
    fn refuse_odd_keys(&self, node: &Node, wanted: &Value) -> Result<(), Flaw> {
        match wanted.has_odd_keys() {
            true => Err(self.flaw(node, NO_NAME)),
            false => Ok(()),
        }
    }

    /// Something elsewhere in the file may point at it.
    fn refuse_anchor(&self, node: &Node) -> Result<(), Flaw> {
        match node.has_anchors() {
            true => Err(self.flaw(node, "it has an anchor or an alias, and would lose it")),
            false => Ok(()),
        }
    }

    /// Adds whole lines behind the line in which `offset` is.
    fn insert_line_after(&mut self, offset: usize, mut lines: String) {
        let end = self.line_end(offset);
        if !self.text[..end].ends_with('\n') && !self.text.is_empty() {
            // The last line of the file has no end.
            lines.insert(0, '\n');
            lines.truncate(lines.trim_end().len());
        }
        self.changes.push((end..end, lines));
    }

    fn line_start(&self, offset: usize) -> usize {
        self.text[..offset].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// The start of the next line.
    fn line_end(&self, offset: usize) -> usize {
        self.text[offset..].find('\n').map_or(self.text.len(), |newline| offset + newline + 1)
    }

    fn has_more_in_line(&self, offset: usize) -> bool {
        !self.text[offset..self.line_end(offset)].trim().is_empty()
    }

    /// In characters; a tab cannot be before.
    fn column(&self, offset: usize) -> usize {
        self.text[self.line_start(offset)..offset].trim_start_matches('\u{feff}').chars().count()
    }

    fn flaw(&self, node: &Node, message: impl Into<String>) -> Flaw {
        Flaw::at(self.text, node.range.start, message)
    }
}
