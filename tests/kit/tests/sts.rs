//! STS as a client sees it.

mod support;

use rolecall_kit::{Kit, World, names};
use support::{
    Keys, alice, assume, bob, call, call_unsigned, control, form, post, presign, root, send,
};

fn kit() -> Kit {
    Kit::start(World::default())
}

#[test]
fn get_caller_identity_tells_who_signed() {
    let kit = kit();
    let answer = call(&kit, &alice(), "GetCallerIdentity", &[]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.text("Arn"), "arn:aws:iam::111111111111:user/alice");
    assert_eq!(answer.text("Account"), "111111111111");
    assert!(answer.text("UserId").starts_with("AIDA"));
    assert!(answer.body.starts_with(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <GetCallerIdentityResult>"
    ));
    assert_eq!(answer.headers["x-amzn-requestid"], answer.text("RequestId"));
    assert_eq!(call(&kit, &root(), "GetCallerIdentity", &[]).text("UserId"), "111111111111");
}

#[test]
fn signatures_are_verified() {
    let kit = kit();
    let wrong = Keys { secret: "wrong".into(), ..alice() };
    call(&kit, &wrong, "GetCallerIdentity", &[]).is(403, "SignatureDoesNotMatch", "we calculated");
    let unknown = Keys { id: "AKIANOBODY".into(), ..alice() };
    call(&kit, &unknown, "GetCallerIdentity", &[]).is(403, "InvalidClientTokenId", "invalid");
    call_unsigned(&kit, "GetCallerIdentity", &[]).is(403, "MissingAuthenticationToken", "");
}

#[test]
fn the_default_chain_works_hop_by_hop_and_not_otherwise() {
    let kit = kit();
    let hop = assume(&kit, &alice(), names::HOP, &[]).keys();
    let deploy = assume(&kit, &hop, names::DEPLOY, &[]).keys();
    let last = assume(&kit, &deploy, names::FINAL, &[]);
    assert_eq!(last.text("Arn"), "arn:aws:sts::444444444444:assumed-role/Final/test");
    let id = last.text("AssumedRoleId").to_owned();
    let me = call(&kit, &last.keys(), "GetCallerIdentity", &[]);
    assert_eq!(me.text("Arn"), "arn:aws:sts::444444444444:assumed-role/Final/test");
    assert_eq!(me.text("UserId"), id);
    assume(&kit, &hop, names::FINAL, &[]).is(
        403,
        "AccessDenied",
        "User: arn:aws:sts::222222222222:assumed-role/Hop/test is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444444444444:role/Final",
    );
    assume(&kit, &bob(), names::HOP, &[]).is(403, "AccessDenied", "user/bob is not authorized");
    assume(&kit, &root(), names::HOP, &[]).is(403, "AccessDenied", "root accounts");
    assume(&kit, &alice(), "arn:aws:iam::222222222222:role/None", &[]).is(403, "AccessDenied", "");
}

#[test]
fn durations_end_at_the_roles_and_the_chains_limits() {
    let kit = kit();
    kit.freeze(1_440_938_160);
    let long = assume(&kit, &alice(), names::LONG, &[("DurationSeconds", "43200")]);
    assert_eq!(long.text("Expiration"), "2015-08-31T00:36:00Z");
    assert_eq!(long.text("Arn"), "arn:aws:sts::111111111111:assumed-role/Long/test");
    assert_eq!(assume(&kit, &alice(), names::HOP, &[]).text("Expiration"), "2015-08-30T13:36:00Z");
    assume(&kit, &alice(), names::HOP, &[("DurationSeconds", "3601")]).is(
        400,
        "ValidationError",
        "MaxSessionDuration set for this role",
    );
    let hop = assume(&kit, &alice(), names::HOP, &[]).keys();
    assume(&kit, &hop, names::DEPLOY, &[("DurationSeconds", "3601")]).is(
        400,
        "ValidationError",
        "1 hour session limit for roles assumed by role chaining",
    );
}

