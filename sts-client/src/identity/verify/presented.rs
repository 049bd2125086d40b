//! What a token says: the inputs of a signature, read strictly and not yet believed.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rolecall_core::endpoint::Region;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::authorization::Authorization;
use super::headers::Listed;
use super::query;
use super::url::Address;
use crate::identity::amz_date::AmzDate;
use crate::identity::json::{self, Headers, Text};
use crate::identity::refusal::{Check, Refusal};
use crate::identity::token::TokenFormat;
use crate::identity::{BODY, BODY_BASE64, EKS_PREFIX, ROLECALL_PREFIX};

/// Longer than a token with any session token that AWS has given.
pub(super) const LONGEST: usize = 16 * 1024;
/// What aws-iam-authenticator takes.
const LONGEST_EKS: usize = 4096;

/// The signed request that a token stands for.
pub(in crate::identity) struct Presented {
    pub(in crate::identity) format: TokenFormat,
    /// `None` where the dialect names no URL.
    pub(super) scheme: Option<&'static str>,
    pub(in crate::identity) host: String,
    pub(in crate::identity) region: String,
    pub(in crate::identity) access_key_id: String,
    pub(in crate::identity) date: AmzDate,
    pub(in crate::identity) session_token: Option<Zeroizing<String>>,
    /// The content type, where it is signed.
    pub(super) content_type: Option<&'static str>,
    pub(super) content_length: bool,
    pub(in crate::identity) binding: Option<String>,
    pub(in crate::identity) challenge: Option<String>,
    pub(in crate::identity) expires: Option<u32>,
    /// Whom it asks to log in as. Nobody signed that: it proves nothing.
    pub(in crate::identity) asks_for: Option<String>,
    pub(super) signature: Zeroizing<[u8; 32]>,
}

/// A token that is none, and what it seemed to be.
pub(in crate::identity) struct Unreadable {
    pub(in crate::identity) refusal: Refusal,
    pub(super) format: Option<TokenFormat>,
}

impl Presented {
    /// Reads a token of any dialect.
    pub(in crate::identity) fn parse(text: &str) -> Result<Self, Unreadable> {
        let unreadable = |format| move |refusal| Unreadable { refusal, format };
        if text.len() > LONGEST {
            let length = text.len();
            let message =
                format!("the token is {length} bytes long, and none is longer than {LONGEST}");
            return refuse(Check::Size, "too-long", message).map_err(unreadable(None));
        }
        if let Some(rest) = text.strip_prefix(EKS_PREFIX) {
            return eks(text.len(), rest).map_err(unreadable(Some(TokenFormat::Eks)));
        }
        if let Some(rest) = text.strip_prefix(ROLECALL_PREFIX) {
            return rolecall(rest).map_err(unreadable(Some(TokenFormat::Rolecall)));
        }
        if text.trim_start().starts_with('{') {
            // Only the dialects' own readers judge what is in it.
            if text.contains("\"identityId\"") {
                return infisical(text).map_err(unreadable(Some(TokenFormat::Infisical)));
            }
            return vault(text).map_err(unreadable(Some(TokenFormat::Vault)));
        }
        akeyless(text).map_err(unreadable(Some(TokenFormat::Akeyless)))
    }

    /// The names of the signed headers, in order.
    pub(in crate::identity) fn signed_headers(&self) -> impl Iterator<Item = &'static str> {
        let vault = self.format == TokenFormat::Vault && self.binding.is_some();
        let post = self.format != TokenFormat::Eks;
        let rolecall = self.format == TokenFormat::Rolecall;
        let token = post && self.session_token.is_some();
        [
            (self.content_length, "content-length"),
            (self.content_type.is_some(), "content-type"),
            (true, "host"),
            (post, "x-amz-date"),
            (token, "x-amz-security-token"),
            (!post, "x-k8s-aws-id"),
            (rolecall, "x-rolecall-audience"),
            (rolecall && self.challenge.is_some(), "x-rolecall-challenge"),
            (rolecall, "x-rolecall-lifetime"),
            (vault, "x-vault-aws-iam-server-id"),
        ]
        .into_iter()
        .filter_map(|(there, name)| there.then_some(name))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'a"))]
struct Akeyless<'a> {
    sts_request_method: Text<'a>,
    sts_request_url: Text<'a>,
    sts_request_body: Text<'a>,
    sts_request_headers: Text<'a>,
}

