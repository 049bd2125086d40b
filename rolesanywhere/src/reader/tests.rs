use std::path::PathBuf;

use rolecall_core::http::ScriptedHttp;
use rolecall_core::{Env, Fs, Prompt};
use tempfile::TempDir;

use super::*;
use crate::KeyKind;
use crate::testing::{self, Issued, now, openssl};

/// A machine with files, and an authority.
struct Machine {
    folder: TempDir,
    context: Context,
    root: Issued,
}

impl Machine {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let context = testing::context(ScriptedHttp::new([]), Fs::rooted(folder.path()));
        Self { folder, context, root: Issued::authority("root", None) }
    }

    fn leaf(&self, name: &str) -> Issued {
        Issued::new(name, Some(&self.root), &|_| {})
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        self.context.fs.write(&PathBuf::from(format!("/{name}")), contents.as_ref()).unwrap();
    }

    /// Has `cert` and `key` written a minute ago.
    fn put_to_rest(&self) {
        for name in ["cert", "key"] {
            #[expect(clippy::disallowed_methods, reason = "a test's own files")]
            let file = std::fs::File::options().write(true).open(self.folder.path().join(name));
            file.unwrap().set_modified(now() - Duration::from_secs(60)).unwrap();
        }
    }

    /// Reads `cert`, `key` and `chain`, whichever are named.
    fn reader(&self, names: &str) -> IdentityReader {
        self.reader_with(names, None)
    }

    fn reader_with(&self, names: &str, password: Option<&str>) -> IdentityReader {
        let file = |name: &str| {
            let path = PathBuf::from(format!("/{name}"));
            names.split(' ').any(|n| n == name).then_some(SecretInput::File(path))
        };
        let source = IdentitySource {
            certificate: file("cert"),
            private_key: file("key"),
            intermediates: file("chain"),
            password: password.map(|text| SecretInput::Literal(text.into())),
            ..IdentitySource::default()
        };
        IdentityReader::new(self.context.clone(), source)
    }
}

async fn subject(reader: &IdentityReader) -> String {
    reader.identity().await.unwrap().leaf().subject().to_owned()
}

#[tokio::test]
async fn key_and_certificate_may_lie_together_or_apart() {
    let machine = Machine::new();
    let leaf = machine.leaf("me");
    machine.write("cert", leaf.pem());
    machine.write("key", leaf.key_pem());
    assert_eq!(subject(&machine.reader("cert key")).await, "CN=me");
    // Both in one file, under either name.
    machine.write("cert", leaf.key_pem() + &leaf.pem());
    assert_eq!(subject(&machine.reader("cert")).await, "CN=me");
    machine.write("key", leaf.pem() + &leaf.key_pem());
    assert_eq!(subject(&machine.reader("key")).await, "CN=me");
    assert_eq!(subject(&machine.reader("cert key")).await, "CN=me");
}

#[tokio::test]
async fn the_chain_comes_from_every_file_and_the_leaf_from_its_own() {
    let machine = Machine::new();
    let upper = Issued::authority("upper", Some(&machine.root));
    let lower = Issued::authority("lower", Some(&upper));
    let leaf = Issued::new("me", Some(&lower), &|_| {});
    machine.write("cert", lower.pem() + &leaf.pem());
    machine.write("key", leaf.key_pem());
    machine.write("chain", machine.root.pem() + &upper.pem());
    let identity = machine.reader("cert key chain").identity().await.unwrap();
    assert_eq!(identity.chain(), [lower.certificate(), upper.certificate()]);
    // The leaf is not looked for among the intermediates.
    machine.write("cert", lower.pem());
    machine.write("chain", leaf.pem());
    let error = machine.reader("cert key chain").identity().await.unwrap_err();
    assert!(error.message().contains("do not belong together"), "{error}");
}

