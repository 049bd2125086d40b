//! What a case must keep to itself, and the search for it in all that can be shown.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rolecall::core::http::Request;
use serde_json::Value;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::format::FmtSpan;
use url::form_urlencoded;

use crate::replay::Exchange;

/// Shorter secrets are also parts of words: those count only where they stand alone.
const LONG: usize = 8;

/// The secrets of one case.
#[derive(Default)]
pub(crate) struct Secrets(BTreeSet<String>);

impl Secrets {
    pub(crate) fn of_variable(&mut self, name: &str, value: &str) {
        let is_secret = name.contains("SECRET") || name.contains("TOKEN");
        // EXPOSE_SECRETS_FOR_TESTS is empty, and a …_TOKEN_FILE is a path.
        if is_secret && !name.ends_with("_FILE") {
            self.add(value);
        }
    }

    pub(crate) fn of_file(&mut self, path: &Path, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        if let Ok(json) = serde_json::from_slice(bytes) {
            return self.of_json(&json);
        }
        if !path.ends_with(".aws/config") && !path.ends_with(".aws/credentials") {
            return self.add(&text);
        }
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match key.trim() {
                "aws_secret_access_key" | "aws_session_token" => self.add(value),
                // Programs are given secrets as arguments.
                "credential_process" => {
                    value
                        .split_whitespace()
                        .filter(|word| word.len() > 20)
                        .for_each(|w| self.add(w));
                }
                _ => {}
            }
        }
    }

    pub(crate) fn of_exchange(&mut self, exchange: &Exchange) {
        self.of_request(&exchange.request);
        let answer = String::from_utf8_lossy(exchange.answer.body());
        match serde_json::from_str(&answer) {
            Ok(json) => self.of_json(&json),
            Err(_) => {
                // XML: <SecretAccessKey>…</SecretAccessKey>
                let parts: Vec<&str> = answer.split(['<', '>']).collect();
                for pair in parts.windows(2).filter(|pair| is_secret_field(pair[0])) {
                    self.add(pair[1]);
                }
            }
        }
        if exchange.request.uri().path() == "/latest/api/token" {
            self.add(&answer);
        }
    }

    fn of_request(&mut self, request: &Request) {
        for (name, value) in request.headers() {
            let is_secret = name.as_str().ends_with("token");
            value.to_str().iter().filter(|_| is_secret).for_each(|value| self.add(value));
        }
        for (name, value) in form_urlencoded::parse(request.body()) {
            if is_secret_field(&name) {
                self.add(&value);
            }
        }
    }

    pub(crate) fn of_json(&mut self, json: &Value) {
        for (name, value) in json.as_object().into_iter().flatten() {
            match value {
                Value::String(text) if is_secret_field(name) => self.add(text),
                _ => self.of_json(value),
            }
        }
    }

    fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        if !secret.is_empty() {
            self.0.insert(secret.to_owned());
            self.0.insert(form_urlencoded::byte_serialize(secret.as_bytes()).collect());
        }
    }

    /// Where they show up.
    pub(crate) fn leaks(&self, shown: &Shown) -> Vec<String> {
        let mut leaks = Vec::new();
        for (place, text) in &shown.0 {
            for secret in self.0.iter().filter(|secret| holds(text, secret)) {
                leaks.push(format!("{place} shows the secret {secret:?}: {text}"));
            }
        }
        leaks
    }
}

fn is_secret_field(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !name.starts_with('/') && (name.contains("secret") || name.ends_with("token"))
}

fn holds(text: &str, secret: &str) -> bool {
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(secret).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + secret.len()..]);
        secret.len() >= LONG
            || !(is_word(before.chars().next_back()) || is_word(after.chars().next()))
    })
}

/// All that a case has shown, and where.
#[derive(Default)]
pub(crate) struct Shown(Vec<(String, String)>);

impl Shown {
    pub(crate) fn add(&mut self, place: &str, text: String) {
        self.0.push((place.to_owned(), text));
    }

    pub(crate) fn debug(&mut self, place: &str, value: &impl Debug) {
        self.add(place, format!("{value:?}"));
        self.add(place, format!("{value:#?}"));
    }
}

/// What is logged on this thread, at TRACE.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Logs until the guard is dropped.
    pub(crate) fn start() -> (Self, DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_writer(move || writer.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        // A log that catches nothing would find no leak.
        tracing::trace!("the case begins");
        assert!(log.text().contains("the case begins"), "the log catches nothing");
        (log, guard)
    }

    pub(crate) fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
