//! A kubeconfig as a text, and a cluster's entries in it.
//!
//! Source: Kubernetes documentation, "kubeconfig (v1)"; AWS CLI, `eks update-kubeconfig`.

use std::collections::HashMap;

use super::edit::Editor;
use super::value::Value;
use super::yaml::{Flaw, Kind, Node, parse};

/// What a cluster needs in a kubeconfig: the parts of its three entries, which are named.
pub(in crate::eks) struct Entries {
    pub(in crate::eks) cluster_name: String,
    pub(in crate::eks) cluster: Value,
    pub(in crate::eks) user_name: String,
    pub(in crate::eks) user: Value,
    pub(in crate::eks) context_name: String,
}

impl Entries {
    fn context(&self) -> Value {
        Value::map([
            ("cluster", Value::text(&*self.cluster_name)),
            ("user", Value::text(&*self.user_name)),
        ])
    }

    /// Each as YAML: the context, the user, the cluster.
    pub(in crate::eks) fn to_yaml(&self) -> [String; 3] {
        [
            entry(CONTEXTS.1, &self.context_name, self.context()),
            entry(USERS.1, &self.user_name, self.user.clone()),
            entry(CLUSTERS.1, &self.cluster_name, self.cluster.clone()),
        ]
        .map(|entry| entry.to_yaml())
    }
}

/// An entry of a list, its keys in AWS CLI's order.
fn entry(part_key: &str, name: &str, part: Value) -> Value {
    let name = Value::text(name);
    match part_key {
        "user" => Value::map([("name", name), (part_key, part)]),
        _ => Value::map([(part_key, part), ("name", name)]),
    }
}

/// The text of a kubeconfig that was understood.
pub(super) struct Document<'t> {
    text: &'t str,
    root: Option<Node>,
}

/// The lists of a kubeconfig, and the key of the part that an entry has beside its name.
const CLUSTERS: (&str, &str) = ("clusters", "cluster");
const CONTEXTS: (&str, &str) = ("contexts", "context");
const USERS: (&str, &str) = ("users", "user");

/// What stays of the part of an entry that is there already. `aws eks update-kubeconfig` knows
/// nothing of these and drops them; the rest is its own, or speaks against what it writes.
fn stays(part: &str, key: &str) -> bool {
    match part {
        "cluster" => ["tls-server-name", "disable-compression", "extensions"].contains(&key),
        "context" => ["namespace", "extensions"].contains(&key),
        "user" => key == "extensions" || key == "as" || key.starts_with("as-"),
        _ => false,
    }
}

impl<'t> Document<'t> {
    /// Reads a kubeconfig. An empty text is one.
    ///
    /// # Errors
    /// If it is not YAML, or not of the types that a kubeconfig has.
    pub(super) fn parse(text: &'t str) -> Result<Self, Flaw> {
        let document = Self { text, root: parse(text)? };
        let Some(root) = &document.root else { return Ok(document) };
        if root.is_null() {
            return Ok(document);
        }
        let Kind::Mapping { .. } = root.kind else {
            let message = format!("a kubeconfig is a mapping, and this is {}", root.what());
            return Err(document.flaw(root, message));
        };
        for (key, what) in [
            ("apiVersion", "a text"),
            ("clusters", "a list"),
            ("contexts", "a list"),
            ("current-context", "a text"),
            ("kind", "a text"),
            ("preferences", "a mapping"),
            ("users", "a list"),
        ] {
            let Some(value) = root.get(key).filter(|value| !value.is_null()) else { continue };
            if value.what() != what {
                let message = format!("{key} is {}, and must be {what}", value.what());
                return Err(document.flaw(value, message));
            }
        }
        for (list, _) in [CLUSTERS, CONTEXTS, USERS] {
            let entries = document.entries(list).iter();
            if let Some(odd) = entries.clone().find(|e| !matches!(e.kind, Kind::Mapping { .. })) {
                let message =
                    format!("an entry in {list} is {}, and must be a mapping", odd.what());
                return Err(document.flaw(odd, message));
            }
        }
        Ok(document)
    }

    fn entries(&self, list: &str) -> &[Node] {
        match self.root.as_ref().and_then(|root| root.get(list)).map(|list| &list.kind) {
            Some(Kind::Sequence { items, .. }) => items,
            _ => &[],
        }
    }

