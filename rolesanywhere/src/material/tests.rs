use super::*;
use crate::testing::{Issued, openssl, pem};

fn read(text: &str) -> Result<Material> {
    Material::read(text.as_bytes(), "/etc/pki/x.pem")
}

fn flaw(bytes: &[u8]) -> CredentialsError {
    let error = Material::read(bytes, "/etc/pki/x.pem").err().unwrap();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(error.place().unwrap().starts_with("/etc/pki/x.pem"), "{error}");
    error
}

/// Why the one key there cannot be used.
fn unusable(text: &str) -> CredentialsError {
    match read(text).unwrap().keys.as_slice() {
        [Key::Unusable(error)] => error.clone(),
        _ => panic!("it can be used"),
    }
}

#[test]
fn files_may_hold_any_mix() {
    let root = Issued::authority("root", None);
    let leaf = Issued::new("leaf", Some(&root), &|_| {});
    let key = openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", b"");
    // `openssl ecparam -genkey` writes the parameters first.
    let ec = openssl("ecparam -name prime256v1 -genkey", b"");
    let ec = String::from_utf8(ec).unwrap();
    assert!(ec.contains("BEGIN EC PARAMETERS"));
    let crl = pem("X509 CRL", b"anything");
    for (text, certificates, keys) in [
        (leaf.pem(), 1, 0),
        (leaf.pem() + &leaf.key_pem(), 1, 1),
        (leaf.key_pem() + &leaf.pem() + &root.pem(), 2, 1),
        (format!("Bag Attributes\n  x: y\n{}subject=CN=x\n{crl}{}", leaf.pem(), root.pem()), 2, 0),
        (ec.clone(), 0, 1),
        (ec.clone() + &leaf.pem(), 1, 1),
        (String::from_utf8(key).unwrap(), 0, 1),
        // Twice the same is once.
        (leaf.pem() + &leaf.pem() + &leaf.key_pem() + &leaf.key_pem(), 1, 1),
        (ec.replace('\n', "\r\n"), 0, 1),
    ] {
        let found = read(&text).unwrap();
        assert_eq!((found.certificates.len(), found.keys.len()), (certificates, keys), "{text}");
        assert!(found.keys.iter().all(|key| matches!(key, Key::Plain(_))));
    }
}

#[test]
fn text_that_was_copied_carelessly_is_read_or_explained() {
    let leaf = Issued::new("leaf", None, &|_| {});
    let one_line = leaf.pem().replace('\n', "\\n");
    assert_eq!(read(&one_line).unwrap().certificates, [leaf.certificate()]);
    let latin = [b"subject=CN=M\xfcller\n".as_slice(), leaf.pem().as_bytes()].concat();
    assert_eq!(Material::read(&latin, "x").unwrap().certificates, [leaf.certificate()]);
    let error = flaw(leaf.pem().replace('\n', " ").as_bytes());
    assert!(error.help().unwrap().contains("line ends"), "{error}");
}

#[test]
fn der_is_told_by_what_is_in_it() {
    let leaf = Issued::new("leaf", None, &|_| {});
    let found = Material::read(&leaf.der, "x").unwrap();
    assert_eq!(found.certificates, [leaf.certificate()]);
    let found = Material::read(&leaf.key.serialize_der(), "x").unwrap();
    assert!(matches!(found.keys.as_slice(), [Key::Plain(_)]));
    let encrypted = openssl("pkcs8 -topk8 -outform DER -passout pass:x", leaf.key_pem().as_bytes());
    let found = Material::read(&encrypted, "x").unwrap();
    assert!(matches!(found.keys.as_slice(), [Key::Encrypted(_)]));
    let text = leaf.key_pem() + &leaf.pem();
    let store = openssl("pkcs12 -export -passout pass:x", text.as_bytes());
    assert!(Material::read(&store, "x").unwrap().pkcs12.is_some());
    // As a variable holds it.
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(&store);
    assert!(read(&text).unwrap().pkcs12.is_some());
    assert!(read(&format!(" {}\n{} ", &text[..40], &text[40..])).unwrap().pkcs12.is_some());
}

#[test]
fn keys_that_cannot_be_used_say_why_and_what_to_do() {
    let old = openssl("genrsa -traditional -aes128 -passout pass:x 2048", b"");
    let old = String::from_utf8(old).unwrap();
    assert!(old.contains("Proc-Type: 4,ENCRYPTED"));
    let error = unusable(&old);
    assert!(error.to_string().starts_with("/etc/pki/x.pem, line 1"), "{error}");
    assert!(error.help().unwrap().contains("openssl pkcs8 -topk8 -v2 aes-256-cbc"), "{error}");
    let error = unusable(&pem("TSS2 PRIVATE KEY", b"x"));
    assert!(error.message().contains("in a TPM, which is not supported yet"), "{error}");
    let error = unusable(&pem("OPENSSH PRIVATE KEY", b"x"));
    assert!(error.help().unwrap().contains("ssh-keygen"), "{error}");
    let error = unusable(&pem("DSA PRIVATE KEY", b"x"));
    assert!(error.help().unwrap().contains("P-256"), "{error}");
}

#[test]
fn what_is_not_recognised_is_described_and_never_shown() {
    for (bytes, says) in [
        (b"".as_slice(), "it is empty"),
        (b" \n", "it is empty"),
        (b"\xff\xfe-\0-\0", "UTF-16"),
        (b"\xfe\xed\xfe\xed\0\0", "Java key store"),
        (b"ssh-ed25519 AAAA", "public key of SSH"),
        (b"hunter2 hunter2", "neither PEM nor DER"),
        (b"\x30\x03\x02\x01\x07", "neither PEM nor DER"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n", "line 1: the block CERTIFICATE has no end"),
    ] {
        let error = flaw(bytes);
        assert!(error.message().contains(says), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
    let error = flaw(format!("\n\n{}", pem("CERTIFICATE", b"no certificate")).as_bytes());
    assert!(error.place().unwrap().ends_with("line 3"), "{error}");
}

#[test]
fn contents_are_told_in_words() {
    let leaf = Issued::new("leaf", None, &|_| {});
    let other = Issued::new("other", None, &|_| {});
    for (text, words) in [
        (leaf.pem(), "a certificate"),
        (leaf.key_pem() + &leaf.pem() + &other.pem(), "2 certificates and a private key"),
        (pem("PUBLIC KEY", b"x"), "a block PUBLIC KEY"),
        (pem("EC PARAMETERS", b"x"), "nothing"),
        (
            leaf.pem() + &leaf.key_pem() + &pem("X509 CRL", b"x"),
            "a certificate, a private key and a block X509 CRL",
        ),
    ] {
        assert_eq!(read(&text).unwrap().contents(), words);
    }
    let public = openssl("pkey -pubout -outform DER", leaf.key_pem().as_bytes());
    assert_eq!(Material::read(&public, "x").unwrap().contents(), "a public key");
}

proptest::proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes: Vec<u8>, text in "(-----(BEGIN|END) [A-Z ]{0,12}-----|[A-Za-z0-9+/=:, ]{0,70}|\\n|\r){0,30}") {
        let _ = Material::read(&bytes, "x");
        let _ = Material::read(text.as_bytes(), "x");
    }
}
