//! What every library below says at TRACE, in this process: no secret in any of it.

use std::cell::RefCell;
use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Once};

use rolecall::core::http::{WebClient, WebSettings};
use rolecall::core::{Env, Fs};
use rolecall::{Context, Prompt, Session, SessionOptions, block_on};
use rolecall_kit::{Fault, FaultRule, Kit, World, names};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::support::{Needles, Sandbox, path_text};

thread_local! {
    /// What was said on this thread; the kit runs on another one.
    static TAPE: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

fn record(text: &[u8]) {
    TAPE.with_borrow_mut(|tape| tape.iter_mut().for_each(|tape| tape.extend_from_slice(text)));
}

struct Tape;

impl io::Write for Tape {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        record(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes the events of libraries that use `log`, such as rustls.
impl log::Log for Tape {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, event: &log::Record<'_>) {
        record(format!("{} {}\n", event.target(), event.args()).as_bytes());
    }

    fn flush(&self) {}
}

/// Runs `work` with all logs of this thread on tape, and gives the tape.
fn taped(work: impl FnOnce()) -> String {
    static LOGGER: Once = Once::new();
    LOGGER.call_once(|| {
        log::set_logger(&Tape).expect("nobody else logs");
        log::set_max_level(log::LevelFilter::Trace);
    });
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(|| Tape)
        .with_ansi(false)
        .finish();
    let _guard = subscriber.set_default();
    TAPE.set(Some(Vec::new()));
    work();
    String::from_utf8(TAPE.take().unwrap()).unwrap()
}

/// Says what a panic or a careless `{:?}` would say of it.
fn debug(thing: &impl Debug) {
    record(format!("{thing:?}\n{thing:#?}\n").as_bytes());
}

/// The machine of `sandbox`, without this process's environment.
fn context(sandbox: &Sandbox, url: &str, more: &[(&str, &str)]) -> Context {
    let home = path_text(sandbox.home());
    let pairs = [
        ("HOME", home.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL_STS", url),
        ("AWS_MAX_ATTEMPTS", "1"),
    ];
    let env = Env::from_pairs(pairs.iter().chain(more).copied());
    let http = Arc::new(WebClient::new(WebSettings::from_env(&env), Fs::real()));
    let prompt = Prompt::from_fn(|_| Ok(names::ALICE_MFA_CODES[5].into()));
    Context { env, http, prompt, ..Context::real() }
}

/// Asks for a profile's credentials and identity; says whether that went well.
fn ask(context: Context, profile: &str) -> bool {
    let options = SessionOptions {
        profile: Some(profile.to_owned()),
        no_disk_cache: true,
        context: Some(context),
        ..SessionOptions::default()
    };
    debug(&options);
    let session = Session::new(options).unwrap();
    let outcome = block_on(async {
        let credentials = session.credentials().await?;
        let sts = session.sts()?;
        debug(&sts);
        let identity = sts.get_caller_identity().await?;
        debug(&identity);
        Ok::<_, rolecall::CredentialsError>(credentials)
    })
    .unwrap();
    debug(&session);
    debug(&outcome);
    match &outcome {
        Ok(_) => true,
        Err(error) => {
            record(format!("{error}\n{:?}\n", error.causes()).as_bytes());
            false
        }
    }
}

fn tls_sandbox() -> (Sandbox, String, String) {
    let kit = Kit::start_tls(World::default());
    let (url, ca) = (kit.tls_url().unwrap(), kit.ca_pem().unwrap().to_owned());
    let sandbox = Sandbox::with_kit(kit);
    sandbox.add_web_profile();
    let (role, serial) = (names::MFA, names::ALICE_MFA);
    sandbox.add_config(&format!(
        "[profile mfa]\nrole_arn = {role}\nsource_profile = alice\nmfa_serial = {serial}\n"
    ));
    let ca = path_text(&sandbox.file("ca.pem", &ca));
    (sandbox, url, ca)
}

#[test]
fn nothing_leaks_when_all_goes_well() {
    let (sandbox, url, ca) = tls_sandbox();
    let tape = taped(|| {
        for profile in ["alice", "final", "web", "mfa"] {
            assert!(ask(context(&sandbox, &url, &[("AWS_CA_BUNDLE", &ca)]), profile));
        }
        assert!(ask(context(&sandbox, &sandbox.kit.url(), &[]), "deploy"));
    });
    for library in ["rolecall_sts", "rustls", "hyper_util", "reqwest"] {
        assert!(tape.contains(library), "nothing of {library} was taped");
    }
    Needles::new(&sandbox.kit, &[]).assert_absent("the log", &tape);
}

#[test]
fn nothing_leaks_when_all_goes_wrong() {
    let (sandbox, url, ca) = tls_sandbox();
    let tape = taped(|| {
        for fault in [
            Fault::Throttle,
            Fault::Close,
            Fault::LoseReply,
            Fault::Truncate,
            Fault::Large { bytes: 2_000_000 },
            Fault::Redirect { status: 307, location: "http://127.0.0.1:1/".to_owned() },
            Fault::Fail { status: 403, code: "AccessDenied".into(), message: String::new() },
        ] {
            // The first call goes through, so that there is a session's token to lose.
            sandbox.kit.inject(FaultRule { after: 1, ..FaultRule::always("*", fault) });
            assert!(!ask(context(&sandbox, &url, &[("AWS_CA_BUNDLE", &ca)]), "final"));
            sandbox.kit.clear_faults();
        }
        // A peer that is not to be trusted, nobody, and a proxy with a password.
        assert!(!ask(context(&sandbox, &url, &[]), "web"));
        assert!(!ask(context(&sandbox, "http://127.0.0.1:1", &[]), "final"));
        let proxy = sandbox.kit.url().replace("http://", "http://me:hunter2-of-the-proxy@");
        let https = context(&sandbox, "https://sts.example", &[("HTTPS_PROXY", &proxy)]);
        assert!(!ask(https, "web"));
        ask(context(&sandbox, "http://sts.example", &[("HTTP_PROXY", &proxy)]), "web");
    });
    let needles = ["hunter2-of-the-proxy", "bWU6aHVudGVyMi1vZi10aGUtcHJveHk"];
    Needles::new(&sandbox.kit, &needles).assert_absent("the log", &tape);
}
