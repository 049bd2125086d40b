//! IAM Roles Anywhere as a client sees it.

#[path = "support/sessions.rs"]
mod sessions;
mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use rolecall_kit::rolesanywhere::{Authority, CertificateFault, KeyType, NewCertificate};
use rolecall_kit::{Fault, FaultRule, Kit, World, names};
use serde_json::{Value, json};
use sessions::{Draft, REGION, keys};
use support::{assume, call, control, send};

const AT: i64 = 1_709_208_000;
const CREATE: &str = "CreateSession";

fn kit() -> Kit {
    let kit = Kit::start(World::default());
    kit.freeze(AT);
    kit
}

fn unable(role: &str) -> String {
    format!("Unable to assume role for {role}")
}

#[test]
fn every_kind_of_key_gets_a_session_that_sts_knows() {
    let kit = kit();
    for (key, algorithm) in [
        (KeyType::P256, "ECDSA"),
        (KeyType::P384, "ECDSA"),
        (KeyType::P521, "ECDSA"),
        (KeyType::Rsa2048, "RSA"),
        (KeyType::Rsa3072, "RSA"),
        (KeyType::Rsa4096, "RSA"),
    ] {
        let issued = kit.issue(&NewCertificate { key, ..NewCertificate::default() });
        let mut draft = Draft::new(&kit, &issued);
        draft.algorithm = format!("AWS4-X509-{algorithm}-SHA256");
        let session = keys(&draft.is_session(&kit));
        assert_eq!(
            call(&kit, &session, "GetCallerIdentity", &[]).text("Arn"),
            format!("arn:aws:sts::111111111111:assumed-role/Workload/{}", issued.serial_hex)
        );
        // The algorithm must be that of the key.
        draft.algorithm =
            format!("AWS4-X509-{}-SHA256", if algorithm == "RSA" { "ECDSA" } else { "RSA" });
        draft.has_invalid_signature(&kit, "not that of the certificate's key");
    }
    assert_eq!(kit.count(CREATE), 12);
}

#[test]
fn every_authority_and_any_number_of_intermediates_are_followed() {
    let kit = kit();
    for authority in [Authority::P256, Authority::P384, Authority::Rsa] {
        for intermediates in [0, 1, 3] {
            let wanted = NewCertificate { authority, intermediates, ..NewCertificate::default() };
            let issued = kit.issue(&wanted);
            assert_eq!(issued.ders().len(), usize::from(intermediates) + 1);
            let mut draft = Draft::new(&kit, &issued);
            draft.is_session(&kit);
            if intermediates == 3 {
                // In another order, and with a certificate that is not needed.
                let chain = &mut draft.headers[3].1;
                let other = STANDARD.encode(&kit.issue(&wanted).ders()[2]);
                let turned: Vec<&str> = chain.split(',').rev().collect();
                *chain = format!("{other},{}", turned.join(","));
                draft.is_session(&kit);
                draft.headers.pop();
                draft.is_denied(&kit, "Untrusted signing certificate", "intermediate 3");
            }
        }
    }
}