#[test]
fn a_session_ends() {
    let kit = kit();
    let hop = assume(&kit, &alice(), names::HOP, &[("DurationSeconds", "900")]).keys();
    kit.advance(899);
    assert_eq!(call(&kit, &hop, "GetCallerIdentity", &[]).status, 200);
    kit.advance(2);
    call(&kit, &hop, "GetCallerIdentity", &[]).is(403, "ExpiredToken", "expired");
    let other = assume(&kit, &alice(), names::HOP, &[]).keys();
    kit.expire_session(&other.id);
    call(&kit, &other, "GetCallerIdentity", &[]).is(403, "ExpiredToken", "expired");
}

#[test]
fn external_ids_must_be_the_right_one() {
    let kit = kit();
    let role = names::EXTERNAL;
    assert_eq!(assume(&kit, &alice(), role, &[("ExternalId", names::EXTERNAL_ID)]).status, 200);
    assume(&kit, &alice(), role, &[]).is(403, "AccessDenied", "not authorized");
    assume(&kit, &alice(), role, &[("ExternalId", "other")]).is(
        403,
        "AccessDenied",
        "not authorized",
    );
}

#[test]
fn mfa_codes_are_good_once_and_only_with_their_device() {
    let kit = kit();
    let with = |serial: &str, code: &str| {
        assume(&kit, &alice(), names::MFA, &[("SerialNumber", serial), ("TokenCode", code)])
    };
    assume(&kit, &alice(), names::MFA, &[]).is(403, "AccessDenied", "not authorized to perform");
    with(names::ALICE_MFA, "000000").is(403, "AccessDenied", "invalid MFA one time pass code.");
    with("arn:aws:iam::111111111111:mfa/bob", "123456").is(
        403,
        "AccessDenied",
        "unable to validate",
    );
    assert_eq!(with(names::ALICE_MFA, "123456").status, 200);
    with(names::ALICE_MFA, "123456").is(403, "AccessDenied", "invalid MFA one time pass code.");
    assert_eq!(with(names::ALICE_MFA, "234567").status, 200);
    assume(&kit, &alice(), names::MFA, &[("SerialNumber", names::ALICE_MFA)]).is(
        403,
        "AccessDenied",
        "must provide both",
    );
    // A session that was made with MFA carries the proof.
    let more = [("SerialNumber", names::ALICE_MFA), ("TokenCode", "345678")];
    let proven = call(&kit, &alice(), "GetSessionToken", &more).keys();
    assert_eq!(assume(&kit, &proven, names::MFA, &[]).status, 200);
    let plain = call(&kit, &alice(), "GetSessionToken", &[]).keys();
    assume(&kit, &plain, names::MFA, &[]).is(403, "AccessDenied", "not authorized");
    kit.reset();
    assert_eq!(with(names::ALICE_MFA, "123456").status, 200);
}

#[test]
fn web_identity_tokens_are_judged() {
    let kit = kit();
    let with = |token: &str| {
        let values =
            [("RoleArn", names::WEB), ("RoleSessionName", "web"), ("WebIdentityToken", token)];
        call_unsigned(&kit, "AssumeRoleWithWebIdentity", &values)
    };
    let subject = "system:serviceaccount:default:app";
    let aud = names::OIDC_AUDIENCE;
    let good = with(&kit.web_identity_token(subject, aud));
    assert_eq!(good.text("SubjectFromWebIdentityToken"), subject);
    assert_eq!(good.text("Audience"), aud);
    assert_eq!(good.text("Provider"), "arn:aws:iam::111111111111:oidc-provider/oidc.kit.example");
    let me = call(&kit, &good.keys(), "GetCallerIdentity", &[]);
    assert_eq!(me.text("Arn"), "arn:aws:sts::111111111111:assumed-role/Web/web");

    with("garbage").is(400, "InvalidIdentityToken", "not a valid JWT");
    with(&kit.web_identity_token(subject, "other")).is(400, "InvalidIdentityToken", "audience");
    with(&kit.web_identity_token("someone", aud)).is(403, "AccessDenied", "Not authorized");
    let claims = serde_json::json!({"iss": "https://elsewhere"});
    with(&kit.web_identity_token_with(subject, aud, &claims)).is(
        400,
        "InvalidIdentityToken",
        "No OpenIDConnect",
    );
    let token = kit.web_identity_token(subject, aud);
    let mut forged = token.clone();
    forged.replace_range(
        token.len() - 4..token.len() - 3,
        if token.as_bytes()[token.len() - 4] == b'A' { "B" } else { "A" },
    );
    with(&forged).is(400, "InvalidIdentityToken", "signature");
    kit.advance(3600);
    with(&token).is(400, "ExpiredTokenException", "Token expired: current date/time");
}

