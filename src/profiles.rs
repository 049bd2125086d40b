use rolecall_core::profile::{Profile, ProfileSet, is_harmless_key};
use serde_json::{Map, Value, json};

/// The profile files as JSON:
/// `{"profiles": {name: {key: value}}, "sso_sessions": {…}, "services": {…}, "warnings": […]}`.
/// Values that are or may hold secrets are `[redacted]`.
pub fn profiles_json(set: &ProfileSet) -> Value {
    let warnings = set.warnings().iter().map(|warning| {
        json!({
            "file": warning.origin.file.display().to_string(),
            "line": warning.origin.line,
            "message": warning.message,
        })
    });
    json!({
        "profiles": sections(set.profiles()),
        "sso_sessions": sections(set.sso_sessions()),
        "services": sections(set.all_services()),
        "warnings": warnings.collect::<Vec<_>>(),
    })
}

fn sections<'a>(sections: impl Iterator<Item = &'a Profile>) -> Map<String, Value> {
    sections.map(|section| (section.name.clone(), properties(section))).collect()
}

fn properties(section: &Profile) -> Value {
    let shown = section.properties.iter().map(|(key, property)| {
        let value = if is_harmless_key(key) { property.text() } else { "[redacted]" };
        (key.clone(), Value::from(value))
    });
    shown.collect::<Map<_, _>>().into()
}
