//! Who is let in: those who call this machine by a name of its own, and come directly.

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderName, StatusCode};

use super::answer::{Answer, refused};

/// Addresses of IMDS and of the container endpoints, for those who redirect them to us.
const ADDRESSES_OF_AWS: [&str; 5] =
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "[fd00:ec2::254]", "[fd00:ec2::23]"];
const OWN_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
static FORWARDED: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("forwarded")];

/// Refuses what a browser or a proxy may have been made to send.
pub(super) fn check(request: &Parts, port: u16) -> Option<Answer> {
    let mut hosts = request.headers.get_all(HOST).iter();
    let is_ours = match (hosts.next(), hosts.next()) {
        (Some(host), None) => {
            host.to_str().is_ok_and(|host| host.parse().is_ok_and(|host| is_allowed(&host, port)))
        }
        _ => false,
    };
    if !is_ours || request.uri.authority().is_some_and(|authority| !is_allowed(authority, port)) {
        let message = "the Host header does not name this server: call it 127.0.0.1 or localhost, \
                       with the port";
        return Some(refused(StatusCode::FORBIDDEN, message));
    }
    if FORWARDED.iter().any(|name| request.headers.contains_key(name)) {
        return Some(refused(StatusCode::BAD_REQUEST, "requests through a proxy are not served"));
    }
    None
}

fn is_allowed(host: &Authority, port: u16) -> bool {
    if host.as_str().contains('@') {
        return false;
    }
    let is_one_of =
        |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(host.host()));
    match (host.port_u16(), host.as_str().len() == host.host().len()) {
        (Some(named), _) if named == port => is_one_of(&OWN_NAMES) || is_one_of(&ADDRESSES_OF_AWS),
        // No port is port 80: what is redirected to us was sent there.
        (Some(80), _) | (None, true) => {
            is_one_of(&ADDRESSES_OF_AWS) || (port == 80 && is_one_of(&OWN_NAMES))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(hosts: &[&str], uri: &str, more: &[(&str, &str)]) -> Option<StatusCode> {
        let mut request = http::Request::builder().uri(uri);
        for host in hosts {
            request = request.header("host", *host);
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap().into_parts().0, 9911).map(|answer| answer.status())
    }

    #[test]
    fn this_machines_own_names_are_let_in() {
        for host in [
            "127.0.0.1:9911",
            "localhost:9911",
            "LocalHost:9911",
            "[::1]:9911",
            "169.254.169.254",
            "169.254.169.254:80",
            "169.254.169.254:9911",
            "169.254.170.2",
            "[fd00:ec2::254]",
        ] {
            assert_eq!(status(&[host], "/", &[]), None, "{host}");
        }
        assert_eq!(status(&["127.0.0.1:9911"], "http://localhost:9911/", &[]), None);
    }

    #[test]
    fn every_other_name_is_refused() {
        let forbidden = Some(StatusCode::FORBIDDEN);
        for host in [
            "evil.example",
            "evil.example:9911",
            "127.0.0.1",
            "127.0.0.1:80",
            "127.0.0.1:9912",
            "localhost",
            "localhost.evil.example:9911",
            "127.0.0.1.evil.example:9911",
            "127.0.0.1:9911@evil.example",
            "evil@127.0.0.1:9911",
            "169.254.169.254:8080",
            "127.0.0.1:",
            "127.0.0.1:9911:9911",
            "0.0.0.0:9911",
            "2130706433:9911",
            "",
            "\u{ff}",
        ] {
            assert_eq!(status(&[host], "/", &[]), forbidden, "{host}");
        }
        assert_eq!(status(&[], "/", &[]), forbidden);
        assert_eq!(status(&["127.0.0.1:9911", "127.0.0.1:9911"], "/", &[]), forbidden);
        assert_eq!(status(&["127.0.0.1:9911"], "http://evil.example/", &[]), forbidden);
    }

    #[test]
    fn what_came_through_a_proxy_is_refused() {
        for header in ["X-Forwarded-For", "Forwarded"] {
            let found = status(&["127.0.0.1:9911"], "/", &[(header, "")]);
            assert_eq!(found, Some(StatusCode::BAD_REQUEST), "{header}");
        }
    }
}
