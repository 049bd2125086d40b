//! Logins by auth methods, sessions, and leases that ask for them, against the kit's STS and IAM.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rolecall_core::{ErrorKind, Result, Secret, SharedProvider};
use rolecall_kit::names;
use rolecall_secrets::{
    Auth, AuthMethod, AuthOptions, AuthSession, LeaseRequest, Leases, Login, Outcome, SealingKey,
};
use rolecall_sts::identity::{Bounds, Dialect, SubClaim, Token, TokenFormat};

use crate::bed::{Bed, MINUTE, admin, endpoint, role, secret};

const AUDIENCE: &str = "https://login.example.com";

/// A method that lets in the kit's account.
fn method(bed: &Bed, name: &str) -> AuthMethod {
    let bounds = Bounds {
        account_ids: vec![names::ACCOUNT.to_owned()],
        sts_url: Some(bed.kit.url()),
        ..Bounds::default()
    };
    AuthMethod {
        bounds,
        formats: vec![TokenFormat::Akeyless, TokenFormat::Rolecall],
        audience: Some(AUDIENCE.to_owned()),
        ..AuthMethod::new(&bed.context(), name)
    }
}

async fn token(bed: &Bed, who: &SharedProvider) -> Secret {
    let credentials = who.provide_credentials().await.unwrap();
    let (at, now) = (endpoint(&bed.kit.url(), "sts"), bed.context().clock.now());
    Token::create(Dialect::Akeyless, &credentials, &at, now).unwrap().text
}

async fn log_in(bed: &Bed, auth: &Auth, name: &str, who: &SharedProvider) -> Login {
    auth.authenticate(name, token(bed, who).await.expose()).await.unwrap()
}

async fn session(bed: &Bed, auth: &Auth, name: &str, who: &SharedProvider) -> AuthSession {
    let login = log_in(bed, auth, name, who).await;
    login.session.unwrap_or_else(|| panic!("{:?}", login.decision))
}

fn code(login: &Login) -> &'static str {
    login.decision.accepted().map_or_else(|refusal| refusal.code, |_| "accepted")
}

fn denied<T: std::fmt::Debug>(outcome: Result<T>, says: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.message().contains(says), "{says:?} is not in: {error}");
    assert!(error.help().is_some(), "{error}");
}

