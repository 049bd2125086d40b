use rcgen::{CustomExtension, DnType, DnValue, SerialNumber};

use super::*;
use crate::testing::{self, Issued, openssl};

fn capture(index: usize) -> Certificate {
    let captures = testing::captures();
    Certificate::from_der(&testing::base64(&captures[index]["leaf_der_base64"])).unwrap()
}

#[test]
fn the_captured_certificates_are_read() {
    let rsa = capture(0);
    assert_eq!((rsa.version(), rsa.serial(), rsa.serial_hex()), (3, "21", "15"));
    assert_eq!(rsa.key_kind(), Some(KeyKind::Rsa { bits: 2048 }));
    assert_eq!(rsa.issuer(), "CN=Single Root CA,OU=Enterprise,O=Google,C=US");
    assert_eq!(timestamp::format(rsa.not_before()), "2024-05-18T14:49:31Z");
    assert_eq!(timestamp::format(rsa.not_after()), "2034-05-18T14:49:31Z");
    assert_eq!((rsa.is_ca(), rsa.digital_signature()), (false, Some(true)));
    assert_eq!(rsa.signature_hash(), SignatureHash::Other);
    let ec = capture(1);
    assert_eq!(ec.key_kind(), Some(KeyKind::P384));
    let ca = testing::base64(&testing::captures()[0]["ca_der_base64"]);
    let ca = Certificate::from_der(&ca).unwrap();
    assert!(ca.is_ca() && ca.is_self_issued() && !rsa.is_self_issued());
    assert!(rsa.may_be_issued_by(&ca) && !ec.may_be_issued_by(&ca));
}

/// Go orders a name by kind, whatever its order in the certificate.
#[test]
fn names_are_written_as_go_writes_them() {
    let shown = |parts: Vec<(DnType, DnValue)>| {
        let issued = Issued::new("", None, &|params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            for (kind, value) in &parts {
                params.distinguished_name.push(kind.clone(), value.clone());
            }
        });
        issued.certificate().subject().to_owned()
    };
    let text = |text: &str| DnValue::from(text);
    assert_eq!(
        shown(vec![
            (DnType::CommonName, text("me")),
            (DnType::OrganizationName, text("Ex, Inc.")),
            (DnType::CountryName, text("US")),
            (DnType::OrganizationalUnitName, text("a+b")),
            (DnType::LocalityName, text(" x ")),
            (DnType::StateOrProvinceName, text("#1\"<>;\\")),
        ]),
        r#"CN=me,ST=\#1\"\<\>\;\\,L=\ x\ ,OU=a\+b,O=Ex\, Inc.,C=US"#
    );
    // Kinds without a name come last, as Go's asn1 writes the text: printable or UTF-8.
    let domain = DnType::CustomDnType(vec![0, 9, 2342, 19_200_300, 100, 1, 25]);
    let mail = DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
    assert_eq!(
        shown(vec![(domain, text("corp")), (mail, text("a@b")), (DnType::CommonName, text("me")),]),
        "CN=me,1.2.840.113549.1.9.1=#0c03614062,0.9.2342.19200300.100.1.25=#1304636f7270"
    );
    assert_eq!(shown(vec![(DnType::CommonName, text("ü"))]), "CN=ü");
    assert_eq!(shown(vec![]), "");
}

#[test]
fn several_values_of_a_kind_stand_together() {
    let der = openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -outform \
         DER -subj /C=US/OU=a/OU=b/CN=x/CN=y/serialNumber=7",
        b"",
    );
    let subject = Certificate::from_der(&der).unwrap().subject().to_owned();
    assert_eq!(subject, "SERIALNUMBER=7,CN=y,OU=a+OU=b,C=US");
}

#[test]
fn long_serial_numbers_are_decimal_and_hexadecimal() {
    let issued = Issued::new("me", None, &|params| {
        let bytes = hex::decode("15D19632234BF759A32802C0DA88F9E8AFC8702D").unwrap();
        params.serial_number = Some(SerialNumber::from(bytes));
    });
    let certificate = issued.certificate();
    assert_eq!(certificate.serial_hex(), "15D19632234BF759A32802C0DA88F9E8AFC8702D");
    assert_eq!(certificate.serial(), "124562745837719059303232313298209415765143613485");
    let (serial, hex) = (certificate.serial(), certificate.serial_hex());
    assert_eq!(certificate.to_string(), format!("CN=me (serial {serial}, hex {hex})"));
}

#[test]
fn weak_signatures_are_told() {
    for (options, expected) in [
        ("-sha1", SignatureHash::Broken("SHA-1")),
        ("-md5", SignatureHash::Broken("MD5")),
        ("-sha256", SignatureHash::Other),
        ("-sha1 -sigopt rsa_padding_mode:pss", SignatureHash::Broken("SHA-1")),
        ("-sha384 -sigopt rsa_padding_mode:pss", SignatureHash::Other),
    ] {
        let der = openssl(
            &format!(
                "req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -outform DER -subj /CN=x \
                 {options}"
            ),
            b"",
        );
        assert_eq!(Certificate::from_der(&der).unwrap().signature_hash(), expected, "{options}");
    }
}

#[test]
fn what_is_no_certificate_is_refused_without_a_panic() {
    let issued = Issued::new("me", None, &|_| {});
    for (der, says) in [
        (issued.der[..issued.der.len() - 1].to_vec(), "no X.509 certificate"),
        ([issued.der.as_slice(), b"x"].concat(), "1 bytes follow"),
        (Vec::new(), "no X.509 certificate"),
        (issued.key.serialize_der(), "no X.509 certificate"),
    ] {
        let error = Certificate::from_der(&der).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.message().contains(says), "{error}");
    }
    for index in 0..issued.der.len() {
        for bit in [0x01, 0x80] {
            let mut changed = issued.der.clone();
            changed[index] ^= bit;
            let _ = Certificate::from_der(&changed);
        }
    }
}

#[test]
fn extensions_that_are_not_known_do_not_matter() {
    let issued = Issued::new("me", None, &|params| {
        let odd = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999], vec![5, 0]);
        params.custom_extensions.push(odd);
    });
    assert_eq!(issued.certificate().digital_signature(), Some(true));
}

#[test]
fn serial_numbers_are_written_in_full() {
    for (number, digits, hexadecimal_digits) in [
        (&[][..], "0", "0"),
        (&[0], "0", "0"),
        (&[0, 0xff], "255", "FF"),
        (&[1, 0, 0, 0, 0, 0, 0, 0, 0], "18446744073709551616", "10000000000000000"),
        (&[0xff; 20], "1461501637330902918203684832716283019655932542975", &"F".repeat(40)),
    ] {
        assert_eq!(decimal(number), digits);
        assert_eq!(hexadecimal(number), hexadecimal_digits);
    }
}
