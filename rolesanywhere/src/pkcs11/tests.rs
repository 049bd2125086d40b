//! With SoftHSM, in a process of its own: it reads where its tokens are from the environment.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rolecall_core::{ErrorKind, Prompt, Secret};

use super::module::{CALL_LIMIT, Module};
use super::signature::{Request, finish, verifies};
use super::*;
use crate::testing::{openssl, run_in};
use crate::{Digest, IdentitySource, KeyKind, PrivateKey, Signer};

/// Where the inner process finds certificates and PINs.
const FOLDER: &str = "ROLECALL_TEST_SOFTHSM";

const KEYS: [(&str, &str); 4] = [
    ("rsa", "RSA -pkeyopt rsa_keygen_bits:2048"),
    ("p256", "EC -pkeyopt ec_paramgen_curve:P-256"),
    ("p384", "EC -pkeyopt ec_paramgen_curve:P-384"),
    ("p521", "EC -pkeyopt ec_paramgen_curve:P-521"),
];

/// Makes tokens and runs every test of [`softhsm`] in a process that sees them.
#[test]
#[expect(clippy::disallowed_methods, reason = "the library reads its own variable")]
fn with_softhsm() {
    let folder = tempfile::tempdir().unwrap();
    make_tokens(folder.path());
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["pkcs11::tests::softhsm::", "--ignored", "--test-threads=1"])
        .env("SOFTHSM2_CONF", folder.path().join("softhsm2.conf"))
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let passed = said.matches("... ok").count();
    assert!(passed >= 15, "only {passed} tests have run:\n{said}");
}

fn module() -> PathBuf {
    let module =
        Module::find(&Context::real(), None, &"pkcs11:?module-name=softhsm2".parse().unwrap());
    let module = module.unwrap_or_else(|error| {
        panic!("SoftHSM is needed: tests/peers/install.sh FOLDER installs it. {error}")
    });
    module.path().to_owned()
}

fn make_tokens(folder: &Path) {
    let at = folder.display();
    let configuration = format!("directories.tokendir = {at}/tokens\nlog.level = ERROR\n");
    let real = Context::real().fs;
    real.create_folder(&folder.join("tokens")).unwrap();
    real.write(&folder.join("softhsm2.conf"), configuration.as_bytes()).unwrap();
    real.write(&folder.join("pin"), b"1234\n").unwrap();
    let parameters = "-noenc -newkey ec -pkeyopt ec_paramgen_curve:P-256";
    openssl(
        &format!("req -x509 {parameters} -subj /CN=CA -keyout {at}/ca.key -out {at}/ca.pem"),
        b"",
    );
    let ca = format!("-CA {at}/ca.pem -CAkey {at}/ca.key");
    for (name, algorithm) in KEYS {
        let key = format!("{at}/{name}.key");
        openssl(&format!("genpkey -algorithm {algorithm} -out {key}"), b"");
        openssl(&format!("pkey -in {key} -outform DER -out {key}.der"), b"");
        openssl(&format!("pkey -in {key} -pubout -out {at}/{name}.pub"), b"");
        openssl(
            &format!(
                "req -x509 -key {key} -subj /CN={name} {ca} -outform DER -out {at}/{name}.der"
            ),
            b"",
        );
    }
    let variable = ("SOFTHSM2_CONF", format!("{at}/softhsm2.conf"));
    let variables = [(variable.0, variable.1.as_str())];
    let util = |arguments: &str| {
        run_in(&variables, "softhsm2-util", &arguments.split_whitespace().collect::<Vec<_>>(), b"")
    };
    for token in ["keys", "twin", "twin", "bare", "always", "wrong", "pin", "person", "nobody"] {
        util(&format!("--init-token --free --label {token} --so-pin 0000 --pin 1234"));
    }
    for (index, (name, _)) in KEYS.iter().enumerate() {
        let id = index + 1;
        util(&format!(
            "--import {at}/{name}.key --token keys --pin 1234 --label {name} --id 0{id}"
        ));
    }
    for token in ["wrong", "pin", "person", "nobody"] {
        util(&format!("--import {at}/p256.key --token {token} --pin 1234 --label p256 --id 02"));
    }
    let twins = serials(&String::from_utf8(util("--show-slots")).unwrap());
    for serial in &twins {
        util(&format!("--import {at}/p256.key --serial {serial} --pin 1234 --label p256 --id 02"));
    }
    real.write(&folder.join("twins"), twins.join("\n").as_bytes()).unwrap();
    let module = module();
    let tool = |arguments: &str| {
        let module = format!("--module {} --login --pin 1234 {arguments}", module.display());
        run_in(&variables, "pkcs11-tool", &module.split_whitespace().collect::<Vec<_>>(), b"")
    };
    for (id, name) in [(1, "rsa"), (2, "p256")] {
        tool(&format!(
            "--token-label keys --write-object {at}/{name}.der --type cert --id 0{id} --label {name}-cert"
        ));
        let key = format!("{at}/{name}.key.der");
        tool(&format!(
            "--token-label always --write-object {key} --type privkey --always-auth --usage-sign --id 0{id} --label {name}"
        ));
    }
    for name in ["rsa", "p256"] {
        tool(&format!(
            "--token-label always --write-object {at}/{name}.der --type cert --id 0{} --label {name}",
            if name == "rsa" { 1 } else { 2 }
        ));
    }
    tool(&format!(
        "--token-label bare --write-object {at}/p256.key.der --type privkey --usage-sign --id 07 --label bare"
    ));
}

