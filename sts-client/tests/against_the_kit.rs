//! Every operation over real HTTP against an AWS on loopback that verifies signatures and
//! parameters.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rolecall_core::http::{WebClient, WebSettings};
use rolecall_core::{
    Clock, Context, Credentials, ErrorKind, Fs, Prompt, ProvideCredentials, SharedProvider,
};
use rolecall_kit::{Fault, FaultRule, Kit, World, names};
use rolecall_sts::{
    AssumeRole, AssumeRoleWithSaml, AssumeRoleWithWebIdentity, AssumeRoot,
    DecodeAuthorizationMessage, GetAccessKeyInfo, GetFederationToken, GetSessionToken,
    GetWebIdentityToken, QueryEndpoint, RoleHop, RoleHopProvider, ServiceError, StsClient, Tag,
    WebIdentity, WebIdentityProvider, presign, sign,
};

fn alice() -> SharedProvider {
    Arc::new(Credentials::new(names::ALICE_KEY, names::ALICE_SECRET, "alice's keys"))
}

fn root() -> SharedProvider {
    Arc::new(Credentials::new(names::ROOT_KEY, names::ROOT_SECRET, "root's keys"))
}

/// Real HTTP, the kit's time, no files.
fn context(kit: &Kit) -> Context {
    let seconds = kit.now().cast_unsigned();
    Context {
        clock: Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
        http: Arc::new(WebClient::new(WebSettings::default(), Fs::real())),
        ..Context::fake()
    }
}

fn endpoint(kit: &Kit) -> QueryEndpoint {
    QueryEndpoint {
        url: kit.url(),
        signing_region: "eu-west-1".to_owned(),
        signing_name: "sts".to_owned(),
    }
}

fn client(kit: &Kit, credentials: SharedProvider) -> StsClient {
    StsClient::new(context(kit), endpoint(kit), Some(credentials))
}

fn role(arn: &str) -> AssumeRole {
    AssumeRole {
        role_arn: arn.to_owned(),
        role_session_name: "me".to_owned(),
        ..AssumeRole::default()
    }
}

fn hop(arn: &str) -> RoleHop {
    RoleHop { role_arn: arn.to_owned(), ..RoleHop::default() }
}

#[tokio::test]
async fn a_role_is_assumed_and_its_session_is_who_it_should_be() {
    let kit = Kit::start(World::default());
    let input = AssumeRole {
        policy: Some("{\"Version\": \"2012-10-17\", \"Statement\": []}".to_owned()),
        policy_arns: vec!["arn:aws:iam::aws:policy/ReadOnlyAccess".to_owned()],
        duration_seconds: Some(900),
        tags: vec![Tag { key: "team é".to_owned(), value: "a+b =c@é".to_owned() }],
        transitive_tag_keys: vec!["team é".to_owned()],
        source_identity: Some("alice".to_owned()),
        ..role(names::HOP)
    };
    let output = client(&kit, alice()).assume_role(&input).await.unwrap();
    assert_eq!(output.credentials.account_id(), Some("222222222222"));
    assert_eq!(output.source_identity.as_deref(), Some("alice"));
    let sts = client(&kit, Arc::new(output.credentials));
    let caller = sts.get_caller_identity().await.unwrap();
    assert_eq!(caller.arn, output.assumed_role_user.arn);
    assert_eq!(caller.user_id, output.assumed_role_user.assumed_role_id);
}

#[tokio::test]
async fn hops_follow_one_another() {
    let kit = Kit::start(World::default());
    let mut provider = alice();
    for arn in [names::HOP, names::DEPLOY, names::FINAL] {
        provider =
            Arc::new(RoleHopProvider::new(context(&kit), endpoint(&kit), provider, hop(arn)));
    }
    let credentials = provider.provide_credentials().await.unwrap();
    assert_eq!(credentials.account_id(), Some("444444444444"));
    assert_eq!(kit.count("AssumeRole"), 3);
}

