//! `rolecall serve` under load: its memory does not grow.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Sandbox, Serving};

/// A connection that is kept.
struct Client(TcpStream);

impl Client {
    fn new(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    /// Sends a request, and gives the body of the answer, which must be a good one.
    fn ask(&mut self, request: &str) -> String {
        self.0.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        loop {
            let mut some = [0; 8192];
            let read = self.0.read(&mut some).unwrap();
            assert!(read > 0, "closed after {text:?}");
            text += std::str::from_utf8(&some[..read]).unwrap();
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                assert!(head.starts_with("HTTP/1.1 200 "), "{text}");
                return body.to_owned();
            }
        }
    }
}

/// What SDKs do: a new token, the role, its credentials; some by the other endpoint, some on a
/// connection of their own.
fn load(port: u16, authorization: &str, until: Instant) -> u64 {
    let mut kept = Client::new(port);
    let mut asked = 0;
    let host = format!("Host: localhost:{port}\r\n");
    let container =
        format!("GET /creds/final HTTP/1.1\r\n{host}Authorization: {authorization}\r\n\r\n");
    while Instant::now() < until {
        let token = kept.ask(&format!("PUT /latest/api/token HTTP/1.1\r\n{host}\r\n"));
        let token = format!("X-aws-ec2-metadata-token: {token}\r\n");
        let path = "/latest/meta-data/iam/security-credentials/";
        let role = kept.ask(&format!("GET {path} HTTP/1.1\r\n{host}{token}\r\n"));
        let given = kept.ask(&format!("GET {path}{role} HTTP/1.1\r\n{host}{token}\r\n"));
        assert!(given.contains("\"AccessKeyId\":\"ASIA"), "{given}");
        Client::new(port).ask(&container);
        // One that asks for something and goes away.
        Client::new(port).0.write_all(&container.as_bytes()[..container.len() / 2]).unwrap();
        asked += 4;
    }
    asked
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn memory_stays_as_it_is_in_ten_seconds_of_load() {
    let sandbox = Sandbox::new();
    let serving = Serving::start(&sandbox, &["--profile", "final"]);
    let run = |seconds| {
        let until = Instant::now() + Duration::from_secs(seconds);
        let (port, authorization) = (serving.port, serving.authorization());
        thread::scope(|scope| {
            let clients: Vec<_> =
                (0..4).map(|_| scope.spawn(|| load(port, &authorization, until))).collect();
            clients.into_iter().map(|client| client.join().unwrap()).sum::<u64>()
        })
    };
    run(2);
    let before = resident_kib(serving.pid());
    let asked = run(10);
    let after = resident_kib(serving.pid());
    println!("{asked} requests in 10 s; {before} KiB before, {after} KiB after");
    assert!(asked > 1000, "{asked}");
    assert!(after < before + 1024, "{before} KiB before, {after} KiB after {asked} requests");
    serving.stop().good();
    assert_eq!(sandbox.kit.count("AssumeRole"), 3);
}