#[test]
fn the_answer_has_aws_shape() {
    let kit = kit();
    let issued = kit.issue(&NewCertificate {
        common_name: "build-agent".into(),
        serial: Some("0abc".into()),
        ..NewCertificate::default()
    });
    assert_eq!((issued.serial.as_str(), issued.serial_hex.as_str()), ("2748", "0abc"));
    let answer = Draft::new(&kit, &issued).is_session(&kit);
    let set = &answer["credentialSet"][0];
    let credentials = &set["credentials"];
    assert_eq!(
        answer,
        json!({
            "credentialSet": [{
                "assumedRoleUser": {
                    "arn": "arn:aws:sts::111111111111:assumed-role/Workload/0abc",
                    "assumedRoleId": set["assumedRoleUser"]["assumedRoleId"],
                },
                "credentials": {
                    "accessKeyId": credentials["accessKeyId"],
                    "expiration": "2024-02-29T12:15:00Z",
                    "secretAccessKey": credentials["secretAccessKey"],
                    "sessionToken": credentials["sessionToken"],
                },
                "packedPolicySize": 6,
                "roleArn": names::WORKLOAD,
                "sourceIdentity": "CN=build-agent",
            }],
            "subjectArn": answer["subjectArn"],
        })
    );
    let subject = answer["subjectArn"].as_str().unwrap();
    assert!(subject.starts_with("arn:aws:rolesanywhere:us-east-1:111111111111:subject/"));
    assert!(set["assumedRoleUser"]["assumedRoleId"].as_str().unwrap().ends_with(":0abc"));
    let again = Draft::new(&kit, &issued).is_session(&kit);
    assert_eq!(again["subjectArn"], answer["subjectArn"]);
    assert_ne!(again["credentialSet"][0]["credentials"], *credentials);
    let call = kit.calls().pop().unwrap();
    assert_eq!(
        (call.service, call.operation.as_str(), call.status, call.region.as_deref()),
        ("rolesanywhere", CREATE, 201, Some(REGION))
    );
    assert_eq!(call.params["roleArn"], names::WORKLOAD);
    assert_eq!(call.params["durationSeconds"], "900");
    assert_eq!(call.params["certificate_serial"], "0abc");
}

#[test]
fn the_session_carries_the_certificates_names_on() {
    let kit = kit();
    let issued = kit.issue(&NewCertificate {
        organizational_units: vec!["Security".into(), "Research".into()],
        dns: vec!["a.example".into(), "b.example".into()],
        uris: vec!["spiffe://kit.example/a".into()],
        // STS takes no tag with such a letter, so Roles Anywhere makes none of it.
        organization: Some("K&T".into()),
        ..NewCertificate::default()
    });
    let session = keys(&Draft::new(&kit, &issued).is_session(&kit));
    let kept = kit.sessions().into_iter().find(|kept| kept.access_key_id == session.id).unwrap();
    let mut tags = kept.tags.clone();
    tags.sort();
    let tags: Vec<_> = tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        tags,
        [
            ("x509Issuer/CN", "rolecall-kit Roles Anywhere P256"),
            ("x509Issuer/O", "rolecall-kit"),
            ("x509SAN/DNS", "a.example"),
            ("x509SAN/URI", "spiffe://kit.example/a"),
            ("x509Subject/CN", "workload"),
            ("x509Subject/OU", "Security/Research"),
        ]
    );
    assert_eq!(kept.source_identity.as_deref(), Some("CN=workload"));
    // The source identity goes on to the next role, whose session is a chained one.
    let hop = assume(&kit, &session, names::HOP, &[]);
    assert_eq!(hop.text("SourceIdentity"), "CN=workload");
    assume(&kit, &session, names::HOP, &[("DurationSeconds", "3601")]).is(
        400,
        "ValidationError",
        "role chaining",
    );
}

#[test]
fn arns_may_be_in_the_body_but_not_differ_from_the_query() {
    let kit = kit();
    let issued = kit.issue(&NewCertificate::default());
    let body = json!({
        "durationSeconds": 900, "profileArn": names::PROFILE, "roleArn": names::WORKLOAD,
        "trustAnchorArn": names::TRUST_ANCHOR, "instanceProperties": {"pod": "p-1"},
    });
    let mut draft = Draft::new(&kit, &issued).body(body.clone());
    draft.is_session(&kit);
    draft.arns.clear();
    draft.is_session(&kit);
    assert_eq!(kit.calls().pop().unwrap().params["instanceProperties.pod"], "p-1");
    let draft = Draft::new(&kit, &issued).body(body).arn("roleArn", names::BUILD_AGENT);
    let message = "roleArn is given twice, with two values";
    draft.is_refused(&kit, "ValidationException", message, "");
}

