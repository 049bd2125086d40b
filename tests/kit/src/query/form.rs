//! The Query protocol: parameters as a form in the body, or in the query.

use crate::error::AwsError;
use crate::sigv4::SignedRequest;

/// Names that belong to a signature in the query, not to the call.
const SIGNATURE_PREFIX: &str = "X-Amz-";

/// The parameters of a request, in order, decoded.
pub(crate) fn parse(request: &SignedRequest<'_>) -> Result<Vec<(String, String)>, AwsError> {
    if request.path != "/" {
        return Err(AwsError::new(
            404,
            "UnknownOperationException",
            "There is nothing at this path.",
        ));
    }
    let mut values = decode(request.query)?;
    values.retain(|(name, _)| !name.starts_with(SIGNATURE_PREFIX));
    match request.method {
        "GET" if request.body.is_empty() => {}
        "GET" => return Err(malformed("A GET request has no body.")),
        "POST" => {
            if !request.body.is_empty() {
                check_content_type(request)?;
            }
            let body = std::str::from_utf8(request.body)
                .map_err(|_| malformed("The body is not UTF-8."))?;
            values.extend(decode(body)?);
        }
        other => {
            return Err(AwsError::new(405, "MethodNotAllowed", format!("{other} is not allowed.")));
        }
    }
    let mut names: Vec<&str> = values.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(malformed(format!("The parameter {} was given more than once.", twice[0])));
    }
    Ok(values)
}

/// The value of a name that must not be there twice.
pub(crate) fn only<'a>(
    values: &'a [(String, String)],
    name: &str,
) -> Result<Option<&'a str>, AwsError> {
    // Another case of the same name is how a second parser comes to see another request.
    if let Some((other, _)) = values.iter().find(|(n, _)| n.eq_ignore_ascii_case(name) && n != name)
    {
        return Err(malformed(format!("{other} is written in the wrong case.")));
    }
    Ok(values.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()))
}

fn check_content_type(request: &SignedRequest<'_>) -> Result<(), AwsError> {
    let value =
        request.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let (kind, rest) = match value {
        Some(value) => value.split_once(';').unwrap_or((value, "")),
        None => ("", ""),
    };
    let charset = rest.trim();
    let form = kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    if !form || !(charset.is_empty() || charset.eq_ignore_ascii_case("charset=utf-8")) {
        return Err(malformed(
            "Content-Type must be application/x-www-form-urlencoded; charset=utf-8.",
        ));
    }
    Ok(())
}

pub(crate) fn decode(text: &str) -> Result<Vec<(String, String)>, AwsError> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair
                .split_once('=')
                .ok_or_else(|| malformed("A parameter has a name but no '='."))?;
            Ok((decode_one(name)?, decode_one(value)?))
        })
        .collect()
}

fn decode_one(text: &str) -> Result<String, AwsError> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = bytes
                    .get(at + 1..at + 3)
                    .ok_or_else(|| malformed("A '%' starts no escape."))?;
                let mut byte = [0];
                hex::decode_to_slice(digits, &mut byte)
                    .map_err(|_| malformed("A '%' starts no escape."))?;
                out.push(byte[0]);
                at += 2;
            }
            // A form that was encoded holds none of these as they are.
            byte @ (0..=b' ' | 127..) => {
                return Err(malformed(format!("The byte {byte:#04x} is not percent-encoded.")));
            }
            byte => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out).map_err(|_| malformed("A parameter is not UTF-8."))
}

fn malformed(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "MalformedQueryString", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded_strictly() {
        assert_eq!(
            decode("a=b+c%2B%e1%88%b4&x=").unwrap(),
            [("a".into(), "b c+\u{1234}".into()), ("x".into(), String::new())]
        );
        for bad in ["a=%", "a=%g0", "a=%ff", "flag", "a=b\n"] {
            assert_eq!(decode(bad).unwrap_err().code, "MalformedQueryString", "{bad}");
        }
    }
}
