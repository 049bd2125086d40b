//! Whether a request is signed by the certificate that it brings.
//!
//! Written from AWS's documentation of `AWS4-X509-…` and checked against captured requests of AWS's
//! own helper; it shares nothing with the signer that it tests.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::Refusal;
use super::keys::{Family, Hash, verifies};
use super::presented::{Algorithm, Presented, only};
use crate::clock;
use crate::sigv4::{Rules, SignedRequest, canonical_query, canonical_request, hex_sha256};

/// How far X-Amz-Date may be from the clock.
const WINDOW: i64 = 5 * 60;
const CERTIFICATE: HeaderName = HeaderName::from_static("x-amz-x509");
const CHAIN: HeaderName = HeaderName::from_static("x-amz-x509-chain");

/// A request that was signed with the key of the certificate in it. Who vouches for the certificate
/// is another question: [`super::check_chain`].
#[derive(Clone, Debug)]
pub struct Verified {
    /// The certificate that signed, DER.
    pub certificate: Vec<u8>,
    /// The certificates that came with it, DER.
    pub chain: Vec<Vec<u8>>,
    /// The region it was signed for.
    pub region: String,
}

/// Verifies the signature of a request at a time in seconds since 1970.
///
/// # Errors
/// `Invalid signature`, whatever is wrong with it: so AWS says it, about the time too. The refusal's
/// reason says what.
pub fn verify(request: &SignedRequest<'_>, now: i64) -> Result<Verified, Refusal> {
    let presented = Presented::of(request).map_err(Refusal::signature)?;
    let family = match presented.algorithm {
        Algorithm::Rsa => Family::Rsa,
        Algorithm::Ecdsa => Family::Ecdsa,
        Algorithm::MlDsa => {
            return Err(Refusal::new(
                400,
                "ValidationException",
                "AWS4-X509-MLDSA is not verified here yet: sign with an RSA or EC key",
            ));
        }
    };
    check_request(request, &presented).map_err(Refusal::signature)?;
    check_scope(&presented, now).map_err(Refusal::signature)?;

    let certificate =
        only(request.headers, &CERTIFICATE).and_then(decode).map_err(Refusal::signature)?;
    let chain = match request.headers.get(CHAIN) {
        Some(_) => only(request.headers, &CHAIN)
            .and_then(|text| text.split(',').map(decode).collect())
            .map_err(Refusal::signature)?,
        None => Vec::new(),
    };
    check_signature(request, &presented, family, &certificate).map_err(Refusal::signature)?;
    Ok(Verified { certificate, chain, region: presented.scope.region })
}

/// What must be as it is before the signature says anything.
fn check_request(request: &SignedRequest<'_>, presented: &Presented) -> Result<(), String> {
    if request.path != "/sessions" {
        return Err(format!("the path {:?} is not /sessions", request.path));
    }
    // AWS makes canonical what it gets. The kit takes only what is so already: a client that relies
    // on being put right has not understood the form.
    if canonical_query(request.query) != request.query {
        return Err("the query is not in its canonical form".into());
    }
    let signed = |name: &str| presented.signed_headers.iter().any(|header| header == name);
    for name in ["host", "x-amz-date", "x-amz-x509"] {
        if !signed(name) {
            return Err(format!("the header {name} is not signed"));
        }
    }
    let mut names = request.headers.keys().map(HeaderName::as_str);
    if let Some(name) = names.find(|name| name.starts_with("x-amz-") && !signed(name)) {
        return Err(format!("the header {name} is not signed"));
    }
    let mut signed = presented.signed_headers.iter();
    if let Some(name) = signed.find(|name| !request.headers.contains_key(*name)) {
        return Err(format!("the signed header {name} is not in the request"));
    }
    let mut stated = request.headers.get_all("x-amz-content-sha256").iter();
    if stated.any(|stated| stated.as_bytes() != hex_sha256(request.body).as_bytes()) {
        return Err("x-amz-content-sha256 is not the hash of the body".into());
    }
    Ok(())
}

fn check_scope(presented: &Presented, now: i64) -> Result<(), String> {
    let (scope, date) = (&presented.scope, &presented.amz_date);
    let at = clock::parse_basic(date).ok_or("X-Amz-Date is not YYYYMMDDTHHMMSSZ")?;
    if date.get(..8) != Some(scope.date.as_str()) {
        return Err(format!("the scope is of {}, X-Amz-Date of {date}", scope.date));
    }
    if scope.service != "rolesanywhere" {
        return Err(format!("the scope is of the service {:?}", scope.service));
    }
    let away = at.abs_diff(now);
    if away > WINDOW.unsigned_abs() {
        return Err(format!("X-Amz-Date is {away} s from the clock, {}", clock::basic(now)));
    }
    Ok(())
}

fn check_signature(
    request: &SignedRequest<'_>,
    presented: &Presented,
    family: Family,
    certificate: &[u8],
) -> Result<(), String> {
    let (rest, leaf) = X509Certificate::from_der(certificate)
        .map_err(|error| format!("X-Amz-X509 is not a certificate: {error}"))?;
    if !rest.is_empty() {
        return Err("there is more than a certificate in X-Amz-X509".into());
    }
    let serial = leaf.tbs_certificate.serial.to_string();
    if serial != presented.serial {
        return Err(format!(
            "Credential is of the serial {}, the certificate's is {serial} in decimal",
            presented.serial
        ));
    }
    let canonical = canonical_request(
        request,
        Rules::STANDARD,
        &presented.signed_headers,
        &hex_sha256(request.body),
    );
    let string_to_sign = format!(
        "{}\n{}\n{}\n{}",
        presented.algorithm.name(),
        presented.amz_date,
        presented.scope,
        hex_sha256(canonical.as_bytes())
    );
    let key = leaf.public_key();
    if !verifies(key, family, Hash::Sha256, string_to_sign.as_bytes(), &presented.signature) {
        return Err(format!(
            "the signature is not that of the certificate's key over\n{string_to_sign}\nfor\n{canonical}"
        ));
    }
    Ok(())
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|_| "a certificate in X-Amz-X509 is not base64".into())
}
