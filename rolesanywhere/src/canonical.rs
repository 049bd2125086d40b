//! The canonical request, the string to sign and the Authorization header.
//!
//! Source: IAM Roles Anywhere User Guide, "The IAM Roles Anywhere signing process".

use std::time::SystemTime;

use ring::digest::{Context as Hash, SHA256, digest};
use rolecall_core::Result;
use time::OffsetDateTime;

use crate::{Digest, Identity, KeyKind};

/// The one path there is.
pub(crate) const PATH: &str = "/sessions";
pub(crate) const CONTENT_TYPE: &str = "application/json";
const SERVICE: &str = "rolesanywhere";

/// A CreateSession request as far as it is signed: for those who bring their own HTTP, and for
/// measuring.
#[derive(Clone, Copy, Debug)]
pub struct SessionCall<'a> {
    /// The `Host` header: the host, and the port if it is not the scheme's own.
    pub host: &'a str,
    /// The region to sign for.
    pub region: &'a str,
    /// The query: sorted by name, encoded as SigV4 wants it.
    pub query: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// When it is signed; AWS accepts it for five minutes around.
    pub time: SystemTime,
}

impl SessionCall<'_> {
    /// The canonical request.
    pub fn canonical_request(&self, identity: &Identity) -> String {
        let mut text = Vec::with_capacity(4096);
        self.canonical(identity, &self.date()).write(&mut |part| text.extend_from_slice(part));
        // All parts are text; the query and the host are the caller's.
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The string to sign.
    pub fn string_to_sign(&self, identity: &Identity) -> String {
        let moment = self.date();
        let hash = self.canonical(identity, &moment).hash();
        string_to_sign(algorithm(identity.signer().kind()), &moment, &self.scope(&moment), &hash)
    }

    /// The value of the `Authorization` header.
    ///
    /// # Errors
    /// The signer's.
    pub async fn authorization(&self, identity: &Identity) -> Result<String> {
        let moment = self.date();
        let algorithm = algorithm(identity.signer().kind());
        let canonical = self.canonical(identity, &moment);
        let scope = self.scope(&moment);
        let text = string_to_sign(algorithm, &moment, &scope, &canonical.hash());
        let signature = identity.signer().sign(Digest::Sha256, text.as_bytes()).await?;
        let serial = identity.leaf().serial();
        let headers = canonical.signed_headers();
        let mut value = String::with_capacity(
            algorithm.len() + serial.len() + scope.len() + headers.len() + 48 + signature.len() * 2,
        );
        for part in [algorithm, " Credential=", serial, "/", &scope, ", SignedHeaders=", headers] {
            value.push_str(part);
        }
        value.push_str(", Signature=");
        value.push_str(&hex::encode(signature));
        Ok(value)
    }

    /// `20260102T030405Z`, the value of `X-Amz-Date`.
    pub fn date(&self) -> String {
        let at = OffsetDateTime::from(self.time);
        let (month, day) = (u8::from(at.month()), at.day());
        let (hour, minute, second) = (at.hour(), at.minute(), at.second());
        format!("{:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z", at.year())
    }

    fn scope(&self, moment: &str) -> String {
        let date = moment.split('T').next().unwrap_or_default();
        [date, "/", self.region, "/", SERVICE, "/aws4_request"].concat()
    }

    fn canonical<'c>(&'c self, identity: &'c Identity, moment: &'c str) -> Canonical<'c> {
        Canonical {
            query: self.query,
            host: self.host,
            moment,
            certificate: identity.certificate_header(),
            chain: identity.chain_header(),
            body: self.body,
        }
    }
}

/// What a key of this kind signs with.
pub(crate) fn algorithm(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Rsa { .. } => "AWS4-X509-RSA-SHA256",
        KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => "AWS4-X509-ECDSA-SHA256",
    }
}

struct Canonical<'a> {
    query: &'a str,
    host: &'a str,
    moment: &'a str,
    certificate: &'a str,
    chain: Option<&'a str>,
    body: &'a [u8],
}

impl Canonical<'_> {
    fn signed_headers(&self) -> &'static str {
        match self.chain {
            None => "content-type;host;x-amz-date;x-amz-x509",
            Some(_) => "content-type;host;x-amz-date;x-amz-x509;x-amz-x509-chain",
        }
    }

    /// Hands the text over part by part, so that it need not be put together to be hashed.
    fn write(&self, out: &mut dyn FnMut(&[u8])) {
        let body = hex::encode(digest(&SHA256, self.body));
        for part in ["POST\n", PATH, "\n", self.query, "\ncontent-type:", CONTENT_TYPE] {
            out(part.as_bytes());
        }
        for part in ["\nhost:", self.host, "\nx-amz-date:", self.moment] {
            out(part.as_bytes());
        }
        out(b"\nx-amz-x509:");
        out(self.certificate.as_bytes());
        if let Some(chain) = self.chain {
            out(b"\nx-amz-x509-chain:");
            out(chain.as_bytes());
        }
        for part in ["\n\n", self.signed_headers(), "\n", &body] {
            out(part.as_bytes());
        }
    }

    /// The SHA-256 of the text, in hexadecimal.
    fn hash(&self) -> String {
        let mut hash = Hash::new(&SHA256);
        self.write(&mut |part| hash.update(part));
        hex::encode(hash.finish())
    }
}

fn string_to_sign(algorithm: &str, moment: &str, scope: &str, hash: &str) -> String {
    [algorithm, "\n", moment, "\n", scope, "\n", hash].concat()
}

#[cfg(test)]
mod tests;
