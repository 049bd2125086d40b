//! The signing key of SigV4, which holds for a day.

use ring::{digest, hmac};
use zeroize::Zeroizing;

use super::super::ALGORITHM;
use super::super::amz_date::AmzDate;

/// The key for one day, region and STS. ring's own form of a key is made anew for each signature,
/// as it cannot be zeroed; it lives on the stack for that long.
pub(super) struct DayKey {
    day: [u8; 8],
    key: Zeroizing<[u8; 32]>,
}

impl DayKey {
    /// Source: AWS IAM User Guide, "Create a signed AWS API request", step 4.
    pub(super) fn derive(secret: &str, date: &AmzDate, region: &str) -> Self {
        let mut start = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
        start.extend_from_slice(b"AWS4");
        start.extend_from_slice(secret.as_bytes());
        let day = date.day().as_bytes();
        let mut key = mac(&start, day);
        for part in [region.as_bytes(), b"sts", b"aws4_request"] {
            key = mac(&*key, part);
        }
        Self { day: day.try_into().unwrap_or_default(), key }
    }

    pub(super) fn fits(&self, date: &AmzDate) -> bool {
        self.day == date.day().as_bytes()
    }

    /// The signature, in hexadecimal, of the canonical request made of `parts`.
    pub(super) fn sign(&self, date: &AmzDate, region: &str, parts: &[&str]) -> [u8; 64] {
        let mut request = digest::Context::new(&digest::SHA256);
        parts.iter().for_each(|part| request.update(part.as_bytes()));
        let request = hex_of(request.finish().as_ref());
        let mut to_sign = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &*self.key));
        for part in [ALGORITHM, "\n", date.text(), "\n", date.day(), "/", region] {
            to_sign.update(part.as_bytes());
        }
        to_sign.update(b"/sts/aws4_request\n");
        to_sign.update(&request);
        hex_of(to_sign.sign().as_ref())
    }
}

fn mac(key: &[u8], message: &[u8]) -> Zeroizing<[u8; 32]> {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

fn hex_of(bytes: &[u8]) -> [u8; 64] {
    let mut text = [b'0'; 64];
    // Both are of SHA-256: 32 bytes.
    let _ = hex::encode_to_slice(bytes, &mut text);
    text
}