#[test]
fn malformed_input_is_refused_in_aws_words() {
    let kit = kit();
    let issued = kit.issue(&NewCertificate::default());
    for (body, message) in [
        (
            json!({"durationSeconds": 899}),
            "1 validation error detected: Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900",
        ),
        (
            json!({"durationSeconds": 43201}),
            "1 validation error detected: Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200",
        ),
        (
            json!({"roleSessionName": "a b"}),
            "1 validation error detected: Value 'a b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]{2,64}",
        ),
    ] {
        let draft = Draft::new(&kit, &issued).body(body);
        draft.is_refused(&kit, "ValidationException", message, "");
    }
    let mut draft = Draft::new(&kit, &issued);
    draft.arns.remove(1);
    let message = "1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null";
    draft.is_refused(&kit, "ValidationException", message, "");
    let draft = Draft::new(&kit, &issued).body(json!({"durationSeconds": "900"}));
    let answer = draft.send(&kit);
    assert_eq!(
        (answer.status, &answer.headers["x-amzn-errortype"]),
        (400, &"ValidationException".parse().unwrap())
    );
    let mut draft = Draft::new(&kit, &issued);
    draft.method = "GET";
    assert_eq!(draft.send(&kit).status, 405);
}

#[test]
fn durations_end_at_the_profile_and_are_refused_above_the_roles_limit() {
    let kit = kit();
    let wanted = NewCertificate { common_name: "build-agent".into(), ..NewCertificate::default() };
    let issued = kit.issue(&wanted);
    let expiration = |draft: Draft<'_>| {
        let answer = draft.is_session(&kit);
        answer["credentialSet"][0]["credentials"]["expiration"].as_str().unwrap().to_owned()
    };
    let draft = |seconds: Option<i64>, profile| {
        let body = seconds.map_or(json!({}), |seconds| json!({"durationSeconds": seconds}));
        Draft::new(&kit, &issued).body(body).arn("profileArn", profile)
    };
    assert_eq!(expiration(draft(None, names::PROFILE)), "2024-02-29T13:00:00Z");
    assert_eq!(expiration(draft(Some(43_200), names::PROFILE)), "2024-02-29T13:00:00Z");
    assert_eq!(expiration(draft(Some(43_200), names::NAMING_PROFILE)), "2024-03-01T00:00:00Z");
    let agent = names::BUILD_AGENT;
    let message = format!(
        "{}\nThe requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        unable(agent)
    );
    for seconds in [None, Some(3601)] {
        let draft = draft(seconds, names::NAMING_PROFILE).arn("roleArn", agent);
        draft.is_denied(&kit, &message, "");
    }
    draft(Some(3600), names::NAMING_PROFILE).arn("roleArn", agent).is_session(&kit);
}

#[test]
fn session_names_are_taken_where_the_profile_accepts_them() {
    let kit = kit();
    let issued = kit.issue(&NewCertificate::default());
    let named = || Draft::new(&kit, &issued).body(json!({"roleSessionName": "me"}));
    named().is_denied(&kit, "Not authorized to set roleSessionName", "");
    let answer = named().arn("profileArn", names::NAMING_PROFILE).is_session(&kit);
    assert_eq!(
        call(&kit, &keys(&answer), "GetCallerIdentity", &[]).text("Arn"),
        "arn:aws:sts::111111111111:assumed-role/Workload/me"
    );
}

