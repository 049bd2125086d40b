//! SAML assertions: minted with the kit's own signature, and read back.
//!
//! A real identity provider signs with XML-DSig over canonical XML. Clients of STS pass the
//! document on without looking inside, so the kit signs the plain bytes with HMAC instead: enough
//! to see whether a client changed them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::Reader;
use quick_xml::events::Event;
use ring::hmac;

use crate::clock;
use crate::xml::escape;

/// What AWS takes from an assertion.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Assertion {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) subject_type: String,
    pub(crate) audience: String,
    pub(crate) not_on_or_after: i64,
    pub(crate) roles: Vec<String>,
    pub(crate) session_name: String,
    pub(crate) session_duration: Option<i64>,
    pub(crate) source_identity: Option<String>,
}

const ATTRIBUTES: &str = "https://aws.amazon.com/SAML/Attributes/";
const OPEN: &str = "<ds:SignatureValue>";
const CLOSE: &str = "</ds:SignatureValue>";

/// What to put into an assertion.
pub(crate) struct Mint<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) role_arn: &'a str,
    pub(crate) provider_arn: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) session_name: &'a str,
    pub(crate) now: i64,
    pub(crate) lifetime: i64,
}

/// A signed assertion, base64.
pub(crate) fn mint(key: &str, mint: &Mint<'_>) -> String {
    let [issuer, role, provider, subject, name] =
        [mint.issuer, mint.role_arn, mint.provider_arn, mint.subject, mint.session_name]
            .map(escape);
    let (issued, ends) = (clock::extended(mint.now), clock::extended(mint.now + mint.lifetime));
    let unsigned = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" Version="2.0" IssueInstant="{issued}" Destination="https://signin.aws.amazon.com/saml">
  <saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" IssueInstant="{issued}">
    <saml:Issuer>{issuer}</saml:Issuer>
    <ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">{OPEN}{CLOSE}</ds:Signature>
    <saml:Subject>
      <saml:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{subject}</saml:NameID>
      <saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">
        <saml:SubjectConfirmationData NotOnOrAfter="{ends}" Recipient="https://signin.aws.amazon.com/saml"/>
      </saml:SubjectConfirmation>
    </saml:Subject>
    <saml:Conditions NotOnOrAfter="{ends}">
      <saml:AudienceRestriction><saml:Audience>https://signin.aws.amazon.com/saml</saml:Audience></saml:AudienceRestriction>
    </saml:Conditions>
    <saml:AttributeStatement>
      <saml:Attribute Name="{ATTRIBUTES}Role"><saml:AttributeValue>{role},{provider}</saml:AttributeValue></saml:Attribute>
      <saml:Attribute Name="{ATTRIBUTES}RoleSessionName"><saml:AttributeValue>{name}</saml:AttributeValue></saml:Attribute>
    </saml:AttributeStatement>
  </saml:Assertion>
</samlp:Response>
"#
    );
    let signature = STANDARD.encode(hmac::sign(&hmac_key(key), unsigned.as_bytes()));
    STANDARD.encode(unsigned.replacen(
        &format!("{OPEN}{CLOSE}"),
        &format!("{OPEN}{signature}{CLOSE}"),
        1,
    ))
}

/// Whether the document carries the kit's signature by this key.
pub(crate) fn signed_with(document: &str, key: &str) -> bool {
    let parts = document.split_once(OPEN).and_then(|(before, rest)| {
        let (signature, after) = rest.split_once(CLOSE)?;
        Some((before, signature, after))
    });
    let Some((before, signature, after)) = parts else { return false };
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    let unsigned = format!("{before}{OPEN}{CLOSE}{after}");
    hmac::verify(&hmac_key(key), unsigned.as_bytes(), &signature).is_ok()
}

fn hmac_key(key: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())
}

/// Reads an assertion without believing it; `None` if a part that AWS needs is missing.
pub(crate) fn parse(document: &str) -> Option<Assertion> {
    let mut reader = Reader::from_str(document);
    let mut found = Assertion::default();
    let mut attribute = String::new();
    let mut text = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) | Event::Empty(start) => {
                text.clear();
                let value = |name: &str| -> Option<String> {
                    let attribute = start.try_get_attribute(name).ok()??;
                    Some(attribute.value.to_string())
                };
                match start.local_name().as_ref() {
                    "NameID" => {
                        let format = value("Format").unwrap_or_default();
                        // AWS shortens SAML's own formats to their last word.
                        found.subject_type = match format.rsplit_once(":nameid-format:") {
                            Some((_, short @ ("persistent" | "transient"))) => short.to_owned(),
                            _ => format,
                        };
                    }
                    "SubjectConfirmationData" => {
                        let ends = value("NotOnOrAfter")?;
                        found.not_on_or_after = clock::parse_extended(&ends)?;
                        found.audience = value("Recipient").unwrap_or_default();
                    }
                    "Attribute" => attribute = value("Name").unwrap_or_default(),
                    _ => {}
                }
            }
            Event::Text(part) => text.push_str(&part.xml10_content()),
            Event::CData(part) => text.push_str(&part.xml10_content()),
            Event::GeneralRef(entity) => match entity.resolve_char_ref().ok()? {
                Some(letter) => text.push(letter),
                None => text.push_str(quick_xml::escape::resolve_predefined_entity(
                    &entity.xml10_content(),
                )?),
            },
            Event::End(end) => {
                let value = text.trim().to_owned();
                match end.local_name().as_ref() {
                    "Issuer" => found.issuer = value,
                    "NameID" => found.subject = value,
                    "AttributeValue" => match attribute.strip_prefix(ATTRIBUTES) {
                        Some("Role") => found.roles.push(value),
                        Some("RoleSessionName") => found.session_name = value,
                        Some("SessionDuration") => {
                            found.session_duration = Some(value.parse().ok()?)
                        }
                        Some("SourceIdentity") => found.source_identity = Some(value),
                        _ => {}
                    },
                    _ => {}
                }
                text.clear();
            }
            // No identity provider sends one; entities are how XML parsers are attacked.
            Event::DocType(_) => return None,
            Event::Eof => break,
            _ => {}
        }
    }
    let whole = !found.issuer.is_empty()
        && !found.subject.is_empty()
        && !found.roles.is_empty()
        && (2..=64).contains(&found.session_name.len());
    whole.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minted() -> String {
        let base64 = mint(
            "key",
            &Mint {
                issuer: "https://idp?a&b",
                role_arn: "arn:role",
                provider_arn: "arn:provider",
                subject: "<alice>",
                session_name: "alice",
                now: 0,
                lifetime: 300,
            },
        );
        String::from_utf8(STANDARD.decode(base64).unwrap()).unwrap()
    }

    #[test]
    fn a_minted_assertion_is_read_back() {
        let document = minted();
        let read = parse(&document).unwrap();
        assert_eq!(read.issuer, "https://idp?a&b");
        assert_eq!(read.subject, "<alice>");
        assert_eq!(read.subject_type, "persistent");
        assert_eq!(read.roles, ["arn:role,arn:provider"]);
        assert_eq!(read.not_on_or_after, 300);
        assert!(signed_with(&document, "key"));
        assert!(!signed_with(&document, "other"));
        assert!(!signed_with(&document.replace("arn:role,", "arn:rule,"), "key"));
    }

    #[test]
    fn what_is_no_assertion_is_refused() {
        for bad in ["", "<a>", "<Response/>", "<!DOCTYPE x []><Response/>", "plain"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
