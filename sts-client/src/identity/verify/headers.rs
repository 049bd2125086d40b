use super::authorization::Authorization;
use super::presented;
use crate::identity::FORM;
use crate::identity::amz_date::AmzDate;
use crate::identity::json::Headers;
use crate::identity::refusal::{Check, Refusal};
use crate::identity::token::TokenFormat;

/// The content types that clients send with the one body.
const CONTENT_TYPES: [&str; 3] =
    [FORM, "application/x-www-form-urlencoded", "application/x-www-form-urlencoded;charset=utf-8"];

/// The headers that may be there, by what they are.
#[derive(Default)]
pub(super) struct Listed<'a> {
    pub(super) authorization: &'a str,
    date: Option<&'a str>,
    pub(super) host: Option<&'a str>,
    pub(super) token: Option<&'a str>,
    pub(super) content_type: Option<&'static str>,
    pub(super) server_id: Option<&'a str>,
}

impl<'a> Listed<'a> {
    pub(super) fn read(headers: &'a Headers<'a>, format: TokenFormat) -> Result<Self, Refusal> {
        let mut listed = Self::default();
        let mut seen = [false; 10];
        for (name, value) in &headers.0 {
            let known = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name));
            let known = known.filter(|&at| at != SERVER_ID || format == TokenFormat::Vault);
            let Some(at) = known else {
                let message = format!("the header {} is not one that may be there", shown(name));
                return Err(refuse("header-unknown", message));
            };
            if std::mem::replace(&mut seen[at], true) {
                return Err(refuse(
                    "header-duplicate",
                    format!("the header {} is there twice", NAMES[at]),
                ));
            }
            check_value(value)?;
            match NAMES[at] {
                "authorization" => listed.authorization = value,
                "x-amz-date" => listed.date = Some(value),
                "host" => listed.host = Some(value),
                "x-amz-security-token" => listed.token = Some(value),
                "x-vault-aws-iam-server-id" => listed.server_id = Some(value),
                "content-length" if value != "43" => {
                    let message = "Content-Length is not the body's: 43";
                    return Err(refuse("content-length", message));
                }
                "content-type" => {
                    let known = CONTENT_TYPES.into_iter().find(|known| known == value);
                    listed.content_type = Some(known.ok_or_else(|| {
                        refuse("content-type", "Content-Type is not that of a form")
                    })?);
                }
                // Nobody signs them, and nobody is sent them.
                _ => {}
            }
        }
        if !seen[AUTHORIZATION] {
            return Err(refuse("authorization-missing", "the header Authorization is missing"));
        }
        Ok(listed)
    }

    /// Sees to it that the signature covers what it must, and nothing that cannot be sent again.
    /// Gives the date.
    pub(super) fn check_signed(
        &self,
        authorization: &Authorization<'_>,
    ) -> Result<AmzDate, Refusal> {
        let refuse = |code, message: &str| Err(Refusal::new(Check::Authorization, code, message));
        let Some(date) = self.date else {
            return refuse("date-missing", "the header X-Amz-Date is missing");
        };
        if !authorization.signs("host") {
            return refuse("host-unsigned", "the signature does not cover the host");
        }
        if !authorization.signs("x-amz-date") {
            return refuse("date-unsigned", "the signature does not cover X-Amz-Date");
        }
        if self.token.is_some() && !authorization.signs("x-amz-security-token") {
            let message = "the signature does not cover X-Amz-Security-Token";
            return refuse("token-unsigned", message);
        }
        if self.content_type.is_some() && !authorization.signs("content-type") {
            return refuse("content-type-unsigned", "the signature does not cover Content-Type");
        }
        if self.server_id.is_some() && !authorization.signs("x-vault-aws-iam-server-id") {
            let message = "the signature does not cover X-Vault-AWS-IAM-Server-ID";
            return refuse("binding-unsigned", message);
        }
        for name in authorization.names() {
            let there = match name {
                "host" | "x-amz-date" | "content-length" => true,
                "content-type" => self.content_type.is_some(),
                "x-amz-security-token" => self.token.is_some(),
                "x-vault-aws-iam-server-id" => self.server_id.is_some(),
                _ => {
                    let message = "the signature covers a header that is not one of the dialect's";
                    return refuse("signed-header-unknown", message);
                }
            };
            if !there {
                return refuse("signed-header-missing", "a signed header is not there");
            }
        }
        presented::date(date)
    }
}

const AUTHORIZATION: usize = 0;
const SERVER_ID: usize = 9;
const NAMES: [&str; 10] = [
    "authorization",
    "content-length",
    "content-type",
    "host",
    "x-amz-date",
    "x-amz-security-token",
    "user-agent",
    "accept",
    "accept-encoding",
    "x-vault-aws-iam-server-id",
];

/// Visible ASCII with spaces inside: what SigV4 signs as it stands.
pub(super) fn check_value(value: &str) -> Result<(), Refusal> {
    if value.is_empty() || !value.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        let message = "a header's value is empty, or holds what is not visible ASCII";
        return Err(refuse("header-characters", message));
    }
    if value.starts_with(' ') || value.ends_with(' ') {
        return Err(refuse("header-spaces", "a header's value starts or ends with a space"));
    }
    Ok(())
}

/// A name that somebody else chose, fit for a message.
fn shown(name: &str) -> String {
    rolecall_core::printable(name, 40)
}

fn refuse(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(Check::Headers, code, message)
}