#[test]
fn saml_assertions_are_judged() {
    let kit = kit();
    let with = |assertion: &str| {
        let values = [
            ("RoleArn", names::SAML),
            ("PrincipalArn", names::SAML_PROVIDER),
            ("SAMLAssertion", assertion),
        ];
        call_unsigned(&kit, "AssumeRoleWithSAML", &values)
    };
    let assertion = kit.saml_assertion(names::SAML, names::SAML_PROVIDER, "alice@example.com");
    let good = with(&assertion);
    assert_eq!(good.text("Arn"), "arn:aws:sts::111111111111:assumed-role/Saml/alice@example.com");
    assert_eq!(good.text("Issuer"), names::SAML_ISSUER);
    assert_eq!(good.text("Subject"), "alice@example.com");
    assert_eq!(good.text("SubjectType"), "persistent");
    assert_eq!(good.text("Audience"), "https://signin.aws.amazon.com/saml");
    // printf 'https://idp.kit.example/metadata111111111111/KitIdp' | openssl sha1 -binary | base64
    assert_eq!(good.text("NameQualifier"), "281kMoyXB0fsBawTrQwcCjawSzI=");

    with("!!!!").is(400, "InvalidIdentityToken", "base64");
    with("YWJj").is(400, "InvalidIdentityToken", "SAML");
    with(&kit.saml_assertion(names::WEB, names::SAML_PROVIDER, "alice")).is(
        403,
        "AccessDenied",
        "",
    );
    kit.advance(300);
    with(&assertion).is(400, "ExpiredTokenException", "5 minutes");
}

#[test]
fn session_and_federation_tokens() {
    let kit = kit();
    let session = call(&kit, &alice(), "GetSessionToken", &[("DurationSeconds", "900")]).keys();
    let me = call(&kit, &session, "GetCallerIdentity", &[]);
    assert_eq!(me.text("Arn"), "arn:aws:iam::111111111111:user/alice");
    call(&kit, &session, "GetSessionToken", &[]).is(403, "AccessDenied", "session credentials");

    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    let values = [("Name", "fed"), ("Policy", policy)];
    let federated = call(&kit, &alice(), "GetFederationToken", &values);
    assert_eq!(federated.text("Arn"), "arn:aws:sts::111111111111:federated-user/fed");
    assert_eq!(federated.text("FederatedUserId"), "111111111111:fed");
    assert!(federated.text("PackedPolicySize").parse::<u32>().unwrap() > 0);
    let keys = federated.keys();
    assert_eq!(call(&kit, &keys, "GetCallerIdentity", &[]).text("UserId"), "111111111111:fed");
    call(&kit, &keys, "GetSessionToken", &[]).is(403, "AccessDenied", "");
    call(&kit, &alice(), "GetFederationToken", &[("Name", "f"), ("Policy", "{")]).is(
        400,
        "ValidationError",
        "'name'",
    );
    call(&kit, &alice(), "GetFederationToken", &[("Name", "fed"), ("Policy", "{")]).is(
        400,
        "MalformedPolicyDocument",
        "",
    );
}

