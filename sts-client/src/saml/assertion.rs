//! What an identity provider's response says about roles. It is read to find the SAML provider that
//! goes with a role; whether it is genuine is AWS's to judge.

use std::fmt;

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use zeroize::Zeroizing;

/// Source: AWS IAM User Guide, "Configure SAML assertions for the authentication response".
const ROLE: &str = "https://aws.amazon.com/SAML/Attributes/Role";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
/// Responses are ten deep or so.
const DEEPEST: usize = 64;
/// More roles than AWS lets one person choose from.
const MOST_ROLES: usize = 1000;

/// What is wrong with a response. Never holds any of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flaw(&'static str);

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A role, and the SAML provider in IAM through which it is assumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RolePair {
    pub(super) role_arn: String,
    pub(super) principal_arn: String,
}

impl RolePair {
    /// Reads `ROLE,PROVIDER`, in either order.
    fn parse(text: &str) -> Option<Self> {
        let (one, other) = text.trim().split_once(',')?;
        let (one, other) = (one.trim(), other.trim());
        let is = |arn: &str, kind: &str| {
            let resource = arn.strip_prefix("arn:").and_then(|rest| rest.splitn(5, ':').nth(4));
            resource.is_some_and(|resource| resource.starts_with(kind))
                && arn.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
        };
        let (role, principal) = match (is(one, "role/"), is(other, "role/")) {
            (true, false) => (one, other),
            (false, true) => (other, one),
            _ => return None,
        };
        is(principal, "saml-provider/")
            .then(|| Self { role_arn: role.to_owned(), principal_arn: principal.to_owned() })
    }
}