#[test]
fn certificates_that_may_not_sign_are_refused() {
    let kit = kit();
    for (fault, message, reason) in [
        (CertificateFault::Expired, "Untrusted signing certificate", "expired at"),
        (CertificateFault::NotYetValid, "Untrusted signing certificate", "not valid before"),
        (CertificateFault::ForgedCa, "Untrusted signing certificate", "not signed with the key"),
        (CertificateFault::UnknownCa, "Untrusted signing certificate", "Nobody's authority"),
        (CertificateFault::ExpiredIntermediate, "Untrusted signing certificate", "expired at"),
        (CertificateFault::IntermediateNotCa, "Untrusted signing certificate", "not an authority"),
        (CertificateFault::IntermediateNoCertSign, "Untrusted signing certificate", "keyCertSign"),
        (CertificateFault::PathTooLong, "Untrusted signing certificate", "pathLenConstraint"),
        (CertificateFault::Ca, "Untrusted certificate. Insufficient certificate", "CA:TRUE"),
        (
            CertificateFault::NoDigitalSignature,
            "Untrusted certificate. Insufficient certificate",
            "digitalSignature",
        ),
        (
            CertificateFault::NoKeyUsage,
            "Untrusted certificate. Insufficient certificate",
            "digitalSignature",
        ),
        (CertificateFault::Sha1, "Untrusted certificate. Insufficient certificate", "SHA-256"),
        (CertificateFault::Version1, "Untrusted certificate. Insufficient certificate", "v3"),
    ] {
        let wanted = NewCertificate { fault: Some(fault), ..NewCertificate::default() };
        let issued = kit.issue(&wanted);
        Draft::new(&kit, &issued).is_denied(&kit, message, reason);
    }
    let issued = kit.issue(&NewCertificate {
        common_name: String::new(),
        organization: None,
        ..NewCertificate::default()
    });
    let message = "Untrusted certificate. Insufficient certificate";
    Draft::new(&kit, &issued).is_denied(&kit, message, "no subject");
}

#[test]
fn a_certificate_ends_with_the_kits_clock() {
    let kit = kit();
    let wanted = NewCertificate { not_after: 60, ..NewCertificate::default() };
    let issued = kit.issue(&wanted);
    kit.advance(60);
    Draft::new(&kit, &issued).is_session(&kit);
    kit.advance(1);
    Draft::new(&kit, &issued).is_denied(&kit, "Untrusted signing certificate", "expired at");
}

#[test]
fn anchor_profile_and_role_must_be_there_and_belong_together() {
    let kit = kit();
    let issued = kit.issue(&NewCertificate::default());
    let draft = || Draft::new(&kit, &issued);
    let anchor = "arn:aws:rolesanywhere:us-east-1:111111111111:trust-anchor/none";
    draft().arn("trustAnchorArn", anchor).is_refused(
        &kit,
        "ResourceNotFoundException",
        "Specified Trust Anchor wasn't found.",
        "",
    );
    let profile = "arn:aws:rolesanywhere:us-east-1:111111111111:profile/none";
    let invalid = "Invalid or empty profile provided.";
    draft().arn("profileArn", profile).is_denied(&kit, invalid, "there is none");
    let unlisted = "Requested Role isn't one of those listed in the Profile.";
    draft().arn("roleArn", names::HOP).is_denied(&kit, unlisted, "");

    kit.change_world(|world| {
        let abroad = "arn:aws:rolesanywhere:eu-west-1:111111111111:profile/abroad";
        let mut profile = world.roles_anywhere_profiles[0].clone();
        profile.arn = abroad.into();
        world.roles_anywhere_profiles.push(profile);
    });
    let abroad = "arn:aws:rolesanywhere:eu-west-1:111111111111:profile/abroad";
    draft().arn("profileArn", abroad).is_denied(&kit, invalid, "another region");
    kit.change_world(|world| world.roles_anywhere_profiles[0].enabled = false);
    draft().is_denied(&kit, invalid, "disabled");
    kit.change_world(|world| world.roles_anywhere_profiles[0].enabled = true);
    kit.change_world(|world| world.trust_anchors[0].enabled = false);
    draft().is_denied(&kit, "Specified Trust Anchor is disabled.", "");
    kit.change_world(|world| world.trust_anchors[0].enabled = true);
    draft().is_session(&kit);
    kit.change_world(|world| world.roles.retain(|role| role.name != "Workload"));
    draft().is_denied(&kit, &unable(names::WORKLOAD), "no such role");
}

