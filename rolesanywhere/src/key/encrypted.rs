//! Encrypted PKCS#8 keys (`ENCRYPTED PRIVATE KEY`, RFC 5958 and 8018).

use pkcs5::der::asn1::{AnyRef, OctetStringRef};
use pkcs5::der::{Decode, Reader, SliceReader};
use pkcs5::pbes2;
use pkcs8::PrivateKeyInfoRef;
use pkcs8::spki::AlgorithmIdentifierRef;
use rolecall_core::{CredentialsError, ErrorKind, Result, Secret};
use zeroize::Zeroizing;

use super::work::Work;

/// Decrypts an `EncryptedPrivateKeyInfo`: PBES2 with PBKDF2 or scrypt, AES or triple DES. Gives the
/// PKCS#8 `PrivateKeyInfo` as DER.
///
/// # Errors
/// `Denied` if the password is wrong: a damaged file looks the same where the damage is in the
/// encrypted bytes; `InvalidConfiguration` if the file is broken, encrypted in an outdated way or
/// asks for absurdly much work.
pub(crate) fn decrypt(encrypted_pkcs8_der: &[u8], password: &Secret) -> Result<Zeroizing<Vec<u8>>> {
    let (algorithm, encrypted) = parse(encrypted_pkcs8_der).map_err(|error| {
        invalid("it is no encrypted PKCS#8 key: the file is damaged or cut off").with_source(error)
    })?;
    let parameters = match algorithm.parameters {
        Some(parameters) if algorithm.oid == pbes2::PBES2_OID => Work::default().add(parameters)?,
        _ => return Err(outdated(&algorithm)),
    };
    let mut buffer = Zeroizing::new(encrypted.to_vec());
    let key = parameters.decrypt_in_place(password.expose(), &mut buffer);
    let length = key.map_err(|error| refused(encrypted, &parameters, error))?.len();
    buffer.truncate(length);
    // One wrong password in 256 leaves what looks like padding.
    match PrivateKeyInfoRef::from_der(&buffer) {
        Ok(_) => Ok(buffer),
        Err(_) => Err(wrong_password()),
    }
}

fn parse(der: &[u8]) -> pkcs5::der::Result<(AlgorithmIdentifierRef<'_>, &[u8])> {
    let mut reader = SliceReader::new(der)?;
    let whole = AnyRef::decode(&mut reader)?;
    reader.finish()?;
    whole.sequence(|reader| {
        let algorithm = AlgorithmIdentifierRef::decode(reader)?;
        Ok((algorithm, <&OctetStringRef>::decode(reader)?.as_bytes()))
    })
}

fn refused(
    encrypted: &[u8],
    parameters: &pbes2::Parameters,
    error: pkcs5::Error,
) -> CredentialsError {
    use pbes2::EncryptionScheme::{Aes128Gcm, Aes256Gcm, DesCbc, DesEde3Cbc};
    let block = match parameters.encryption {
        DesCbc { .. } | DesEde3Cbc { .. } => 8,
        Aes128Gcm { .. } | Aes256Gcm { .. } => 1,
        _ => 16,
    };
    if encrypted.is_empty() || !encrypted.len().is_multiple_of(block) {
        return invalid("the encrypted bytes are damaged or cut off").with_source(error);
    }
    match error {
        pkcs5::Error::DecryptFailed => wrong_password(),
        error => invalid(format!("it cannot be decrypted: {error}")).with_source(error),
    }
}

fn wrong_password() -> CredentialsError {
    CredentialsError::new(
        ErrorKind::Denied,
        super::PROVIDER,
        "the password does not decrypt it: it is wrong, or the file is damaged",
    )
    .with_help("`openssl pkey -in FILE -noout` tells whether the password is right")
}

/// An encryption with one pass of MD5 or SHA-1 (RFC 8018 PBES1, or PKCS#12's).
fn outdated(algorithm: &AlgorithmIdentifierRef<'_>) -> CredentialsError {
    let oid = algorithm.oid;
    let name = match oid.to_string().as_str() {
        "1.2.840.113549.1.5.1" => "PBE-MD2-DES",
        "1.2.840.113549.1.5.3" => "PBE-MD5-DES",
        "1.2.840.113549.1.5.4" => "PBE-MD2-RC2-64",
        "1.2.840.113549.1.5.6" => "PBE-MD5-RC2-64",
        "1.2.840.113549.1.5.10" => "PBE-SHA1-DES",
        "1.2.840.113549.1.5.11" => "PBE-SHA1-RC2-64",
        "1.2.840.113549.1.12.1.1" => "PBE-SHA1-RC4-128",
        "1.2.840.113549.1.12.1.2" => "PBE-SHA1-RC4-40",
        "1.2.840.113549.1.12.1.3" => "PBE-SHA1-3DES",
        "1.2.840.113549.1.12.1.4" => "PBE-SHA1-2DES",
        "1.2.840.113549.1.12.1.5" => "PBE-SHA1-RC2-128",
        "1.2.840.113549.1.12.1.6" => "PBE-SHA1-RC2-40",
        _ => return invalid(format!("its encryption is unknown: {oid}")).with_help(CONVERT),
    };
    invalid(format!("its encryption is outdated and not read here: {name}")).with_help(CONVERT)
}

