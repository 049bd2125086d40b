use ring::rand::SystemRandom;
use ring::rsa::KeyPair;
use ring::signature::{
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RsaEncoding,
};
use rolecall_core::Result;

use super::{SUPPORTED, failed, refuse};
use crate::Digest;

pub(super) struct RsaKey {
    pair: KeyPair,
    random: SystemRandom,
}

impl RsaKey {
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self> {
        let pair = KeyPair::from_der(der).map_err(|flaw| match flaw.to_string().as_str() {
            "TooSmall" => refuse("it is an RSA key of less than 2048 bits").with_help(SUPPORTED),
            "TooLarge" => refuse("it is an RSA key of more than 4096 bits").with_help(SUPPORTED),
            flaw => refuse(format!("the RSA key cannot be used: {flaw}")).with_help(SUPPORTED),
        })?;
        Ok(Self { pair, random: SystemRandom::new() })
    }

    /// The public key as `RSAPublicKey` (RFC 8017).
    pub(super) fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub(super) fn bits(&self) -> u32 {
        u32::try_from(self.pair.public().modulus_len() * 8).unwrap_or(u32::MAX)
    }

    pub(super) fn sign(&self, digest: Digest, message: &[u8]) -> Result<Vec<u8>> {
        let padding: &dyn RsaEncoding = match digest {
            Digest::Sha256 => &RSA_PKCS1_SHA256,
            Digest::Sha384 => &RSA_PKCS1_SHA384,
            Digest::Sha512 => &RSA_PKCS1_SHA512,
        };
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let signed = self.pair.sign(padding, &self.random, message, &mut signature);
        signed.map_err(|_| failed("RSA"))?;
        Ok(signature)
    }
}