/// The serial numbers of the tokens `twin`.
fn serials(slots: &str) -> Vec<String> {
    let value = |line: &str| line.split_once(':').map(|(_, value)| value.trim().to_owned());
    let mut serial = None;
    let mut twins = Vec::new();
    for line in slots.lines().map(str::trim) {
        if line.starts_with("Serial number:") {
            serial = value(line);
        } else if line == "Label:            twin" || value(line).as_deref() == Some("twin") {
            twins.extend(serial.take());
        }
    }
    assert_eq!(twins.len(), 2, "{slots}");
    twins
}

#[test]
fn a_token_that_lacks_a_mechanism_is_asked_for_another() {
    use cryptoki::mechanism::{Mechanism, MechanismType};
    let rsa = KeyKind::Rsa { bits: 2048 };
    let request = |kind, has: &[MechanismType], in_parts| {
        Request::new(kind, Digest::Sha256, b"text", has, in_parts)
    };
    let hashing = request(rsa, &[MechanismType::SHA256_RSA_PKCS, MechanismType::RSA_PKCS], false);
    assert!(matches!(hashing.mechanism, Mechanism::Sha256RsaPkcs));
    assert_eq!(hashing.data, b"text");
    let raw = request(rsa, &[MechanismType::RSA_PKCS], false);
    assert!(matches!(raw.mechanism, Mechanism::RsaPkcs));
    assert_eq!(raw.data.len(), 19 + 32);
    assert!(matches!(request(rsa, &[], false).mechanism, Mechanism::Sha256RsaPkcs));
    let both = [MechanismType::ECDSA, MechanismType::ECDSA_SHA256];
    assert!(matches!(request(KeyKind::P256, &both, false).mechanism, Mechanism::Ecdsa));
    assert!(matches!(request(KeyKind::P256, &both, true).mechanism, Mechanism::EcdsaSha256));
    assert!(matches!(request(KeyKind::P256, &both[..1], true).mechanism, Mechanism::Ecdsa));
    assert!(matches!(request(KeyKind::P256, &both[1..], false).mechanism, Mechanism::EcdsaSha256));
    let long = Request::new(KeyKind::P256, Digest::Sha512, b"text", &both, false);
    assert_eq!(long.data.len(), 32);
}

