use handlebars::{
    Context, Handlebars, Helper, HelperDef, RenderContext, RenderError, RenderErrorReason,
    ScopedJson,
};
use regex::{Captures, RegexBuilder};
use rolecall_core::Random;
use serde_json::Value;

/// All there is.
pub(super) const NAMES: [&str; 5] = ["random", "truncate", "replace", "uppercase", "lowercase"];

const LONGEST_RANDOM: u64 = 100;
/// What a pattern may take in memory, in bytes.
const PATTERN_LIMIT: usize = 64 * 1024;
/// What a helper may give.
const OUTPUT_LIMIT: usize = 8192;

pub(super) fn register(registry: &mut Handlebars<'_>, random: &Random) {
    let random = random.clone();
    let of = move |values: &[&Value]| match values {
        [length] => {
            let length = length.as_u64().filter(|length| (1..=LONGEST_RANDOM).contains(length))?;
            Some(alphanumeric(&random, usize::try_from(length).ok()?))
        }
        _ => None,
    };
    add(registry, "random", "a length from 1 to 100", of);
    add(registry, "truncate", "a text and a length", |values| match values {
        [text, length] => {
            let length = usize::try_from(length.as_u64()?).ok()?;
            Some(text.as_str()?.chars().take(length).collect())
        }
        _ => None,
    });
    let takes = "a text, a regular expression and what to put in the place of each match";
    add(registry, "replace", takes, |values| match values {
        [text, pattern, with] => replace(text.as_str()?, pattern.as_str()?, with.as_str()?),
        _ => None,
    });
    add(registry, "uppercase", "a text", |values| match values {
        [text] => Some(text.as_str()?.to_uppercase()),
        _ => None,
    });
    add(registry, "lowercase", "a text", |values| match values {
        [text] => Some(text.as_str()?.to_lowercase()),
        _ => None,
    });
}

/// Letters and digits by chance.
pub(super) fn alphanumeric(random: &Random, length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let one = || {
        // Of 64 values the last two are drawn again, so that all 62 are as likely.
        let mut draws = std::iter::repeat_with(|| (random.bits() >> 58) as usize);
        draws.find_map(|draw| ALPHABET.get(draw)).map_or('0', |byte| char::from(*byte))
    };
    std::iter::repeat_with(one).take(length).collect()
}

/// Replaces all matches, and understands `$1` … `$99`, `$&` and `$$` as JavaScript does.
fn replace(text: &str, pattern: &str, with: &str) -> Option<String> {
    let pattern = RegexBuilder::new(pattern).size_limit(PATTERN_LIMIT).build().ok()?;
    let mut out = String::new();
    let mut end = 0;
    for found in pattern.captures_iter(text) {
        let all = found.get(0)?;
        out += &text[end..all.start()];
        push_replacement(&mut out, with, &found);
        end = all.end();
        if out.len() > OUTPUT_LIMIT {
            return None;
        }
    }
    out += &text[end..];
    Some(out)
}

fn push_replacement(out: &mut String, with: &str, found: &Captures<'_>) {
    let mut rest = with;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let group = |digits: usize| {
            let number = rest.get(..digits)?.parse::<usize>().ok()?;
            (1..found.len()).contains(&number).then_some((number, digits))
        };
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('&') {
            out.push_str(&found[0]);
            rest = after;
        } else if let Some((number, digits)) = group(2).or_else(|| group(1)) {
            out.push_str(found.get(number).map_or("", |group| group.as_str()));
            rest = &rest[digits..];
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
}

fn add(
    registry: &mut Handlebars<'_>,
    name: &'static str,
    takes: &'static str,
    make: impl Fn(&[&Value]) -> Option<String> + Send + Sync + 'static,
) {
    registry.register_helper(name, Box::new(Function { name, takes, make }));
}

/// A helper that makes a text of its arguments.
struct Function<F> {
    name: &'static str,
    takes: &'static str,
    make: F,
}

impl<F: Fn(&[&Value]) -> Option<String> + Send + Sync> HelperDef for Function<F> {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        call: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let values: Vec<&Value> = call.params().iter().map(|param| param.value()).collect();
        let wrong = || RenderErrorReason::Other(format!("{} takes {}", self.name, self.takes));
        let text = (self.make)(&values).filter(|text| text.len() <= OUTPUT_LIMIT);
        Ok(ScopedJson::Derived(Value::String(text.ok_or_else(wrong)?)))
    }
}