#[tokio::test]
async fn what_does_not_fit_is_said_with_the_files() {
    let machine = Machine::new();
    let (leaf, other) = (machine.leaf("me"), machine.leaf("you"));
    machine.write("cert", leaf.pem());
    machine.write("key", other.key_pem());
    let error = machine.reader("cert key").identity().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    let text = error.to_string();
    assert!(text.starts_with("/cert and /key: "), "{text}");
    assert!(text.contains("CN=me (serial") && text.contains("EC P-256"), "{text}");

    machine.write("key", leaf.pem());
    let error = machine.reader("cert key").identity().await.unwrap_err();
    assert_eq!(error.place(), Some("/key"));
    assert!(error.message().ends_with("no private key: it holds a certificate"), "{error}");
    assert!(error.help().unwrap().contains("wrong way round"), "{error}");

    machine.write("key", leaf.key_pem());
    machine.write("cert", leaf.key_pem());
    let error = machine.reader("cert key").identity().await.unwrap_err();
    assert_eq!(error.place(), Some("/cert"));
    assert!(error.message().ends_with("no certificate: it holds a private key"), "{error}");

    let error = machine.reader("key").identity().await.unwrap_err();
    assert!(error.message().contains("no certificate"), "{error}");
    let error = machine.reader("key chain").identity().await.unwrap_err();
    assert!(error.to_string().contains("/chain: "), "{error}");
    let error = machine.reader("").identity().await.unwrap_err();
    assert!(error.help().unwrap().contains("--certificate"), "{error}");
    machine.write("cert", leaf.pem());
    let error = machine.reader("cert").identity().await.unwrap_err();
    assert!(error.help().unwrap().contains("--private-key"), "{error}");
    machine.write("cert", leaf.key_pem() + &other.key_pem() + &leaf.pem());
    let error = machine.reader("cert").identity().await.unwrap_err();
    assert!(error.message().contains("2 private keys"), "{error}");
}

#[tokio::test]
async fn text_variables_and_der_will_do() {
    let mut machine = Machine::new();
    let leaf = machine.leaf("me");
    use base64::Engine;
    let key = base64::engine::general_purpose::STANDARD.encode(leaf.key.serialize_der());
    machine.context.env = Env::from_pairs([("KEY", key)]);
    machine.write("cert", &leaf.der);
    let source = IdentitySource {
        certificate: Some(IdentitySource::locate("/cert")),
        private_key: Some(IdentitySource::locate("env:KEY")),
        ..IdentitySource::default()
    };
    assert_eq!(
        subject(&IdentityReader::new(machine.context.clone(), source.clone())).await,
        "CN=me"
    );
    let text = leaf.pem() + &leaf.key_pem();
    let literal = IdentitySource {
        certificate: Some(IdentitySource::locate(&text)),
        ..IdentitySource::default()
    };
    assert_eq!(subject(&IdentityReader::new(machine.context.clone(), literal)).await, "CN=me");
    let missing =
        IdentitySource { private_key: Some(SecretInput::Env("NONE".to_owned())), ..source };
    let error = IdentityReader::new(machine.context.clone(), missing).identity().await.unwrap_err();
    assert!(error.to_string().contains("environment variable NONE"), "{error}");
}

#[tokio::test]
async fn keys_elsewhere_are_refused_with_what_there_is() {
    let machine = Machine::new();
    machine.write("cert", machine.leaf("me").pem());
    let with_key = |text: &str| {
        let source = IdentitySource {
            certificate: Some(IdentitySource::locate("/cert")),
            private_key: Some(IdentitySource::locate(text)),
            ..IdentitySource::default()
        };
        IdentityReader::new(machine.context.clone(), source)
    };
    let error = with_key("handle:0x81000101").identity().await.unwrap_err();
    assert!(error.message().contains("TPM, which is not supported yet"), "{error}");
}

fn encrypted(leaf: &Issued) -> Vec<u8> {
    openssl("pkcs8 -topk8 -passout pass:hunter2", leaf.key_pem().as_bytes())
}

#[tokio::test]
async fn an_encrypted_key_takes_the_password_that_is_given() {
    let machine = Machine::new();
    let leaf = machine.leaf("me");
    machine.write("cert", leaf.pem());
    machine.write("key", encrypted(&leaf));
    assert_eq!(subject(&machine.reader_with("cert key", Some("hunter2"))).await, "CN=me");
    let error = machine.reader_with("cert key", Some("wrong")).identity().await.unwrap_err();
    assert_eq!((error.kind(), error.place()), (ErrorKind::Denied, Some("/key")));
    let error = machine.reader("cert key").identity().await.unwrap_err();
    assert!(error.help().unwrap().contains("--pkcs8-password"), "{error}");
}