const CONVERT: &str = "encrypt the key anew: `openssl pkey -in OLD -aes256 -out NEW` (if it refuses, \
                       with `-provider legacy -provider default`)";

fn invalid(message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, super::PROVIDER, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::openssl;

    fn key() -> Vec<u8> {
        openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -outform DER", b"")
    }

    fn encrypt(key: &[u8], how: &str) -> Vec<u8> {
        let arguments = "pkcs8 -topk8 -inform DER -outform DER -passout pass:corréct";
        openssl(&format!("{arguments} {how}"), key)
    }

    /// The same key as unencrypted PKCS#8.
    fn plain(key: &[u8]) -> Vec<u8> {
        openssl("pkcs8 -topk8 -inform DER -outform DER -nocrypt", key)
    }

    fn kind_of_refusal(file: &[u8], password: &str) -> ErrorKind {
        decrypt(file, &password.into()).unwrap_err().kind()
    }

    #[test]
    fn every_modern_form_is_read_with_its_password_alone() {
        let key = key();
        for how in [
            "",
            // As AWS Certificate Manager exports: the PRF is left out, so HMAC-SHA1.
            "-v2 aes256 -v2prf hmacWithSHA1",
            "-v2 aes128 -v2prf hmacWithSHA224",
            "-v2 aes192 -v2prf hmacWithSHA256",
            "-v2 aes256 -v2prf hmacWithSHA384",
            "-v2 aes256 -v2prf hmacWithSHA512",
            "-v2 des3",
            "-v2 aes256 -iter 5000",
            "-scrypt",
            "-v2 aes128 -scrypt -scrypt_N 1024 -scrypt_r 4 -scrypt_p 2",
        ] {
            let file = encrypt(&key, how);
            let decrypted = decrypt(&file, &"corréct".into()).unwrap();
            assert_eq!(*decrypted, plain(&key), "{how}");
            assert_eq!(kind_of_refusal(&file, "correct"), ErrorKind::Denied, "{how}");
            assert_eq!(kind_of_refusal(&file, ""), ErrorKind::Denied, "{how}");
        }
    }

    #[test]
    fn the_exported_form_of_acm_has_no_prf() {
        let file = encrypt(&key(), "-v2 aes256 -v2prf hmacWithSHA1");
        let hmac_sha1 = [0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x07];
        assert!(!file.windows(hmac_sha1.len()).any(|window| window == hmac_sha1));
    }

    #[test]
    fn outdated_encryption_says_how_to_convert_it() {
        for (how, name) in [
            ("-v1 PBE-SHA1-3DES", "PBE-SHA1-3DES"),
            ("-v1 PBE-MD5-DES -provider legacy -provider default", "PBE-MD5-DES"),
        ] {
            let error = decrypt(&encrypt(&key(), how), &"corréct".into()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            assert!(error.message().contains(name), "{error}");
            assert!(error.help().unwrap().contains("openssl pkey -in OLD -aes256"), "{error}");
        }
    }

    #[test]
    fn a_negative_count_is_an_error() {
        let file = encrypt(&key(), "-v2 aes256 -iter 2048");
        let count = [0x02, 0x02, 0x08, 0x00];
        let at = file.windows(4).position(|window| window == count).unwrap();
        let mut negative = file.clone();
        negative[at + 2] = 0xff;
        let error = decrypt(&negative, &"corréct".into()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{error}");
    }

    #[test]
    fn a_broken_file_is_no_wrong_password() {
        let key = key();
        let file = encrypt(&key, "");
        for broken in [&file[..file.len() - 1], &file[..20], &file[1..], b"", &plain(&key)] {
            assert_eq!(kind_of_refusal(broken, "corréct"), ErrorKind::InvalidConfiguration);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_input_makes_it_panic(bytes: Vec<u8>) {
            let _ = decrypt(&bytes, &"x".into());
        }
    }
}
