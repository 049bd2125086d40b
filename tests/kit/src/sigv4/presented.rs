//! What a request says about its own signature: parsed, not yet believed.

use std::fmt;

use http::HeaderMap;

use super::canonical::{SignedRequest, percent_decode};
use crate::error::AwsError;

/// `date/region/service/aws4_request`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// `YYYYMMDD`.
    pub date: String,
    /// Region.
    pub region: String,
    /// Signing name of the service.
    pub service: String,
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}/aws4_request", self.date, self.region, self.service)
    }
}

/// Where the signature is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In the `Authorization` header.
    Header,
    /// In the query: a presigned URL.
    Query,
}

/// The parts of a signature as sent.
#[derive(Clone)]
pub struct Presented {
    /// Header or query.
    pub form: Form,
    /// Access key id.
    pub access_key_id: String,
    /// Credential scope.
    pub scope: Scope,
    /// `X-Amz-Date`.
    pub amz_date: String,
    /// `X-Amz-Expires`, for the query form.
    pub expires: Option<u32>,
    /// Signed header names, lower case and sorted.
    pub signed_headers: Vec<String>,
    /// Session token.
    pub token: Option<String>,
    /// Signature.
    pub signature: String,
}

// A signature is good for replay and a token is a secret: neither is shown.
impl fmt::Debug for Presented {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Presented")
            .field("form", &self.form)
            .field("access_key_id", &self.access_key_id)
            .field("scope", &self.scope)
            .field("amz_date", &self.amz_date)
            .field("signed_headers", &self.signed_headers)
            .finish_non_exhaustive()
    }
}

impl Presented {
    /// Reads the signature of a request; `None` if it carries none.
    ///
    /// # Errors
    /// `IncompleteSignature` if a part is missing or malformed.
    pub fn of(request: &SignedRequest<'_>) -> Result<Option<Presented>, AwsError> {
        let in_query = query_values(request.query, "X-Amz-Algorithm").next().is_some()
            || query_values(request.query, "X-Amz-Signature").next().is_some();
        let mut headers = request.headers.get_all(http::header::AUTHORIZATION).iter();
        match (headers.next(), in_query) {
            (None, false) => Ok(None),
            (None, true) => Presented::from_query(request).map(Some),
            (Some(_), true) => {
                Err(incomplete("Only one of Authorization and X-Amz-Signature may be given"))
            }
            (Some(_), false) if headers.next().is_some() => {
                Err(incomplete("Authorization header given more than once"))
            }
            (Some(value), false) => {
                let value =
                    value.to_str().map_err(|_| incomplete("Authorization header is not ASCII"))?;
                Presented::from_header(request, value).map(Some)
            }
        }
    }