fn akeyless(text: &str) -> Result<Presented, Refusal> {
    let bytes = unbase64(&STANDARD, text, Check::Format)?;
    let json: Akeyless<'_> = json::read(&bytes, Check::Format)?;
    Parts {
        format: TokenFormat::Akeyless,
        method: &json.sts_request_method.0,
        url: Some(&json.sts_request_url.0),
        body: &json.sts_request_body.0,
        headers: &json.sts_request_headers.0,
    }
    .read()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'a"))]
struct Vault<'a> {
    #[serde(default)]
    role: Option<Text<'a>>,
    iam_http_request_method: Text<'a>,
    iam_request_url: Text<'a>,
    iam_request_body: Text<'a>,
    iam_request_headers: Text<'a>,
}

fn vault(text: &str) -> Result<Presented, Refusal> {
    let json: Vault<'_> = json::read(text.as_bytes(), Check::Format)?;
    let presented = Parts {
        format: TokenFormat::Vault,
        method: &json.iam_http_request_method.0,
        url: Some(&json.iam_request_url.0),
        body: &json.iam_request_body.0,
        headers: &json.iam_request_headers.0,
    }
    .read()?;
    Ok(Presented { asks_for: json.role.map(|role| role.0.into_owned()), ..presented })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Infisical<'a> {
    identity_id: Text<'a>,
    iam_http_request_method: Text<'a>,
    iam_request_body: Text<'a>,
    iam_request_headers: Text<'a>,
}

fn infisical(text: &str) -> Result<Presented, Refusal> {
    let json: Infisical<'_> = json::read(text.as_bytes(), Check::Format)?;
    let presented = Parts {
        format: TokenFormat::Infisical,
        method: &json.iam_http_request_method.0,
        url: None,
        body: &json.iam_request_body.0,
        headers: &json.iam_request_headers.0,
    }
    .read()?;
    Ok(Presented { asks_for: Some(json.identity_id.0.into_owned()), ..presented })
}

/// A request in parts, all but the method in base64.
struct Parts<'a> {
    format: TokenFormat,
    method: &'a str,
    url: Option<&'a str>,
    body: &'a str,
    headers: &'a str,
}

impl Parts<'_> {
    fn read(&self) -> Result<Presented, Refusal> {
        if self.method != "POST" {
            return refuse(Check::Method, "method-not-post", "the method is not POST");
        }
        let address = match self.url {
            Some(url) => {
                let url = unbase64(&STANDARD, url, Check::Url)?;
                Some(Address::parse(&url)?)
            }
            None => None,
        };
        if self.body != BODY_BASE64 {
            // Not base64 at all is another reason than another body.
            unbase64(&STANDARD, self.body, Check::Body)?;
            let message = format!("the body is not exactly {BODY}");
            return refuse(Check::Body, "body-not-exact", message);
        }
        let headers = unbase64(&STANDARD, self.headers, Check::Headers)?;
        let headers: Headers<'_> = json::read(&headers, Check::Headers)?;
        let listed = Listed::read(&headers, self.format)?;
        let authorization = Authorization::parse(listed.authorization)?;
        let date = listed.check_signed(&authorization)?;
        let host = match (address.as_ref(), listed.host) {
            (Some(address), None) => address.host.clone(),
            (Some(address), Some(host)) if address.host == host => address.host.clone(),
            (Some(_), Some(_)) => {
                return refuse(Check::Headers, "host-differs", "the header Host is not the URL's");
            }
            (None, Some(host)) => Address::check_host(host)?.to_owned(),
            (None, None) => {
                return refuse(Check::Headers, "host-missing", "the header Host is missing");
            }
        };
        let credential = authorization.credential(&date)?;
        let signs = |name| authorization.signs(name);
        Ok(Presented {
            format: self.format,
            scheme: address.map(|address| address.scheme),
            host,
            region: credential.region,
            access_key_id: credential.access_key_id,
            date,
            session_token: listed.token.map(|token| Zeroizing::new(token.to_owned())),
            content_type: listed.content_type.filter(|_| signs("content-type")),
            content_length: signs("content-length"),
            binding: listed.server_id.map(str::to_owned),
            challenge: None,
            expires: None,
            asks_for: None,
            signature: authorization.signature,
        })
    }
}

