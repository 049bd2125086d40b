//! How much work a password may cost: a file says itself how often its password is to be hashed.

use pkcs5::der::asn1::{AnyRef, ObjectIdentifier, OctetStringRef};
use pkcs5::der::{Decode, Reader, SliceReader, Tag, Tagged};
use pkcs5::pbes2::{self, Kdf, Parameters};
use pkcs8::spki::AlgorithmIdentifierRef;
use rolecall_core::{CredentialsError, ErrorKind, Result};

/// A modern processor takes about five seconds for as many; openssl's and AWS's files have 2048,
/// and people who choose for themselves 600 000.
const MOST_ITERATIONS: u64 = 10_000_000;

/// Of scrypt, 128·N·r bytes. openssl itself refuses more than 32 MiB unless told otherwise.
const MOST_MEMORY: u64 = 256 * 1024 * 1024;

/// Of scrypt, 128·N·r·p: p passes over that memory.
const MOST_SCRYPT_WORK: u64 = 4 * MOST_MEMORY;

/// How deep a file of ours nests; a PKCS#12 file without a MAC needs eleven.
const DEEPEST: usize = 32;

/// What a file has asked for so far.
#[derive(Default)]
pub(super) struct Work {
    iterations: u64,
    scrypt: u64,
}

impl Work {
    /// Adds what every PBES2 algorithm asks for that lies open in `der`, at any depth.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is too much or makes no sense. What is no DER is passed over:
    /// whoever reads it will say so.
    pub(super) fn add_all(&mut self, der: &[u8]) -> Result<()> {
        self.walk(der, DEEPEST)
    }