/// The raw form that tokens give, of a signature by a key in memory, becomes that signature again.
#[test]
fn a_raw_signature_becomes_der() {
    for (algorithm, kind, length) in [
        ("EC -pkeyopt ec_paramgen_curve:P-256", KeyKind::P256, 32),
        ("EC -pkeyopt ec_paramgen_curve:P-384", KeyKind::P384, 48),
        ("EC -pkeyopt ec_paramgen_curve:P-521", KeyKind::P521, 66),
    ] {
        let key = openssl(&format!("genpkey -algorithm {algorithm} -outform DER"), b"");
        let key = PrivateKey::from_der(&key).unwrap();
        for text in 0..20_u8 {
            let der = key.sign_now(Digest::Sha256, &[text]).unwrap();
            let raw = raw(&der, length);
            assert_eq!(finish(kind, raw).unwrap(), der);
            let public = key.public_key();
            assert!(verifies(kind, public, Digest::Sha256, &[text], &der));
            assert!(!verifies(kind, public, Digest::Sha256, &[text, 0], &der));
        }
        for wrong in [0, 1, 2 * length + 1, 2 * length + 2] {
            assert!(finish(kind, vec![1; wrong]).is_err(), "{wrong}");
        }
    }
}

fn raw(der: &[u8], length: usize) -> Vec<u8> {
    use pkcs8::der::asn1::{AnyRef, UintRef};
    use pkcs8::der::{Decode, Reader};
    let whole = AnyRef::from_der(der).unwrap();
    let numbers = whole.sequence(|reader| {
        let r: UintRef<'_> = reader.decode()?;
        let s: UintRef<'_> = reader.decode()?;
        Ok::<_, pkcs8::der::Error>([r, s])
    });
    let pad =
        |n: UintRef<'_>| [vec![0; length - n.as_bytes().len()], n.as_bytes().to_vec()].concat();
    numbers.unwrap().map(pad).concat()
}

/// Run by [`with_softhsm`].
mod softhsm {
    use super::*;

    fn folder() -> PathBuf {
        Context::real().env.get(FOLDER).expect("run by `with_softhsm`").into()
    }

    fn certificate(name: &str) -> Certificate {
        let path = folder().join(format!("{name}.der"));
        Certificate::from_der(&Context::real().fs.read(&path, 10_000).unwrap()).unwrap()
    }

    /// A machine where nobody answers.
    fn alone() -> Context {
        Context { prompt: Prompt::none(), ..Context::real() }
    }

    /// A machine where somebody answers, and how often.
    fn answering(pin: &'static str) -> (Context, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = asked.clone();
        let prompt = Prompt::from_fn(move |question| {
            assert!(question.starts_with("PIN of "), "{question}");
            counter.fetch_add(1, Ordering::SeqCst);
            Ok(Secret::from(pin))
        });
        (Context { prompt, ..Context::real() }, asked)
    }

    fn source(uri: &str) -> TokenSource {
        TokenSource::new(uri.parse().unwrap(), Some(module()), None, false)
    }

    fn reusing(uri: &str) -> TokenSource {
        TokenSource::new(uri.parse().unwrap(), Some(module()), None, true)
    }

