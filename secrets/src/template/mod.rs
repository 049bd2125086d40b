//! Templates of user names: Infisical's, by the handlebars crate with only those helpers.

mod helpers;

use std::time::SystemTime;

use handlebars::template::{HelperTemplate, Parameter, Subexpression, TemplateElement};
use handlebars::{Handlebars, RenderErrorReason, Template};
use rolecall_core::Random;
use rolecall_core::{CredentialsError, ErrorKind, Result};
use serde_json::json;

/// The longest template, as Infisical has it.
const LONGEST: usize = 255;
/// More than this cannot become a name; stops `random` and `replace` from piling up text.
const LONGEST_OUTPUT: usize = 4096;
const VARIABLES: [&str; 7] = [
    "randomUsername",
    "unixTimestamp",
    "identity.name",
    "identity.arn",
    "identity.account",
    "secret.name",
    "dynamicSecret.name",
];
const HELP: &str = "use randomUsername, unixTimestamp, identity.name, identity.arn, \
    identity.account, secret.name, dynamicSecret.name, and the helpers random, truncate, replace, \
    uppercase, lowercase";

/// What a template may speak of.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct NameFacts<'a> {
    /// The name of whoever asks for the lease.
    pub(crate) identity_name: &'a str,
    /// Their ARN, if it was verified.
    pub(crate) identity_arn: &'a str,
    /// Their account, if it was verified.
    pub(crate) identity_account: &'a str,
    /// The name of the dynamic secret.
    pub(crate) secret_name: &'a str,
}

/// A template that was checked: it holds nothing but known variables and helpers.
#[derive(Debug)]
pub(crate) struct NameTemplate(Template);

impl NameTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is too long, cannot be parsed or uses what there is not.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        if text.chars().count() > LONGEST {
            return Err(wrong(format!("it has more than {LONGEST} characters")));
        }
        let template =
            Template::compile(text).map_err(|error| wrong(error.reason().to_string()))?;
        template.elements.iter().try_for_each(check)?;
        Ok(Self(template))
    }

    /// The text of the template for `facts`. Values are inserted as they are read, never parsed.
    ///
    /// # Errors
    /// `InvalidConfiguration` if a helper is given what it cannot take.
    pub(crate) fn render(
        &self,
        facts: &NameFacts<'_>,
        now: SystemTime,
        random: &Random,
    ) -> Result<String> {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let values = json!({
            "randomUsername": helpers::alphanumeric(random, 32),
            "unixTimestamp": since.as_secs(),
            "identity": {
                "name": plain(facts.identity_name),
                "arn": plain(facts.identity_arn),
                "account": plain(facts.identity_account),
            },
            "secret": { "name": plain(facts.secret_name) },
            "dynamicSecret": { "name": plain(facts.secret_name) },
        });
        let mut registry = Handlebars::new();
        registry.set_strict_mode(true);
        registry.register_escape_fn(handlebars::no_escape);
        helpers::register(&mut registry, random);
        let context = handlebars::Context::wraps(values).map_err(|e| wrong(e.to_string()))?;
        let mut scope = handlebars::RenderContext::new(None);
        let text = handlebars::Renderable::renders(&self.0, &registry, &context, &mut scope)
            .map_err(|error| wrong(reason(&error)))?;
        if text.len() > LONGEST_OUTPUT {
            return Err(wrong("it makes far too long a name".to_owned()));
        }
        Ok(text)
    }
}

/// A text with nothing in it that a user's name may not hold, as Infisical does it.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

fn check(element: &TemplateElement) -> Result<()> {
    match element {
        TemplateElement::RawString(_) | TemplateElement::Comment(_) => Ok(()),
        TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => {
            check_call(call)
        }
        _ => Err(wrong("it holds a block, a partial or a decorator".to_owned())),
    }
}

fn check_call(call: &HelperTemplate) -> Result<()> {
    let name = call.name.as_name().unwrap_or_default();
    if call.params.is_empty() && call.hash.is_empty() {
        return check_variable(name);
    }
    if !helpers::NAMES.contains(&name) {
        return Err(wrong(format!("there is no helper {name:?}")));
    }
    if !call.hash.is_empty() {
        return Err(wrong(format!("{name} takes no named arguments")));
    }
    call.params.iter().try_for_each(check_parameter)
}

fn check_parameter(parameter: &Parameter) -> Result<()> {
    match parameter {
        Parameter::Literal(_) => Ok(()),
        Parameter::Name(name) => check_variable(name),
        Parameter::Path(_) => check_variable(parameter.as_name().unwrap_or_default()),
        Parameter::Subexpression(Subexpression { element, .. }) => check(element),
        _ => Err(wrong("it holds an argument of an unknown kind".to_owned())),
    }
}