    fn walk(&mut self, der: &[u8], depth: usize) -> Result<()> {
        let (Ok(mut reader), Some(depth)) = (SliceReader::new(der), depth.checked_sub(1)) else {
            return Ok(());
        };
        while !reader.is_finished() {
            let Ok(value) = AnyRef::decode(&mut reader) else { return Ok(()) };
            match value.tag() {
                Tag::Sequence => match algorithm(value) {
                    Some(found) if found.oid == pbes2::PBES2_OID => {
                        if let Some(parameters) = found.parameters {
                            self.add(parameters)?;
                        }
                    }
                    _ => self.walk(value.value(), depth)?,
                },
                // A PKCS#12 file wraps its parts in octet strings.
                Tag::OctetString => self.walk(value.value(), depth)?,
                tag if tag.is_constructed() => self.walk(value.value(), depth)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds what one algorithm asks for, and gives its parameters.
    ///
    /// # Errors
    /// `InvalidConfiguration` if it is too much, unknown or makes no sense.
    pub(super) fn add(&mut self, parameters: AnyRef<'_>) -> Result<Parameters> {
        check_lengths(parameters)?;
        let parameters = Parameters::try_from(parameters).map_err(|error| {
            invalid(match error.kind() {
                pkcs5::der::ErrorKind::OidUnknown { oid } => {
                    format!("its encryption uses an unknown algorithm: {oid}")
                }
                _ => "the parameters of its encryption make no sense".to_owned(),
            })
            .with_help(CONVERT)
        })?;
        match &parameters.kdf {
            Kdf::Pbkdf2(pbkdf2) => self.iterations += u64::from(pbkdf2.iteration_count),
            Kdf::Scrypt(scrypt) => {
                let memory =
                    (128 * u64::from(scrypt.block_size)).checked_mul(scrypt.cost_parameter);
                // Not only is it no power of two: the crate would panic.
                if scrypt.cost_parameter == 0 {
                    return Err(invalid("the parameters of its encryption make no sense (N = 0)"));
                }
                if memory.is_none_or(|memory| memory > MOST_MEMORY) {
                    let limit = MOST_MEMORY / 1024 / 1024;
                    return Err(invalid(format!(
                        "its password asks for more than {limit} MiB of memory (scrypt, N = {}, \
                         r = {})",
                        scrypt.cost_parameter, scrypt.block_size
                    ))
                    .with_help(CONVERT));
                }
                self.scrypt += memory.unwrap_or_default() * u64::from(scrypt.parallelization);
            }
            _ => return Err(invalid("its password is hashed in an unknown way").with_help(CONVERT)),
        }
        if self.iterations > MOST_ITERATIONS {
            return Err(invalid(format!(
                "its password is to be hashed {} times; the limit is {MOST_ITERATIONS}",
                self.iterations
            ))
            .with_help(CONVERT));
        }
        if self.scrypt > MOST_SCRYPT_WORK {
            return Err(
                invalid("its password asks for too many passes of scrypt").with_help(CONVERT)
            );
        }
        Ok(parameters)
    }
}

const CONVERT: &str = "encrypt the key anew: `openssl pkey -in OLD -aes256 -out NEW`";

/// The crate takes the first 8 bytes of a DES initialization vector, and panics if it has fewer.
fn check_lengths(parameters: AnyRef<'_>) -> Result<()> {
    let lengths = parameters.sequence(|reader| {
        let _kdf = AnyRef::decode(reader)?;
        let encryption = AlgorithmIdentifierRef::decode(reader)?;
        let vector = encryption.parameters.map(|p| p.decode_as::<&OctetStringRef>()).transpose()?;
        let is_des = [pbes2::DES_EDE3_CBC_OID, pbes2::DES_CBC_OID].contains(&encryption.oid);
        Ok::<_, pkcs5::der::Error>((is_des, vector.map(|v| v.as_bytes().len())))
    });
    match lengths {
        Ok((true, Some(length))) if length != 8 => Err(invalid(
            "the parameters of its encryption make no sense (a vector of wrong length)",
        )),
        // What else is wrong with them is found when they are read in full.
        _ => Ok(()),
    }
}

fn algorithm(value: AnyRef<'_>) -> Option<AlgorithmIdentifierRef<'_>> {
    value
        .sequence(|reader| {
            let oid = ObjectIdentifier::decode(reader)?;
            Ok::<_, pkcs5::der::Error>(AlgorithmIdentifierRef {
                oid,
                parameters: Option::<AnyRef<'_>>::decode(reader)?,
            })
        })
        .ok()
}

fn invalid(message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, super::PROVIDER, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u8::try_from(content.len()).unwrap();
        let long: &[u8] = if length < 128 { &[length] } else { &[0x81, length] };
        [&[tag], long, &content].concat()
    }

    fn sequence(parts: &[&[u8]]) -> Vec<u8> {
        tlv(0x30, parts)
    }

    fn oid(oid: ObjectIdentifier) -> Vec<u8> {
        tlv(6, &[oid.as_bytes()])
    }

    /// A PBES2 `AlgorithmIdentifier`.
    fn pbes2(kdf: ObjectIdentifier, kdf_numbers: &[&[u8]], cipher: ObjectIdentifier) -> Vec<u8> {
        let mut parameters = vec![tlv(4, &[b"saltsalt"])];
        parameters.extend(kdf_numbers.iter().map(|number| tlv(2, &[number])));
        let parameters: Vec<_> = parameters.iter().map(Vec::as_slice).collect();
        let vector = if cipher == pbes2::AES_256_CBC_OID { 16 } else { 7 };
        let kdf = sequence(&[&oid(kdf), &sequence(&parameters)]);
        let cipher = sequence(&[&oid(cipher), &tlv(4, &[&vec![1; vector]])]);
        sequence(&[&oid(pbes2::PBES2_OID), &sequence(&[&kdf, &cipher])])
    }

    #[track_caller]
    fn check(algorithm: &[u8], says: Option<&str>) {
        // As deep as in a PKCS#12 file.
        let file = sequence(&[&tlv(0xa0, &[&tlv(4, &[&sequence(&[algorithm])])])]);
        let error = Work::default().add_all(&file).err().map(|error| error.to_string());
        assert_eq!(error.is_some(), says.is_some(), "{error:?}");
        assert!(error.clone().unwrap_or_default().contains(says.unwrap_or_default()), "{error:?}");
    }

    const AES: ObjectIdentifier = pbes2::AES_256_CBC_OID;

    #[test]
    fn work_within_the_limits_is_allowed() {
        check(&pbes2(pbes2::PBKDF2_OID, &[&[0x08, 0]], AES), None);
        check(&pbes2(pbes2::PBKDF2_OID, &[&10_000_000_u32.to_be_bytes()], AES), None);
        // N = 2^15, r = 8, p = 1: 32 MiB.
        check(&pbes2(pbes2::SCRYPT_OID, &[&[0, 0x80, 0], &[8], &[1]], AES), None);
    }

    #[test]
    fn absurd_work_is_refused() {
        check(&pbes2(pbes2::PBKDF2_OID, &[&10_000_001_u32.to_be_bytes()], AES), Some("10000001"));
        // N = 2^19, r = 8: 512 MiB; then 32 MiB 127 times.
        let scrypt = pbes2::SCRYPT_OID;
        check(&pbes2(scrypt, &[&[8, 0, 0], &[8], &[1]], AES), Some("256 MiB"));
        check(&pbes2(scrypt, &[&[0x7f; 8], &[0x7f, 0xff], &[1]], AES), Some("256 MiB"));
        check(&pbes2(scrypt, &[&[0, 0x80, 0], &[8], &[127]], AES), Some("passes"));
        // Each alone is allowed, all together are not.
        let one = pbes2(pbes2::PBKDF2_OID, &[&[0x4c, 0x4b, 0x41]], AES);
        check(&one, None);
        check(&sequence(&[&one, &one]), Some("10000002"));
    }

    #[test]
    fn parameters_that_would_make_the_crate_panic_are_errors() {
        check(&pbes2(pbes2::SCRYPT_OID, &[&[0], &[8], &[1]], AES), Some("N = 0"));
        for des in [pbes2::DES_EDE3_CBC_OID, pbes2::DES_CBC_OID] {
            check(&pbes2(pbes2::PBKDF2_OID, &[&[8]], des), Some("wrong length"));
        }
    }
}
