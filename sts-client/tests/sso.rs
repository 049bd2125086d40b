//! IAM Identity Center against an AWS on loopback: the token file shared with AWS CLI, its renewal,
//! and the credentials.

#![expect(clippy::unwrap_used, reason = "a broken machine fails its test")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rolecall_core::http::{WebClient, WebSettings};
use rolecall_core::{
    Clock, Context, CredentialsError, ErrorKind, Fs, ProvideCredentials, timestamp,
};
use rolecall_kit::{Fault, FaultRule, Kit, SsoLogin, World, names};
use rolecall_sts::{Sso, SsoEndpoints, SsoProvider, finish_renewals};
use serde_json::Value;

/// SHA-1 of `dev`.
const FILE: &str = "/home/.aws/sso/cache/34c6fceca75e456f25e7e99531e2425c6c1de443.json";
const MINUTE: u64 = 60;

struct Machine {
    kit: Kit,
    _folder: tempfile::TempDir,
    context: Context,
}

impl Machine {
    fn new() -> Self {
        let kit = Kit::start(World::default());
        kit.freeze(1_767_225_600);
        let folder = tempfile::tempdir().unwrap();
        let context = Context {
            fs: Fs::rooted(folder.path()),
            http: Arc::new(WebClient::new(WebSettings::default(), Fs::real())),
            ..Context::fake()
        };
        Self { kit, _folder: folder, context }
    }

    /// Signs in as `aws sso login` does.
    fn login(&self, login: &SsoLogin) -> Value {
        let mut file = self.kit.sso_login(login);
        file["ours"] = "kept".into();
        self.write(&file.to_string());
        file
    }

    fn write(&self, text: &str) {
        self.context.fs.create_folder(Path::new(FILE).parent().unwrap()).unwrap();
        self.context.fs.write(Path::new(FILE), text.as_bytes()).unwrap();
    }

    fn file(&self) -> Value {
        serde_json::from_slice(&self.context.fs.read(Path::new(FILE), 1 << 20).unwrap()).unwrap()
    }

    fn pass(&self, minutes: u64) {
        self.kit.advance((minutes * MINUTE).cast_signed());
        self.context.clock.advance(Duration::from_secs(minutes * MINUTE));
    }

    /// Lets time pass as it does: those who wait must not run ahead of the one who asks.
    fn at_real_time(&mut self) {
        let now = self.context.clock.now();
        self.context.clock = Clock::real();
        self.context.clock.correct(now);
    }

    fn provider(&self, session: Option<&str>) -> SsoProvider {
        let endpoints = SsoEndpoints { portal: self.kit.url(), oidc: self.kit.url() };
        let sso = Sso {
            profile: "work".to_owned(),
            session: session.map(str::to_owned),
            start_url: names::SSO_START_URL.to_owned(),
            account_id: names::ACCOUNT.to_owned(),
            role_name: names::SSO_ROLE.to_owned(),
        };
        SsoProvider::new(self.context.clone(), endpoints, Path::new("/home/.aws"), sso)
    }

    async fn error(&self) -> CredentialsError {
        let error = self.provider(Some("dev")).provide_credentials().await.unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.causes());
        for secret in self.kit.secrets() {
            assert!(!shown.contains(secret.expose()), "{shown}");
        }
        error
    }
}

#[tokio::test]
async fn a_token_gives_credentials_and_is_left_alone_while_it_is_good() {
    let machine = Machine::new();
    let file = machine.login(&SsoLogin::default());
    let provider = machine.provider(Some("dev"));
    provider.check().unwrap();
    let credentials = provider.provide_credentials().await.unwrap();
    assert_eq!(credentials.account_id(), Some(names::ACCOUNT));
    let end = credentials.expires_at().unwrap();
    assert_eq!(timestamp::format(end), "2026-01-01T01:00:00Z");
    assert_eq!(machine.file(), file);
    assert_eq!(machine.kit.count("CreateToken"), 0);
    let shown = format!("{provider:?} {credentials:?}");
    assert!(machine.kit.secrets().iter().all(|secret| !shown.contains(secret.expose())));
}

#[tokio::test]
async fn near_its_end_the_token_is_renewed_in_the_file_and_all_else_in_it_stays() {
    for minutes in [50, 61] {
        let machine = Machine::new();
        let before = machine.login(&SsoLogin::default());
        machine.pass(minutes);
        for _ in 0..3 {
            machine.provider(Some("dev")).provide_credentials().await.unwrap();
        }
        assert_eq!(machine.kit.count("CreateToken"), 1);
        let after = machine.file();
        assert_ne!(after["accessToken"], before["accessToken"]);
        assert_ne!(after["refreshToken"], before["refreshToken"]);
        let end = machine.context.clock.now() + Duration::from_secs(3600);
        assert_eq!(after["expiresAt"], timestamp::format(end).as_str());
        for kept in ["startUrl", "region", "clientId", "clientSecret", "ours"] {
            assert_eq!(after[kept], before[kept], "{kept}");
        }
        // The next token comes from the next refresh token.
        machine.pass(61);
        machine.provider(Some("dev")).provide_credentials().await.unwrap();
        assert_eq!(machine.kit.count("CreateToken"), 2);
    }
}

