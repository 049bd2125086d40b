//! Roles Anywhere against an AWS on loopback that verifies what it is sent: every form of key, the
//! chain, the clock, and what is refused.

#![expect(clippy::unwrap_used, reason = "a broken machine fails its test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rolecall_core::endpoint::{ConfiguredUrl, EndpointOptions};
use rolecall_core::http::{WebClient, WebSettings};
use rolecall_core::{
    Clock, Context, CredentialsError, Env, ErrorKind, Fs, Process, Prompt, ProvideCredentials,
    Random, SecretInput,
};
use rolecall_kit::rolesanywhere::{CertificateFault, Issued, KeyType, NewCertificate};
use rolecall_kit::{Fault, FaultRule, Kit, World, names};
use rolecall_rolesanywhere::{
    IdentitySource, RolesAnywhere, RolesAnywhereProvider, ServiceError, Session,
};

const NOW: u64 = 1_767_225_600;

struct Machine {
    kit: Kit,
    folder: tempfile::TempDir,
    context: Context,
}

impl Machine {
    fn new() -> Self {
        let kit = Kit::start(World::default());
        kit.freeze(NOW.cast_signed());
        let folder = tempfile::tempdir().unwrap();
        let context = Context {
            env: Env::from_pairs::<&str, &str>([]),
            fs: Fs::rooted(folder.path()),
            process: Process::fake(|_| Err(std::io::ErrorKind::NotFound.into())),
            clock: Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW)),
            random: Random::seeded(1),
            prompt: Prompt::none(),
            retry_quota: rolecall_core::http::RetryQuota::default(),
            http: Arc::new(WebClient::new(WebSettings::default(), Fs::real())),
        };
        Self { kit, folder, context }
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        self.context.fs.write(&PathBuf::from(format!("/{name}")), contents.as_ref()).unwrap();
    }

    /// The provider for the files `cert`, `key` and `chain`, as far as they are there.
    fn provider(
        &self,
        password: Option<&str>,
        change: fn(&mut RolesAnywhere),
    ) -> RolesAnywhereProvider {
        let mut request = RolesAnywhere {
            trust_anchor_arn: names::TRUST_ANCHOR.to_owned(),
            profile_arn: names::PROFILE.to_owned(),
            role_arn: names::WORKLOAD.to_owned(),
            ..RolesAnywhere::default()
        };
        change(&mut request);
        // A path of an own endpoint counts for nothing.
        let url = ConfiguredUrl::new(format!("{}/ignored", self.kit.url()), "test");
        let options = EndpointOptions { url: Some(url), ..EndpointOptions::default() };
        let file = |name: &str| {
            let is_there = self.folder.path().join(name).exists();
            is_there.then(|| SecretInput::File(Path::new("/").join(name)))
        };
        let source = IdentitySource {
            certificate: file("cert"),
            private_key: file("key"),
            intermediates: file("chain"),
            password: password.map(|text| SecretInput::Literal(text.into())),
            ..IdentitySource::default()
        };
        let endpoint = request.endpoint(&options).unwrap();
        RolesAnywhereProvider::new(self.context.clone(), endpoint, source, request)
    }

    async fn session(&self) -> Session {
        self.provider(None, |_| {}).create_session().await.unwrap()
    }

    /// The error of a provider; no secret is in it.
    async fn error(&self, change: fn(&mut RolesAnywhere)) -> CredentialsError {
        let error = self.provider(None, change).provide_credentials().await.unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.causes());
        for secret in self.kit.secrets() {
            assert!(!shown.contains(secret.expose()), "{shown}");
        }
        error
    }

    /// Issues a certificate and writes it down with its key and chain.
    fn issue(&self, certificate: &NewCertificate) -> Issued {
        let issued = self.kit.issue(certificate);
        self.write("cert", &issued.certificate);
        self.write("key", issued.private_key.as_ref().unwrap().expose());
        match issued.chain.as_str() {
            "" => self.remove("chain"),
            chain => self.write("chain", chain),
        }
        issued
    }

    fn remove(&self, name: &str) {
        self.context.fs.remove(&Path::new("/").join(name)).unwrap();
    }
}

fn new(key: KeyType) -> NewCertificate {
    NewCertificate { key, ..NewCertificate::default() }
}

/// Runs openssl, which makes other forms of a key.
fn openssl(arguments: &str, input: &str) -> Vec<u8> {
    #[expect(clippy::disallowed_methods, reason = "fixtures are made by other programs")]
    let mut command = Command::new("openssl");
    command.args(arguments.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "openssl {arguments}");
    output.stdout
}

