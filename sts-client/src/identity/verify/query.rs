//! Presigned URLs, as EKS tokens hold them.

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::authorization;
use super::headers::check_value;
use super::presented::{self, Credential, Presented};
use super::url::{self, Address};
use crate::form;
use crate::identity::ALGORITHM;
use crate::identity::refusal::{Check, Refusal};
use crate::identity::token::TokenFormat;

/// The parameters that may be there.
const NAMES: [&str; 9] = [
    "Action",
    "Version",
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

pub(super) fn read(bytes: &[u8]) -> Result<Presented, Refusal> {
    let (scheme, rest) = url::split(bytes)?;
    let Some((host, query)) = rest.split_once("/?").filter(|(host, _)| !host.contains(['/', '?']))
    else {
        return Err(Refusal::new(Check::Url, "url-path", "the URL is not a host, / and a query"));
    };
    if query.contains('#') {
        return Err(Refusal::new(Check::Url, "url-fragment", "the URL has a fragment"));
    }
    let host = Address::check_host(host)?.to_owned();
    let mut values: [Option<Zeroizing<String>>; 9] = Default::default();
    let mut in_other_case = None;
    for pair in query.split('&') {
        let (name, raw) = pair.split_once('=').ok_or_else(unknown)?;
        // Names are compared without case, so that none that differs in it alone gets through.
        let at = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name));
        let at = at.ok_or_else(unknown)?;
        let value = decode(raw)?;
        if values[at].replace(value).is_some() {
            let message = format!("the parameter {} is there twice", NAMES[at]);
            return Err(refuse("parameter-duplicate", message));
        }
        if NAMES[at] != name {
            in_other_case = Some(NAMES[at]);
        }
    }
    if let Some(name) = in_other_case {
        let message = format!("the parameter {name} is written in another case");
        return Err(refuse("parameter-case", message));
    }
    let [action, version, algorithm, credential, date, expires, token, signature, signed] = values;
    let need = |value: Option<Zeroizing<String>>, at: usize| {
        value.ok_or_else(|| {
            refuse("parameter-missing", format!("the parameter {} is missing", NAMES[at]))
        })
    };
    let exact = |value: Option<Zeroizing<String>>, at, expected: &str, code| {
        if need(value, at)?.as_str() == expected {
            return Ok(());
        }
        Err(refuse(code, format!("the parameter {} is not {expected}", NAMES[at])))
    };
    exact(action, 0, "GetCallerIdentity", "action-not-exact")?;
    exact(version, 1, "2011-06-15", "version-not-exact")?;
    exact(algorithm, 2, ALGORITHM, "authorization-algorithm")?;
    let date = presented::date(&need(date, 4)?)?;
    let credential = Credential::parse(&need(credential, 3)?, &date)?;
    check_signed(&need(signed, 8)?)?;
    let signature = presented::signature(&need(signature, 7)?)?;
    if let Some(token) = &token {
        check_value(token)?;
    }
    Ok(Presented {
        format: TokenFormat::Eks,
        scheme: Some(scheme),
        host,
        region: credential.region,
        access_key_id: credential.access_key_id,
        date,
        session_token: token,
        content_type: None,
        content_length: false,
        binding: None,
        challenge: None,
        expires: expires.map(|text| seconds(&text)).transpose()?,
        asks_for: None,
        signature,
    })
}

fn check_signed(names: &str) -> Result<(), Refusal> {
    let refuse = |check, code, message: &str| Err(Refusal::new(check, code, message));
    authorization::check_sorted(names)?;
    let signs = |wanted: &str| names.split(';').any(|name| name == wanted);
    if !signs("host") {
        let message = "the signature does not cover the host";
        return refuse(Check::Authorization, "host-unsigned", message);
    }
    if !signs("x-k8s-aws-id") {
        let message = "the signature does not cover x-k8s-aws-id, the cluster's name";
        return refuse(Check::Authorization, "binding-unsigned", message);
    }
    if names != "host;x-k8s-aws-id" {
        let message = "the signature covers a header that is not one of the dialect's";
        return refuse(Check::Authorization, "signed-header-unknown", message);
    }
    Ok(())
}

fn seconds(text: &str) -> Result<u32, Refusal> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits && text.len() < 10).ok_or_else(|| {
        let message = "X-Amz-Expires is not a number of seconds";
        Refusal::new(Check::Expires, "expires-malformed", message)
    })
}

/// Takes a value in the one encoding that SigV4 has for it.
fn decode(raw: &str) -> Result<Zeroizing<String>, Refusal> {
    let text = percent_decode_str(raw).decode_utf8().ok();
    let text = text.map(|text| Zeroizing::new(text.into_owned()));
    let same = |text: &&Zeroizing<String>| form::encode(text).flat_map(str::bytes).eq(raw.bytes());
    if text.as_ref().filter(same).is_none() {
        let message = "a parameter is not encoded as SigV4 encodes it";
        return Err(refuse("parameter-encoding", message));
    }
    text.ok_or_else(unknown)
}

fn unknown() -> Refusal {
    refuse("parameter-unknown", "there is a parameter that does not belong there")
}

fn refuse(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(Check::Headers, code, message)
}
