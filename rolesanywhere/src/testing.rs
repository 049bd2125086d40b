//! What the tests of this crate share.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rolecall_core::http::HttpClient;
use rolecall_core::{Clock, Context, Fs};

use crate::{Certificate, Identity, PrivateKey, RolesAnywhere, SharedSigner};

/// Runs openssl with arguments separated by white space and `input` on standard input; gives its
/// standard output.
pub(crate) fn openssl(arguments: &str, input: &[u8]) -> Vec<u8> {
    run("openssl", &arguments.split_whitespace().collect::<Vec<_>>(), input)
}

/// Runs a program that has to succeed.
pub(crate) fn run(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    run_in(&[], program, arguments, input)
}

/// The same, with variables added to the environment.
#[expect(clippy::disallowed_methods, reason = "fixtures are made by other programs")]
pub(crate) fn run_in(
    variables: &[(&str, &str)],
    program: &str,
    arguments: &[&str],
    input: &[u8],
) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{program} cannot be run: {e}"));
    // A program that does not read its input closes it: no failure.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    output.stdout
}

/// Wire captures of two requests of AWS's helper.
pub(crate) fn captures() -> Vec<serde_json::Value> {
    let path = rolecall_kit::conformance("roles-anywhere/wire-captures.json");
    serde_json::from_slice(&read_file(path.to_str().unwrap())).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "test data")]
pub(crate) fn read_file(path: &str) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Base64 within a capture.
pub(crate) fn base64(value: &serde_json::Value) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap()).unwrap()
}

/// What the captured requests ask.
pub(crate) fn request() -> RolesAnywhere {
    RolesAnywhere {
        trust_anchor_arn: "arn:aws:rolesanywhere:us-east-2:291738886548:trust-anchor/\
                           a545a1fc-5d86-4032-8f4c-61cdd6ff92da"
            .to_owned(),
        profile_arn: "arn:aws:rolesanywhere:us-east-2:291738886548:profile/\
                      6f4943fb-13d4-4242-89c4-be367595c380"
            .to_owned(),
        role_arn: "arn:aws:iam::291738886548:role/rolesanywhere1".to_owned(),
        ..RolesAnywhere::default()
    }
}

/// Where the clock of a fake machine stands.
pub(crate) fn now() -> SystemTime {
    Clock::fake_now()
}

pub(crate) fn context(http: Arc<dyn HttpClient>, fs: Fs) -> Context {
    Context { http, fs, ..Context::fake() }
}

/// Key and certificate of an authority or a client, made anew.
pub(crate) struct Issued {
    pub(crate) key: KeyPair,
    params: CertificateParams,
    pub(crate) der: Vec<u8>,
}

/// What to change in a certificate before it is made.
pub(crate) type Change<'a> = &'a dyn Fn(&mut CertificateParams);

impl Issued {
    /// Issued by `issuer`, or by itself; a client's with all that AWS asks for.
    pub(crate) fn new(name: &str, issuer: Option<&Self>, change: Change<'_>) -> Self {
        Self::with_key(name, issuer, KeyPair::generate().unwrap(), change)
    }

    pub(crate) fn with_key(
        name: &str,
        issuer: Option<&Self>,
        key: KeyPair,
        change: Change<'_>,
    ) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = (now() - Duration::from_secs(30 * 86_400)).into();
        params.not_after = (now() + Duration::from_secs(300 * 86_400)).into();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let der = match issuer {
            None => params.self_signed(&key),
            Some(issuer) => {
                params.signed_by(&key, &Issuer::from_params(&issuer.params, &issuer.key))
            }
        };
        let der = der.unwrap().der().to_vec();
        Self { key, params, der }
    }

    pub(crate) fn authority(name: &str, issuer: Option<&Self>) -> Self {
        Self::new(name, issuer, &|params| {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages =
                vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        })
    }

    pub(crate) fn certificate(&self) -> Certificate {
        Certificate::from_der(&self.der).unwrap()
    }

    pub(crate) fn signer(&self) -> SharedSigner {
        Arc::new(PrivateKey::from_der(&self.key.serialize_der()).unwrap())
    }

    /// The identity with nothing above the certificate.
    pub(crate) fn identity(&self) -> Identity {
        Identity::new(self.signer(), vec![self.certificate()], now()).unwrap()
    }

    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }

    pub(crate) fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key.serialize_der())
    }
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
