//! What holds for every file and every change.

use std::path::Path;

use proptest::prelude::*;

use super::{Document, SectionName, SettingKey, SettingValue};
use crate::profile::{FileKind, ProfileSet};

const PATH: &str = "/aws/config";

type Lines = Vec<String>;

/// A property, and what continues it.
fn property() -> impl Strategy<Value = Lines> {
    let name = || prop::sample::select(vec!["a", "b", "s3", "region", "region", "Region", "x.y"]);
    let value = || prop::sample::select(vec!["v", "a = b", "v # c", "v#c", "v \t; c"]);
    let empty = prop::sample::select(vec!["", " ", " # c"]);
    let equals = || prop::sample::select(vec!["=", " = ", "= ", "\t=\t"]);
    let line = move |value| {
        (name(), equals(), value).prop_map(|(name, equals, value)| format!("{name}{equals}{value}"))
    };
    let indented = |line: BoxedStrategy<String>| {
        let line = ("[ \t]{1,3}", line).prop_map(|(indent, line)| indent + &line);
        let between = prop::sample::select(vec!["", "# c", "  # c", "\t; c = d", "\t"]);
        prop_oneof![3 => line, 1 => between.prop_map(str::to_owned)]
    };
    let plain = line(value().boxed());
    let more = prop::collection::vec(indented(line(value().boxed()).boxed()), 0..3);
    let subs = prop::collection::vec(indented(line(value().boxed()).boxed()), 0..4);
    let joined = |(first, mut more): (String, Lines)| {
        more.insert(0, first);
        more
    };
    prop_oneof![
        4 => plain.clone().prop_map(|line| vec![line]),
        1 => (plain, more).prop_map(joined),
        2 => (line(empty.boxed()), subs).prop_map(joined),
    ]
}

fn section_lines() -> impl Strategy<Value = Lines> {
    let header = prop::sample::select(vec![
        "[default]",
        "[profile default] # c",
        "[profile p]",
        "[profile p]",
        "[profile p];c",
        "[profile q] ; c",
        "[services p]",
        "[plugins]",
        "[profile \"p q\"]",
        "[p]",
    ]);
    let between = prop::sample::select(vec!["", " ", "\t", "# c", "; c [a]", "#region = b"]);
    let between = between.prop_map(|line| vec![line.to_owned()]);
    let parts = prop::collection::vec(prop_oneof![2 => property(), 1 => between], 0..6);
    (header, parts).prop_map(|(header, parts)| {
        std::iter::once(vec![header.to_owned()]).chain(parts).flatten().collect()
    })
}

/// A file that the grammar takes.
fn text() -> impl Strategy<Value = String> {
    let end = prop::sample::select(vec![vec!["\n"], vec!["\r\n"], vec!["\n", "\r\n", "\n"]]);
    let mark = prop::sample::select(vec!["", "", "", "\u{feff}"]);
    let sections = prop::collection::vec(section_lines(), 0..6);
    let text = (mark, sections, end, any::<bool>());
    let text = text.prop_map(|(mark, sections, ends, has_last_end)| {
        let mut text = mark.to_owned();
        for (line, end) in sections.iter().flatten().zip(ends.iter().cycle()) {
            text += &format!("{line}{end}");
        }
        if !has_last_end {
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
        }
        text
    });
    // A comment may stand where nothing is that it could continue.
    text.prop_filter("the grammar takes it", |text| read(text).is_some())
}

fn key() -> impl Strategy<Value = SettingKey> {
    let keys = vec!["region", "a", "new", "s3.a", "s3.new", "new.a", "b.x"];
    prop::sample::select(keys).prop_map(|key| key.parse().unwrap())
}

fn section() -> impl Strategy<Value = SectionName> {
    let profiles = prop::sample::select(vec!["default", "p", "p", "q", "new"]);
    prop_oneof![
        4 => profiles.prop_map(|name| SectionName::profile(name).unwrap()),
        1 => Just(SectionName::services("p").unwrap()),
        1 => Just(SectionName::of_aws_cli("plugins").unwrap()),
    ]
}

fn value() -> impl Strategy<Value = SettingValue> {
    let any_value =
        "[ -~äß\u{3000}]{0,12}".prop_map(|text| SettingValue::new(text.as_str().into()));
    any_value.prop_filter_map("it can be written", Result::ok)
}

fn read(text: &str) -> Option<ProfileSet> {
    ProfileSet::parse(&[(FileKind::Config, Path::new(PATH), text.as_bytes())]).ok()
}

fn document(text: &str) -> Document {
    Document::parse(FileKind::Config, Path::new(PATH), text.as_bytes()).unwrap()
}

fn text_of(document: &Document) -> String {
    String::from_utf8(document.bytes().to_vec()).unwrap()
}