#[test]
fn the_roles_trust_policy_decides() {
    let kit = kit();
    let agent = names::BUILD_AGENT;
    let issued = kit.issue(&NewCertificate::default());
    let draft = Draft::new(&kit, &issued).arn("roleArn", agent);
    draft.is_denied(&kit, &unable(agent), "does not allow sts:AssumeRole");
    let named = NewCertificate { common_name: "build-agent".into(), ..NewCertificate::default() };
    let named = kit.issue(&named);
    Draft::new(&kit, &named).arn("roleArn", agent).is_session(&kit);

    let policy = |actions: &[&str], condition: Value| {
        let body = json!({"role_arn": agent, "policy": {"Statement": {
            "Effect": "Allow", "Principal": {"Service": "rolesanywhere.amazonaws.com"},
            "Action": actions, "Condition": condition,
        }}});
        control(&kit, "POST", "trust-policy", &body.to_string());
    };
    let all = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"];
    for missing in all {
        let rest: Vec<&str> = all.into_iter().filter(|action| *action != missing).collect();
        policy(&rest, json!({}));
        draft.is_denied(&kit, &unable(agent), &format!("does not allow {missing}"));
    }
    for (condition, trusted) in [
        (json!({"StringEquals": {"sts:SourceIdentity": "CN=workload"}}), true),
        (json!({"StringEquals": {"aws:SourceAccount": "111111111111"}}), true),
        (json!({"StringEquals": {"aws:PrincipalTag/x509Subject/O": "Kit"}}), true),
        (json!({"StringLike": {"aws:PrincipalTag/x509Issuer/CN": "rolecall-kit*"}}), true),
        (json!({"ArnEquals": {"aws:SourceArn": names::TRUST_ANCHOR}}), true),
        (json!({"ArnEquals": {"aws:SourceArn": names::PROFILE}}), false),
        (json!({"StringEquals": {"aws:PrincipalTag/x509SAN/DNS": "a.example"}}), false),
    ] {
        policy(&all, condition.clone());
        if trusted {
            draft.is_session(&kit);
        } else {
            draft.is_denied(&kit, &unable(agent), "does not allow");
        }
    }
    policy(&all, json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}));
    draft.is_denied(&kit, &unable(agent), "IpAddress is not evaluated here");
    kit.change_world(|world| world.role_mut(agent).unwrap().trust.policy = None);
    draft.is_denied(&kit, &unable(agent), "no trust policy");
}

#[test]
fn session_policies_take_their_space() {
    let kit = kit();
    let issued = kit.issue(&NewCertificate::default());
    let draft = Draft::new(&kit, &issued);
    let size = |answer: &Value| answer["credentialSet"][0]["packedPolicySize"].as_u64().unwrap();
    let before = size(&draft.is_session(&kit));
    kit.change_world(|world| {
        world.roles_anywhere_profiles[0].session_policy = Some(" ".repeat(1024));
    });
    assert_eq!(size(&draft.is_session(&kit)), before + 50);
    kit.change_world(|world| {
        world.roles_anywhere_profiles[0].session_policy = Some(" ".repeat(2048));
    });
    draft.is_denied(&kit, &unable(names::WORKLOAD), "of their space");
}