#[tokio::test]
async fn a_renewal_that_fails_matters_only_once_the_token_has_ended() {
    let machine = Machine::new();
    machine.login(&SsoLogin::default());
    let down = || Fault::Fail {
        status: 500,
        code: "InternalServerException".to_owned(),
        message: "later".to_owned(),
    };
    machine.kit.inject(FaultRule::always("CreateToken", down()));
    machine.pass(50);
    machine.provider(Some("dev")).provide_credentials().await.unwrap();
    // Nobody waits for more while the old one serves.
    assert_eq!(machine.kit.count("CreateToken"), 1);
    machine.pass(11);
    assert_eq!(machine.error().await.kind(), ErrorKind::Unavailable);
    assert_eq!(machine.kit.count("CreateToken"), 4);
    machine.kit.clear_faults();
    machine.provider(Some("dev")).provide_credentials().await.unwrap();
}

#[tokio::test]
async fn many_at_once_renew_once() {
    let mut machine = Machine::new();
    machine.login(&SsoLogin::default());
    machine.pass(61);
    machine.kit.inject(FaultRule::next("CreateToken", 1, Fault::Delay { milliseconds: 50 }));
    machine.at_real_time();
    let providers = (0..20).map(|_| {
        let endpoints = SsoEndpoints { portal: machine.kit.url(), oidc: machine.kit.url() };
        let sso = Sso {
            session: Some("dev".to_owned()),
            account_id: names::ACCOUNT.to_owned(),
            role_name: names::SSO_ROLE.to_owned(),
            ..Sso::default()
        };
        SsoProvider::new(machine.context.clone(), endpoints, Path::new("/home/.aws"), sso)
    });
    let tasks: Vec<_> = providers
        .map(|provider| tokio::spawn(async move { provider.provide_credentials().await }))
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(machine.kit.count("CreateToken"), 1);
}

#[tokio::test]
async fn a_renewal_that_nobody_waits_for_any_more_is_written_all_the_same() {
    let mut machine = Machine::new();
    let before = machine.login(&SsoLogin::default());
    machine.pass(61);
    machine.at_real_time();
    let gate = "renewal".to_owned();
    machine.kit.inject(FaultRule::next("CreateToken", 1, Fault::Hold { gate }));
    let provider = machine.provider(Some("dev"));
    let asking = tokio::spawn(async move { provider.provide_credentials().await });
    let machine = std::sync::Arc::new(machine);
    let waiting = machine.clone();
    let called = tokio::task::spawn_blocking(move || waiting.kit.wait_for("CreateToken", 1));
    assert!(called.await.unwrap());
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    machine.kit.open("renewal");
    // The next one finds the token, or waits for it: a second use of the refresh token would fail.
    machine.provider(Some("dev")).provide_credentials().await.unwrap();
    assert_eq!(machine.kit.count("CreateToken"), 1);
    assert_ne!(machine.file()["refreshToken"], before["refreshToken"]);
}

#[tokio::test]
async fn what_only_a_person_can_mend_says_how_to_sign_in() {
    let machine = Machine::new();
    let session = Some("run: aws sso login --sso-session dev");
    let error = machine.error().await;
    assert_eq!((error.kind(), error.help()), (ErrorKind::InvalidConfiguration, session));
    assert!(error.message().contains(FILE), "{error}");

    for text in ["", "{\"accessToken\": \"hunter2\"}", "[\"hunter2\"]"] {
        machine.write(text);
        let error = machine.error().await;
        assert_eq!((error.kind(), error.help()), (ErrorKind::InvalidConfiguration, session));
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    // Ended, and not to be renewed: no refresh token, a registration that has ended too, one that
    // was used up.
    for login in [
        SsoLogin { refreshable: false, ..SsoLogin::default() },
        SsoLogin { registration_lifetime: 3600, ..SsoLogin::default() },
    ] {
        machine.login(&login);
        machine.pass(61);
        let error = machine.error().await;
        assert_eq!((error.kind(), error.help()), (ErrorKind::Denied, session));
        let error = machine.provider(Some("dev")).check().unwrap_err();
        assert_eq!((error.kind(), error.help()), (ErrorKind::Denied, session));
    }
    machine.login(&SsoLogin::default());
    machine.kit.sso_sign_out(names::SSO_USER);
    let error = machine.error().await;
    assert_eq!((error.kind(), error.help()), (ErrorKind::Denied, session));
    assert!(error.message().contains("UnauthorizedException"), "{error}");
    machine.pass(61);
    let error = machine.error().await;
    assert_eq!((error.kind(), error.help()), (ErrorKind::Denied, session));
    assert!(error.message().contains("InvalidGrantException"), "{error}");

    let error = machine.provider(None).provide_credentials().await.unwrap_err();
    assert_eq!(error.help(), Some("run: aws sso login --profile work"));
}

#[tokio::test]
async fn a_role_that_is_not_assigned_is_named() {
    let machine = Machine::new();
    machine.login(&SsoLogin::default());
    machine.kit.change_world(|world| world.sso_users.clear());
    let error = machine.error().await;
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.help().unwrap().contains(names::SSO_ROLE), "{error}");
}