#[tokio::test]
async fn a_person_is_asked_once_and_may_mistype() {
    let mut machine = Machine::new();
    let leaf = machine.leaf("me");
    machine.write("cert", leaf.pem());
    machine.write("key", encrypted(&leaf));
    let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = asked.clone();
    machine.context.prompt = Prompt::from_fn(move |question| {
        let mut log = log.lock().unwrap();
        log.push(question.to_owned());
        Ok(Secret::from(if log.len() == 1 { "wrong" } else { "hunter2" }))
    });
    let reader = machine.reader("cert key");
    reader.identity().await.unwrap();
    assert_eq!(
        *asked.lock().unwrap(),
        ["Password of /key: ", "Wrong password. Password of /key: "]
    );
    // The same key encrypted anew: nobody is asked again.
    machine.write("key", encrypted(&leaf));
    reader.identity().await.unwrap();
    assert_eq!(asked.lock().unwrap().len(), 2);
    // Three wrong answers are enough.
    machine.context.prompt = Prompt::from_fn(|_| Ok(Secret::from("wrong")));
    let error = machine.reader("cert key").identity().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(!format!("{error} {reader:?}").contains("hunter2"));
}

#[tokio::test]
async fn pkcs12_is_opened_with_and_without_a_password() {
    let mut machine = Machine::new();
    let middle = Issued::authority("middle", Some(&machine.root));
    let leaf = Issued::new("me", Some(&middle), &|_| {});
    let text = leaf.key_pem() + &leaf.pem() + &middle.pem();
    let store = |password: &str| {
        openssl(&format!("pkcs12 -export -passout pass:{password}"), text.as_bytes())
    };
    machine.write("cert", store(""));
    let identity = machine.reader("cert").identity().await.unwrap();
    assert_eq!(identity.chain(), [middle.certificate()]);
    machine.write("cert", store("hunter2"));
    assert_eq!(subject(&machine.reader_with("cert", Some("hunter2"))).await, "CN=me");
    let error = machine.reader_with("cert", Some("wrong")).identity().await.unwrap_err();
    assert_eq!((error.kind(), error.place()), (ErrorKind::Denied, Some("/cert")));
    machine.context.prompt = Prompt::from_fn(|_| Ok(Secret::from("hunter2")));
    let reader = machine.reader("cert");
    assert_eq!(subject(&reader).await, "CN=me");
    assert_eq!(reader.certificates().await.unwrap()[0], leaf.certificate());
    // Its certificate with a key in a file.
    machine.write("key", leaf.key_pem());
    assert_eq!(subject(&machine.reader("cert key")).await, "CN=me");
}

#[tokio::test]
async fn key_and_certificate_alone_are_read_for_the_helpers_commands() {
    let machine = Machine::new();
    let leaf = machine.leaf("me");
    machine.write("cert", leaf.pem() + &machine.root.pem());
    machine.write("key", leaf.key_pem());
    let signer = machine.reader("key").signer().await.unwrap();
    assert_eq!(signer.kind(), KeyKind::P256);
    let certificates = machine.reader("cert").certificates().await.unwrap();
    assert_eq!(certificates, [leaf.certificate(), machine.root.certificate()]);
    let error = machine.reader("key").certificates().await.unwrap_err();
    assert!(error.message().ends_with("it holds a private key"), "{error}");
}

#[tokio::test]
async fn a_pair_that_is_replaced_is_read_anew() {
    let machine = Machine::new();
    let (old, new) = (machine.leaf("old"), machine.leaf("new"));
    machine.write("cert", old.pem());
    machine.write("key", old.key_pem());
    let reader = machine.reader("cert key");
    assert_eq!(subject(&reader).await, "CN=old");
    // One after the other: in between, the pair from before goes on.
    machine.write("cert", new.pem());
    assert_eq!(subject(&reader).await, "CN=old");
    machine.write("key", new.key_pem());
    assert_eq!(subject(&reader).await, "CN=new");
}