#[test]
fn faults_strike_it_like_every_other_call() {
    let kit = kit();
    let issued = kit.issue(&NewCertificate::default());
    let draft = Draft::new(&kit, &issued);
    kit.inject(FaultRule::next(CREATE, 1, Fault::Throttle));
    let answer = draft.send(&kit);
    assert_eq!((answer.status, answer.body.as_str()), (400, r#"{"message":"Rate exceeded"}"#));
    assert_eq!(answer.headers["x-amzn-errortype"], "ThrottlingException");
    let failure = Fault::Fail {
        status: 503,
        code: "ServiceUnavailableException".into(),
        message: "later".into(),
    };
    kit.inject(FaultRule::next(CREATE, 1, failure));
    let answer = draft.send(&kit);
    assert_eq!((answer.status, answer.body.as_str()), (503, r#"{"message":"later"}"#));
    kit.inject(FaultRule::next(CREATE, 1, Fault::Truncate));
    let announced: usize =
        draft.send(&kit).headers["content-length"].to_str().unwrap().parse().unwrap();
    assert!(announced > 1000);
    let sessions = kit.sessions().len();
    kit.inject(FaultRule::next(CREATE, 1, Fault::LoseReply));
    assert!(draft.try_send(&kit).is_none());
    assert_eq!(kit.sessions().len(), sessions + 1);
    let raw = Fault::Raw {
        status: 200,
        content_type: "text/html".into(),
        body: "<html>Sign in to the Wi-Fi</html>".into(),
        headers: [].into(),
    };
    kit.inject(FaultRule::next(CREATE, 1, raw));
    assert_eq!(draft.send(&kit).status, 200);
    kit.inject(FaultRule::next(CREATE, 1, Fault::Delay { milliseconds: 1 }));
    kit.inject(FaultRule::next("AssumeRole", 1, Fault::Throttle));
    draft.is_session(&kit);
    assert_eq!(kit.sessions().len(), sessions + 2);
    assert_eq!(control(&kit, "GET", "counts", "")[CREATE], 6);
}

#[test]
fn other_languages_get_certificates_by_json() {
    let kit = kit();
    let issued = control(&kit, "POST", "certificate", "");
    assert!(issued["private_key"].as_str().unwrap().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert!(issued["certificate"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
    assert_eq!(
        (&issued["chain"], &issued["not_after"]),
        (&json!(""), &json!("2024-03-30T12:00:00Z"))
    );
    let secrets = control(&kit, "GET", "secrets", "");
    assert!(secrets.as_array().unwrap().contains(&issued["private_key"]));
    assert!(!format!("{:?}", kit.issue(&NewCertificate::default())).contains("PRIVATE KEY"));

    let key = control(
        &kit,
        "POST",
        "certificate",
        r#"{"key": "rsa2048", "common_name": "cn", "intermediates": 2, "fault": "path_too_long"}"#,
    );
    assert_eq!(key["chain"].as_str().unwrap().matches("BEGIN CERTIFICATE").count(), 2);
    // A key that is elsewhere: what is certified is its public half alone.
    let public = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAECSA5N0CTr57+Uqvo7bVIu2h6zWTV\n/Fq7D1FeKgSS3Za04bed0Y1JwElMfBs6zHpBprKQBhFXoBbGsi61vJ7p6A==\n-----END PUBLIC KEY-----\n";
    let body = json!({"public_key": public, "serial": "1"}).to_string();
    let certified = control(&kit, "POST", "certificate", &body);
    assert_eq!((&certified["private_key"], &certified["serial"]), (&Value::Null, &json!("1")));

    for body in [
        r#"{"key": "dsa"}"#,
        r#"{"serial": "xyz"}"#,
        r#"{"serial": ""}"#,
        r#"{"dns": ["bücher.example"]}"#,
        r#"{"intermediates": 17}"#,
        r#"{"public_key": "none"}"#,
        r#"{"fault": "none"}"#,
        r#"{"names": []}"#,
    ] {
        let answer = send(kit.port(), "POST", "/_kit/certificate", &HeaderMap::new(), body);
        assert_eq!(answer.unwrap().status, 400, "{body}");
    }
    let nobody = r#"{"role_arn": "arn:aws:iam::1:role/None", "policy": {}}"#;
    let answer = send(kit.port(), "POST", "/_kit/trust-policy", &HeaderMap::new(), nobody);
    assert_eq!(answer.unwrap().status, 404);
}