async fn lease(leases: &Leases, session: Option<&AuthSession>) -> Result<rolecall_secrets::Issued> {
    let session = session.map(|session| session.token.clone());
    let request = LeaseRequest { secret: "app".to_owned(), session, ..LeaseRequest::default() };
    leases.create(&request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_asks_for_a_session_and_is_for_whoever_was_verified() {
    let bed = Bed::new();
    let leases = bed.leases("a").await;
    let auth = leases.auth().unwrap();
    let (builders, admins) = (method(&bed, "builders"), method(&bed, "admins"));
    for method in [&builders, &admins] {
        auth.create(method).await.unwrap();
    }
    let stored = leases.definition("app").await.unwrap();
    let mut definition = secret();
    let text = format!("{},role_name=Leases,role_name=Other", builders.access_id);
    definition.access = vec![text.parse().unwrap()];
    let rolecall_secrets::SecretKind::IamUser(user) = &mut definition.kind else { panic!() };
    let template = "{{identity.name}}-{{identity.account}}-{{random 6}}";
    user.username_template = Some(template.to_owned());
    leases.redefine(&definition, stored.version).await.unwrap();

    let worker = role(&bed, "Leases").await;
    denied(lease(&leases, None).await, "those who have logged in");
    let by_admins = session(&bed, &auth, "admins", &worker).await;
    denied(lease(&leases, Some(&by_admins)).await, "is not among those who may have it");
    let as_admin = session(&bed, &auth, "builders", &admin()).await;
    denied(lease(&leases, Some(&as_admin)).await, "is not among those who may have it");
    assert!(bed.users().is_empty());

    bed.pass(Duration::from_secs(1));
    let good = session(&bed, &auth, "builders", &worker).await;
    let issued = lease(&leases, Some(&good)).await.unwrap();
    let arn = "arn:aws:sts::111111111111:assumed-role/Leases/tess";
    assert_eq!(issued.lease.identity, arn);
    let trail = leases.trail(&issued.lease.id.to_string()).await.unwrap();
    assert!(trail[0].detail.contains(arn), "{trail:?}");
    let refused = leases.trail("app").await.unwrap();
    let refused: Vec<_> =
        refused.iter().filter(|entry| entry.outcome == Outcome::Refused).collect();
    assert_eq!(refused.len(), 3);
    assert!(refused[2].detail.contains("is not among those who may have it"), "{refused:?}");
    let name = &issued.lease.principal.name;
    assert!(name.starts_with("Leases-111111111111-"), "{name}");
    assert_eq!(good.claims.subject, "arn:aws:iam::111111111111:role/Leases");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_refused_also_after_a_restart() {
    let bed = Bed::new();
    let token = token(&bed, &admin()).await;
    let open = async || {
        let store = bed.store("a").await;
        Auth::new(bed.context(), store, AuthOptions::default()).unwrap()
    };
    let auth = open().await;
    auth.create(&method(&bed, "m")).await.unwrap();
    assert!(auth.authenticate("m", token.expose()).await.unwrap().session.is_some());
    drop(auth);
    bed.pass(MINUTE * 4);
    let asked = bed.kit.count("GetCallerIdentity");
    let again = open().await.authenticate("m", token.expose()).await.unwrap();
    assert_eq!((code(&again), again.session.is_none()), ("replayed", true));
    assert_eq!(bed.kit.count("GetCallerIdentity"), asked, "STS was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_thousand_equal_logins_one_begins_a_session() {
    let bed = Bed::new();
    let auth = Auth::new(bed.context(), bed.store("a").await, AuthOptions::default()).unwrap();
    let auth = Arc::new(auth);
    auth.create(&method(&bed, "m")).await.unwrap();
    let token = token(&bed, &admin()).await;
    let logins = (0..1000).map(|_| {
        let (auth, token) = (auth.clone(), token.clone());
        tokio::spawn(async move { auth.authenticate("m", token.expose()).await.unwrap().session })
    });
    let mut sessions = 0;
    for login in logins.collect::<Vec<_>>() {
        sessions += usize::from(login.await.unwrap().is_some());
    }
    assert_eq!((sessions, bed.kit.count("GetCallerIdentity")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_its_time_its_bounds_and_its_method() {
    let bed = Bed::new();
    let leases = bed.leases("a").await;
    let auth = leases.auth().unwrap();
    let mut method = AuthMethod { jwt_ttl: MINUTE * 10, ..method(&bed, "m") };
    method.bounds.unique_identifier = Some(SubClaim::UserName);
    auth.create(&method).await.unwrap();
    let begun = session(&bed, &auth, "m", &admin()).await;
    let found = auth.session(begun.token.expose()).await.unwrap();
    assert_eq!((&found, found.subject.as_str()), (&begun.claims, "admin"));
    assert_eq!(found.expires_at.duration_since(found.issued_at).unwrap(), MINUTE * 10);

    // Bounds count for the sessions there are, too.
    let narrow = |name: &str| {
        let bounds = Bounds { user_names: vec![name.to_owned()], ..method.bounds.clone() };
        AuthMethod { bounds, ..method.clone() }
    };
    auth.update(&narrow("bob"), 1).await.unwrap();
    denied(auth.session(begun.token.expose()).await, "user's name");
    assert_eq!(code(&log_in(&bed, &auth, "m", &admin()).await), "replayed", "the same second");
    bed.pass(Duration::from_secs(1));
    assert_eq!(code(&log_in(&bed, &auth, "m", &admin()).await), "user-name-not-bound");
    auth.update(&narrow("admin"), 2).await.unwrap();
    auth.session(begun.token.expose()).await.unwrap();

    bed.pass(MINUTE * 10);
    denied(auth.session(begun.token.expose()).await, "has ended");
    let begun = session(&bed, &auth, "m", &admin()).await;
    auth.delete("m").await.unwrap();
    denied(auth.session(begun.token.expose()).await, "is gone");
    let error = auth.authenticate("m", "x").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_ends_and_can_be_protected() {
    let bed = Bed::new();
    let auth = bed.leases("a").await.auth().unwrap();
    let end = Some(crate::bed::START as u64 + 60);
    let method = AuthMethod { access_expires: end, delete_protection: true, ..method(&bed, "m") };
    auth.create(&method).await.unwrap();
    let begun = session(&bed, &auth, "m", &admin()).await;
    denied(auth.delete("m").await, "protected");
    bed.pass(MINUTE);
    denied(auth.authenticate("m", token(&bed, &admin()).await.expose()).await, "has ended");
    denied(auth.session(begun.token.expose()).await, "has ended");
    let free = AuthMethod { delete_protection: false, ..method };
    auth.update(&free, 1).await.unwrap();
    auth.delete("m").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_session_of_this_store_is_refused() {
    let bed = Bed::new();
    let auth = bed.leases("a").await.auth().unwrap();
    let other = bed.leases("b").await.auth().unwrap();
    for auth in [&auth, &other] {
        auth.create(&method(&bed, "m")).await.unwrap();
    }
    let token = session(&bed, &auth, "m", &admin()).await.token;
    let [header, payload, signature] = token.expose().split('.').collect::<Vec<_>>()[..] else {
        panic!("{token:?}")
    };
    denied(other.session(token.expose()).await, "not of this store");
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIiwia2lkIjoieCJ9";
    let changed =
        payload.replacen(&payload[40..41], if &payload[40..41] == "A" { "B" } else { "A" }, 1);
    for (text, says) in [
        (String::new(), "no session"),
        ("a.b".to_owned(), "no session"),
        (format!("{none}.{payload}."), "no session"),
        (format!("{header}.{changed}.{signature}"), "signature is wrong"),
        (format!("{header}.{payload}.{}", signature.chars().rev().collect::<String>()), ""),
        (format!("{header}.{payload}.{signature}.{signature}"), ""),
        ("a".repeat(1 << 20), "no session"),
    ] {
        denied(auth.session(&text).await, says);
    }
    auth.session(token.expose()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_lie_in_a_file_of_ones_own_or_sealed_in_the_store() {
    let bed = Bed::new();
    let store = bed.store("a").await;
    let open = |digit: Option<&str>| {
        let key = digit.map(|digit| SealingKey::from_hex(&digit.repeat(64).into()).unwrap());
        let options = AuthOptions { sealing_key: key, ..AuthOptions::default() };
        Auth::new(bed.context(), store.clone(), options).unwrap()
    };
    let keys = async || {
        let jwks = open(None).jwks().await.unwrap();
        let keys = jwks["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let begun = async |digit: Option<&str>| {
        bed.pass(Duration::from_secs(1));
        session(&bed, &open(digit), "m", &admin()).await.token
    };
    let refused = async |says: &str| {
        bed.pass(Duration::from_secs(1));
        let token = token(&bed, &admin()).await;
        let error = open(None).authenticate("m", token.expose()).await.unwrap_err();
        assert!(error.message().contains(says), "{error}");
        error.help().unwrap().to_owned()
    };
    open(None).create(&method(&bed, "m")).await.unwrap();
    assert!(keys().await.is_empty(), "a list makes nothing");
    begun(Some("a")).await;
    let sealed = keys().await;
    begun(Some("a")).await;
    assert_eq!((sealed.len(), keys().await), (1, sealed.clone()));
    assert!(refused("is sealed").await.contains("--seal-key"));
    begun(Some("b")).await;
    assert_eq!(keys().await.len(), 2, "another key opens nothing");

    // Signed by one, known by all.
    let token_of_a = begun(Some("a")).await;
    open(None).session(token_of_a.expose()).await.unwrap();
    for id in keys().await {
        open(None).remove_key(&id).await.unwrap();
    }
    denied(open(None).session(token_of_a.expose()).await, "not of this store");
    let error = open(None).remove_key(&sealed[0]).await.unwrap_err();
    assert!(error.message().contains("no signing key"), "{error}");
    let trail = store.trail("@store").await.unwrap();
    assert_eq!(trail.iter().filter(|line| line.action == "drop-key").count(), 2);
    assert_eq!(store.verify("@store").await.unwrap(), None);

    let first = begun(None).await;
    let of_file = keys().await;
    let second = begun(None).await;
    assert_eq!((of_file.len(), keys().await), (1, of_file.clone()));
    open(None).remove_key(&of_file[0]).await.unwrap();
    let third = begun(None).await;
    assert!(keys().await.len() == 1 && keys().await != of_file, "another one was made");
    for ended in [first, second] {
        denied(open(None).session(ended.expose()).await, "not of this store");
    }
    open(None).session(third.expose()).await.unwrap();

    let id = store.info().await.unwrap().id;
    let home = bed.context().env.get("HOME").unwrap();
    let path = Path::new(&home).join(format!(".aws/rolecall/keys/{id}.key"));
    let mode = |mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&path, permissions).unwrap();
    };
    mode(0o640);
    assert!(refused("not this user's alone").await.contains("--remove KID"));
    mode(0o600);
    std::fs::write(&path, "x").unwrap();
    refused("holds no signing key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_follows_its_method_as_that_is_now() {
    let bed = Bed::new();
    let auth = bed.leases("a").await.auth().unwrap();
    let end = crate::bed::START as u64 + 20 * 60;
    let method = AuthMethod { access_expires: Some(end), ..method(&bed, "m") };
    auth.create(&method).await.unwrap();
    let begun = session(&bed, &auth, "m", &admin()).await;
    assert_eq!(begun.claims.expires_at, bed.start() + MINUTE * 20, "the method ends before it");

    let mut shorter = AuthMethod { jwt_ttl: MINUTE * 10, access_expires: None, ..method };
    shorter.bounds.unique_identifier = Some(SubClaim::UserName);
    auth.update(&shorter, 1).await.unwrap();
    bed.pass(MINUTE * 10 - Duration::from_secs(1));
    let found = auth.session(begun.token.expose()).await.unwrap();
    assert_eq!((found.subject.as_str(), found.expires_at), ("admin", bed.start() + MINUTE * 10));
    bed.pass(Duration::from_secs(1));
    denied(auth.session(begun.token.expose()).await, "has ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn renewing_and_revealing_ask_for_a_session_too() {
    let bed = Bed::new();
    let sealing_key = Some(SealingKey::from_hex(&"a".repeat(64).into()).unwrap());
    let connect = crate::bed::connect(&bed.kit.url(), admin(), None);
    let options = rolecall_secrets::LeaseOptions { sealing_key, ..crate::bed::options() };
    let leases = Leases::new(bed.context(), bed.store("a").await, connect, options);
    crate::bed::define(&leases).await;
    let auth = leases.auth().unwrap();
    let method = AuthMethod { jwt_ttl: MINUTE * 5, ..method(&bed, "m") };
    auth.create(&method).await.unwrap();
    let request = LeaseRequest { keep: true, ..crate::bed::request(MINUTE * 10) };
    let id = leases.create(&request).await.unwrap().lease.id;
    leases.reveal(id, None).await.unwrap();

    // Asked for since.
    let mut definition = secret();
    definition.access = vec![format!("{},user_name=admin", method.access_id).parse().unwrap()];
    leases.redefine(&definition, 1).await.unwrap();
    denied(leases.reveal(id, None).await, "those who have logged in");
    denied(leases.renew(id, Some(MINUTE), None).await, "those who have logged in");
    denied(leases.renew_up_to(id, MINUTE, None).await, "those who have logged in");
    let other = session(&bed, &auth, "m", &role(&bed, "Leases").await).await.token;
    denied(leases.reveal(id, Some(&other)).await, "is not among those");
    denied(leases.renew(id, Some(MINUTE), Some(&other)).await, "is not among those");
    let good = session(&bed, &auth, "m", &admin()).await.token;
    leases.reveal(id, Some(&good)).await.unwrap();
    let before = leases.lease(id).await.unwrap().expires_at;
    let renewed = leases.renew(id, Some(MINUTE), Some(&good)).await.unwrap();
    assert_eq!(renewed.expires_at, before + MINUTE);
    bed.pass(MINUTE * 5);
    denied(leases.renew_up_to(id, MINUTE, Some(&good)).await, "has ended");
    let trail = leases.trail(&id.to_string()).await.unwrap();
    let told = trail.iter().filter(|line| line.action == "reveal").map(|line| line.outcome.name());
    assert_eq!(told.collect::<Vec<_>>(), ["done", "refused", "refused", "done"]);
    assert!(trail.iter().any(|line| line.detail.contains(":user/admin")), "{trail:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_that_make_no_sense_are_refused() {
    let bed = Bed::new();
    let auth = bed.leases("a").await.auth().unwrap();
    let good = method(&bed, "m");
    let no_account = Bounds { account_ids: Vec::new(), ..good.bounds.clone() };
    for (method, says) in [
        (AuthMethod { name: "a b".to_owned(), ..good.clone() }, "name"),
        (AuthMethod { name: "p-x".to_owned(), ..good.clone() }, "name"),
        (AuthMethod { access_id: "x".to_owned(), ..good.clone() }, "access id"),
        (AuthMethod { bounds: no_account, ..good.clone() }, "account"),
        (AuthMethod { formats: Vec::new(), ..good.clone() }, "dialect"),
        (AuthMethod { audience: None, ..good.clone() }, "audience"),
        (AuthMethod { jwt_ttl: Duration::ZERO, ..good.clone() }, "minute to a week"),
    ] {
        let error = auth.create(&method).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.message().contains(says), "{says}: {error}");
    }
    auth.create(&good).await.unwrap();
}
