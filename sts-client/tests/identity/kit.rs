//! Tokens of every kind of principal, verified by an STS that checks their signatures.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rolecall_core::http::{WebClient, WebSettings};
use rolecall_core::{Clock, Context, Credentials, Fs};
use rolecall_kit::{Kit, World, names};
use rolecall_sts::identity::{
    Binding, Bounds, Challenges, Dialect, MemoryReplayGuard, Mode, Policy, Token, TokenFormat,
    Verifier,
};
use rolecall_sts::{AssumeRole, GetFederationToken, GetSessionToken, StsClient};

use crate::support::{self, AUDIENCE, CLUSTER, SERVER, endpoint};

pub(crate) fn context(kit: &Kit) -> Context {
    Context {
        clock: Clock::manual(now(kit)),
        http: Arc::new(WebClient::new(WebSettings::default(), Fs::real())),
        ..Context::fake()
    }
}

fn now(kit: &Kit) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(kit.now().cast_unsigned())
}

pub(crate) fn client(kit: &Kit, credentials: &Credentials) -> StsClient {
    let provider = Arc::new(credentials.clone());
    StsClient::new(context(kit), endpoint(&kit.url(), "us-east-1"), Some(provider))
}

pub(crate) fn alice() -> Credentials {
    Credentials::new(names::ALICE_KEY, names::ALICE_SECRET, "alice")
}

async fn role(kit: &Kit, by: &Credentials, arn: &str) -> Credentials {
    let input = AssumeRole {
        role_arn: arn.to_owned(),
        role_session_name: "ci-1".to_owned(),
        ..AssumeRole::default()
    };
    client(kit, by).assume_role(&input).await.unwrap().credentials
}

fn verifier(kit: &Kit, mode: Mode) -> Verifier {
    let guard = Arc::new(MemoryReplayGuard::default());
    Verifier::new(context(kit), mode, guard)
}

fn policy(kit: &Kit, bounds: Bounds) -> Policy {
    let bounds = Bounds { sts_url: Some(kit.url()), ..bounds };
    Policy::new(&bounds, &TokenFormat::ALL, support::binding()).unwrap()
}

fn account(account: &str) -> Bounds {
    Bounds { account_ids: vec![account.to_owned()], ..Bounds::default() }
}

fn made(kit: &Kit, format: TokenFormat, credentials: &Credentials) -> String {
    let at = endpoint(&kit.url(), "us-east-1");
    let token = Token::create(support::dialect(format), credentials, &at, now(kit)).unwrap();
    token.text.expose().to_owned()
}

#[tokio::test]
async fn every_kind_of_principal_in_every_dialect() {
    let kit = Kit::start(World::default());
    let hop = role(&kit, &alice(), names::HOP).await;
    let chained = role(&kit, &hop, names::DEPLOY).await;
    let sts = client(&kit, &alice());
    let session = sts.get_session_token(&GetSessionToken::default()).await.unwrap();
    let guest = GetFederationToken { name: "guest".to_owned(), ..Default::default() };
    let guest = sts.get_federation_token(&guest).await.unwrap().credentials;
    let root = Credentials::new(names::ROOT_KEY, names::ROOT_SECRET, "root");
    for (credentials, id, kind, resource) in [
        (alice(), names::ACCOUNT, "user", "user/alice"),
        (session.credentials, names::ACCOUNT, "user", "user/alice"),
        (hop, names::OTHER_ACCOUNT, "assumed-role", "assumed-role/Hop/ci-1"),
        (chained, "333333333333", "assumed-role", "assumed-role/Deploy/ci-1"),
        (guest, names::ACCOUNT, "federated-user", "federated-user/guest"),
        (root, names::ACCOUNT, "root", "root"),
    ] {
        for format in TokenFormat::ALL {
            let token = made(&kit, format, &credentials);
            let decision =
                verifier(&kit, Mode::SingleUse).verify(&token, &policy(&kit, account(id))).await;
            let identity = decision.accepted().unwrap_or_else(|e| panic!("{format} {kind}: {e}"));
            assert_eq!(identity.principal.kind(), kind);
            assert!(identity.arn.ends_with(resource), "{}", identity.arn);
        }
    }
}

#[tokio::test]
async fn a_signature_binds_what_it_covers() {
    let kit = Kit::start(World::default());
    let at = endpoint(&kit.url(), "us-east-1");
    let wrong = Credentials::new(names::ALICE_KEY, "another secret", "wrong");
    let other_cluster = Dialect::Eks { cluster: "other".to_owned() };
    for (dialect, credentials) in [
        (Dialect::Akeyless, wrong),
        // The cluster is in no token: STS refuses it for another.
        (other_cluster, alice()),
        (Dialect::Akeyless, Credentials::new("AKIAUNKNOWNEXAMPLE00", "x", "unknown")),
    ] {
        let token = Token::create(dialect, &credentials, &at, now(&kit)).unwrap();
        let verifier = verifier(&kit, Mode::SingleUse);
        let policy = policy(&kit, account(names::ACCOUNT));
        let decision = verifier.verify(token.text.expose(), &policy).await;
        assert_eq!(support::code(&decision).1, "sts-denied");
    }
    assert!(!CLUSTER.is_empty() && !SERVER.is_empty());
}

#[tokio::test]
async fn a_challenge_is_answered() {
    let kit = Kit::start(World::default());
    let challenges = Arc::new(Challenges::random().unwrap());
    let binding = Binding { challenges: Some(challenges.clone()), ..support::binding() };
    let bounds = Bounds { sts_url: Some(kit.url()), ..account(names::ACCOUNT) };
    let policy = Policy::new(&bounds, &[TokenFormat::Rolecall], binding).unwrap();
    let dialect = Dialect::Rolecall {
        audience: AUDIENCE.to_owned(),
        challenge: Some(challenges.issue(AUDIENCE, now(&kit)).unwrap()),
        lifetime: Dialect::LIFETIME,
    };
    let at = endpoint(&kit.url(), "us-east-1");
    let token = Token::create(dialect, &alice(), &at, now(&kit)).unwrap();
    let decision = verifier(&kit, Mode::SingleUse).verify(token.text.expose(), &policy).await;
    assert!(decision.accepted().is_ok(), "{decision:?}");
}

#[tokio::test]
async fn a_thousand_equal_tokens_are_one_call() {
    let kit = Kit::start(World::default());
    let verifier = Arc::new(verifier(&kit, Mode::SingleUse));
    let policy = Arc::new(policy(&kit, account(names::ACCOUNT)));
    let token: Arc<str> = made(&kit, TokenFormat::Akeyless, &alice()).into();
    let tasks: Vec<_> = (0..1000)
        .map(|_| {
            let (verifier, policy, token) = (verifier.clone(), policy.clone(), token.clone());
            tokio::spawn(async move { verifier.verify(&token, &policy).await.accepted().is_ok() })
        })
        .collect();
    let mut accepted = 0;
    for task in tasks {
        accepted += usize::from(task.await.unwrap());
    }
    assert_eq!((accepted, kit.count("GetCallerIdentity")), (1, 1));
}