#[tokio::test]
async fn whatever_is_half_written_keeps_the_old_pair_while_it_is_valid() {
    let machine = Machine::new();
    let (old, new) = (machine.leaf("old"), machine.leaf("new"));
    let tomorrow = Issued::new("tomorrow", Some(&machine.root), &|params| {
        params.not_before = (now() + Duration::from_secs(86_400)).into();
    });
    let whole = |leaf: &Issued| leaf.pem() + &leaf.key_pem();
    machine.write("cert", whole(&old));
    let reader = machine.reader("cert");
    assert_eq!(subject(&reader).await, "CN=old");
    for half in [
        String::new(),
        whole(&new)[..100].to_owned(),
        whole(&new)[..whole(&new).len() - 40].to_owned(),
        new.pem(),
        new.key_pem(),
        new.pem() + &old.key_pem(),
        whole(&tomorrow),
    ] {
        machine.write("cert", &half);
        assert_eq!(subject(&reader).await, "CN=old", "{half}");
        // Without one from before there is nothing to go on with, unless AWS alone would mind.
        assert_eq!(machine.reader("cert").identity().await.is_ok(), half == whole(&tomorrow));
    }
    machine.context.fs.remove(Path::new("/cert")).unwrap();
    assert_eq!(subject(&reader).await, "CN=old");
    // Past its end it is no help.
    machine.context.clock.advance(Duration::from_secs(400 * 86_400));
    let error = reader.identity().await.unwrap_err();
    assert!(error.to_string().starts_with("/cert: "), "{error}");
}

#[tokio::test]
async fn yesterdays_intermediates_are_not_sent_with_todays_leaf() {
    let machine = Machine::new();
    let pair = |name: &str| {
        let middle = Issued::authority(name, Some(&machine.root));
        (Issued::new("me", Some(&middle), &|_| {}), middle)
    };
    let ((old, old_middle), (new, new_middle)) = (pair("old CA"), pair("new CA"));
    machine.write("cert", old.pem() + &old.key_pem());
    machine.write("chain", old_middle.pem());
    let reader = machine.reader("cert chain");
    let serial = reader.identity().await.unwrap().leaf().serial().to_owned();
    machine.write("cert", new.pem() + &new.key_pem());
    assert_eq!(reader.identity().await.unwrap().leaf().serial(), serial);
    machine.write("chain", new_middle.pem());
    let identity = reader.identity().await.unwrap();
    assert_eq!(
        (identity.leaf(), identity.chain()),
        (&new.certificate(), &[new_middle.certificate()][..])
    );
}

/// Nobody waits on a wall clock: the pair is mended at the first pause.
#[tokio::test]
async fn a_pair_that_is_just_being_written_is_waited_for_a_moment() {
    let machine = Machine::new();
    let (old, new) = (machine.leaf("old"), machine.leaf("new"));
    machine.write("cert", new.pem());
    machine.write("key", old.key_pem());
    let (fs, key) = (machine.context.fs.clone(), new.key_pem());
    let writer = async move {
        fs.write(Path::new("/key"), key.as_bytes()).unwrap();
    };
    let reader = machine.reader("cert key");
    let (identity, ()) = tokio::join!(reader.identity(), writer);
    assert_eq!(identity.unwrap().leaf().subject(), "CN=new");
    assert_eq!(machine.context.clock.sleeps(), [PAUSE]);
}

#[tokio::test]
async fn files_at_rest_that_do_not_fit_are_read_once_more() {
    let machine = Machine::new();
    machine.write("cert", machine.leaf("me").pem());
    machine.write("key", machine.leaf("you").key_pem());
    machine.put_to_rest();
    machine.reader("cert key").identity().await.unwrap_err();
    assert_eq!(machine.context.clock.sleeps(), [PAUSE]);
    // Texts and files that are not there do not change.
    let text = identity_reader(&machine, &machine.leaf("me").pem());
    text.identity().await.unwrap_err();
    machine.reader("chain").identity().await.unwrap_err();
    assert_eq!(machine.context.clock.sleeps(), [PAUSE]);
}

