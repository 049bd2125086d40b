//! PKCS#12 files (`.p12`, `.pfx`; RFC 7292).

use p12_keystore::error::Error;
use p12_keystore::{CertificateBag, Pkcs12Archive, PrivateKeyBag};
use rolecall_core::{CredentialsError, ErrorKind, Result, Secret, printable};
use zeroize::Zeroizing;

use super::work::Work;

/// What a PKCS#12 file holds.
pub(crate) struct Pkcs12 {
    /// The private key: PKCS#8 DER. `None` if there are certificates alone.
    pub(crate) key: Option<Zeroizing<Vec<u8>>>,
    /// The certificates as DER; those that the file assigns to the key come first.
    pub(crate) certificates: Vec<Vec<u8>>,
}

/// Opens a PKCS#12 file with `password`; `None` is the empty one. Old encryption (SHA-1 with triple
/// DES or RC2-40) and new (PBES2) are read, and files without encryption or MAC.
///
/// # Errors
/// `Denied` if the password is wrong; `InvalidConfiguration` if the file is broken, asks for absurdly
/// much work, or holds several keys.
pub(crate) fn open(der: &[u8], password: Option<&Secret>) -> Result<Pkcs12> {
    Work::default().add_all(der)?;
    let text = password.map_or("", Secret::expose);
    let archive = Pkcs12Archive::from_pkcs12(der, text).map_err(|e| refused(der, text, e))?;
    let key = choose_key(&archive)?;
    let id = key.and_then(|key| key.local_key_id.as_ref());
    let is_of_key =
        |bag: &CertificateBag| id.is_some() && bag.local_key_id.as_deref() == id.map(AsRef::as_ref);
    let (first, rest): (Vec<_>, Vec<_>) = archive.certs.iter().partition(|bag| is_of_key(bag));
    Ok(Pkcs12 {
        key: key.map(|key| Zeroizing::new(key.key.as_der().to_vec())),
        certificates: first.iter().chain(&rest).map(|bag| bag.cert.as_der().to_vec()).collect(),
    })
}

/// The file's key; of several, the one that alone has a certificate.
fn choose_key(archive: &Pkcs12Archive) -> Result<Option<&PrivateKeyBag>> {
    let mut keys: Vec<&PrivateKeyBag> = Vec::new();
    for bag in &archive.keys {
        if !keys.iter().any(|seen| seen.key == bag.key) {
            keys.push(bag);
        }
    }
    if let [] | [_] = keys[..] {
        return Ok(keys.first().copied());
    }
    let has_certificate = |key: &&&PrivateKeyBag| {
        let id = key.local_key_id.as_ref().map(AsRef::as_ref);
        id.is_some() && archive.certs.iter().any(|bag| bag.local_key_id.as_deref() == id)
    };
    let matching: Vec<_> = keys.iter().filter(has_certificate).collect();
    if let [only] = matching[..] {
        return Ok(Some(only));
    }
    let list: Vec<_> = keys.iter().map(|key| describe(key, archive)).collect();
    Err(invalid(format!("the file holds {} private keys: {}", keys.len(), list.join("; ")))
        .with_help(
            "make a PEM file of the one that is meant, with its certificates: `openssl pkcs12 -in \
             OLD` prints all",
        ))
}

fn describe(key: &PrivateKeyBag, archive: &Pkcs12Archive) -> String {
    let id = key.local_key_id.as_ref().map(AsRef::as_ref);
    let certificate =
        archive.certs.iter().find(|b| id.is_some() && b.local_key_id.as_deref() == id);
    let name = key.friendly_name.as_deref().unwrap_or("without a name");
    let mut text = printable(name, 64);
    if let Some(id) = id {
        text += &format!(", localKeyId {}", hex::encode(&id[..id.len().min(20)]));
    }
    if let Some(bag) = certificate {
        text += &format!(", certificate {}", printable(bag.cert.subject(), 120));
    }
    text
}