/// The roles that a response lists, in its order.
pub(super) fn roles(document: &[u8]) -> Result<Vec<RolePair>, Flaw> {
    let text = std::str::from_utf8(document).map_err(|_| Flaw("it is not UTF-8"))?;
    let mut reader = NsReader::from_str(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut walk = Walk::default();
    loop {
        // quick-xml's own messages may quote the document.
        let event = reader.read_resolved_event().map_err(|_| Flaw("it is not well-formed XML"))?;
        match event {
            (namespace, Event::Start(element)) => walk.open(namespace, &element)?,
            (namespace, Event::Empty(element)) => {
                walk.open(namespace, &element)?;
                walk.close();
            }
            (_, Event::End(_)) => walk.close(),
            (_, Event::Text(part)) => walk.text(&part.xml10_content())?,
            (_, Event::CData(part)) => walk.text(&part.xml10_content())?,
            (_, Event::GeneralRef(entity)) => {
                let bad = Flaw("it has an entity that XML does not know");
                match entity.resolve_char_ref().map_err(|_| bad)? {
                    Some(letter) => walk.text(letter.encode_utf8(&mut [0; 4]))?,
                    None => {
                        let name = entity.xml10_content();
                        let text = quick_xml::escape::resolve_predefined_entity(&name);
                        walk.text(text.ok_or(bad)?)?;
                    }
                }
            }
            (_, Event::DocType(_)) => return Err(Flaw("it has a DTD")),
            (_, Event::Eof) => break,
            _ => {}
        }
    }
    match (walk.ended, walk.is_encrypted && walk.roles.is_empty()) {
        (false, _) => Err(Flaw("it is cut short")),
        (true, true) => Err(Flaw("its assertion is encrypted")),
        (true, false) => Ok(walk.roles),
    }
}

#[derive(Default)]
struct Walk {
    depth: usize,
    ended: bool,
    is_encrypted: bool,
    /// The depth of the attribute that lists roles, while in it.
    attribute: Option<usize>,
    /// The value in it, while in one.
    value: Option<(usize, Zeroizing<String>)>,
    roles: Vec<RolePair>,
}

impl Walk {
    fn open(&mut self, namespace: ResolveResult<'_>, element: &BytesStart<'_>) -> Result<(), Flaw> {
        let name = element.local_name();
        let space = match namespace {
            ResolveResult::Bound(Namespace(space)) => space,
            ResolveResult::Unbound => "",
            ResolveResult::Unknown(_) => return Err(Flaw("it has an unknown namespace")),
        };
        if self.depth == 0 && (self.ended || name.as_ref() != "Response" || space != PROTOCOL) {
            return Err(Flaw("it is no SAML response"));
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Flaw("it is nested too deeply"));
        }
        if space != ASSERTION {
            return Ok(());
        }
        match name.as_ref() {
            "EncryptedAssertion" => self.is_encrypted = true,
            "Attribute" if self.attribute.is_none() && names_roles(element)? => {
                self.attribute = Some(self.depth);
            }
            "AttributeValue" if self.attribute.is_some_and(|depth| depth + 1 == self.depth) => {
                self.value = Some((self.depth, Zeroizing::default()));
            }
            _ => {}
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Flaw> {
        if self.depth == 0 && !text.trim().is_empty() {
            return Err(Flaw("it is not XML"));
        }
        if let Some((depth, value)) = &mut self.value
            && *depth == self.depth
        {
            value.push_str(text);
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some((_, value)) = self.value.take_if(|(depth, _)| *depth == self.depth) {
            // AWS passes over what is no pair.
            let pair = RolePair::parse(&value).filter(|_| self.roles.len() < MOST_ROLES);
            self.roles.extend(pair);
        }
        self.attribute.take_if(|depth| *depth == self.depth);
        self.depth = self.depth.saturating_sub(1);
        self.ended |= self.depth == 0;
    }
}

fn names_roles(element: &BytesStart<'_>) -> Result<bool, Flaw> {
    let name = element.try_get_attribute("Name").map_err(|_| Flaw("it is not well-formed XML"))?;
    Ok(name.is_some_and(|name| name.value.as_ref() == ROLE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: &str = "arn:aws:iam::1:role/R,arn:aws:iam::1:saml-provider/P";

    fn response(inside: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?>\n<p:Response xmlns:p=\"{PROTOCOL}\"><s:Assertion \
             xmlns:s=\"{ASSERTION}\"><s:AttributeStatement>{inside}</s:AttributeStatement>\
             </s:Assertion></p:Response>\n"
        )
    }

    fn attribute(name: &str, values: &[&str]) -> String {
        let values: String = values
            .iter()
            .map(|value| format!("<s:AttributeValue>{value}</s:AttributeValue>"))
            .collect();
        format!("<s:Attribute Name=\"{name}\">{values}</s:Attribute>")
    }

    fn found(document: &str) -> Vec<(String, String)> {
        let roles = roles(document.as_bytes()).unwrap();
        roles.into_iter().map(|pair| (pair.role_arn, pair.principal_arn)).collect()
    }

    #[test]
    fn pairs_are_read_in_either_order_with_white_space_and_entities() {
        let other = "\n  arn:aws-us-gov:iam::2:saml-provider/a&amp;b ,\n arn:aws-us-gov:iam::2:role&#47;p/S ";
        let cut = "arn:aws:iam::3:role/C,<!-- x -->arn:aws:iam::3:saml-provider/P";
        let text = response(&attribute(ROLE, &[PAIR, other, cut]));
        let owned = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            found(&text),
            [
                owned("arn:aws:iam::1:role/R", "arn:aws:iam::1:saml-provider/P"),
                owned("arn:aws-us-gov:iam::2:role/p/S", "arn:aws-us-gov:iam::2:saml-provider/a&b"),
                owned("arn:aws:iam::3:role/C", "arn:aws:iam::3:saml-provider/P"),
            ]
        );
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_it_panic(
            before in 0..400_usize, noise in "[<>/&;#x!a:=\"\\-\\[\\] ]{0,12}", after in 0..400_usize,
        ) {
            let text = response(&attribute(ROLE, &[PAIR]));
            let cut = |at: usize| at.min(text.len());
            let mangled = format!("{}{noise}{}", &text[..cut(before)], &text[cut(after)..]);
            let _ = roles(mangled.as_bytes());
        }
    }

    #[test]
    fn what_is_no_pair_of_the_roles_attribute_is_passed_over() {
        let elsewhere =
            attribute("https://aws.amazon.com/SAML/Attributes/RoleSessionName", &[PAIR]);
        let nested = format!(
            "<s:Attribute Name=\"{ROLE}\"><x xmlns=\"y\"><s:AttributeValue>{PAIR}\
             </s:AttributeValue></x></s:Attribute>"
        );
        let bad = [
            "",
            "x",
            "a,b",
            "arn:aws:iam::1:role/R",
            "arn:aws:iam::1:role/R,arn:aws:iam::1:role/S",
        ];
        let text = response(&format!("{elsewhere}{nested}{}", attribute(ROLE, &bad)));
        assert_eq!(found(&text), []);
    }

    #[test]
    fn what_is_no_response_is_refused_without_being_quoted() {
        let deep = response(&format!("{}{}", "<a>".repeat(100), "</a>".repeat(100)));
        let whole = response(&attribute(ROLE, &[PAIR]));
        let encrypted = format!(
            "<p:Response xmlns:p=\"{PROTOCOL}\"><e:EncryptedAssertion xmlns:e=\"{ASSERTION}\"/>\
             </p:Response>"
        );
        for (document, flaw) in [
            ("", "cut short"),
            ("hunter2", "not XML"),
            ("<html/>", "no SAML response"),
            ("<Response/>", "no SAML response"),
            (&whole[..whole.len() - 14], "cut short"),
            (&format!("{whole}{whole}"), "no SAML response"),
            (&format!("{whole}hunter2"), "not XML"),
            (&format!("<!DOCTYPE r [<!ENTITY x \"hunter2\">]>{whole}"), "DTD"),
            (&response("&hunter2;"), "entity"),
            (&response("<x:y/>"), "namespace"),
            (&response("<a></b>"), "well-formed"),
            (&deep, "deeply"),
            (&encrypted, "encrypted"),
        ] {
            let found = roles(document.as_bytes()).unwrap_err().to_string();
            assert!(found.contains(flaw), "{document}: {found}");
            assert!(!found.contains("hunter2"));
        }
        assert_eq!(roles(b"\xff").unwrap_err(), Flaw("it is not UTF-8"));
    }
}