fn identity_reader(machine: &Machine, text: &str) -> IdentityReader {
    let certificate = Some(IdentitySource::locate(text));
    let source = IdentitySource { certificate, ..IdentitySource::default() };
    IdentityReader::new(machine.context.clone(), source)
}

/// `mv` and `cp -p` keep the time at which the files were written.
#[tokio::test]
async fn a_pair_that_is_swapped_with_its_times_kept_is_waited_for_too() {
    let machine = Machine::new();
    let (old, new) = (machine.leaf("old"), machine.leaf("new"));
    machine.write("cert", new.pem());
    machine.write("key", old.key_pem());
    machine.put_to_rest();
    let writer = async {
        machine.write("key", new.key_pem());
        machine.put_to_rest();
    };
    let reader = machine.reader("cert key");
    let (identity, ()) = tokio::join!(reader.identity(), writer);
    assert_eq!(identity.unwrap().leaf().subject(), "CN=new");
}

/// As a shell gives it: `--certificate <(command)`.
#[tokio::test]
async fn a_pipe_is_read_once() {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let machine = Machine::new();
    let leaf = machine.leaf("me");
    let (pipe, mut writer) = std::io::pipe().unwrap();
    writer.write_all((leaf.pem() + &leaf.key_pem()).as_bytes()).unwrap();
    drop(writer);
    let path = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    let source = IdentitySource {
        certificate: Some(IdentitySource::locate(&path)),
        ..IdentitySource::default()
    };
    let context = Context { fs: Fs::real(), ..machine.context.clone() };
    let reader = IdentityReader::new(context, source);
    assert_eq!(reader.cache_identity(), None);
    assert_eq!(subject(&reader).await, "CN=me");
    assert_eq!(subject(&reader).await, "CN=me");
}

/// Both key and certificate are opened with it, and again when the file is replaced.
#[tokio::test]
async fn a_password_from_a_pipe_is_read_once() {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let machine = Machine::new();
    let store = |name: &str| {
        let leaf = machine.leaf(name);
        let text = leaf.key_pem() + &leaf.pem();
        machine.write("a.p12", openssl("pkcs12 -export -passout pass:hunter2", text.as_bytes()));
    };
    store("me");
    let (pipe, mut writer) = std::io::pipe().unwrap();
    writer.write_all(b"hunter2\n").unwrap();
    drop(writer);
    let file = machine.folder.path().join("a.p12").display().to_string();
    let source = IdentitySource {
        certificate: Some(IdentitySource::locate(&file)),
        private_key: Some(IdentitySource::locate(&file)),
        password: Some(SecretInput::File(format!("/proc/self/fd/{}", pipe.as_raw_fd()).into())),
        ..IdentitySource::default()
    };
    let reader = IdentityReader::new(Context { fs: Fs::real(), ..machine.context.clone() }, source);
    assert_eq!(subject(&reader).await, "CN=me");
    store("renewed");
    assert_eq!(subject(&reader).await, "CN=renewed");
    assert!(!format!("{reader:?}").contains("hunter2"));
}

#[test]
fn the_cache_knows_a_renewed_certificate_and_no_other() {
    let machine = Machine::new();
    let leaf = machine.leaf("me");
    let identity = |text: String| {
        machine.write("cert", text);
        machine.reader("cert key").cache_identity().unwrap()
    };
    let first = identity(leaf.pem());
    let renewed = machine.leaf("me");
    assert_ne!(renewed.der, leaf.der);
    assert_eq!(identity(renewed.pem()), first);
    // With its chain, whatever that is, and with its key.
    assert_eq!(identity(leaf.pem() + &machine.root.pem()), first);
    assert_eq!(identity(leaf.key_pem() + &leaf.pem()), first);
    assert_ne!(identity(machine.leaf("you").pem()), first);
    let other_issuer = Issued::authority("another", None);
    assert_ne!(identity(Issued::new("me", Some(&other_issuer), &|_| {}).pem()), first);
    let other_name = Issued::new("me", Some(&machine.root), &|params| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName("me.example".try_into().unwrap())];
    });
    assert_ne!(identity(other_name.pem()), first);
}

