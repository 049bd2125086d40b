//! TLS, and the kit as a program.

#![expect(clippy::disallowed_methods, reason = "tests start the program")]
#![expect(clippy::unwrap_used, reason = "a broken client fails its test")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;

use http::HeaderMap;
use rolecall_kit::{Fault, FaultRule, Kit, World};
use support::{alice, call, send};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

fn get_over_tls(kit: &Kit, trusted: Option<&str>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    if let Some(pem) = trusted {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address = kit.tls_url().unwrap().replace("https://", "");
    let connection =
        ClientConnection::new(Arc::new(config), ServerName::try_from("127.0.0.1").unwrap());
    let mut stream =
        StreamOwned::new(connection.map_err(std::io::Error::other)?, TcpStream::connect(address)?);
    stream.write_all(b"GET /_kit/counts HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

#[test]
fn https_works_for_those_who_trust_the_authority() {
    let kit = Kit::start_tls(World::default());
    let answer = get_over_tls(&kit, kit.ca_pem()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(get_over_tls(&kit, None).is_err());
    let other = Kit::start_tls(World::default());
    assert!(get_over_tls(&kit, other.ca_pem()).is_err());
}

#[test]
fn dropping_a_kit_frees_its_port_even_with_a_call_stalled() {
    let kit = Kit::start(World::default());
    kit.inject(FaultRule::always("*", Fault::Stall));
    let port = kit.port();
    std::thread::scope(|scope| {
        let body = "Action=GetCallerIdentity&Version=2011-06-15";
        let mut headers = HeaderMap::new();
        headers.insert("host", "kit".parse().unwrap());
        let stalled = scope.spawn(move || send(port, "POST", "/", &headers, body));
        assert!(kit.wait_for("GetCallerIdentity", 1));
        drop(kit);
        assert!(stalled.join().unwrap().is_none());
    });
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn connections_are_kept_for_further_requests() {
    let kit = Kit::start(World::default());
    let mut stream = TcpStream::connect(("127.0.0.1", kit.port())).unwrap();
    for _ in 0..3 {
        stream.write_all(b"GET /_kit/clock HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut reader = BufReader::new(&stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        assert!(body.starts_with(b"{\"now\":"), "{body:?}");
    }
}

#[test]
fn the_program_says_where_it_is_and_ends_with_its_input() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let (world, authority) = (format!("{folder}/world.json"), format!("{folder}/ca.pem"));
    let json = serde_json::to_string(&World::default()).unwrap();
    rolecall_kit::write_file(world.as_ref(), &json).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_rolecall-kit"))
        .args(["--tls", "--ca-out", &authority, "--world", &world])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let port = u16::try_from(ready["port"].as_u64().unwrap()).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("host", "kit".parse().unwrap());
    assert_eq!(send(port, "GET", "/_kit/counts", &headers, "").unwrap().status, 200);
    assert!(ready["tls_url"].as_str().unwrap().starts_with("https://127.0.0.1:"));
    let pem = rolecall_kit::read_file(authority.as_ref()).unwrap();
    assert_eq!(ready["ca_pem"], pem.as_str());
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());

    let bad = Command::new(env!("CARGO_BIN_EXE_rolecall-kit")).arg("--nonsense").output().unwrap();
    assert_eq!(bad.status.code(), Some(2));
}

#[test]
fn the_configured_region_is_the_only_one() {
    let kit = Kit::start(World { sts_region: Some("eu-west-1".into()), ..World::default() });
    call(&kit, &alice(), "GetCallerIdentity", &[]).is(403, "SignatureDoesNotMatch", "valid region");
}
