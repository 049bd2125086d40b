//! DecodeAuthorizationMessage: opens what the kit has closed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::Work;
use crate::error::AwsError;
use crate::xml::Element;

pub(super) fn decode_authorization_message(work: &mut Work<'_>) -> Result<Vec<Element>, AwsError> {
    let message = open(&work.state.message_key, work.params.required("EncodedMessage"));
    let message = message.ok_or_else(|| {
        AwsError::new(
            400,
            "InvalidAuthorizationMessageException",
            "Message is not valid or has expired.",
        )
    })?;
    Ok(vec![Element::text("DecodedMessage", message)])
}

/// An encoded message, as an `UnauthorizedOperation` error of another service would carry it.
pub(crate) fn encode(key: &[u8; 32], message: &str) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes());
    URL_SAFE_NO_PAD.encode([tag.as_ref(), message.as_bytes()].concat())
}

fn open(key: &[u8; 32], encoded: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    let (tag, message) = bytes.split_at_checked(32)?;
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key), message, tag).ok()?;
    String::from_utf8(message.to_vec()).ok()
}
