//! One test in a program of its own: tracing remembers for the whole process whether a line is
//! wanted, so that another test could switch lines off that this one must see.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rolecall_core::http::{WebClient, WebSettings};
use rolecall_core::{Clock, Context, Credentials, Fs, Prompt, ProvideCredentials, SecretInput};
use rolecall_kit::{Fault, FaultRule, Kit, SsoLogin, World, names};
use rolecall_sts::{
    AssumeRole, AssumeRoleWithSaml, AssumeRoleWithWebIdentity, MfaSessionProvider, QueryEndpoint,
    RoleHop, RoleHopProvider, Saml, SamlProvider, SamlResponse, SigningScope, Sso, SsoEndpoints,
    SsoProvider, StsClient, presign, sign,
};

#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn at_trace_no_call_and_no_signature_logs_a_secret() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .init();

    let kit = Kit::start(World::default());
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(kit.now().cast_unsigned());
    let folder = tempfile::tempdir().unwrap();
    let asked = AtomicUsize::new(0);
    let context = Context {
        fs: Fs::rooted(folder.path()),
        clock: Clock::manual(now),
        prompt: Prompt::from_fn(move |_| {
            Ok(names::ALICE_MFA_CODES[asked.fetch_add(1, Ordering::SeqCst)].into())
        }),
        http: Arc::new(WebClient::new(WebSettings::default(), Fs::real())),
        ..Context::fake()
    };
    let endpoint = QueryEndpoint {
        url: kit.url(),
        signing_region: "eu-west-1".to_owned(),
        signing_name: "sts".to_owned(),
    };
    let alice = Credentials::new(names::ALICE_KEY, names::ALICE_SECRET, "alice's keys");
    let client = |credentials| {
        StsClient::new(context.clone(), endpoint.clone(), Some(Arc::new(credentials)))
    };

    // A hop with MFA that is tried again, a call signed with its session, two unsigned, one refused.
    let mfa = RoleHop {
        role_arn: names::MFA.to_owned(),
        mfa_serial: Some(names::ALICE_MFA.to_owned()),
        ..RoleHop::default()
    };
    kit.inject(FaultRule::next("AssumeRole", 1, Fault::Throttle));
    let source = Arc::new(alice.clone());
    let hop = RoleHopProvider::new(context.clone(), endpoint.clone(), source, mfa);
    let session = hop.provide_credentials().await.unwrap();
    client(session.clone()).get_caller_identity().await.unwrap();
    let sts = client(alice.clone());
    let token = kit.web_identity_token("system:serviceaccount:a:b", names::OIDC_AUDIENCE);
    let web = AssumeRoleWithWebIdentity::new(names::WEB, "me", token.as_str().into());
    sts.assume_role_with_web_identity(&web).await.unwrap();
    let assertion = kit.saml_assertion(names::SAML, names::SAML_PROVIDER, "me");
    let saml = AssumeRoleWithSaml::new(names::SAML, names::SAML_PROVIDER, assertion.into());
    sts.assume_role_with_saml(&saml).await.unwrap();
    let refused = AssumeRole {
        role_arn: names::MFA.to_owned(),
        role_session_name: "me".to_owned(),
        serial_number: Some(names::ALICE_MFA.to_owned()),
        token_code: Some("000000".into()),
        ..AssumeRole::default()
    };
    sts.assume_role(&refused).await.unwrap_err();

    // An MFA session, an assertion that is looked into, and an SSO token that is renewed, tried
    // again, and refused.
    let keys = Arc::new(alice);
    let session_of_device = MfaSessionProvider::with_client(sts.clone(), keys, names::ALICE_MFA);
    session_of_device.provide_credentials().await.unwrap();
    let assertion = kit.saml_assertion(names::SAML, names::SAML_PROVIDER, "me");
    let saml = Saml {
        role_arn: names::SAML.to_owned(),
        principal_arn: None,
        duration_seconds: None,
        response: SamlResponse::Input(SecretInput::Literal(assertion.into())),
    };
    SamlProvider::with_client(sts.clone(), saml).provide_credentials().await.unwrap();
    let file = Path::new("/home/.aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json");
    context.fs.create_folder(file.parent().unwrap()).unwrap();
    let token = kit.sso_login(&SsoLogin { token_lifetime: 0, ..SsoLogin::default() });
    context.fs.write(file, token.to_string().as_bytes()).unwrap();
    let endpoints = SsoEndpoints { portal: kit.url(), oidc: kit.url() };
    let role = Sso {
        session: Some("dev".to_owned()),
        account_id: names::ACCOUNT.to_owned(),
        role_name: names::SSO_ROLE.to_owned(),
        ..Sso::default()
    };
    let sso = SsoProvider::new(context.clone(), endpoints, Path::new("/home/.aws"), role);
    kit.inject(FaultRule::next("CreateToken", 1, Fault::Throttle));
    // The token that comes has ended too: AWS refuses it.
    sso.provide_credentials().await.unwrap_err();
    let token = kit.sso_login(&SsoLogin::default());
    context.fs.write(file, token.to_string().as_bytes()).unwrap();
    kit.inject(FaultRule::next("GetRoleCredentials", 1, Fault::Close));
    sso.provide_credentials().await.unwrap();
    kit.sso_sign_out(names::SSO_USER);
    context.clock.advance(Duration::from_secs(3600));
    sso.provide_credentials().await.unwrap_err();

    let scope = SigningScope { region: "eu-west-1", service: "sts", time: context.clock.now() };
    let request = || http::Request::get(kit.url()).body(Vec::new().into()).unwrap();
    sign(request(), &session, &scope).unwrap();
    let url = presign(&request(), &session, &scope, Duration::from_secs(60)).unwrap();
    let (_, signature) = url.expose().split_once("X-Amz-Signature=").unwrap();
    let signature = &signature[..64];
    let (_, encoded_token) = url.expose().split_once("X-Amz-Security-Token=").unwrap();
    let encoded_token = encoded_token.split('&').next().unwrap();

    tracing::trace!("the log is on");
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for said in ["the log is on", "answered", "trying again", "CreateToken", "GetRoleCredentials"] {
        assert!(text.contains(said), "{said} is not in the log:\n{text}");
    }
    for secret in kit.secrets() {
        // Request ids may hold six digits by chance; for codes see below.
        if secret.expose().len() > 6 {
            assert!(!text.contains(secret.expose()), "a secret is in the log:\n{text}");
        }
    }
    assert!(!text.contains(encoded_token), "a presigned URL is in the log:\n{text}");
    assert!(!text.contains(signature), "a signature is in the log:\n{text}");
    assert!(!text.contains("TokenCode"), "a body is in the log:\n{text}");
}