#[tokio::test]
async fn every_kind_of_key_gets_a_session() {
    let machine = Machine::new();
    for (count, key) in [
        KeyType::P256,
        KeyType::P384,
        KeyType::P521,
        KeyType::Rsa2048,
        KeyType::Rsa3072,
        KeyType::Rsa4096,
    ]
    .into_iter()
    .enumerate()
    {
        let issued = machine.issue(&new(key));
        let session = machine.session().await;
        let made = machine.kit.sessions();
        assert_eq!(made.len(), count + 1);
        let id = session.credentials.access_key_id();
        assert!(made.iter().any(|made| made.access_key_id == id), "{key:?}");
        assert!(session.credentials.provider().contains(&issued.serial), "{key:?}");
        assert_eq!(session.credentials.account_id(), Some("111111111111"));
        assert_eq!(session.role_arn.as_deref(), Some(names::WORKLOAD));
        let left = session.credentials.time_left(machine.context.clock.now());
        assert_eq!(left, Some(Duration::from_secs(3600)));
    }
}

#[tokio::test]
async fn every_form_of_a_key_gets_a_session() {
    let machine = Machine::new();
    for kind in [KeyType::P256, KeyType::Rsa2048] {
        let issued = machine.issue(&new(kind));
        let key = issued.private_key.as_ref().unwrap().expose().to_owned();
        for (arguments, password) in [
            ("pkcs8 -topk8 -nocrypt -outform DER", None),
            ("pkey -traditional", None),
            ("pkcs8 -topk8 -v2 aes-256-cbc -passout pass:hunter2", Some("hunter2")),
            (
                "pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA512 -passout pass:hunter2",
                Some("hunter2"),
            ),
            ("pkcs8 -topk8 -scrypt -scrypt_N 1024 -passout pass:hunter2", Some("hunter2")),
            // As ACM exports keys: the default PRF is left out.
            (
                "pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA1 -passout pass:hunter2",
                Some("hunter2"),
            ),
        ] {
            machine.write("key", openssl(arguments, &key));
            let provider = machine.provider(password, |_| {});
            provider.provide_credentials().await.unwrap_or_else(|e| panic!("{arguments}: {e}"));
        }
        machine.remove("key");
        let both = format!("{key}{}", issued.certificate);
        for (arguments, password) in [
            ("", None),
            ("pkcs12 -export -passout pass:", None),
            ("pkcs12 -export -passout pass:hunter2", Some("hunter2")),
            (
                "pkcs12 -export -passout pass:hunter2 -certpbe PBE-SHA1-3DES -keypbe PBE-SHA1-3DES -macalg sha1",
                Some("hunter2"),
            ),
        ] {
            match arguments {
                "" => machine.write("cert", &both),
                _ => machine.write("cert", openssl(arguments, &both)),
            }
            let provider = machine.provider(password, |_| {});
            provider.provide_credentials().await.unwrap_or_else(|e| panic!("{arguments}: {e}"));
        }
    }
}

#[tokio::test]
async fn chains_are_sent_in_order_however_they_lie() {
    let machine = Machine::new();
    let issued = machine.issue(&NewCertificate { intermediates: 3, ..NewCertificate::default() });
    machine.session().await;
    // A full chain in one file, and one upside down.
    machine.remove("chain");
    machine.write("cert", format!("{}{}", issued.certificate, issued.chain));
    machine.session().await;
    let mut blocks: Vec<&str> =
        issued.chain.split_inclusive("-----END CERTIFICATE-----\n").collect();
    blocks.reverse();
    machine.write("cert", blocks.concat() + &issued.certificate);
    let session = machine.session().await;
    assert!(session.credentials.provider().contains(&issued.serial));
    // With a link missing, AWS cannot follow; the help says where to look.
    machine.write("cert", blocks[..2].concat() + &issued.certificate);
    let error = machine.error(|_| {}).await;
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(ServiceError::of(&error).unwrap().code, "AccessDeniedException");
    assert!(error.help().unwrap().contains("its issuer is "), "{error}");
}

#[tokio::test]
async fn duration_and_name_are_taken_where_the_profile_accepts_them() {
    let machine = Machine::new();
    machine.issue(&NewCertificate::default());
    let naming = |request: &mut RolesAnywhere| {
        request.profile_arn = names::NAMING_PROFILE.to_owned();
        request.duration_seconds = Some(900);
        request.role_session_name = Some("build-7".to_owned());
    };
    let session = machine.provider(None, naming).create_session().await.unwrap();
    assert!(session.assumed_role_user.unwrap().arn.ends_with("assumed-role/Workload/build-7"));
    let left = session.credentials.time_left(machine.context.clock.now());
    assert_eq!(left, Some(Duration::from_secs(900)));
    let error = machine.error(|request| request.role_session_name = Some("build-7".into())).await;
    assert!(error.message().contains("Not authorized to set roleSessionName"), "{error}");
    assert!(error.help().unwrap().contains("--accept-role-session-name"), "{error}");
}

