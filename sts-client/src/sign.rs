//! SigV4 by aws-sigv4: requests signed in their headers, URLs signed in their query.
//!
//! Source: AWS IAM User Guide, "AWS Signature Version 4 for API requests".

use std::error::Error;
use std::time::{Duration, SystemTime};

use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SessionTokenMode, SignableBody, SignableRequest,
    SignatureLocation, SigningInstructions, SigningSettings, UriPathNormalizationMode,
};
use aws_sigv4::sign::v4;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use rolecall_core::http::Request;
use rolecall_core::{Credentials, CredentialsError, ErrorKind, Result, Secret};

use crate::form;

/// What a signature is good for, besides the request itself.
#[derive(Clone, Copy, Debug)]
pub struct SigningScope<'a> {
    /// The region: `eu-west-1`.
    pub region: &'a str,
    /// The service's signing name: `sts`.
    pub service: &'a str,
    /// When it is signed: AWS accepts it for five minutes around.
    pub time: SystemTime,
}

/// Where services differ. The default is what all but S3 want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningRules {
    /// Takes `.`, `..` and `//` out of the path that is signed (not out of the one that is sent).
    pub normalize_path: bool,
    /// Encodes the already encoded path once more for signing.
    pub double_encode_path: bool,
    /// Adds the header `x-amz-content-sha256`.
    pub content_hash_header: bool,
    /// Signs the session token too, instead of adding it afterwards.
    pub sign_session_token: bool,
}

impl Default for SigningRules {
    fn default() -> Self {
        Self {
            normalize_path: true,
            double_encode_path: true,
            content_hash_header: false,
            sign_session_token: true,
        }
    }
}

/// Signs `request`: sets `Authorization`, `X-Amz-Date` and, with session credentials,
/// `X-Amz-Security-Token`. All headers that are there already are signed too.
///
/// # Errors
/// `InvalidConfiguration` if the URI has no host, or if credentials or region cannot stand in a
/// header.
pub fn sign(
    request: Request,
    credentials: &Credentials,
    scope: &SigningScope<'_>,
) -> Result<Request> {
    sign_with(request, credentials, scope, SigningRules::default())
}

/// [`sign`] by the rules of another service.
///
/// # Errors
/// As [`sign`].
pub fn sign_with(
    mut request: Request,
    credentials: &Credentials,
    scope: &SigningScope<'_>,
    rules: SigningRules,
) -> Result<Request> {
    let instructions = instructions(&request, credentials, scope, settings(rules))?;
    for header in instructions.into_parts().0 {
        let mut value = HeaderValue::from_str(header.value()).map_err(unsignable)?;
        let name = http::HeaderName::from_static(header.name());
        value.set_sensitive(header.sensitive() || name == AUTHORIZATION);
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

/// Signs a URL that whoever holds it may fetch until `expires_in` (whole seconds, at most a week)
/// is over; the headers of `request` must be sent along. The URL is as good as a password.
///
/// # Errors
/// As [`sign`].
pub fn presign(
    request: &Request,
    credentials: &Credentials,
    scope: &SigningScope<'_>,
    expires_in: Duration,
) -> Result<Secret> {
    presign_with(request, credentials, scope, expires_in, SigningRules::default())
}

/// [`presign`] by the rules of another service.
///
/// # Errors
/// As [`sign`].
pub fn presign_with(
    request: &Request,
    credentials: &Credentials,
    scope: &SigningScope<'_>,
    expires_in: Duration,
    rules: SigningRules,
) -> Result<Secret> {
    let mut settings = settings(rules);
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(expires_in);
    let parameters = instructions(request, credentials, scope, settings)?.into_parts().1;
    let base = request.uri().to_string();
    let separator = if request.uri().query().is_some() { "&" } else { "?" };
    // Room for all of it: a string that grows leaves copies of the token behind.
    let room: usize = parameters.iter().map(|(name, value)| name.len() + 2 + value.len() * 3).sum();
    let mut url = String::with_capacity(base.len() + 1 + room);
    url.push_str(&base);
    for (index, (name, value)) in parameters.iter().enumerate() {
        url.push_str(if index == 0 { separator } else { "&" });
        url.push_str(name);
        url.push('=');
        url.extend(form::encode(value));
    }
    Ok(Secret::from(url))
}

fn settings(rules: SigningRules) -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.uri_path_normalization_mode = if rules.normalize_path {
        UriPathNormalizationMode::Enabled
    } else {
        UriPathNormalizationMode::Disabled
    };
    settings.percent_encoding_mode = if rules.double_encode_path {
        PercentEncodingMode::Double
    } else {
        PercentEncodingMode::Single
    };
    settings.payload_checksum_kind = if rules.content_hash_header {
        PayloadChecksumKind::XAmzSha256
    } else {
        PayloadChecksumKind::NoHeader
    };
    settings.session_token_mode = if rules.sign_session_token {
        SessionTokenMode::Include
    } else {
        SessionTokenMode::Exclude
    };
    settings
}

fn instructions(
    request: &Request,
    credentials: &Credentials,
    scope: &SigningScope<'_>,
    settings: SigningSettings,
) -> Result<SigningInstructions> {
    // aws-sigv4 panics without one.
    if request.uri().host().is_none() {
        return Err(refused("the URL names no host"));
    }
    let identity = aws_credential_types::Credentials::new(
        credentials.access_key_id(),
        credentials.secret_access_key().expose(),
        credentials.session_token().map(|token| token.expose().to_owned()),
        None,
        "rolecall",
    )
    .into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(scope.time)
        .settings(settings)
        .build()
        .map_err(unsignable)?
        .into();
    let mut headers = Vec::with_capacity(request.headers().len());
    for (name, value) in request.headers() {
        let value = std::str::from_utf8(value.as_bytes()).map_err(unsignable)?;
        headers.push((name.as_str(), value));
    }
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.uri().to_string(),
        headers.into_iter(),
        SignableBody::Bytes(request.body()),
    )
    .map_err(unsignable)?;
    // At TRACE aws-sigv4 logs canonical requests; a presigned one holds the session token.
    let signed = tracing::dispatcher::with_default(&tracing::Dispatch::none(), || {
        aws_sigv4::http_request::sign(signable, &parameters)
    });
    Ok(signed.map_err(unsignable)?.into_parts().0)
}