fn check_variable(name: &str) -> Result<()> {
    if VARIABLES.contains(&name) {
        return Ok(());
    }
    let what = if helpers::NAMES.contains(&name) {
        format!("{name} needs arguments")
    } else {
        format!("there is no variable {name:?}")
    };
    Err(wrong(what))
}

fn reason(error: &handlebars::RenderError) -> String {
    match error.reason() {
        RenderErrorReason::Other(text) => text.clone(),
        reason => reason.to_string(),
    }
}

fn wrong(message: String) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "user name template", message)
        .with_help(HELP)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const FACTS: NameFacts<'static> = NameFacts {
        identity_name: "jane.doe@{{random 99}}",
        identity_arn: "arn:aws:iam::123456789012:user/jane",
        identity_account: "123456789012",
        secret_name: "team/db-reader",
    };

    fn render(text: &str) -> Result<String> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        NameTemplate::parse(text)?.render(&FACTS, now, &Random::seeded(1))
    }

    #[test]
    fn infisicals_templates_mean_what_they_mean_there() {
        for (template, name) in [
            ("plain", "plain"),
            ("{{unixTimestamp}}", "1700000000"),
            // A value that looks like a template stays what it is.
            ("{{identity.name}}", "jane_doe___random_99__"),
            ("{{truncate identity.name 4}}", "jane"),
            ("{{truncate 'ab' 4}}", "ab"),
            ("{{replace identity.name 'a' 'b'}}", "jbne_doe___rbndom_99__"),
            ("{{replace 'x1y22' '([a-z])([0-9]+)' '$2$1-$&-$$'}}", "1x-x1-$22y-y22-$"),
            ("{{replace 'aaa' 'a' 'bc'}}", "bcbcbc"),
            ("{{uppercase (truncate identity.name 4)}}", "JANE"),
            ("{{lowercase 'ABC'}}-{{dynamicSecret.name}}", "abc-team_db_reader"),
            ("{{secret.name}}.{{identity.account}}", "team_db_reader.123456789012"),
            ("{{truncate identity.arn 11}}", "arn_aws_iam"),
            ("{{{identity.account}}}{{! a comment }}", "123456789012"),
        ] {
            assert_eq!(render(template).unwrap(), name, "{template}");
        }
        let random = render("{{random 5}}").unwrap();
        assert!(random.len() == 5 && random.bytes().all(|b| b.is_ascii_alphanumeric()), "{random}");
        assert_eq!(render("{{randomUsername}}").unwrap().len(), 32);
    }

    #[test]
    fn whatever_else_handlebars_can_do_is_refused() {
        let recursion = "{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}";
        for template in [
            "{{#if identity.name}}x{{/if}}",
            "{{#each this}}x{{/each}}",
            "{{> partial}}",
            "{{log 'x'}}",
            "{{lookup identity 'name'}}",
            "{{eq 1 1}}",
            "{{len identity.name}}",
            "{{this}}",
            "{{@root}}",
            "{{../x}}",
            "{{identity}}",
            "{{identity.[name]}}",
            "{{truncate (len 'x') 3}}",
            "{{random}}",
            "{{random 5 length=3}}",
            "{{unknown 5}}",
            "{{random 5",
            "{{}}",
            recursion,
            &"x".repeat(256),
        ] {
            let error = NameTemplate::parse(template).expect_err(template);
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{template}");
        }
    }

    #[test]
    fn helpers_refuse_what_they_cannot_take() {
        for template in [
            "{{random 0}}",
            "{{random 101}}",
            "{{random 'x'}}",
            "{{random 1 2}}",
            "{{truncate 'x'}}",
            "{{truncate 'x' -1}}",
            "{{replace 'x' '(' 'y'}}",
            "{{replace 'x' 'y'}}",
            "{{uppercase 1}}",
        ] {
            let error = render(template).expect_err(template);
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{template}");
            assert!(error.message().contains("takes"), "{template}: {error}");
        }
    }

    #[test]
    fn text_does_not_pile_up() {
        let nested = "{{replace (replace (replace (random 100) '.' '$&$&$&$&') '.' '$&$&$&$&') '.' '$&$&$&$&'}}";
        assert!(render(nested).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_template_or_an_error(text in "([{}#>*!&^()'a-z0-9. ]|\\{\\{|\\}\\}){0,40}") {
            let _ = render(&text);
        }

        #[test]
        fn any_name_can_be_inserted(name in ".{0,80}") {
            let facts = NameFacts { identity_name: &name, ..FACTS };
            let template = NameTemplate::parse("{{identity.name}}").unwrap();
            let text = template.render(&facts, SystemTime::UNIX_EPOCH, &Random::seeded(1)).unwrap();
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        }
    }
}