    /// Signs, and lets openssl judge.
    async fn check(signer: &SharedSigner, name: &str) {
        for (digest, option) in
            [(Digest::Sha256, "sha256"), (Digest::Sha384, "sha384"), (Digest::Sha512, "sha512")]
        {
            let signature = signer.sign(digest, b"a message").await.unwrap();
            let scratch = tempfile::tempdir().unwrap();
            let file = scratch.path().join("signature");
            Context::real().fs.write(&file, &signature).unwrap();
            let public = folder().join(format!("{name}.pub"));
            let (file, public) = (file.display(), public.display());
            openssl(&format!("dgst -{option} -verify {public} -signature {file}"), b"a message");
        }
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn certificate_and_key_in_the_token() {
        for name in ["rsa", "p256"] {
            // Certificates are public: nobody is asked for a PIN.
            let uri = format!("pkcs11:token=keys;object={name}-cert;type=cert?pin-value=1234");
            let source = source(&uri);
            let found = source.certificates(&alone()).await.unwrap();
            assert_eq!(found.named, [certificate(name)]);
            assert_eq!(found.all.len(), 2);
            // The key's label is another.
            for key in [uri.replace("type=cert", ""), uri] {
                let key = source.with_uri(key.parse().unwrap());
                let signer = key.signer(&alone(), &found.named).await.unwrap();
                assert_eq!(Some(signer.kind()), found.named[0].key_kind());
                assert_eq!(signer.public_key(), found.named[0].public_key());
                check(&signer, name).await;
            }
        }
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn certificate_in_a_file_and_key_in_the_token() {
        for (id, (name, _)) in KEYS.iter().enumerate() {
            for uri in [
                "pkcs11:token=keys?pin-value=1234".to_owned(),
                format!("pkcs11:token=keys;id=%0{};type=private?pin-value=1234", id + 1),
                format!("pkcs11:object={name};token=keys?pin-value=1234"),
            ] {
                let wanted = [certificate(name)];
                let signer = source(&uri).signer(&alone(), &wanted).await.unwrap();
                assert_eq!(Some(signer.kind()), wanted[0].key_kind());
                check(&signer, name).await;
            }
        }
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn the_pin_comes_from_a_file_the_uri_a_secret_or_a_person() {
        let wanted = [certificate("p256")];
        let file = format!("pkcs11:token=pin?pin-source=file:{}/pin", folder().display());
        for uri in [file.as_str(), "pkcs11:token=pin?pin-value=1234"] {
            check(&source(uri).signer(&alone(), &wanted).await.unwrap(), "p256").await;
        }
        let uri: Uri = "pkcs11:token=pin".parse().unwrap();
        let given = Some(crate::password::Password::new("1234".parse().unwrap()));
        let given = TokenSource::new(uri, Some(module()), given, false);
        check(&given.signer(&alone(), &wanted).await.unwrap(), "p256").await;
        let (context, asked) = answering("1234");
        // While another session of the process is logged in, nobody is asked.
        let signer = source("pkcs11:token=person").signer(&context, &wanted).await.unwrap();
        check(&signer, "p256").await;
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn without_a_pin_the_error_says_how_to_give_one() {
        let signer = source("pkcs11:token=nobody").signer(&alone(), &[certificate("p256")]).await;
        let error = signer.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        let text = error.to_string();
        for part in ["PIN of token \"nobody\"", "pin-source=file:"] {
            assert!(text.contains(part), "{text}");
        }
        assert!(!text.contains("mfa"), "{text}");
        let uri = "pkcs11:token=nobody?pin-source=file:/nonexistent/pin";
        let error = source(uri).signer(&alone(), &[certificate("p256")]).await.unwrap_err();
        assert!(error.to_string().contains("/nonexistent/pin"), "{error}");
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn a_wrong_pin_is_tried_once() {
        let wanted = [certificate("p256")];
        let wrong = source("pkcs11:token=wrong?pin-value=9999");
        let error = wrong.signer(&alone(), &wanted).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied);
        let text = error.to_string();
        assert!(text.contains("the PIN is wrong, and few tries are left"), "{text}");
        assert!(!text.contains("9999") && !format!("{error:?} {wrong:?}").contains("9999"));
        for again in [&wrong, &source("pkcs11:token=wrong?pin-value=9999")] {
            let error = again.signer(&alone(), &wanted).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(error.message().contains("has refused this PIN before"), "{error}");
        }
        // A person who mistypes is asked again the next time, not at once.
        let (context, asked) = answering("8888");
        let typed = source("pkcs11:token=wrong");
        for _ in 0..2 {
            assert_eq!(
                typed.signer(&context, &wanted).await.unwrap_err().kind(),
                ErrorKind::Denied
            );
        }
        assert_eq!(asked.load(Ordering::SeqCst), 2);
        let right = source("pkcs11:token=wrong?pin-value=1234");
        check(&right.signer(&alone(), &wanted).await.unwrap(), "p256").await;
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn of_tokens_with_one_label_the_serial_number_chooses() {
        let wanted = [certificate("p256")];
        let uri = "pkcs11:token=twin?pin-value=1234";
        let error = source(uri).signer(&alone(), &wanted).await.unwrap_err().to_string();
        let twins = Context::real().fs.read(&folder().join("twins"), 1000).unwrap();
        let twins = String::from_utf8(twins.to_vec()).unwrap();
        for serial in twins.lines() {
            assert!(error.contains(serial) && error.contains("2 tokens"), "{error}");
            let uri = format!("pkcs11:token=twin;serial={serial}?pin-value=1234");
            check(&source(&uri).signer(&alone(), &wanted).await.unwrap(), "p256").await;
        }
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn a_key_that_always_asks_gets_the_pin_at_each_signature() {
        let wanted = [certificate("rsa")];
        let uri = "pkcs11:token=always;object=rsa?pin-value=1234";
        let signer = reusing(uri).signer(&alone(), &wanted).await.unwrap();
        check(&signer, "rsa").await;
        let (context, asked) = answering("1234");
        let signer = source(uri).signer(&context, &wanted).await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 0);
        check(&signer, "rsa").await;
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        let signer = source(uri).signer(&alone(), &wanted).await.unwrap();
        let error = signer.sign(Digest::Sha256, b"").await.unwrap_err();
        assert!(error.to_string().contains("--reuse-pin"), "{error}");
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn a_wrong_pin_at_a_signature_is_denied_and_the_right_one_works_then() {
        let wanted = [certificate("rsa")];
        let uri = "pkcs11:token=always;object=rsa?pin-value=1234";
        let pins = Arc::new(std::sync::Mutex::new(vec!["1234", "7777"]));
        let prompt =
            Prompt::from_fn(move |_| Ok(Secret::from(pins.lock().unwrap().pop().unwrap())));
        let context = Context { prompt, ..Context::real() };
        let signer = source(uri).signer(&context, &wanted).await.unwrap();
        let error = signer.sign(Digest::Sha256, b"").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        signer.sign(Digest::Sha256, b"").await.unwrap();
    }

    /// SoftHSM has no mechanism for ECDSA in parts.
    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn an_ec_key_that_always_asks_is_a_clear_error_where_it_cannot_sign_in_parts() {
        let uri = "pkcs11:token=always;object=p256?pin-value=1234";
        let signer = reusing(uri).signer(&alone(), &[certificate("p256")]).await.unwrap();
        let error = signer.sign(Digest::Sha256, b"").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.to_string().contains("cannot sign in parts"), "{error}");
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn a_key_without_its_public_half_is_checked_with_the_certificate() {
        let uri = "pkcs11:token=bare;object=bare?pin-value=1234";
        let signer = source(uri).signer(&alone(), &[certificate("p256")]).await.unwrap();
        check(&signer, "p256").await;
        // Of the same kind, but another key's.
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let other = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let other = Certificate::from_der(other.der()).unwrap();
        let signer = source(uri).signer(&alone(), &[other]).await.unwrap();
        let error = signer.sign(Digest::Sha256, b"").await.unwrap_err();
        assert!(error.to_string().contains("does not belong to the certificate"), "{error}");
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn what_is_not_found_is_listed() {
        let wanted = [certificate("p384")];
        for (uri, wanted, parts) in [
            (
                "pkcs11:token=none",
                &wanted[..],
                vec!["no token for pkcs11:token=none", "token \"keys\""],
            ),
            (
                "pkcs11:token=keys;object=none;type=private?pin-value=1234",
                &wanted,
                vec!["object=none", "token \"keys\""],
            ),
            (
                "pkcs11:token=keys;object=rsa?pin-value=1234",
                &wanted,
                vec!["belongs to the certificate", "\"rsa\" (id 01)"],
            ),
            ("pkcs11:token=keys?pin-value=1234", &[], vec!["4 private keys", "\"p521\" (id 04)"]),
            ("pkcs11:token=keys;slot-description=none", &wanted, vec!["no token"]),
            ("pkcs11:token=keys;library-manufacturer=none", &wanted, vec!["no token"]),
        ] {
            let error = source(uri).signer(&alone(), wanted).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
            for part in parts {
                assert!(error.to_string().contains(part), "{uri}: {error}");
            }
            assert!(!error.to_string().contains("1234"), "{error}");
        }
        let uri = "pkcs11:token=keys;object=none?pin-value=1234";
        let found = source(uri).certificates(&alone()).await.unwrap();
        assert!(found.named.is_empty() && found.all.is_empty());
    }

    /// As after a fork, or when the token was taken out and put back.
    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn a_module_that_has_forgotten_its_sessions_is_opened_again() {
        let (context, asked) = answering("1234");
        let wanted = [certificate("p256")];
        let signer = source("pkcs11:token=pin").signer(&context, &wanted).await.unwrap();
        for _ in 0..2 {
            let module = Module::find(&context, Some(&module()), &Uri::default()).unwrap();
            let shared = module.clone();
            let end = move |state: &mut super::super::module::State| {
                shared.library(state)?.finalize().unwrap();
                Ok(())
            };
            module.call(&context, CALL_LIMIT, end).await.unwrap();
            check(&signer, "p256").await;
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn many_signatures_at_once() {
        let uri = "pkcs11:token=keys?pin-value=1234";
        let rsa = source(uri).signer(&alone(), &[certificate("rsa")]).await.unwrap();
        let ec = source(uri).signer(&alone(), &[certificate("p256")]).await.unwrap();
        let tasks: Vec<_> = (0..32_u8)
            .map(|text| {
                let signer = if text % 2 == 0 { rsa.clone() } else { ec.clone() };
                tokio::spawn(async move {
                    let signature = signer.sign(Digest::Sha256, &[text]).await.unwrap();
                    let (kind, public) = (signer.kind(), signer.public_key());
                    assert!(verifies(kind, public, Digest::Sha256, &[text], &signature));
                })
            })
            .collect();
        drop((rsa, ec));
        for task in tasks {
            task.await.unwrap();
        }
    }

    async fn identity(certificate: Option<&str>, key: Option<&str>) -> Result<crate::Identity> {
        let (context, asked) = answering("1234");
        let source = IdentitySource {
            certificate: certificate.map(IdentitySource::locate),
            private_key: key.map(IdentitySource::locate),
            pkcs11_module: Some(module()),
            selector: Some("Key=x509Subject,Value=CN=p256".parse().unwrap()),
            ..IdentitySource::default()
        };
        let identity = crate::IdentityReader::new(context, source).identity().await?;
        identity.signer().sign(Digest::Sha256, b"text").await?;
        assert!(asked.load(Ordering::SeqCst) <= 1);
        Ok(identity)
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn an_identity_is_put_together_from_token_and_files() {
        let file = folder().join("p256.der").display().to_string();
        let key_file = folder().join("p256.key").display().to_string();
        let token = "pkcs11:token=keys";
        for (certificate, key) in [
            (Some(token), None),
            (None, Some("pkcs11:token=keys;object=p256;type=private")),
            (Some("pkcs11:token=keys;object=p256-cert;type=cert"), Some(token)),
            (Some(&file), Some(token)),
            (Some(token), Some(&key_file)),
        ] {
            let identity = identity(certificate, key).await.unwrap();
            assert_eq!(identity.leaf(), &super::softhsm::certificate("p256"));
        }
        let wrong = identity(Some(token), Some("pkcs11:token=keys;object=rsa;type=private")).await;
        let error = wrong.unwrap_err().to_string();
        assert!(error.contains("belongs to the certificate"), "{error}");
    }

    /// Where it is a certificate that is named, its key may well be called otherwise.
    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn a_name_that_nothing_has_is_an_error_that_tells_what_there_is() {
        let file = folder().join("p256.der").display().to_string();
        let none = Some("pkcs11:token=keys;object=none");
        let error = identity(Some(&file), none).await.unwrap_err().to_string();
        assert!(error.contains("object=none") && error.contains("\"p256\" (id "), "{error}");
        let error = identity(none, None).await.unwrap_err().to_string();
        assert!(error.contains("no such certificate; there are: "), "{error}");
        assert!(error.contains("\"p256-cert\" (id "), "{error}");
    }

    #[tokio::test]
    #[ignore = "with_softhsm runs it"]
    async fn no_pin_is_in_debug_text() {
        let uri = "pkcs11:token=keys?pin-value=1234";
        let signer = source(uri).signer(&alone(), &[certificate("rsa")]).await.unwrap();
        let shown = format!("{signer:?} {:?}", source(uri));
        assert!(shown.contains("\"keys\"") && !shown.contains("1234"), "{shown}");
    }
}
