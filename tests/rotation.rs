//! Key and certificate are replaced a thousand times while a server gives their sessions.

#![cfg(all(unix, feature = "roles-anywhere", feature = "serve"))]
#![expect(clippy::unwrap_used, reason = "a broken kit fails its test")]
#![allow(clippy::disallowed_methods, reason = "what replaces the files is another program")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use rolecall::core::endpoint::{ConfiguredUrl, EndpointOptions};
use rolecall::rolesanywhere::{IdentitySource, RolesAnywhere, RolesAnywhereProvider};
use rolecall::serve::{ServeOptions, ServedProfile, Server};
use rolecall::{Context, Credentials, ProvideCredentials, Result, SharedProvider, block_on};
use rolecall_kit::rolesanywhere::{Issued, NewCertificate};
use rolecall_kit::{Kit, World, names};

const SWAPS: usize = 1000;
/// Two pairs in turn would let a mismatch go unseen if the swaps kept in step with the readings.
const PAIRS: usize = 7;
const AUTHORIZATION: &str = "let-me-in";

/// Gives each session's credentials as if they ended at once, so that each request makes a session.
#[derive(Debug)]
struct AtTheirEnd(SharedProvider, Context);

#[async_trait]
impl ProvideCredentials for AtTheirEnd {
    async fn provide_credentials(&self) -> Result<Credentials> {
        let credentials = self.0.provide_credentials().await?;
        Ok(credentials.with_expires_at(Some(self.1.clock.now())))
    }
}

/// A folder with a pair that another program replaces.
struct Pair {
    folder: tempfile::TempDir,
    issued: Vec<Issued>,
}

impl Pair {
    fn new(kit: &Kit) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let issued = (0..PAIRS).map(|_| kit.issue(&NewCertificate::default())).collect();
        let pair = Self { folder, issued };
        pair.write(0);
        pair
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes pair `number`, one file after the other; by turns in place, as `cp` does, and by
    /// renaming, as careful programs do; the key first or last.
    fn write(&self, number: usize) {
        let issued = &self.issued[number % PAIRS];
        let key = issued.private_key.as_ref().unwrap().expose();
        let mut files = [("host.pem", issued.certificate.as_str()), ("host.key", key)];
        if number % 4 >= 2 {
            files.reverse();
        }
        for (name, text) in files {
            if number.is_multiple_of(2) {
                std::fs::write(self.path(name), text).unwrap();
            } else {
                std::fs::write(self.path("new"), text).unwrap();
                std::fs::rename(self.path("new"), self.path(name)).unwrap();
            }
            std::thread::yield_now();
        }
    }

    fn source(&self) -> IdentitySource {
        let locate = |path: &Path| Some(IdentitySource::locate(path.to_str().unwrap()));
        IdentitySource {
            certificate: locate(&self.path("host.pem")),
            private_key: locate(&self.path("host.key")),
            ..IdentitySource::default()
        }
    }
}

fn provider(context: &Context, kit: &Kit, pair: &Pair) -> SharedProvider {
    let request = RolesAnywhere {
        trust_anchor_arn: names::TRUST_ANCHOR.to_owned(),
        profile_arn: names::PROFILE.to_owned(),
        role_arn: names::WORKLOAD.to_owned(),
        ..RolesAnywhere::default()
    };
    let url = Some(ConfiguredUrl::new(kit.url(), "the test"));
    let endpoint = request.endpoint(&EndpointOptions { url, ..EndpointOptions::default() });
    Arc::new(RolesAnywhereProvider::new(context.clone(), endpoint.unwrap(), pair.source(), request))
}

/// Asks the container endpoint for credentials.
fn ask(port: u16) -> (u16, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let request = format!(
        "GET /creds HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {AUTHORIZATION}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let status = text.split(' ').nth(1).unwrap().parse().unwrap();
    (status, text)
}

#[test]
fn a_thousand_swaps_of_the_pair_fail_nobody_and_mix_nothing() {
    let kit = Kit::start(World::default());
    let pair = Pair::new(&kit);
    let context = Context::real();
    let provider = Arc::new(AtTheirEnd(provider(&context, &kit, &pair), context.clone()));
    let profile = ServedProfile::from_provider(&context, "host", None, None, provider);
    let options = ServeOptions {
        port: 0,
        imds: false,
        authorization: Some(AUTHORIZATION.into()),
        ..ServeOptions::default()
    };
    let server = Server::bind(&context, vec![profile], &options).unwrap();
    let port = server.port();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let is_done = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| {
        let serving = scope.spawn(|| {
            block_on(server.run(async {
                let _ = stopped.await;
            }))
        });
        // The first pair is read whole, as when the server starts.
        let mut answers = vec![ask(port)];
        let swapping = scope.spawn(|| {
            for number in 1..=SWAPS {
                pair.write(number);
                // Somewhere between two answers, and never far ahead of them.
                let seen = kit.count("CreateSession");
                while !is_done.load(Ordering::SeqCst)
                    && number.is_multiple_of(8)
                    && kit.count("CreateSession") == seen
                {
                    std::thread::yield_now();
                }
            }
        });
        while !swapping.is_finished() {
            answers.push(ask(port));
        }
        is_done.store(true, Ordering::SeqCst);
        // And what is there in the end is what is used.
        answers.push(ask(port));
        stop.send(()).unwrap();
        serving.join().unwrap().unwrap().unwrap();
        answers
    });
    for (status, text) in &answers {
        assert_eq!(*status, 200, "{text}");
    }
    let calls = kit.calls();
    let sessions = calls.iter().filter(|call| call.operation == "CreateSession");
    let mut used = BTreeSet::new();
    for call in sessions {
        assert_eq!(call.status, 201, "{call:?}");
        used.insert(call.principal.clone().unwrap_or_default());
    }
    assert!(answers.len() > SWAPS / 10, "only {} answers", answers.len());
    assert!(used.len() >= 3, "only {used:?} of {PAIRS} pairs were used");
    eprintln!("{SWAPS} swaps, {} answers, {} pairs used", answers.len(), used.len());
}