    /// The entries of a name; there should be one at most.
    fn named<'a>(&'a self, list: &str, name: &'a str) -> impl Iterator<Item = (usize, &'a Node)> {
        let entries = self.entries(list).iter().enumerate();
        entries.filter(move |(_, e)| e.get("name").and_then(Node::text) == Some(name))
    }

    /// Refuses a list in which an entry may be of this name that nobody can tell without following
    /// aliases and merges.
    fn refuse_unclear(&self, list: &str, name: &str) -> Result<(), Flaw> {
        let merged = self.root.as_ref().and_then(|root| root.get("<<"));
        if let Some(merged) = merged
            && self.root.as_ref().is_some_and(|root| root.get(list).is_none())
        {
            return Err(self.flaw(merged, format!("{list} may be merged into the file from here")));
        }
        for entry in self.entries(list) {
            let Kind::Mapping { entries, .. } = &entry.kind else { continue };
            let is_unclear = match entry.get("name").map(|own| &own.kind) {
                Some(own) => matches!(own, Kind::Alias(_)),
                None => entries.iter().any(|e| e.key.text().is_none_or(|key| key == "<<")),
            };
            if is_unclear {
                let message =
                    format!("an entry in {list} has its name by an alias or a merge, maybe {name}");
                return Err(self.flaw(entry, message));
            }
        }
        Ok(())
    }

    /// The current context, if it names one.
    pub(super) fn current_context(&self) -> Option<&str> {
        let current = self.root.as_ref().and_then(|root| root.get("current-context"));
        let current = current.filter(|current| !current.is_null()).and_then(Node::text);
        current.filter(|current| !current.is_empty())
    }

    /// Whether it has a cluster of this name.
    pub(super) fn has_cluster(&self, name: &str) -> bool {
        self.named(CLUSTERS.0, name).next().is_some()
    }

    /// The text with these entries: in the places of those that have their names, else at the end
    /// of their lists. The context becomes the current one. All other bytes stay.
    ///
    /// # Errors
    /// If it is written in a way that cannot be changed without changing the rest.
    pub(super) fn with(&self, new: &Entries) -> Result<String, Flaw> {
        let context = new.context();
        let parts = [
            (CLUSTERS, &new.cluster_name, &new.cluster),
            (USERS, &new.user_name, &new.user),
            (CONTEXTS, &new.context_name, &context),
        ];
        let mut wanted = match self.root.as_ref().filter(|root| !root.is_null()) {
            Some(root) => Value::of(root),
            None => Value::Map(Vec::new()),
        };
        let is_new = wanted == Value::Map(Vec::new());
        if is_new {
            wanted = empty();
        }
        for (list, name, part) in parts {
            self.put(&mut wanted, list, name, part)?;
        }
        wanted.set("current-context", Value::text(&*new.context_name));
        let text = match &self.root {
            Some(root) if !is_new => {
                let mut editor = Editor::new(self.text);
                editor.update(root, 0, &wanted)?;
                editor.finish()
            }
            root => self.begun(root.as_ref(), &wanted),
        };
        read_back(&text, &wanted)?;
        Ok(text)
    }

    /// The text of a file that said nothing so far; its comments stay.
    fn begun(&self, root: Option<&Node>, wanted: &Value) -> String {
        let (before, behind) = match root.map(|root| root.range.clone()) {
            // `{}`
            Some(range) if !range.is_empty() => {
                (&self.text[..range.start], &self.text[range.end..])
            }
            _ => (self.text, ""),
        };
        let mut text = before.to_owned();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text += &wanted.to_yaml();
        text.push_str(behind.trim_start_matches(['\r', '\n']));
        text
    }

    /// Puts an entry into a list of `wanted`.
    fn put(
        &self,
        wanted: &mut Value,
        (list, part_key): (&str, &str),
        name: &str,
        part: &Value,
    ) -> Result<(), Flaw> {
        self.refuse_unclear(list, name)?;
        let mut found = self.named(list, name);
        let (at, twin) = (found.next(), found.next());
        if let Some((_, twin)) = twin {
            let message = format!("{list} has two entries called {name}; remove one of them");
            return Err(self.flaw(twin, message));
        }
        let mut entries = match wanted.get(list) {
            Some(Value::List(entries)) => entries.clone(),
            _ => Vec::new(),
        };
        match at.and_then(|(at, _)| entries.get_mut(at)) {
            Some(old) => {
                let part = merged(part_key, old.get(part_key), part);
                old.set("name", Value::text(name));
                old.set(part_key, part);
            }
            None => entries.push(entry(part_key, name, part.clone())),
        }
        wanted.set(list, Value::List(entries));
        Ok(())
    }

    fn flaw(&self, node: &Node, message: impl Into<String>) -> Flaw {
        Flaw::at(self.text, node.range.start, message)
    }
}

/// A file without a cluster, as AWS CLI begins one.
fn empty() -> Value {
    Value::map([
        ("apiVersion", Value::text("v1")),
        ("clusters", Value::List(Vec::new())),
        ("contexts", Value::List(Vec::new())),
        ("current-context", Value::text("")),
        ("kind", Value::text("Config")),
        ("preferences", Value::Map(Vec::new())),
        ("users", Value::List(Vec::new())),
    ])
}

/// The new part of an entry, with what stays of the old one.
fn merged(part: &str, old: Option<&Value>, new: &Value) -> Value {
    let (Some(Value::Map(old)), Value::Map(entries)) = (old, new) else { return new.clone() };
    // In the old order, so that as little as possible changes.
    let mut merged = Value::Map(Vec::new());
    for (key, value) in old {
        match new.get(key) {
            Some(value) => merged.set(key, value.clone()),
            None if stays(part, key) => merged.set(key, value.clone()),
            None => {}
        }
    }
    for (key, value) in entries {
        merged.set(key, value.clone());
    }
    merged
}

/// What a reader makes of the new text must be what was meant.
fn read_back(text: &str, wanted: &Value) -> Result<(), Flaw> {
    let said = parse(text).ok().flatten().map(|root| Value::of(&root));
    if said.is_some_and(|said| same(&said, wanted)) {
        return Ok(());
    }
    Err(Flaw::new("it is written in a way that cannot be changed without changing the rest"))
}

/// Whether two values are the same but for the order of keys.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Map(a), Value::Map(b)) if a.len() == b.len() => {
            if a.iter().zip(b).all(|((one, _), (other, _))| one == other) {
                return a.iter().zip(b).all(|((_, one), (_, other))| same(one, other));
            }
            let by_key: HashMap<_, _> = b.iter().map(|(key, value)| (key, value)).collect();
            let has = |(key, value): &(String, Value)| {
                by_key.get(key).is_some_and(|other| same(value, other))
            };
            by_key.len() == a.len() && a.iter().all(has)
        }
        (Value::List(a), Value::List(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
#[path = "document_tests.rs"]
mod tests;