fn refused(der: &[u8], password: &str, error: Error) -> CredentialsError {
    match &error {
        Error::MacError(_) if password.is_empty() => {
            denied("it has a password, and none was given")
                .with_help("give the password (--pkcs8-password file://PATH, - or env:NAME)")
        }
        Error::MacError(_) => denied("the password is wrong (the file's MAC does not fit it)"),
        // Without a MAC, only the padding tells.
        Error::UnpadError => denied("the password is wrong, or the file is damaged"),
        Error::Pkcs5Error(text) if text.contains("decryption failed") => {
            denied("the password is wrong, or the file is damaged")
        }
        // The KDF of PKCS#12 reads a password as UTF-16.
        _ if password.chars().any(|c| u32::from(c) > 0xffff) => {
            invalid("its password has characters that PKCS#12 has no room for")
        }
        Error::InvalidParameters => invalid(
            "its password is to be hashed more than a million times, or its parameters make no \
             sense",
        )
        .with_help(CONVERT),
        Error::UnsupportedEncryptionScheme
        | Error::UnsupportedMacAlgorithm
        | Error::UnsupportedContentType
        | Error::Pkcs5Error(_) => {
            invalid(format!("it is encrypted or signed in a way that is not read here: {error}"))
                .with_help(CONVERT)
        }
        _ if is_ber(der) => {
            invalid("it is written in BER with open lengths, which is not read here")
                .with_help(CONVERT)
        }
        _ => invalid("it is no PKCS#12 file, or damaged"),
    }
    .with_source(error)
}

/// Whether the outermost value has no length of its own (X.690, 8.1.3.6). Some browsers and key
/// stores write this.
fn is_ber(der: &[u8]) -> bool {
    der.starts_with(&[0x30, 0x80])
}

const CONVERT: &str = "write it as PEM, which is read too: `openssl pkcs12 -in OLD -out NEW.pem` (with \
                       `-legacy` if it refuses)";

fn denied(message: &str) -> CredentialsError {
    CredentialsError::new(ErrorKind::Denied, PROVIDER, message)
}

fn invalid(message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
}

