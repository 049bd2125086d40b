use std::path::PathBuf;

use proptest::prelude::*;
use rolecall_core::Fs;

use super::*;
use crate::testing::openssl;

/// A self-signed certificate; `more` are arguments of `openssl req`.
fn certificate(subject: &str, more: &str) -> Certificate {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    let mut arguments: Vec<String> =
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -utf8 -outform DER"
            .split_whitespace()
            .map(str::to_owned)
            .collect();
    arguments.extend(["-keyout".to_owned(), key.display().to_string()]);
    arguments.extend(["-subj".to_owned(), subject.to_owned()]);
    arguments.extend(more.split_whitespace().map(str::to_owned));
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    Certificate::from_der(&crate::testing::run("openssl", &arguments, b"")).unwrap()
}

fn is_found(certificate: &Certificate, selector: &str) -> bool {
    let selector: CertificateSelector = selector.parse().unwrap();
    choose(std::slice::from_ref(certificate), &selector, false).is_ok()
}

fn error(text: &str) -> String {
    let error = text.parse::<CertificateSelector>().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    error.to_string()
}

#[test]
fn a_name_matches_in_every_order_spacing_and_case_of_attribute_names() {
    let der = certificate("/C=DE/O=Acme, Inc./CN=web server", "");
    for subject in [
        "CN=web server,O=Acme\\, Inc.,C=DE",
        "C=DE,O=Acme\\, Inc.,CN=web server",
        "C = DE, O = \"Acme, Inc.\", CN = web server",
        "C=DE, O=Acme, Inc., CN=web  server",
        "/C=DE/O=Acme, Inc./CN=web server",
        "O=Acme, Inc.,CN=web server,C=DE",
        "c=DE; organizationName=Acme\\2C Inc.; Oid.2.5.4.3=web server",
        "\"CN=web server,O=Acme\\, Inc.,C=DE\"",
    ] {
        assert!(is_found(&der, &format!("Key=x509Subject,Value={subject}")), "{subject}");
        assert!(is_found(&der, &format!("Key=x509Issuer,Value={subject}")), "{subject}");
    }
    for subject in [
        "CN=web server",
        "CN=web server,O=Acme\\, Inc.,C=FR",
        "CN=Web Server,O=Acme\\, Inc.,C=DE",
        "CN=web server,O=Acme\\, Inc.,C=DE,C=DE",
    ] {
        assert!(!is_found(&der, &format!("Key=x509Subject,Value={subject}")), "{subject}");
    }
}

#[test]
fn names_are_found_as_openssl_prints_them() {
    for subject in [
        "/C=DE/O=Größe \\+ Söhne/OU=a=b/CN=x, y; z",
        "/O=A \\/ B/CN= padded ",
        "/O=#1/CN=\\\\back\\\\slash\"quote",
        "/DC=org/DC=example/UID=u1/emailAddress=a@b.example/CN=<x>",
        "/serialNumber=12/title=Dr/GN=G/SN=S/street=1 Street/postalCode=1/CN=x",
    ] {
        let der = certificate(subject, "");
        for options in ["RFC2253", "oneline", "oneline,-esc_msb,utf8", "RFC2253,-esc_msb,utf8"] {
            let arguments = format!("x509 -inform DER -noout -subject -nameopt {options}");
            let printed = String::from_utf8(openssl(&arguments, der.der())).unwrap();
            let printed = printed.trim().trim_start_matches("subject=");
            let selector = format!("Key=x509Subject,Value={printed}");
            assert!(is_found(&der, &selector), "{options}: {printed}");
        }
    }
}

/// Go orders and joins attributes by their kind.
#[test]
fn a_name_is_found_as_the_helper_prints_it() {
    for subject in [
        "/O=Acme/C=DE/CN=x/L=Bonn",
        "/C=DE/OU=a/OU=b/O=Acme/CN=x",
        "/O=Acme/CN=x+UID=u",
        "/CN=one/CN=two/O=Acme",
        "/CN=x/emailAddress=a@b.example/DC=a b",
    ] {
        let der = certificate(subject, "");
        assert!(is_found(&der, &format!("Key=x509Subject,Value={}", der.subject())), "{subject}");
    }
}

#[test]
fn a_serial_number_matches_however_it_is_written() {
    let der = certificate("/CN=x", "-set_serial 0x0A1B2C");
    for serial in ["0A1B2C", "a1b2c", "0x0a1b2c", "0a:1b:2c", "00 0A 1B 2C", "000A1B2C"] {
        assert!(is_found(&der, &format!("Key=x509Serial,Value={serial}")), "{serial}");
    }
    assert!(!is_found(&der, "Key=x509Serial,Value=0A1B2D"));
    let high = certificate("/CN=x", "-set_serial 0xFF00");
    assert!(is_found(&high, "Key=x509Serial,Value=FF00"));
}

#[test]
fn every_key_must_match() {
    let der = certificate("/O=Key=a,Value=b/CN=x y", "-set_serial 7");
    let both = "Key=x509Subject,Value=CN=x y,O=Key=a,Value=b  Key=x509Serial,Value=07";
    assert!(is_found(&der, both));
    assert!(!is_found(&der, "Key=x509Subject,Value=CN=x y,O=Key=a,Value=b Key=x509Serial,Value=8"));
}