#[tokio::test]
async fn passing_faults_are_tried_again_and_strangers_are_malformed() {
    let machine = Machine::new();
    machine.login(&SsoLogin::default());
    for fault in [Fault::Throttle, Fault::Close, Fault::Truncate] {
        machine.kit.inject(FaultRule::next("GetRoleCredentials", 2, fault));
        machine.provider(Some("dev")).provide_credentials().await.unwrap();
    }
    let raw = |body: &str| Fault::Raw {
        status: 200,
        content_type: "application/json".to_owned(),
        body: body.to_owned(),
        headers: Default::default(),
    };
    for body in [
        "<html>",
        "{}",
        r#"{"roleCredentials":{"accessKeyId":"","secretAccessKey":"s","sessionToken":"t","expiration":1}}"#,
        r#"{"roleCredentials":{"accessKeyId":"A","secretAccessKey":"s","sessionToken":"t","expiration":18446744073709551615}}"#,
    ] {
        machine.kit.inject(FaultRule::next("GetRoleCredentials", 1, raw(body)));
        assert_eq!(machine.error().await.kind(), ErrorKind::Malformed, "{body}");
    }
}

#[test]
fn a_sign_out_during_the_renewal_is_not_undone() {
    let machine = Machine::new();
    machine.login(&SsoLogin::default());
    machine.pass(50);
    machine.kit.inject(FaultRule::next(
        "CreateToken",
        1,
        Fault::Hold { gate: "renewal".to_owned() },
    ));
    let provider = machine.provider(Some("dev"));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(provider.provide_credentials())
        });
        assert!(machine.kit.wait_for("CreateToken", 1));
        machine.context.fs.remove(Path::new(FILE)).unwrap();
        machine.kit.open("renewal");
        asking.join().unwrap().unwrap();
    });
    let found = machine.context.fs.read(Path::new(FILE), 1 << 20).unwrap_err();
    assert_eq!(found.kind(), std::io::ErrorKind::NotFound);
}

#[tokio::test]
async fn an_early_renewal_that_fails_is_left_alone_for_a_minute() {
    let machine = Machine::new();
    machine.login(&SsoLogin::default());
    machine.pass(50);
    machine.kit.inject(FaultRule::always("CreateToken", Fault::Throttle));
    for (minutes, renewals) in [(0, 1), (0, 1), (2, 2), (0, 2)] {
        machine.pass(minutes);
        machine.provider(Some("dev")).provide_credentials().await.unwrap();
        assert_eq!(machine.kit.count("CreateToken"), renewals);
    }
    machine.kit.clear_faults();
    machine.pass(2);
    machine.provider(Some("dev")).provide_credentials().await.unwrap();
    assert_eq!(machine.kit.count("CreateToken"), 3);
    let locks = machine.context.fs.list(Path::new("/home/.aws/rolecall/locks")).unwrap();
    assert!(locks.is_empty(), "{locks:?}");
}

#[tokio::test]
async fn an_early_renewal_that_takes_long_is_waited_for_shortly_and_goes_on() {
    let machine = Machine::new();
    let before = machine.login(&SsoLogin::default());
    machine.pass(50);
    let gate = "renewal".to_owned();
    machine.kit.inject(FaultRule::next("CreateToken", 1, Fault::Hold { gate }));
    // Far less than the request's own limit.
    let (clock, limit) = (Clock::real(), Duration::from_secs(10));
    for _ in 0..2 {
        let provider = machine.provider(Some("dev"));
        let asked = clock.timeout(limit, provider.provide_credentials()).await;
        assert!(asked.is_some_and(|asked| asked.is_ok()));
    }
    assert_eq!(machine.file()["refreshToken"], before["refreshToken"]);
    machine.kit.open("renewal");
    finish_renewals(Duration::from_secs(30)).await;
    assert_ne!(machine.file()["refreshToken"], before["refreshToken"]);
    assert_eq!(machine.kit.count("CreateToken"), 1);
}
