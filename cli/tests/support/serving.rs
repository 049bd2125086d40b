use std::fs;
use std::io::{BufRead, BufReader, PipeReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Finished, Running, Sandbox};

/// `rolecall serve`, ready. Killed when dropped.
pub(crate) struct Serving {
    running: Option<Running>,
    /// What it printed when it was ready.
    pub(crate) about: Value,
    pub(crate) port: u16,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Serving {
    /// Starts it on a free port.
    pub(crate) fn start(sandbox: &Sandbox, args: &[&str]) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let all = [&["serve", "--port", "0", "--json"], args].concat();
        Self::of(Running::start(sandbox.command(&all).stdout(writer), b""), reader)
    }

    /// One that was started, and what it prints.
    pub(crate) fn of(running: Running, reader: PipeReader) -> Self {
        let line = first_line(reader);
        let Ok(about) = serde_json::from_str::<Value>(&line) else {
            panic!("it is not ready: {line:?} {:?}", running.finish());
        };
        let port = u16::try_from(about["port"].as_u64().unwrap()).unwrap();
        Self { running: Some(running), about, port }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.running.as_ref().unwrap().pid()
    }

    /// Sends a signal, which must end it.
    pub(crate) fn stop_with(mut self, signal: Signal) -> Finished {
        let running = self.running.take().unwrap();
        kill_process(Pid::from_raw(running.pid().cast_signed()).unwrap(), signal).unwrap();
        running.finish_within(Duration::from_secs(20))
    }

    pub(crate) fn stop(self) -> Finished {
        self.stop_with(Signal::TERM)
    }

    /// The authorization token of the container endpoint.
    pub(crate) fn authorization(&self) -> String {
        let variables = &self.about["profiles"][0]["container"];
        let file = variables["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"].as_str().unwrap();
        fs::read_to_string(file).unwrap()
    }

    /// Asks the container endpoint.
    pub(crate) fn container(&self, path: &str) -> Answer {
        let header = format!("Authorization: {}", self.authorization());
        ask(self.port, &format!("GET {path}"), &[&header])
    }

    /// Asks IMDS, with a new token.
    pub(crate) fn imds(&self, path: &str) -> Answer {
        let token = ask(self.port, "PUT /latest/api/token", &[]).body;
        let header = format!("X-aws-ec2-metadata-token: {token}");
        ask(self.port, &format!("GET /latest/{path}"), &[&header])
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(running) = &mut self.running {
            running.kill();
        }
    }
}

/// One request on a connection of its own. A `Host` among the headers replaces the right one.
pub(crate) fn ask(port: u16, line: &str, headers: &[&str]) -> Answer {
    let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|header| header.starts_with("Host:")) {
        request += &format!("Host: 127.0.0.1:{port}\r\n");
    }
    for header in headers {
        request += &format!("{header}\r\n");
    }
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "{request}\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("junk: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, body: body.to_owned() }
}

/// Empty if it ends, or says nothing in a minute.
fn first_line(reader: PipeReader) -> String {
    let mut line = String::new();
    let limit = Timespec { tv_sec: 60, tv_nsec: 0 };
    if poll(&mut [PollFd::new(&reader, PollFlags::IN)], Some(&limit)).unwrap() > 0 {
        BufReader::new(reader).read_line(&mut line).unwrap();
    }
    line
}