fn eks(whole: usize, rest: &str) -> Result<Presented, Refusal> {
    if whole > LONGEST_EKS {
        let message = format!("an EKS token is at most {LONGEST_EKS} bytes long");
        return refuse(Check::Size, "too-long", message);
    }
    let url = unbase64(&URL_SAFE_NO_PAD, rest, Check::Format)?;
    query::read(&url)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'a"))]
struct Rolecall<'a> {
    host: Text<'a>,
    credential: Text<'a>,
    date: Text<'a>,
    #[serde(default)]
    session_token: Option<Text<'a>>,
    audience: Text<'a>,
    #[serde(default)]
    challenge: Option<Text<'a>>,
    lifetime: u32,
    signature: Text<'a>,
}

fn rolecall(rest: &str) -> Result<Presented, Refusal> {
    let bytes = unbase64(&URL_SAFE_NO_PAD, rest, Check::Format)?;
    let json: Rolecall<'_> = json::read(&bytes, Check::Format)?;
    let date = date(&json.date.0)?;
    let credential = Credential::parse(&json.credential.0, &date)?;
    let token = json.session_token.as_ref().map(|token| &*token.0);
    for value in [Some(&*json.audience.0), json.challenge.as_ref().map(|c| &*c.0), token] {
        super::headers::check_value(value.unwrap_or("-"))?;
    }
    Ok(Presented {
        format: TokenFormat::Rolecall,
        scheme: None,
        host: Address::check_host(&json.host.0)?.to_owned(),
        region: credential.region,
        access_key_id: credential.access_key_id,
        date,
        session_token: token.map(|token| Zeroizing::new(token.to_owned())),
        content_type: Some(crate::identity::FORM),
        content_length: false,
        binding: Some(json.audience.0.into_owned()),
        challenge: json.challenge.map(|challenge| challenge.0.into_owned()),
        expires: Some(json.lifetime),
        asks_for: None,
        signature: signature(&json.signature.0)?,
    })
}

/// `AKID/20260101/us-east-1/sts/aws4_request`.
pub(super) struct Credential {
    pub(super) access_key_id: String,
    pub(super) region: String,
}

impl Credential {
    pub(super) fn parse(text: &str, date: &AmzDate) -> Result<Self, Refusal> {
        let refuse = |code, message| refuse(Check::Authorization, code, message);
        let mut parts = text.split('/');
        let mut next = || parts.next().unwrap_or_default();
        let [key, day, region, service, end] = [next(), next(), next(), next(), next()];
        if parts.next().is_some() || end != "aws4_request" {
            return refuse("scope-malformed", "the credential scope has not five parts");
        }
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if key.is_empty() || key.len() > 128 || !key.bytes().all(word) {
            return refuse("access-key-malformed", "the access key id is not one of AWS's");
        }
        if service != "sts" {
            return refuse("scope-service", "the signature is not for the service sts");
        }
        if day != date.day() {
            return refuse("scope-date", "the credential scope's date is not X-Amz-Date's");
        }
        if Region::parse(region, "the credential scope").is_err() {
            return refuse("scope-region", "the credential scope's region is not a region");
        }
        Ok(Self { access_key_id: key.to_owned(), region: region.to_owned() })
    }
}

pub(super) fn date(text: &str) -> Result<AmzDate, Refusal> {
    AmzDate::parse(text).ok_or_else(|| {
        let message = "X-Amz-Date is not a date of the form 20260101T000000Z";
        Refusal::new(Check::Authorization, "date-malformed", message)
    })
}

pub(super) fn signature(text: &str) -> Result<Zeroizing<[u8; 32]>, Refusal> {
    let lower = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let mut bytes = Zeroizing::new([0; 32]);
    if !text.bytes().all(lower) || hex::decode_to_slice(text, &mut *bytes).is_err() {
        let message = "the signature is not 64 lower-case hexadecimal digits";
        return refuse(Check::Authorization, "signature-malformed", message);
    }
    Ok(bytes)
}

fn refuse<T>(check: Check, code: &'static str, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::new(check, code, message))
}

fn unbase64(engine: &impl Engine, text: &str, check: Check) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut bytes = Zeroizing::new(vec![0; text.len().div_ceil(4) * 3 + 3]);
    let length = engine
        .decode_slice(text, &mut bytes)
        .map_err(|_| Refusal::new(check, "base64-malformed", "it is not base64 as it should be"))?;
    bytes.truncate(length);
    Ok(bytes)
}