#[test]
fn what_makes_no_sense_is_told() {
    for (text, says) in [
        ("", "it is empty"),
        ("CN=x", "does not begin with Key="),
        ("Key=x509Subject", "does not begin with Key="),
        ("Key=x509Name,Value=CN=x", "`x509Name` is unknown"),
        ("Key=x509Subject,Value=CN=x Key=x509Subject,Value=CN=y", "given twice"),
        ("Key=x509Subject,Value=web", "`web` is no attribute"),
        ("Key=x509Subject,Value=CMN=web", "`CMN=web` is no attribute"),
        ("Key=x509Serial,Value=", "no hexadecimal"),
        ("Key=x509Serial,Value=12G4", "no hexadecimal"),
    ] {
        assert!(error(text).contains(says), "{text}: {}", error(text));
    }
}

fn read(json: &str) -> Result<CertificateSelector> {
    let folder = tempfile::tempdir().unwrap();
    let context = Context { fs: Fs::rooted(folder.path()), ..Context::real() };
    context.fs.write(&PathBuf::from("/selector.json"), json.as_bytes()).unwrap();
    CertificateSelector::read("file:///selector.json", &context)
}

#[test]
fn a_file_holds_the_same_as_json() {
    let der = certificate("/O=Acme/CN=x y", "-set_serial 7");
    let json = r#"[{"Key": "x509Subject", "Value": "CN=x y,O=Acme"},
                   {"Key": "x509Serial", "Value": "07"}]"#;
    assert_eq!(choose(std::slice::from_ref(&der), &read(json).unwrap(), false).unwrap(), &der);
    for bad in ["", "{}", "[]", r#"[{"Key": "x509Serial"}]"#, r#"[{"Key": "a", "Value": "b"}]"#] {
        let error = read(bad).unwrap_err();
        assert!(error.to_string().contains("/selector.json"), "{error}");
    }
    let context = Context { fs: Fs::rooted("/nonexistent"), ..Context::real() };
    let error = CertificateSelector::read("file:///selector.json", &context).unwrap_err();
    assert!(error.to_string().contains("/selector.json cannot be read"), "{error}");
}

#[test]
fn several_matches_are_listed_unless_the_latest_is_wanted() {
    let short = certificate("/CN=x", "-days 10 -set_serial 1");
    let long = certificate("/CN=x", "-days 30 -set_serial 2");
    let other = certificate("/CN=y", "-days 90 -set_serial 3");
    let all = [short.clone(), long.clone(), other.clone(), long.clone()];
    let selector: CertificateSelector = "Key=x509Subject,Value=CN=x".parse().unwrap();
    assert_eq!(choose(&all, &selector, true).unwrap(), &long);
    let error = choose(&all, &selector, false).unwrap_err().to_string();
    for part in
        ["2 certificates", "for `Key=x509Subject,Value=CN=x`", "serial 1", "serial 2", "valid 20"]
    {
        assert!(error.contains(part), "{error}");
    }
    assert!(!error.contains("CN=y"), "{error}");
    // Copies are one.
    assert_eq!(choose(&[long.clone(), long.clone()], &selector, false).unwrap(), &long);
}

#[test]
fn no_match_lists_what_there_is() {
    let der = certificate("/CN=y", "-set_serial 3");
    let selector: CertificateSelector = "Key=x509Subject,Value=CN=x".parse().unwrap();
    let error = choose(&[der], &selector, true).unwrap_err().to_string();
    assert!(error.contains("there are 1: CN=y (issuer CN=y, serial 3"), "{error}");
    let error = choose(&[], &selector, true).unwrap_err().to_string();
    assert!(error.contains("there are none"), "{error}");
}

#[test]
fn stores_of_the_system_are_refused() {
    assert_eq!(system_store().kind(), ErrorKind::InvalidConfiguration);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text: String) {
        let _ = text.parse::<CertificateSelector>();
        let _ = format!("Key=x509Subject,Value=CN={text}").parse::<CertificateSelector>();
        let _ = CertificateSelector::from_json(text.as_bytes());
    }

    /// What is written by the rules of RFC 4514 is read as it was meant.
    #[test]
    fn a_value_of_any_characters_survives_escaping(values in prop::collection::vec("\\PC{0,12}", 1..4)) {
        let meant: Vec<String> =
            values.iter().map(|v| v.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let escape = |value: &String| -> String {
            value.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_string() } else {
                c.to_string().bytes().map(|byte| format!("\\{byte:02x}")).collect()
            }).collect()
        };
        let text: Vec<_> = meant.iter().map(|value| format!("CN={}", escape(value))).collect();
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        // rcgen holds one value a type, so each gets its own.
        for (value, kind) in meant.iter().zip(["2.5.4.3", "2.5.4.10", "2.5.4.11"]) {
            let arcs: Vec<u64> = kind.split('.').map(|arc| arc.parse().unwrap()).collect();
            parameters.distinguished_name.push(rcgen::DnType::CustomDnType(arcs), value.as_str());
        }
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.self_signed(&key).unwrap();
        let text: Vec<_> =
            text.iter().zip(["CN", "O", "OU"]).map(|(t, name)| t.replacen("CN", name, 1)).collect();
        let selector = format!("Key=x509Subject,Value={}", text.join(","));
        let certificate = Certificate::from_der(certificate.der()).unwrap();
        prop_assert!(is_found(&certificate, &selector), "{}", selector);
    }
}