#[tokio::test]
async fn external_id_and_mfa_open_what_is_closed_without_them() {
    let kit = Kit::start(World::default());
    let refused = client(&kit, alice()).assume_role(&role(names::EXTERNAL)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Denied);
    assert_eq!(ServiceError::of(&refused).unwrap().code, "AccessDenied");
    assert!(refused.help().unwrap().contains("external id"), "{refused}");

    let external =
        RoleHop { external_id: Some(names::EXTERNAL_ID.to_owned()), ..hop(names::EXTERNAL) };
    let provider = RoleHopProvider::new(context(&kit), endpoint(&kit), alice(), external);
    provider.provide_credentials().await.unwrap();

    for (code, good) in [(names::ALICE_MFA_CODES[0], true), ("000000", false)] {
        let prompt = Prompt::from_fn(move |_| Ok(code.into()));
        let context = Context { prompt, ..context(&kit) };
        let mfa = RoleHop { mfa_serial: Some(names::ALICE_MFA.to_owned()), ..hop(names::MFA) };
        let provider = RoleHopProvider::new(context, endpoint(&kit), alice(), mfa);
        match provider.provide_credentials().await {
            Ok(_) => assert!(good),
            Err(error) => {
                assert!(!good && error.kind() == ErrorKind::Denied, "{error}");
                assert!(error.help().unwrap().contains("MFA code"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn web_identity_and_saml_need_no_signature() {
    let kit = Kit::start(World::default());
    let sts = StsClient::new(context(&kit), endpoint(&kit), None);
    let subject = format!("{}default:app", names::OIDC_SUBJECT_PREFIX);
    let token = kit.web_identity_token(&subject, names::OIDC_AUDIENCE);
    let input = AssumeRoleWithWebIdentity::new(names::WEB, "me", token.as_str().into());
    let output = sts.assume_role_with_web_identity(&input).await.unwrap();
    assert_eq!(output.subject_from_web_identity_token.as_deref(), Some(subject.as_str()));
    assert_eq!(output.credentials.account_id(), Some(names::ACCOUNT));

    let assertion = kit.saml_assertion(names::SAML, names::SAML_PROVIDER, "me");
    let input = AssumeRoleWithSaml::new(names::SAML, names::SAML_PROVIDER, assertion.into());
    let output = sts.assume_role_with_saml(&input).await.unwrap();
    assert_eq!(output.issuer.as_deref(), Some(names::SAML_ISSUER));

    let folder = tempfile::tempdir().unwrap();
    let fs = Fs::rooted(folder.path());
    fs.write("/token".as_ref(), format!("{token}\n").as_bytes()).unwrap();
    let identity = WebIdentity {
        role_arn: names::WEB.to_owned(),
        token_file: "/token".into(),
        ..WebIdentity::default()
    };
    let context = Context { fs, ..context(&kit) };
    let provider = WebIdentityProvider::new(context, endpoint(&kit), identity);
    provider.provide_credentials().await.unwrap();
    assert!(kit.calls().iter().all(|call| call.access_key_id.is_none()));
}

#[tokio::test]
async fn the_other_operations_work() {
    let kit = Kit::start(World::default());
    let sts = client(&kit, alice());
    let session = GetSessionToken {
        serial_number: Some(names::ALICE_MFA.to_owned()),
        token_code: Some(names::ALICE_MFA_CODES[1].into()),
        ..GetSessionToken::default()
    };
    let session = sts.get_session_token(&session).await.unwrap();
    let caller = client(&kit, Arc::new(session.credentials)).get_caller_identity().await.unwrap();
    assert_eq!(caller.arn, format!("arn:aws:iam::{}:user/alice", names::ACCOUNT));

    let federation = GetFederationToken { name: "guest".to_owned(), ..Default::default() };
    let federation = sts.get_federation_token(&federation).await.unwrap();
    assert_eq!(federation.credentials.account_id(), Some(names::ACCOUNT));

    let key = GetAccessKeyInfo { access_key_id: names::BOB_KEY.to_owned() };
    assert_eq!(sts.get_access_key_info(&key).await.unwrap().account, names::ACCOUNT);

    let encoded_message = kit.encode_authorization_message("{\"allowed\": false}");
    let decoded = DecodeAuthorizationMessage { encoded_message };
    let decoded = sts.decode_authorization_message(&decoded).await.unwrap();
    assert_eq!(decoded.decoded_message, "{\"allowed\": false}");

    let token = GetWebIdentityToken {
        audience: vec!["https://a.test".to_owned(), "https://b.test".to_owned()],
        signing_algorithm: "ES384".to_owned(),
        ..GetWebIdentityToken::default()
    };
    let token = sts.get_web_identity_token(&token).await.unwrap();
    assert_eq!(token.web_identity_token.expose().split('.').count(), 3);

    let task = AssumeRoot {
        target_principal: "444444444444".to_owned(),
        task_policy_arn: "arn:aws:iam::aws:policy/root-task/S3UnlockBucketPolicy".to_owned(),
        duration_seconds: Some(900),
    };
    for (caller, allowed) in [(alice(), true), (root(), false)] {
        let outcome = client(&kit, caller).assume_root(&task).await;
        assert_eq!(outcome.is_ok(), allowed, "{outcome:?}");
    }
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_does_not_is_explained() {
    let kit = Kit::start(World::default());
    let sts = client(&kit, alice());
    for fault in [Fault::Throttle, Fault::Close, Fault::Truncate] {
        kit.inject(FaultRule::next("GetCallerIdentity", 2, fault.clone()));
        sts.get_caller_identity().await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
    }
    let page = Fault::Raw {
        status: 200,
        content_type: "text/html".to_owned(),
        body: "<html>please log in</html>".to_owned(),
        headers: Default::default(),
    };
    let elsewhere = Fault::Redirect { status: 302, location: "http://elsewhere.test".to_owned() };
    for (fault, kind) in [
        (page, ErrorKind::Malformed),
        (elsewhere, ErrorKind::Malformed),
        (Fault::Large { bytes: 2 * 1024 * 1024 }, ErrorKind::Malformed),
    ] {
        kit.inject(FaultRule::next("GetCallerIdentity", 1, fault.clone()));
        let error = sts.get_caller_identity().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{fault:?}: {error}");
    }
    kit.inject(FaultRule::always("GetCallerIdentity", Fault::Throttle));
    let error = sts.get_caller_identity().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn a_wrong_clock_is_corrected() {
    let kit = Kit::start(World::default());
    let sts = client(&kit, alice());
    for hours in [2, -3] {
        kit.skew(hours * 3600);
        sts.get_caller_identity().await.unwrap();
    }
}

#[tokio::test]
async fn wrong_and_ended_keys_are_denied_with_what_to_do() {
    let kit = Kit::start(World::default());
    let wrong: SharedProvider =
        Arc::new(Credentials::new(names::ALICE_KEY, "not hers", "profile x"));
    let unknown: SharedProvider =
        Arc::new(Credentials::new("AKIANOBODYEXAMPLE000", "s", "profile x"));
    let session = client(&kit, alice()).assume_role(&role(names::HOP)).await.unwrap();
    kit.expire_session(session.credentials.access_key_id());
    for (keys, code) in [
        (wrong, "SignatureDoesNotMatch"),
        (unknown, "InvalidClientTokenId"),
        (Arc::new(session.credentials), "ExpiredToken"),
    ] {
        let error = client(&kit, keys).get_caller_identity().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert_eq!(ServiceError::of(&error).unwrap().code, code);
        assert!(error.help().is_some(), "{error}");
        let shown = format!("{error} {error:?}");
        for secret in kit.secrets() {
            assert!(!shown.contains(secret.expose()), "{shown}");
        }
    }
}

#[tokio::test]
async fn presigned_urls_and_signed_requests_hold() {
    let kit = Kit::start(World::default());
    let context = context(&kit);
    let session = client(&kit, alice()).assume_role(&role(names::HOP)).await.unwrap().credentials;
    let url = format!("{}/?Action=GetCallerIdentity&Version=2011-06-15", kit.url());
    let get = || http::Request::get(&url).header("x-k8s-aws-id", "blue");
    let scope = rolecall_sts::SigningScope {
        region: "eu-west-1",
        service: "sts",
        time: context.clock.now(),
    };
    let signed = sign(get().body(Vec::new().into()).unwrap(), &session, &scope).unwrap();
    assert_eq!(context.http.send(signed).await.unwrap().status(), 200);

    let request = get().body(Vec::new().into()).unwrap();
    let url = presign(&request, &session, &scope, Duration::from_secs(60)).unwrap();
    for (cluster, status) in [("blue", 200), ("green", 403)] {
        let request = http::Request::get(url.expose()).header("x-k8s-aws-id", cluster);
        let answer = context.http.send(request.body(Vec::new().into()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), status);
    }
}