#[tokio::test]
async fn what_aws_refuses_is_told_with_its_words_and_what_to_do() {
    let machine = Machine::new();
    machine.issue(&NewCertificate::default());
    let error = machine.error(|request| request.role_arn = names::BUILD_AGENT.into()).await;
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().starts_with("AccessDeniedException: "), "{error}");
    assert!(error.message().contains("request id"), "{error}");
    assert!(error.help().unwrap().contains("sts:SetSourceIdentity"), "{error}");
    let error = machine
        .error(|request| {
            request.profile_arn.pop();
            request.profile_arn.push_str("ff");
        })
        .await;
    assert!(ServiceError::of(&error).is_some(), "{error}");
    let unknown =
        NewCertificate { fault: Some(CertificateFault::UnknownCa), ..NewCertificate::default() };
    machine.issue(&unknown);
    let error = machine.error(|_| {}).await;
    assert!(error.message().contains("ntrusted"), "{error}");
    assert!(error.help().unwrap().contains(names::TRUST_ANCHOR), "{error}");
}

/// What can be seen beforehand never reaches AWS; and AWS would have refused each of these.
#[tokio::test]
async fn certificates_that_aws_refuses_are_not_sent() {
    let machine = Machine::new();
    for (fault, says) in [
        (CertificateFault::Expired, "expired at "),
        (CertificateFault::NotYetValid, "not valid before "),
        (CertificateFault::Ca, "certificate authority's"),
        (CertificateFault::NoDigitalSignature, "lacks digitalSignature"),
        (CertificateFault::NoKeyUsage, "no key usage"),
        (CertificateFault::Sha1, "SHA-1"),
        (CertificateFault::Version1, "version 1"),
    ] {
        machine.issue(&NewCertificate { fault: Some(fault), ..NewCertificate::default() });
        let error = machine.error(|_| {}).await;
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.message().contains(says), "{fault:?}: {error}");
    }
    assert_eq!(machine.kit.count("CreateSession"), 0);
}

#[tokio::test]
async fn a_wrong_clock_is_corrected() {
    let machine = Machine::new();
    machine.issue(&NewCertificate::default());
    machine.context.clock.advance(Duration::from_secs(3600));
    machine.session().await;
    assert_eq!(machine.kit.count("CreateSession"), 2);
    assert_eq!(machine.context.clock.skew_millis(), -3_600_000);
    machine.session().await;
    assert_eq!(machine.kit.count("CreateSession"), 3);
}

#[tokio::test]
async fn passing_faults_are_passed_over() {
    let machine = Machine::new();
    machine.issue(&NewCertificate::default());
    for fault in [Fault::Throttle, Fault::Close, Fault::LoseReply] {
        machine.kit.inject(FaultRule::next("CreateSession", 1, fault));
        machine.session().await;
    }
    let proxy = || Fault::Raw {
        status: 403,
        content_type: "text/html".to_owned(),
        body: "<html>no</html>".to_owned(),
        headers: Default::default(),
    };
    machine.kit.inject(FaultRule::next("CreateSession", 1, proxy()));
    let error = machine.error(|_| {}).await;
    assert_eq!(error.kind(), ErrorKind::Malformed);
    machine.kit.inject(FaultRule::always("CreateSession", Fault::Throttle));
    let error = machine.error(|_| {}).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.help().unwrap().contains("10 of these calls a second"), "{error}");
}

/// A pair that is swapped in two steps never breaks a call, and is never mixed: the kit would refuse
/// the signature.
#[tokio::test]
async fn pairs_may_be_swapped_at_any_time() {
    let machine = Machine::new();
    let first = machine.issue(&NewCertificate::default());
    let provider = machine.provider(None, |_| {});
    let serial = |session: &Session| session.credentials.provider().to_owned();
    assert!(serial(&provider.create_session().await.unwrap()).contains(&first.serial));
    let mut last = first;
    for _ in 0..20 {
        let next = machine.kit.issue(&NewCertificate::default());
        machine.write("cert", &next.certificate);
        assert!(serial(&provider.create_session().await.unwrap()).contains(&last.serial));
        machine.write("key", next.private_key.as_ref().unwrap().expose());
        assert!(serial(&provider.create_session().await.unwrap()).contains(&next.serial));
        last = next;
    }
}
