use rcgen::{BasicConstraints, IsCa, KeyUsagePurpose};

use super::*;
use crate::testing::{self, Issued, now, openssl};
use crate::{PrivateKey, RolesAnywhere};

fn refused(change: impl Fn(&mut RolesAnywhere)) -> CredentialsError {
    let mut request = testing::request();
    change(&mut request);
    request.check().unwrap_err()
}

#[test]
fn a_request_as_it_should_be_passes() {
    testing::request().check().unwrap();
    for seconds in [900, 43200] {
        RolesAnywhere { duration_seconds: Some(seconds), ..testing::request() }.check().unwrap();
    }
    for name in ["me", "A_z0+=,.@-", &"x".repeat(64)] {
        let name = Some(name.to_owned());
        RolesAnywhere { role_session_name: name, ..testing::request() }.check().unwrap();
    }
}

#[test]
fn each_flaw_of_a_request_is_named() {
    let other = "arn:aws:rolesanywhere:eu-west-1:291738886548:profile/x";
    let error = refused(|request| request.profile_arn = other.to_owned());
    assert!(error.message().contains("region us-east-2") && error.message().contains("eu-west-1"));
    let other = "arn:aws:rolesanywhere:us-east-2:123456789012:profile/x";
    let error = refused(|request| request.profile_arn = other.to_owned());
    assert!(error.message().contains("the account 291738886548"), "{error}");
    let error = refused(|request| {
        request.role_arn = request.role_arn.replace("arn:aws:", "arn:aws-cn:");
    });
    assert!(error.message().contains("partition aws-cn"), "{error}");
    let error = refused(|request| std::mem::swap(&mut request.profile_arn, &mut request.role_arn));
    assert!(error.message().contains("is that of a role"), "{error}");
    for seconds in [0, 899, 43201] {
        let error = refused(|request| request.duration_seconds = Some(seconds));
        assert!(error.message().contains(&format!("{seconds} seconds")), "{error}");
    }
    for (name, says) in
        [("x", "1 characters"), ("", "0 characters"), ("a b", "holds \" \""), ("aé", "holds \"é\"")]
    {
        let error = refused(|request| request.role_session_name = Some(name.to_owned()));
        assert!(error.message().contains(says), "{error}");
    }
    let error = refused(|request| request.role_session_name = Some("x".repeat(65)));
    assert!(error.message().contains("65 characters"), "{error}");
    let error = refused(|request| request.region = Some("us-east-1".to_owned()));
    assert!(error.message().contains("us-east-1 was asked"), "{error}");
    assert!(error.message().contains("is in us-east-2"), "{error}");
    let same = RolesAnywhere { region: Some("us-east-2".to_owned()), ..testing::request() };
    same.check().unwrap();
    let error = refused(|request| request.region = Some("nowhere/".to_owned()));
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
}

#[test]
fn what_is_odd_is_told_after_a_refusal() {
    assert_eq!(testing::request().oddity(), None);
    let mut request = testing::request();
    request.role_arn = "arn:aws:iam::123456789012:role/x".to_owned();
    assert!(request.oddity().unwrap().contains("123456789012"));
}

fn flaw(change: testing::Change<'_>) -> CredentialsError {
    let root = Issued::authority("root", None);
    Issued::new("me", Some(&root), change).identity().check(now()).unwrap_err()
}

#[test]
fn a_certificate_as_it_should_be_passes() {
    let root = Issued::authority("root", None);
    let leaf = Issued::new("me", Some(&root), &|_| {});
    leaf.identity().check(now()).unwrap();
    // Valid up to and including its last second.
    let end = leaf.certificate().not_after();
    leaf.identity().check(end).unwrap();
    assert!(leaf.identity().check(end + Duration::from_secs(1)).is_err());
}

#[test]
fn each_flaw_of_a_certificate_is_named() {
    let hour = Duration::from_secs(3600);
    let early = flaw(&|params| params.not_before = (now() + hour).into());
    assert!(early.message().contains("not valid before 2026-01-01T01:00:00Z"), "{early}");
    assert!(early.message().contains("now it is 2026-01-01T00:00:00Z"), "{early}");
    let late = flaw(&|params| params.not_after = (now() - 72 * hour).into());
    assert!(late.message().contains("expired at 2025-12-29T00:00:00Z, 3 days ago"), "{late}");
    assert!(late.help().unwrap().contains("renew"), "{late}");
    for (error, says) in [
        (flaw(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), "CN=me (serial"),
        (
            flaw(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)),
            "certificate authority's",
        ),
        (
            flaw(&|params| params.key_usages = vec![KeyUsagePurpose::KeyEncipherment]),
            "lacks digitalSignature",
        ),
        (flaw(&|params| params.key_usages = Vec::new()), "has no key usage"),
    ] {
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.message().contains(says), "{error}");
        assert!(error.help().unwrap().contains("SHA-256"), "{error}");
    }
}

/// A certificate that openssl makes in one file with its key.
fn by_openssl(arguments: &str) -> Identity {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key").display().to_string();
    let der = openssl(
        &format!(
            "req -x509 -newkey rsa:2048 -nodes -keyout {key} -outform DER -subj /CN=x {arguments}"
        ),
        b"",
    );
    let key = openssl(&format!("pkey -in {key} -outform DER"), b"");
    let signer = std::sync::Arc::new(PrivateKey::from_der(&key).unwrap());
    Identity::new(signer, vec![Certificate::from_der(&der).unwrap()], now()).unwrap()
}

#[test]
fn weak_signatures_and_old_versions_are_refused() {
    let client = "-addext basicConstraints=critical,CA:FALSE -addext keyUsage=digitalSignature";
    for (identity, says) in [
        (by_openssl(&format!("-sha1 {client}")), "is signed with SHA-1"),
        (by_openssl(&format!("-md5 {client}")), "is signed with MD5"),
        (version_1(), "is X.509 version 1"),
    ] {
        let error = identity.check(identity.leaf().not_before()).unwrap_err();
        assert!(error.message().contains(says), "{error}");
    }
}

/// A certificate without extensions.
fn version_1() -> Identity {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key").display().to_string();
    let request =
        openssl(&format!("req -new -newkey rsa:2048 -nodes -keyout {key} -subj /CN=x"), b"");
    let der = openssl(&format!("x509 -req -signkey {key} -sha256 -outform DER"), &request);
    let key = openssl(&format!("pkey -in {key} -outform DER"), b"");
    let signer = std::sync::Arc::new(PrivateKey::from_der(&key).unwrap());
    Identity::new(signer, vec![Certificate::from_der(&der).unwrap()], now()).unwrap()
}

#[test]
fn times_are_told_roughly() {
    for (seconds, shown) in [
        (1, "1 seconds"),
        (119, "119 seconds"),
        (7199, "119 minutes"),
        (7200, "2 hours"),
        (200_000, "2 days"),
    ] {
        assert_eq!(rough(Duration::from_secs(seconds)), shown);
    }
}
