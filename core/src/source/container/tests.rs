use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::Fs;
use crate::http::ScriptedHttp;

const KEYS: &str = r#"{"AccessKeyId":"A","SecretAccessKey":"hunter2","Token":"t",
    "Expiration":"2026-01-01T01:00:00Z","AccountId":"123456789012"}"#;

struct Test {
    provider: ContainerProvider,
    http: Arc<ScriptedHttp>,
    folder: tempfile::TempDir,
}

impl Test {
    fn answering(env: &[(&str, &str)], answers: &[(u16, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let answers = answers.iter().map(|(status, body)| ScriptedHttp::answer(*status, body));
        let http = ScriptedHttp::new(answers);
        let context = Context {
            env: Env::from_pairs(env.iter().copied()),
            fs: Fs::rooted(folder.path()),
            http: http.clone(),
            ..Context::fake()
        };
        Self { provider: ContainerProvider::new(context), http, folder }
    }

    fn write_token(&self, text: &[u8]) {
        Fs::rooted(self.folder.path()).write(Path::new("/token"), text).unwrap();
    }

    async fn ask(&self) -> crate::Result<Credentials> {
        self.provider.provide_credentials().await
    }

    /// What was sent: never by a proxy, never without end.
    fn sent(&self) -> Vec<Request> {
        let requests = self.http.take_requests();
        for request in &requests {
            assert!(request.extensions().get::<Direct>().is_some(), "not by a proxy");
            assert!(request.extensions().get::<TimeLimit>().is_some());
        }
        requests
    }

    fn tokens(&self) -> Vec<Option<String>> {
        let token = |request: &Request| {
            let token = request.headers().get(AUTHORIZATION);
            token.map(|token| token.to_str().unwrap().to_owned())
        };
        self.sent().iter().map(token).collect()
    }
}

const RELATIVE: (&str, &str) = (RELATIVE_URI, "/v2/credentials/id");
const IN_FILE: (&str, &str) = (TOKEN_FILE, "/token");

fn endpoint(pairs: &[(&str, &str)]) -> crate::Result<String> {
    let found = ContainerEndpoint::from_env(&Env::from_pairs(pairs.iter().copied()))?;
    Ok(found.url().to_owned())
}

#[test]
fn the_relative_uri_wins_and_cannot_change_the_host() {
    let found = endpoint(&[RELATIVE, (FULL_URI, "http://127.0.0.1/x")]).unwrap();
    assert_eq!(found, "http://169.254.170.2/v2/credentials/id");
    for path in ["credentials", ".evil.example/x", "@evil.example/x", ":80@evil.example/"] {
        let error = endpoint(&[(RELATIVE_URI, path)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{path}");
    }
}

#[test]
fn clear_text_stays_on_the_machine() {
    for allowed in [
        "http://127.0.0.1:8080/x",
        "http://127.9.9.9/",
        "http://[::1]:8080/x",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.170.2/x",
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials",
        "https://example.com/x",
        "https://192.0.2.1/x",
    ] {
        assert!(endpoint(&[(FULL_URI, allowed)]).is_ok(), "{allowed}");
    }
    for refused in [
        "http://192.0.2.1/x",
        "http://169.254.169.254/x",
        "http://169.254.170.3/x",
        "http://0.0.0.0/x",
        "http://[::]/x",
        "http://[fd00:ec2::254]/x",
        "http://[::ffff:192.0.2.1]/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http://me:hunter2@127.0.0.1/",
        "/credentials",
        "127.0.0.1",
    ] {
        let error = endpoint(&[(FULL_URI, refused)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{refused}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_name_must_stand_for_allowed_addresses_alone_and_is_pinned_to_them() {
    let local = IpAddr::from([127, 0, 0, 1]);
    let remote = IpAddr::from([192, 0, 2, 1]);
    let both = vec![IpAddr::from(Ipv6Addr::LOCALHOST), local];
    let ask = async |addresses: Vec<IpAddr>| {
        let env = [(FULL_URI, "http://agent:8080/x")];
        let test = Test::answering(&env, &[(200, KEYS)]);
        test.http.knows("agent", addresses);
        let outcome = test.ask().await;
        let pins = test.sent();
        (outcome, pins.iter().map(|r| r.extensions().get::<Pinned>().cloned()).collect::<Vec<_>>())
    };
    let (outcome, pins) = ask(both.clone()).await;
    outcome.unwrap();
    assert_eq!(pins, [Some(Pinned(both))]);
    for bad in [vec![local, remote], vec![remote], vec![]] {
        let (outcome, pins) = ask(bad).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::InvalidConfiguration);
        assert!(pins.is_empty(), "nothing may be sent");
    }
    let test = Test::answering(&[(FULL_URI, "http://unknown:8080/x")], &[]);
    assert_eq!(test.ask().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn the_token_file_is_read_again_each_time_and_goes_before_the_variable() {
    let test = Test::answering(
        &[RELATIVE, IN_FILE, (TOKEN, "variable")],
        &[(200, KEYS), (503, ""), (200, KEYS)],
    );
    test.write_token(b"first");
    let found = test.ask().await.unwrap();
    assert_eq!(found.account_id(), Some("123456789012"));
    test.write_token(b"second");
    test.ask().await.unwrap();
    let shown = [Some("first".to_owned()), Some("second".to_owned()), Some("second".to_owned())];
    assert_eq!(test.tokens(), shown);
    let test = Test::answering(&[RELATIVE, (TOKEN, "variable")], &[(200, KEYS)]);
    test.ask().await.unwrap();
    assert_eq!(test.tokens(), [Some("variable".to_owned())]);
}

#[tokio::test]
async fn a_token_that_makes_no_header_is_refused_and_not_shown() {
    for token in ["hunter2\r\nX-Evil: 1", "hunter2\n", "hunter2\x01", ""] {
        let test = Test::answering(&[RELATIVE, IN_FILE], &[]);
        test.write_token(token.as_bytes());
        let error = test.ask().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{token:?}");
        assert!(!format!("{error} {error:?} {:?}", error.causes()).contains("hunter2"), "{error}");
    }
    let test = Test::answering(&[RELATIVE, (TOKEN, "hunter2\nX: 1")], &[]);
    assert_eq!(test.ask().await.unwrap_err().kind(), ErrorKind::InvalidConfiguration);
    let test = Test::answering(&[RELATIVE, IN_FILE], &[]);
    assert!(test.ask().await.unwrap_err().message().contains("/token"));
    test.write_token(&vec![b'a'; 100_000]);
    assert_eq!(test.ask().await.unwrap_err().kind(), ErrorKind::InvalidConfiguration);
}

#[tokio::test]
async fn each_bad_answer_has_its_own_error_and_shows_nothing_secret() {
    let ended = KEYS.replace("T01", "T00");
    let large = "a".repeat(100_000);
    let refusal = r#"{"code":"AccessDenied","message":"the role is gone"}"#;
    let echo = r#"{"code":"BadToken","message":"hunter2"}"#;
    for (status, body, kind, says) in [
        (200, "hunter2", ErrorKind::Malformed, "not the JSON"),
        (200, "{}", ErrorKind::Malformed, "missing"),
        (200, &*large, ErrorKind::Malformed, "larger"),
        (200, &*ended, ErrorKind::Denied, "ended at 2026-01-01T00:00:00Z"),
        (403, refusal, ErrorKind::Denied, "(AccessDenied: the role is gone)"),
        (400, echo, ErrorKind::Denied, "answered 400"),
        (404, "", ErrorKind::Denied, "answered 404"),
        (302, "", ErrorKind::Malformed, "302"),
    ] {
        let test = Test::answering(&[RELATIVE, (TOKEN, "hunter2")], &[(status, body)]);
        let error = test.ask().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.message().contains(says), "{error}");
        let text = format!("{error} {error:?} {:?}", error.causes());
        assert!(!text.contains("hunter2"), "{text}");
    }
    let test = Test::answering(&[RELATIVE], &[(500, ""), (429, ""), (503, "")]);
    assert_eq!(test.ask().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let error = Test::answering(&[], &[]).ask().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotConfigured);
}
