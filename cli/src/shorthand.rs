//! AWS CLI's shorthand for structures: `Key=K,Value=V`, a value quoted where it holds a comma; or
//! JSON.
//!
//! Source: AWS CLI User Guide, "Using shorthand syntax with the AWS CLI".

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

use rolecall::sts::{ProvidedContext, Tag};
use rolecall::{CredentialsError, ErrorKind, Secret};

use crate::output::Failure;

type Fields = BTreeMap<String, String>;

/// `arn=ARN …`; a bare ARN is taken too.
pub(crate) fn arns(flag: &str, texts: &[String]) -> Result<Vec<String>, Failure> {
    let form = Form { flag, names: &["arn"] };
    let mut arns = Vec::new();
    for text in texts {
        if text.starts_with("arn:") {
            arns.push(text.clone());
            continue;
        }
        for mut fields in form.structures(text)? {
            arns.push(form.take(&mut fields, "arn")?);
        }
    }
    Ok(arns)
}

/// `Key=K,Value=V …`
pub(crate) fn tags(flag: &str, texts: &[String]) -> Result<Vec<Tag>, Failure> {
    let form = Form { flag, names: &["Key", "Value"] };
    let mut tags = Vec::new();
    for text in texts {
        for mut fields in form.structures(text)? {
            let key = form.take(&mut fields, "Key")?;
            tags.push(Tag { key, value: form.take(&mut fields, "Value")? });
        }
    }
    Ok(tags)
}

/// `ProviderArn=ARN,ContextAssertion=TEXT …`
pub(crate) fn contexts(flag: &str, texts: &[String]) -> Result<Vec<ProvidedContext>, Failure> {
    let form = Form { flag, names: &["ProviderArn", "ContextAssertion"] };
    let mut contexts = Vec::new();
    for text in texts {
        for mut fields in form.structures(text)? {
            let provider_arn = form.take(&mut fields, "ProviderArn")?;
            let context_assertion = Secret::from(form.take(&mut fields, "ContextAssertion")?);
            contexts.push(ProvidedContext { provider_arn, context_assertion });
        }
    }
    Ok(contexts)
}

/// What a flag's structures look like.
struct Form<'a> {
    flag: &'a str,
    /// The fields, as AWS names them.
    names: &'a [&'a str],
}

impl Form<'_> {
    /// Every structure in one argument: JSON may hold several.
    fn structures(&self, text: &str) -> Result<Vec<Fields>, Failure> {
        let parsed = match text.trim_start().chars().next() {
            Some('[') => serde_json::from_str(text).ok(),
            Some('{') => serde_json::from_str(text).ok().map(|fields| vec![fields]),
            _ => shorthand(text).map(|fields| vec![fields]),
        };
        let neither = "it is neither Name=value,Name=value nor JSON";
        parsed.ok_or_else(|| self.unusable(neither.to_owned()))
    }

    fn take(&self, fields: &mut Fields, name: &str) -> Result<String, Failure> {
        fields.remove(name).ok_or_else(|| self.unusable(format!("{name}= is missing")))
    }

    fn unusable(&self, what: String) -> Failure {
        let shorthand = self.names.iter().map(|name| format!("{name}=…")).collect::<Vec<_>>();
        let json = self.names.iter().map(|name| format!("\"{name}\": \"…\"")).collect::<Vec<_>>();
        let help = format!(
            "write {} {}, one word for each, a value with a comma in quotes; or JSON: '[{{{}}}]'",
            self.flag,
            shorthand.join(","),
            json.join(", ")
        );
        CredentialsError::new(ErrorKind::InvalidConfiguration, self.flag.to_owned(), what)
            .with_help(help)
            .into()
    }
}

fn shorthand(text: &str) -> Option<Fields> {
    let mut fields = Fields::new();
    let mut chars = text.chars().peekable();
    loop {
        let name: String = std::iter::from_fn(|| chars.next_if(|c| !"=,".contains(*c))).collect();
        if name.is_empty() || chars.next() != Some('=') {
            return None;
        }
        fields.insert(name, value(&mut chars)?);
        match chars.next() {
            None => return Some(fields),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

fn value(chars: &mut Peekable<Chars<'_>>) -> Option<String> {
    let Some(quote) = chars.next_if(|c| "'\"".contains(*c)) else {
        return Some(std::iter::from_fn(|| chars.next_if(|c| *c != ',')).collect());
    };
    let mut value = String::new();
    loop {
        match chars.next()? {
            c if c == quote => return Some(value),
            '\\' if chars.peek().is_some_and(|c| *c == quote || *c == '\\') => {
                value.extend(chars.next());
            }
            c => value.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Vec<(String, String)>> {
        let tags = tags("--tags", &[text.to_owned()]).ok()?;
        Some(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
    }

    #[test]
    fn every_form_of_aws_cli_is_read() {
        let pair = |k: &str, v: &str| (k.to_owned(), v.to_owned());
        for (text, expected) in [
            ("Key=a,Value=b", vec![pair("a", "b")]),
            ("Value=b=c,Key=a", vec![pair("a", "b=c")]),
            ("Key=a,Value=", vec![pair("a", "")]),
            (r#"Key='a,b',Value="c\"d""#, vec![pair("a,b", "c\"d")]),
            (r#"{"Key":"a","Value":"b"}"#, vec![pair("a", "b")]),
            (
                r#"[{"Key":"a","Value":"b"},{"Key":"c","Value":"d"}]"#,
                vec![pair("a", "b"), pair("c", "d")],
            ),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for text in ["", "Key", "Key=a", "Key=a,,Value=b", "Key='a,Value=b", "[1]", "=a,Value=b"] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn arns_may_stand_bare() {
        let texts = ["arn:aws:iam::aws:policy/A".to_owned(), "arn=arn:b".to_owned()];
        let Ok(found) = arns("--policy-arns", &texts) else { panic!("refused") };
        assert_eq!(found, ["arn:aws:iam::aws:policy/A", "arn:b"]);
    }
}