/// As errors name what fails here.
pub(crate) const PROVIDER: &str = "PKCS#12 file";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::openssl;

    const PASSWORD: &str = "pass:corréct";

    /// A folder with a CA's and a leaf's key and certificate, as ca.key, ca.pem, leaf.key, leaf.pem.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().display();
        openssl(
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=CA \
                 -keyout {at}/ca.key -out {at}/ca.pem"
            ),
            b"",
        );
        openssl(
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=Leaf -CA \
                 {at}/ca.pem -CAkey {at}/ca.key -keyout {at}/leaf.key -out {at}/leaf.pem"
            ),
            b"",
        );
        folder
    }

    fn export(folder: &tempfile::TempDir, arguments: &str) -> Vec<u8> {
        let at = folder.path().display();
        let inputs = format!("-inkey {at}/leaf.key -in {at}/leaf.pem -certfile {at}/ca.pem");
        openssl(&format!("pkcs12 -export {inputs} -passout {arguments}"), b"")
    }

    fn pem_to_der(folder: &tempfile::TempDir, name: &str) -> Vec<u8> {
        let kind = if name.ends_with("key") { "pkcs8 -topk8 -nocrypt" } else { "x509" };
        let path = folder.path().join(name);
        openssl(&format!("{kind} -outform DER -in {}", path.display()), b"")
    }

    #[track_caller]
    fn check(folder: &tempfile::TempDir, file: &[u8], password: Option<&str>) {
        let password = password.map(Secret::from);
        let opened = open(file, password.as_ref()).unwrap();
        assert_eq!(**opened.key.as_ref().unwrap(), pem_to_der(folder, "leaf.key"));
        let expected = [pem_to_der(folder, "leaf.pem"), pem_to_der(folder, "ca.pem")];
        assert_eq!(opened.certificates, expected);
        let error = open(file, Some(&"wrong".into())).err();
        assert_eq!(error.map(|e| e.kind()), Some(ErrorKind::Denied));
    }

    #[test]
    fn files_old_and_new_open_with_their_password() {
        let folder = folder();
        for encryption in [
            "",
            "-legacy",
            "-certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1",
            "-certpbe PBE-SHA1-RC2-40 -keypbe PBE-SHA1-3DES -legacy",
            "-certpbe AES-128-CBC -keypbe AES-192-CBC -macalg sha512",
            "-certpbe NONE -keypbe AES-256-CBC -iter 5000",
            "-certpbe DES-EDE3-CBC -keypbe DES-EDE3-CBC",
        ] {
            let file = export(&folder, &format!("{PASSWORD} {encryption}"));
            check(&folder, &file, Some("corréct"));
        }
    }

    #[test]
    fn an_empty_password_may_be_left_out() {
        let folder = folder();
        for encryption in ["", "-legacy", "-certpbe NONE -keypbe NONE"] {
            let file = export(&folder, &format!("pass: {encryption}"));
            check(&folder, &file, None);
            check(&folder, &file, Some(""));
        }
    }

    #[test]
    fn a_file_without_a_mac_opens() {
        let folder = folder();
        check_damaged(&export(&folder, &format!("{PASSWORD} -nomac")));
        let bare = export(&folder, "pass: -nomac -certpbe NONE -keypbe NONE");
        let opened = open(&bare, Some(&"whatever".into())).unwrap();
        assert_eq!(**opened.key.unwrap(), pem_to_der(&folder, "leaf.key"));
    }

    #[track_caller]
    fn check_damaged(file: &[u8]) {
        let error = open(file, Some(&"wrong".into())).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("or the file is damaged"), "{error}");
    }

    #[test]
    fn a_missing_password_is_told_from_a_wrong_one() {
        let file = export(&folder(), PASSWORD);
        let error = open(&file, None).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.to_string().contains("none was given"), "{error}");
        let error = open(&file, Some(&"wrong".into())).err().unwrap();
        assert!(error.to_string().contains("the password is wrong"), "{error}");
        assert!(!error.to_string().contains("wrong\""), "{error}");
    }

    #[test]
    fn certificates_alone_have_no_key() {
        let folder = folder();
        let at = folder.path().display();
        let file = openssl(&format!("pkcs12 -export -nokeys -in {at}/ca.pem -passout pass:x"), b"");
        let opened = open(&file, Some(&"x".into())).unwrap();
        assert!(opened.key.is_none());
        assert_eq!(opened.certificates, [pem_to_der(&folder, "ca.pem")]);
    }

    /// openssl writes one key to a file, so the crate under test writes this one.
    fn several(with_certificates: &[bool]) -> Vec<u8> {
        use p12_keystore::{Certificate, KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
        let mut store = KeyStore::new();
        for (index, &has_certificate) in with_certificates.iter().enumerate() {
            let folder = folder();
            let key = PrivateKey::from_der(&pem_to_der(&folder, "leaf.key")).unwrap();
            let certificate = Certificate::from_der(&pem_to_der(&folder, "leaf.pem")).unwrap();
            let chain = PrivateKeyChain::new(
                vec![7, u8::try_from(index).unwrap()],
                key,
                has_certificate.then_some(certificate),
            );
            store.add_entry(&format!("key {index}"), KeyStoreEntry::PrivateKeyChain(chain));
        }
        store.writer("x").write().unwrap()
    }

    #[test]
    fn of_several_keys_the_one_with_a_certificate_is_taken_or_all_are_listed() {
        let opened = open(&several(&[false, true, false]), Some(&"x".into())).unwrap();
        assert_eq!(opened.certificates.len(), 1);
        for file in [several(&[true, true]), several(&[false, false])] {
            let error = open(&file, Some(&"x".into())).err().unwrap().to_string();
            for part in ["2 private keys", "key 0, localKeyId 0700", "key 1, localKeyId 0701"] {
                assert!(error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn broken_files_are_no_wrong_password() {
        let file = export(&folder(), PASSWORD);
        for broken in [&file[..file.len() / 2], b"", b"-----BEGIN", &[0x30, 0x80, 0, 0]] {
            let error = open(broken, Some(&"corréct".into())).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{error}");
        }
        let error = open(&[0x30, 0x80, 0, 0], None).err().unwrap().to_string();
        assert!(error.contains("BER") && error.contains("openssl pkcs12"), "{error}");
    }

    #[test]
    fn absurd_work_is_refused_before_it_is_done() {
        // With a MAC (which openssl adds for an -iter that follows), a changed file would be taken
        // for a wrong password.
        let mut file = export(&folder(), "pass:x -certpbe NONE -iter 70000 -nomac");
        let count = [0x02, 0x03, 0x01, 0x11, 0x70];
        let at = file.windows(5).position(|window| window == count).unwrap();
        file[at + 2..at + 5].fill(0x7f);
        let error = open(&file, Some(&"x".into())).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.to_string().contains("hashed"), "{error}");
    }
}
