//! What a request says about its own signature: parsed, not yet believed.

use http::{HeaderMap, HeaderName};

use crate::sigv4::{Scope, SignedRequest};

/// How the request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// RSA with PKCS#1 v1.5 padding and SHA-256.
    Rsa,
    /// ECDSA with SHA-256, whatever the curve.
    Ecdsa,
    /// ML-DSA, which the kit does not verify.
    MlDsa,
}

impl Algorithm {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rsa => "AWS4-X509-RSA-SHA256",
            Self::Ecdsa => "AWS4-X509-ECDSA-SHA256",
            Self::MlDsa => "AWS4-X509-MLDSA",
        }
    }

    fn of(name: &str) -> Option<Self> {
        [Self::Rsa, Self::Ecdsa, Self::MlDsa].into_iter().find(|known| known.name() == name)
    }
}

/// The parts of a signature as sent.
pub(super) struct Presented {
    pub(super) algorithm: Algorithm,
    /// Serial number of the certificate, in decimal.
    pub(super) serial: String,
    pub(super) scope: Scope,
    pub(super) amz_date: String,
    /// Lower case, sorted, each once.
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: Vec<u8>,
}

impl Presented {
    /// Reads the signature of a request.
    ///
    /// # Errors
    /// What is missing or malformed.
    pub(super) fn of(request: &SignedRequest<'_>) -> Result<Presented, String> {
        let value = only(request.headers, &http::header::AUTHORIZATION)?;
        let (algorithm, rest) = value.split_once(' ').ok_or("Authorization has no parts")?;
        let algorithm = Algorithm::of(algorithm)
            .ok_or_else(|| format!("the algorithm {algorithm:?} is not one of Roles Anywhere's"))?;
        let (mut credential, mut signed, mut signature) = (None, None, None);
        for (at, part) in rest.split(',').enumerate() {
            let part = if at == 0 { part } else { part.strip_prefix(' ').unwrap_or(part) };
            let (name, value) =
                part.split_once('=').ok_or("Authorization is not a list of name=value")?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed,
                "Signature" => &mut signature,
                other => return Err(format!("{other:?} is no part of Authorization")),
            };
            if slot.replace(value).is_some() {
                return Err(format!("{name} is given more than once"));
            }
        }
        let (serial, scope) = credential.and_then(parse_credential).ok_or(
            "Credential is not SERIAL/YYYYMMDD/REGION/SERVICE/aws4_request with a decimal serial",
        )?;
        Ok(Presented {
            algorithm,
            serial,
            scope,
            amz_date: only(request.headers, &HeaderName::from_static("x-amz-date"))?.to_owned(),
            signed_headers: parse_signed_headers(signed.ok_or("there are no SignedHeaders")?)?,
            signature: parse_signature(signature.ok_or("there is no Signature")?)?,
        })
    }
}

/// The one value of a header.
///
/// # Errors
/// If there is none, or more than one, or it is not ASCII.
pub(super) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<&'a str, String> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or_else(|| format!("there is no header {name}"))?;
    if values.next().is_some() {
        return Err(format!("the header {name} is given more than once"));
    }
    value.to_str().map_err(|_| format!("the header {name} is not ASCII"))
}

fn parse_credential(credential: &str) -> Option<(String, Scope)> {
    let parts: Vec<&str> = credential.split('/').collect();
    let [serial, date, region, service, "aws4_request"] = parts[..] else { return None };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(serial) || !digits(date) || region.is_empty() {
        return None;
    }
    let scope =
        Scope { date: date.to_owned(), region: region.to_owned(), service: service.to_owned() };
    Some((serial.to_owned(), scope))
}

fn parse_signed_headers(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = text.split(';').map(str::to_owned).collect();
    // HeaderName takes capitals too: it is asked for the letters only.
    let well_formed = |name: &String| {
        HeaderName::try_from(name.as_str()).is_ok()
            && !name.bytes().any(|byte| byte.is_ascii_uppercase())
    };
    if !names.iter().all(well_formed) || !names.windows(2).all(|pair| pair[0] < pair[1]) {
        return Err("SignedHeaders are not header names in lower case, sorted, each once".into());
    }
    Ok(names)
}

fn parse_signature(text: &str) -> Result<Vec<u8>, String> {
    // Capitals would be a second way to write the same signature.
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err("Signature is not in lower-case hex".into());
    }
    hex::decode(text).map_err(|_| "Signature is not in lower-case hex".into())
}