#[test]
fn policies_tags_and_source_identity_are_kept_and_carried_on() {
    let kit = kit();
    let more = [
        ("Policy", r#"{"Statement":[]}"#),
        ("PolicyArns.member.1.arn", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "a b"),
        ("Tags.member.2.Key", "other"),
        ("Tags.member.2.Value", ""),
        ("TransitiveTagKeys.member.1", "team"),
        ("SourceIdentity", "alice"),
    ];
    let hop = assume(&kit, &alice(), names::HOP, &more);
    assert_eq!(hop.text("SourceIdentity"), "alice");
    assert!(hop.get("PackedPolicySize").is_some());
    let deploy = assume(&kit, &hop.keys(), names::DEPLOY, &[]);
    assert_eq!(deploy.text("SourceIdentity"), "alice");
    assert_eq!(deploy.get("PackedPolicySize"), None);
    let sessions = kit.sessions();
    let second = sessions.iter().find(|s| s.access_key_id == deploy.keys().id).unwrap();
    assert_eq!(second.tags, [("team".to_owned(), "a b".to_owned())]);
    let first = sessions.iter().find(|s| s.access_key_id == hop.keys().id).unwrap();
    assert_eq!(first.policy.as_deref(), Some(r#"{"Statement":[]}"#));
    assume(&kit, &hop.keys(), names::DEPLOY, &[("SourceIdentity", "bob")]).is(
        403,
        "AccessDenied",
        "SetSourceIdentity",
    );
    let big = "x".repeat(2048);
    assume(&kit, &alice(), names::HOP, &[("Policy", &big)]).is(400, "MalformedPolicyDocument", "");
    let big = format!(r#"{{"Statement":["{}"]}}"#, "x".repeat(2000));
    assume(&kit, &alice(), names::HOP, &[("Policy", &big), more[1]]).is(
        400,
        "PackedPolicyTooLarge",
        "consumes",
    );
}

#[test]
fn the_rarer_operations() {
    let kit = kit();
    let info = call(&kit, &alice(), "GetAccessKeyInfo", &[("AccessKeyId", names::BOB_KEY)]);
    assert_eq!(info.text("Account"), "111111111111");
    call(&kit, &alice(), "GetAccessKeyInfo", &[("AccessKeyId", "AKIANOSUCHKEY123")]).is(
        400,
        "ValidationError",
        "",
    );

    let encoded = kit.encode_authorization_message(r#"{"allowed":false}"#);
    let decoded =
        call(&kit, &alice(), "DecodeAuthorizationMessage", &[("EncodedMessage", &encoded)]);
    assert_eq!(decoded.text("DecodedMessage"), r#"{"allowed":false}"#);
    call(&kit, &alice(), "DecodeAuthorizationMessage", &[("EncodedMessage", "x")]).is(
        400,
        "InvalidAuthorizationMessageException",
        "",
    );

    let task = "arn:aws:iam::aws:policy/root-task/IAMAuditRootUserCredentials";
    let root_of = |account: &str| {
        let values = [("TargetPrincipal", account), ("TaskPolicyArn.arn", task)];
        call(&kit, &alice(), "AssumeRoot", &values)
    };
    let root = root_of("444444444444");
    let me = call(&kit, &root.keys(), "GetCallerIdentity", &[]);
    assert_eq!(me.text("Arn"), "arn:aws:iam::444444444444:root");
    root_of("333333333333").is(403, "AccessDenied", "sts:AssumeRoot");

    for algorithm in ["ES384", "RS256"] {
        let values =
            [("Audience.member.1", "https://api.example"), ("SigningAlgorithm", algorithm)];
        let token = call(&kit, &alice(), "GetWebIdentityToken", &values);
        assert_eq!(token.text("WebIdentityToken").split('.').count(), 3);
        assert!(token.text("Expiration").ends_with('Z'));
    }
    let values = [("Audience.member.1", "x"), ("SigningAlgorithm", "HS256")];
    call(&kit, &alice(), "GetWebIdentityToken", &values).is(
        400,
        "ValidationError",
        "enum value set: [ES384, RS256]",
    );
    call(&kit, &alice(), "GetWebIdentityToken", &[("SigningAlgorithm", "ES384")]).is(
        400,
        "ValidationError",
        "'audience'",
    );
}

#[test]
fn presigned_identity_is_good_for_15_minutes_and_bound_to_the_cluster() {
    let kit = kit();
    let hop = assume(&kit, &alice(), names::HOP, &[]).keys();
    let (target, headers) = presign(&kit, &hop, "prod");
    let get = |headers: &http::HeaderMap| send(kit.port(), "GET", &target, headers, "").unwrap();
    assert_eq!(get(&headers).text("Arn"), "arn:aws:sts::222222222222:assumed-role/Hop/test");
    let mut other = headers.clone();
    other.insert("x-k8s-aws-id", "test".parse().unwrap());
    get(&other).is(403, "SignatureDoesNotMatch", "we calculated");
    other.remove("x-k8s-aws-id");
    get(&other).is(403, "SignatureDoesNotMatch", "x-k8s-aws-id");
    kit.advance(890);
    assert_eq!(get(&headers).status, 200);
    kit.advance(11);
    get(&headers).is(403, "SignatureDoesNotMatch", "Signature expired");
}

#[test]
fn the_form_is_read_strictly() {
    let kit = kit();
    let keys = alice();
    let raw =
        |body: &str, headers: &[(&str, &str)]| post(&kit, Some(&keys), body, headers).unwrap();
    let good = "Action=GetCallerIdentity&Version=2011-06-15";
    assert_eq!(raw(good, &[]).status, 200);
    raw(good, &[("content-type", "text/plain")]).is(400, "MalformedQueryString", "Content-Type");
    raw("Version=2011-06-15", &[]).is(400, "MissingAction", "");
    raw("Action=GetCallerIdentity", &[]).is(400, "InvalidAction", "NO_VERSION_SPECIFIED");
    raw("Action=DropTables&Version=2011-06-15", &[]).is(400, "InvalidAction", "DropTables");
    raw(&format!("{good}&Action=AssumeRole"), &[]).is(
        400,
        "MalformedQueryString",
        "more than once",
    );
    raw(&format!("{good}&action=AssumeRole"), &[]).is(400, "MalformedQueryString", "wrong case");
    raw(&format!("{good}&X=1"), &[]).is(400, "InvalidQueryParameter", "X is not a parameter");
    raw(&format!("{good}\n"), &[]).is(400, "MalformedQueryString", "");
    let json = raw(good, &[("accept", "application/json")]);
    let json: serde_json::Value = serde_json::from_str(&json.body).unwrap();
    assert_eq!(
        json["GetCallerIdentityResponse"]["GetCallerIdentityResult"]["Account"],
        "111111111111"
    );
}

#[test]
fn explicit_denies_hold_but_not_for_who_am_i() {
    let kit = kit();
    kit.change_world(|world| world.users[0].denied_actions.push("sts:*".into()));
    assert_eq!(call(&kit, &alice(), "GetCallerIdentity", &[]).status, 200);
    assume(&kit, &alice(), names::HOP, &[]).is(403, "AccessDenied", "explicit deny");
}

#[test]
fn calls_are_recorded_without_their_secrets() {
    let kit = kit();
    let code = "123456";
    let more = [("SerialNumber", names::ALICE_MFA), ("TokenCode", code)];
    let keys = assume(&kit, &alice(), names::MFA, &more).keys();
    let token = kit.web_identity_token("x", "y");
    let values =
        [("RoleArn", names::WEB), ("RoleSessionName", "web"), ("WebIdentityToken", token.as_str())];
    call_unsigned(&kit, "AssumeRoleWithWebIdentity", &values);
    call(&kit, &keys, "GetCallerIdentity", &[("WebIdentityToken", &token)]);

    let calls = kit.calls();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[0].principal.as_deref(), Some("arn:aws:iam::111111111111:user/alice"));
    assert_eq!(calls[0].params["SerialNumber"], names::ALICE_MFA);
    assert_eq!((calls[0].status, calls[1].status), (200, 400));
    assert_eq!(calls[1].error.as_deref(), Some("InvalidIdentityToken"));
    assert_eq!(kit.count("AssumeRole"), 1);
    let shown = control(&kit, "GET", "calls", "").to_string()
        + &format!("{calls:?}{:?}{:?}", kit.sessions(), kit.world());
    for secret in kit.secrets() {
        assert!(!shown.contains(secret.expose()), "a secret in {shown}");
    }
    let known: Vec<_> = kit.secrets().iter().map(|secret| secret.expose().to_owned()).collect();
    for secret in
        [keys.secret.as_str(), keys.token.as_deref().unwrap(), &token, names::ALICE_SECRET, code]
    {
        assert!(known.iter().any(|known| known == secret), "a secret is not listed");
    }
    kit.reset();
    assert_eq!((kit.calls().len(), kit.count("AssumeRole")), (0, 0));
    assert_eq!(call(&kit, &keys, "GetCallerIdentity", &[]).status, 200);
    assert_eq!(form(&[("a b", "c&d")]), "a%20b=c%26d");
}