/// Every value but that of `key` in `section`, as the parser reads them.
fn others(text: &str, section: &SectionName, key: &SettingKey) -> Vec<String> {
    let set = read(text).unwrap();
    let tables = [
        ("profile", set.profiles().collect::<Vec<_>>()),
        ("sso-session", set.sso_sessions().collect()),
        ("services", set.all_services().collect()),
    ];
    let ours = section.header(FileKind::Config);
    let mut found = Vec::new();
    for (kind, table) in tables {
        for profile in table {
            let name = format!("{kind} {}", profile.name);
            let is_section = name == ours || (ours == "default" && name == "profile default");
            for (property, value) in &profile.properties {
                let mut value = value.text().to_owned();
                if is_section && *property == key.name() {
                    let Some(sub) = key.sub() else { continue };
                    let subs = profile.sub_properties(property).filter(|(name, _)| *name != sub);
                    value = subs.map(|(name, value)| format!("{name}={value};")).collect();
                    if value.is_empty() {
                        continue;
                    }
                }
                found.push(format!("{name}.{property}={value}"));
            }
        }
    }
    found.sort();
    found
}

/// The lines of `text`, whatever they end with.
fn lines(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').map(|line| line.trim_end_matches(['\r', '\n'])).collect()
}

/// Whether `part` can be had from `whole` by leaving lines out.
fn is_within(part: &[&str], whole: &[&str]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|line| rest.any(|other| other == line))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, max_global_rejects: 100_000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_set_is_read_back_and_all_else_stays(
        text in text(), section in section(), key in key(), value in value()
    ) {
        let mut document = document(&text);
        let Ok(changed) = document.set(&section, &key, &value) else {
            // The one reason to refuse leaves the text alone.
            prop_assert_eq!(text_of(&document), text);
            return Ok(());
        };
        let after = text_of(&document);
        prop_assert_eq!(changed, after != text);
        prop_assert_eq!(
            document.get(&section, &key).unwrap().map(|v| v.expose().to_owned()),
            Some(value.expose().to_owned())
        );
        prop_assert_eq!(others(&text, &section, &key), others(&after, &section, &key));
        // A second time there is nothing to do.
        prop_assert!(!document.set(&section, &key, &value).unwrap());
    }

    #[test]
    fn a_new_property_leaves_every_byte_in_place(
        text in text(), section in section(), value in value(), sub in any::<bool>()
    ) {
        let key: SettingKey = if sub { "fresh.one" } else { "fresh" }.parse().unwrap();
        let mut document = document(&text);
        document.set(&section, &key, &value).unwrap();
        let after = text_of(&document);
        let same = text.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
        let (head, tail) = text.split_at(text.floor_char_boundary(same));
        prop_assert!(
            after.starts_with(head) && after.ends_with(tail), "{:?}\n{:?}", text, after
        );
        let ends = |ending: &str| text.matches(ending).count();
        if ends("\r\n") == ends("\n") && ends("\n") > 0 {
            prop_assert_eq!(after.matches("\r\n").count(), after.matches('\n').count());
        }
    }

    #[test]
    fn a_replaced_value_changes_one_line(text in text(), section in section(), value in value()) {
        let key: SettingKey = "region".parse().unwrap();
        let before = document(&text);
        let is_plain = before.get(&section, &key).unwrap().is_some_and(|v| {
            !v.expose().is_empty() && !v.expose().contains('\n')
        });
        prop_assume!(is_plain);
        let mut document = before;
        document.set(&section, &key, &value).unwrap();
        let after = text_of(&document);
        let (old, new) = (lines(&text), lines(&after));
        prop_assert_eq!(old.len(), new.len());
        let differing = old.iter().zip(&new).filter(|(a, b)| a != b).count();
        prop_assert!(differing <= 1, "{:?}\n{:?}", text, after);
        let ends = |text: &str| -> Vec<String> {
            text.split_inclusive('\n').map(|l| l[lines(l)[0].len()..].to_owned()).collect()
        };
        prop_assert_eq!(ends(&text), ends(&after));
    }

    #[test]
    fn what_is_removed_is_gone_and_all_else_stays(
        text in text(), section in section(), key in key()
    ) {
        let mut document = document(&text);
        let changed = document.remove(&section, &key).unwrap();
        let after = text_of(&document);
        prop_assert_eq!(changed, after != text);
        prop_assert_eq!(document.get(&section, &key).unwrap(), None);
        prop_assert_eq!(others(&text, &section, &key), others(&after, &section, &key));
        let trimmed = |text: &str| -> Vec<String> {
            lines(text).iter().map(|line| line.trim_start().to_owned()).collect()
        };
        let (old, new) = (trimmed(&text), trimmed(&after));
        let old: Vec<_> = old.iter().map(String::as_str).collect();
        let new: Vec<_> = new.iter().map(String::as_str).collect();
        prop_assert!(is_within(&new, &old), "{:?}\n{:?}", text, after);
    }
}