    fn from_header(request: &SignedRequest<'_>, value: &str) -> Result<Presented, AwsError> {
        let Some(rest) = value.strip_prefix("AWS4-HMAC-SHA256 ") else {
            return Err(incomplete(
                "Authorization header requires existence of 'AWS4-HMAC-SHA256' as its algorithm",
            ));
        };
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for part in rest.split(',') {
            let (name, value) = part
                .trim_matches(' ')
                .split_once('=')
                .ok_or_else(|| incomplete("Authorization header is not a list of name=value"))?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed,
                "Signature" => &mut signature,
                other => {
                    return Err(incomplete(format!(
                        "'{other}' not a valid key in the Authorization header"
                    )));
                }
            };
            if slot.replace(value).is_some() {
                return Err(incomplete(format!("'{name}' given more than once")));
            }
        }
        let need = |part: Option<&str>, name: &str| {
            part.map(str::to_owned).ok_or_else(|| {
                incomplete(format!("Authorization header requires '{name}' parameter."))
            })
        };
        let amz_date = only_header(request.headers, "x-amz-date")?.ok_or_else(|| {
            incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
        })?;
        Presented::assemble(
            Form::Header,
            &need(credential, "Credential")?,
            &need(signed, "SignedHeaders")?,
            need(signature, "Signature")?,
            amz_date,
            None,
            only_header(request.headers, "x-amz-security-token")?,
        )
    }

    fn from_query(request: &SignedRequest<'_>) -> Result<Presented, AwsError> {
        // Names that differ in case only are how two parsers come to see two requests.
        for pair in request.query.split('&') {
            let name = percent_decode(pair.split('=').next().unwrap_or_default().as_bytes());
            let name = String::from_utf8_lossy(&name);
            let known = QUERY_NAMES.iter().find(|known| known.eq_ignore_ascii_case(&name));
            if known.is_some_and(|known| **known != *name) {
                return Err(incomplete(format!("'{name}' is written in the wrong case")));
            }
        }
        let need = |name: &'static str| {
            only_query(request.query, name)?.ok_or_else(|| {
                incomplete(format!("AWS query-string parameters must include '{name}'"))
            })
        };
        let algorithm = need("X-Amz-Algorithm")?;
        if algorithm != "AWS4-HMAC-SHA256" {
            return Err(incomplete(format!("Unsupported AWS 'algorithm': '{algorithm}'")));
        }
        let expires = only_query(request.query, "X-Amz-Expires")?
            .map(|text| {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse()
                    .ok()
                    .filter(|seconds| digits && (1..=604_800).contains(seconds))
                    .ok_or_else(|| incomplete("X-Amz-Expires must be between 1 and 604800 seconds"))
            })
            .transpose()?;
        let token = only_query(request.query, "X-Amz-Security-Token")?;
        if token.is_some() && request.headers.contains_key("x-amz-security-token") {
            return Err(incomplete("X-Amz-Security-Token given both in the query and as a header"));
        }
        Presented::assemble(
            Form::Query,
            &need("X-Amz-Credential")?,
            &need("X-Amz-SignedHeaders")?,
            need("X-Amz-Signature")?,
            need("X-Amz-Date")?,
            expires,
            token,
        )
    }

    fn assemble(
        form: Form,
        credential: &str,
        signed_headers: &str,
        signature: String,
        amz_date: String,
        expires: Option<u32>,
        token: Option<String>,
    ) -> Result<Presented, AwsError> {
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key_id, date, region, service, "aws4_request"] = parts[..] else {
            return Err(incomplete(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/aws4_request",
            ));
        };
        if [access_key_id, date, region, service].iter().any(|part| part.is_empty()) {
            return Err(incomplete("Credential has an empty element"));
        }
        let signed_headers: Vec<String> = signed_headers.split(';').map(str::to_owned).collect();
        let lower =
            |name: &String| !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase());
        if !signed_headers.iter().all(lower)
            || !signed_headers.windows(2).all(|pair| pair[0] < pair[1])
        {
            return Err(incomplete(
                "SignedHeaders must be lower case, sorted and without repetition",
            ));
        }
        if signature.len() != 64
            || !signature.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return Err(incomplete("Signature must be 64 lower-case hexadecimal digits"));
        }
        Ok(Presented {
            form,
            access_key_id: access_key_id.to_owned(),
            scope: Scope {
                date: date.to_owned(),
                region: region.to_owned(),
                service: service.to_owned(),
            },
            amz_date,
            expires,
            signed_headers,
            token,
            signature,
        })
    }
}

/// The query parameters that belong to the signature.
pub(crate) const QUERY_NAMES: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Amz-SignedHeaders",
];

fn query_values<'a>(query: &'a str, wanted: &'a str) -> impl Iterator<Item = String> + 'a {
    query.split('&').filter_map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode(name.as_bytes()) == wanted.as_bytes())
            .then(|| String::from_utf8_lossy(&percent_decode(value.as_bytes())).into_owned())
    })
}

fn only_query(query: &str, name: &str) -> Result<Option<String>, AwsError> {
    let mut values = query_values(query, name);
    let first = values.next();
    match values.next() {
        Some(_) => Err(incomplete(format!("'{name}' given more than once"))),
        None => Ok(first),
    }
}

fn only_header(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, AwsError> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(incomplete(format!("'{name}' given more than once")));
    }
    let text = first.to_str().map_err(|_| incomplete(format!("'{name}' is not ASCII")))?;
    Ok(Some(text.trim().to_owned()))
}

fn incomplete(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "IncompleteSignature", message)
}