fn refused(message: &'static str) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, "SigV4", message)
}

fn unsignable(error: impl Error + Send + Sync + 'static) -> CredentialsError {
    refused("the request cannot be signed")
        .with_help("check the credentials and the region for stray characters")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    const SCOPE: SigningScope<'_> =
        SigningScope { region: "us-east-1", service: "sts", time: SystemTime::UNIX_EPOCH };

    fn get(uri: &str) -> Request {
        let mut request = Request::default();
        *request.uri_mut() = uri.parse().unwrap();
        request
    }

    #[test]
    fn debug_of_a_signed_request_shows_neither_token_nor_signature() {
        let signed = sign(get("https://sts.test/"), &testing::credentials(), &SCOPE).unwrap();
        let signature = signed.headers()[AUTHORIZATION].to_str().unwrap().to_owned();
        let (_, signature) = signature.split_once("Signature=").unwrap();
        let shown = format!("{signed:?}");
        assert!(!shown.contains(signature) && !shown.contains(testing::TOKEN), "{shown}");
        assert_eq!(signed.headers()["x-amz-security-token"], testing::TOKEN);
    }

    #[test]
    fn what_cannot_stand_in_a_header_is_an_error_and_not_a_panic() {
        let bad_key = Credentials::new("AK\nID", "s", "test");
        let bad_token = testing::credentials().with_session_token(Some("a\r\nb".into()));
        for credentials in [bad_key, bad_token] {
            let error = sign(get("https://sts.test/"), &credentials, &SCOPE).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        }
        let scope = SigningScope { region: "eu\n", ..SCOPE };
        assert!(sign(get("https://sts.test/"), &testing::credentials(), &scope).is_err());
    }

    #[test]
    fn a_request_without_a_host_is_an_error_and_not_a_panic() {
        let error = sign(get("/"), &testing::credentials(), &SCOPE).unwrap_err();
        assert!(error.message().contains("host"), "{error}");
        assert!(presign(&get("/"), &testing::credentials(), &SCOPE, Duration::ZERO).is_err());
    }

    #[test]
    fn a_presigned_url_keeps_the_query_and_encodes_the_token() {
        let minute = Duration::from_secs(60);
        let request = get("https://sts.test/?Action=GetCallerIdentity");
        let credentials = testing::credentials().with_session_token(Some("a+b/c=".into()));
        let url = presign(&request, &credentials, &SCOPE, minute).unwrap();
        let url = url.expose();
        assert!(url.starts_with("https://sts.test/?Action=GetCallerIdentity&X-Amz-"), "{url}");
        assert!(url.contains("&X-Amz-Expires=60"), "{url}");
        assert!(url.contains("&X-Amz-Security-Token=a%2Bb%2Fc%3D"), "{url}");
    }
}
