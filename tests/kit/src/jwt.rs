//! JSON Web Tokens: those that identity providers mint for us, and those that STS mints for others.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RsaKeyPair};
use serde_json::{Value, json};

/// What a web identity token says.
pub(crate) struct Claims {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) expires: i64,
    pub(crate) not_before: Option<i64>,
}

/// Reads a token without believing it.
pub(crate) fn parse(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let part = |text: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    };
    part(header)?.get("alg")?.as_str()?;
    let claims = part(payload)?;
    let text = |name: &str| claims.get(name)?.as_str().map(str::to_owned);
    let audiences = match claims.get("aud")? {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => {
            many.iter().map(|one| one.as_str().map(str::to_owned)).collect::<Option<_>>()?
        }
        _ => return None,
    };
    Some(Claims {
        issuer: text("iss")?,
        subject: text("sub")?,
        audiences,
        expires: claims.get("exp")?.as_i64()?,
        not_before: claims.get("nbf").and_then(Value::as_i64),
    })
}

/// Whether a token has an HS256 signature made with this key.
pub(crate) fn signed_with(token: &str, key: &str) -> bool {
    let Some((signed, signature)) = token.rsplit_once('.') else { return false };
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return false };
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &signature).is_ok()
}

/// An HS256 token.
pub(crate) fn mint(key: &str, claims: &Value) -> String {
    let signed = signing_input(&json!({"alg": "HS256", "typ": "JWT", "kid": "kit"}), claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))
}

fn signing_input(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}

/// How GetWebIdentityToken signs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Es384,
    Rs256,
}

/// STS's own keys. The RSA key lies in the source tree: ring makes none, and it opens nothing.
pub(crate) struct OutboundKey {
    es384: EcdsaKeyPair,
    rs256: RsaKeyPair,
}

const RSA_TEST_KEY: &[u8] = include_bytes!("keys/outbound-rs256-test.der");

impl OutboundKey {
    pub(crate) fn generate() -> OutboundKey {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P384_SHA384_FIXED_SIGNING;
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("the system has random bytes");
        OutboundKey {
            es384: EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random)
                .expect("ring reads what it wrote"),
            rs256: RsaKeyPair::from_pkcs8(RSA_TEST_KEY)
                .expect("the key in the source tree is valid"),
        }
    }

    pub(crate) fn sign(&self, algorithm: Algorithm, claims: &Value) -> String {
        let random = SystemRandom::new();
        let (header, name) = match algorithm {
            Algorithm::Es384 => ("ES384", "kit-es384"),
            Algorithm::Rs256 => ("RS256", "kit-rs256"),
        };
        let signed = signing_input(&json!({"alg": header, "typ": "JWT", "kid": name}), claims);
        let signature = match algorithm {
            Algorithm::Es384 => self
                .es384
                .sign(&random, signed.as_bytes())
                .expect("the system has random bytes")
                .as_ref()
                .to_vec(),
            Algorithm::Rs256 => {
                let mut signature = vec![0; self.rs256.public().modulus_len()];
                self.rs256
                    .sign(
                        &ring::signature::RSA_PKCS1_SHA256,
                        &random,
                        signed.as_bytes(),
                        &mut signature,
                    )
                    .expect("the buffer has the modulus's length");
                signature
            }
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The public keys as a JSON Web Key Set.
    pub(crate) fn jwks(&self) -> Value {
        // An uncompressed point: 0x04, x, y.
        let point = self.es384.public_key().as_ref();
        let (x, y) = point[1..].split_at(48);
        let rsa: ring::rsa::PublicKeyComponents<Vec<u8>> = self.rs256.public().into();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({"keys": [
            {"kty": "EC", "crv": "P-384", "use": "sig", "alg": "ES384", "kid": "kit-es384",
             "x": encode(x), "y": encode(y)},
            {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "kit-rs256",
             "n": encode(&rsa.n), "e": encode(&rsa.e)},
        ]})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_token_is_read_and_a_changed_one_is_not_signed() {
        let claims = json!({"iss": "i", "sub": "s", "aud": "a", "exp": 10});
        let token = mint("key", &claims);
        assert_eq!(parse(&token).unwrap().subject, "s");
        assert!(signed_with(&token, "key"));
        assert!(!signed_with(&token, "other"));
        let (head, rest) = token.split_once('.').unwrap();
        let (_, signature) = rest.split_once('.').unwrap();
        let payload = URL_SAFE_NO_PAD
            .encode(json!({"iss": "i", "sub": "root", "aud": "a", "exp": 10}).to_string());
        assert!(!signed_with(&format!("{head}.{payload}.{signature}"), "key"));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for bad in ["", "a.b", "a.b.c", "e30.e30.x", "....", "eyJhbGciOiJub25lIn0.e30."] {
            assert!(parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn outbound_tokens_verify_with_the_published_keys() {
        use ring::signature::{
            ECDSA_P384_SHA384_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
            UnparsedPublicKey,
        };
        let key = OutboundKey::generate();
        let keys = key.jwks();
        let number = |at: usize, name: &str| {
            URL_SAFE_NO_PAD.decode(keys["keys"][at][name].as_str().unwrap()).unwrap()
        };
        let check = |algorithm| {
            let token = key.sign(algorithm, &json!({"sub": "x"}));
            let (signed, signature) = token.rsplit_once('.').unwrap();
            (signed.to_owned(), URL_SAFE_NO_PAD.decode(signature).unwrap())
        };
        let (signed, signature) = check(Algorithm::Es384);
        let point = [vec![4], number(0, "x"), number(0, "y")].concat();
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, point)
            .verify(signed.as_bytes(), &signature)
            .unwrap();
        let (signed, signature) = check(Algorithm::Rs256);
        RsaPublicKeyComponents { n: number(1, "n"), e: number(1, "e") }
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &signature)
            .unwrap();
    }
}