#[test]
fn who_asks_is_not_guessed() {
    let machine = Machine::new();
    assert_eq!(machine.reader("").cache_identity(), None);
    assert_eq!(machine.reader("cert key").cache_identity(), None);
    for text in [String::new(), "broken".to_owned(), machine.leaf("me").key_pem()] {
        machine.write("cert", text);
        assert_eq!(machine.reader("cert key").cache_identity(), None);
    }
    let source = IdentitySource {
        certificate: Some(SecretInput::Stdin),
        private_key: Some(IdentitySource::locate("/key")),
        ..IdentitySource::default()
    };
    assert_eq!(IdentityReader::new(machine.context.clone(), source).cache_identity(), None);
}

/// The cache's text for a certificate and a key, wherever they are.
fn identity_of(machine: &Machine, certificate: &str, key: &str) -> Option<String> {
    let source = IdentitySource {
        certificate: Some(IdentitySource::locate(certificate)),
        private_key: Some(IdentitySource::locate(key)),
        ..IdentitySource::default()
    };
    IdentityReader::new(machine.context.clone(), source).cache_identity()
}

#[test]
fn of_several_certificates_the_key_tells_whose_session_it_is() {
    let machine = Machine::new();
    let (one, two) = (machine.leaf("one"), machine.leaf("two"));
    machine.write("all", one.pem() + &two.pem() + &machine.root.pem());
    machine.write("store", openssl("pkcs12 -export -nokeys -passout pass:", one.pem().as_bytes()));
    for certificate in ["/all", "/store", "pkcs11:token=t"] {
        let of = |key: &str| identity_of(&machine, certificate, key).unwrap();
        // No key is there: none is opened.
        assert_eq!(of("/one.key"), of("/one.key"));
        assert_ne!(of("/one.key"), of("/two.key"));
        assert_ne!(of("pkcs11:object=one"), of("pkcs11:object=two"));
        assert_eq!(of("pkcs11:object=one?pin-value=1"), of("pkcs11:object=one?pin-value=2"));
        assert_ne!(of(&one.key_pem()), of(&two.key_pem()));
        assert_eq!(identity_of(&machine, certificate, "-"), None);
    }
    // With one certificate it is the same identity, wherever the key lies.
    machine.write("one", one.pem());
    let of = |key: &str| identity_of(&machine, "/one", key).unwrap();
    assert_eq!(of("/one.key"), of("/two.key"));
    assert_eq!(of("/one.key"), of("-"));
    // Also while its renewed one lies beside it.
    machine.write("one", one.pem() + &machine.leaf("one").pem());
    assert_eq!(of("/one.key"), of("/two.key"));
    // With the key among them it is told by the key.
    let with_key = |leaf: &Issued| {
        machine.write("cert", one.pem() + &two.pem() + &leaf.key_pem());
        machine.reader("cert").cache_identity().unwrap()
    };
    assert_ne!(with_key(&one), with_key(&two));
}

#[test]
fn the_cache_sees_no_pin() {
    let source = IdentitySource {
        certificate: Some(IdentitySource::locate(
            "pkcs11:object=a?pin-value=1234&module-path=/m.so",
        )),
        ..IdentitySource::default()
    };
    let machine = Machine::new();
    let text = IdentityReader::new(machine.context.clone(), source).cache_identity();
    assert_eq!(text.unwrap(), "pkcs11:object=a;module-path=/m.so None");
}

#[test]
fn the_cache_tells_selectors_apart() {
    let machine = Machine::new();
    let identity = |selector: &str| {
        let source = IdentitySource {
            certificate: Some(IdentitySource::locate("pkcs11:token=a")),
            selector: Some(selector.parse().unwrap()),
            ..IdentitySource::default()
        };
        IdentityReader::new(machine.context.clone(), source).cache_identity()
    };
    assert_ne!(identity("Key=x509Serial,Value=1"), identity("Key=x509Serial,Value=2"));
}
