use rolecall_core::{CredentialsError, ErrorKind, Result};
use serde_json::{Map, Value, json};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::Certificate;
use crate::arn::Arn;

/// The attributes of the subject that say who somebody is, by their object identifiers.
const ATTRIBUTES: [(&str, &str); 3] = [("2.5.4.3", "CN"), ("2.5.4.10", "O"), ("2.5.4.11", "OU")];

/// The trust policy of a role that one certificate is to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPolicy {
    /// The policy, as IAM takes it.
    pub document: Value,
    /// The attributes of the subject that are not among its conditions, and why.
    pub left_out: Vec<String>,
    /// Whether any attribute is: otherwise every certificate of the trust anchor gets the role.
    pub names_subject: bool,
}

/// Writes the trust policy that lets Roles Anywhere give a role to certificates with the same
/// subject (common name, organization and unit as far as it has them) that `trust_anchor_arn`
/// vouches for. The subject is that of the first of `certificates` that is no authority's.
///
/// Source: IAM Roles Anywhere User Guide, "Trust model".
///
/// # Errors
/// `InvalidConfiguration` for a wrong ARN, and if there is only an authority's certificate.
pub fn trust_policy(certificates: &[Certificate], trust_anchor_arn: &str) -> Result<TrustPolicy> {
    Arn::trust_anchor(trust_anchor_arn)?;
    let certificate = certificates.iter().find(|certificate| !certificate.is_ca());
    let certificate = certificate.ok_or_else(|| {
        let kind = ErrorKind::InvalidConfiguration;
        CredentialsError::new(kind, "certificate", "there is only an authority's certificate")
            .with_help("give the certificate of who is to have the role")
    })?;
    let (_, parsed) = X509Certificate::from_der(certificate.der()).map_err(|_| {
        CredentialsError::new(ErrorKind::Internal, "certificate", "it cannot be read again")
    })?;
    let mut conditions = Map::new();
    let mut left_out = Vec::new();
    for (oid, name) in ATTRIBUTES {
        let of_kind =
            |a: &&x509_parser::x509::AttributeTypeAndValue<'_>| a.attr_type().to_id_string() == oid;
        let mut values = parsed.subject().iter_attributes().filter(of_kind);
        let Some(first) = values.next() else { continue };
        match first.as_str() {
            _ if values.next().is_some() => left_out.push(format!("{name}: it has several")),
            Ok(value) if value.chars().all(may_be_in_tag) => {
                conditions.insert(format!("aws:PrincipalTag/x509Subject/{name}"), value.into());
            }
            _ => left_out.push(format!("{name}: it holds characters that session tags cannot")),
        }
    }
    let names_subject = !conditions.is_empty();
    let anchor = json!({"ArnEquals": {"aws:SourceArn": trust_anchor_arn}});
    let condition = match names_subject {
        true => json!({"StringEquals": conditions, "ArnEquals": anchor["ArnEquals"]}),
        false => anchor,
    };
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {"Service": "rolesanywhere.amazonaws.com"},
            "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
            "Condition": condition,
        }],
    });
    Ok(TrustPolicy { document, left_out, names_subject })
}

/// What the values of session tags may hold: without `$`, `*` and `?`, which mean something in a
/// policy.
fn may_be_in_tag(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};

    use super::*;

    const ANCHOR: &str = "arn:aws:rolesanywhere:eu-west-1:111111111111:trust-anchor/a";

    fn policy(subject: &[(DnType, &str)]) -> TrustPolicy {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        trust_policy(&[Certificate::from_der(&der).unwrap()], ANCHOR).unwrap()
    }

    #[test]
    fn the_role_is_for_one_subject_of_one_trust_anchor() {
        let policy = policy(&[
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "Example GmbH"),
            (DnType::OrganizationalUnitName, "Backup"),
            (DnType::CommonName, "host-1.example.com"),
        ]);
        let expected = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": "rolesanywhere.amazonaws.com"},
                "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
                "Condition": {
                    "StringEquals": {
                        "aws:PrincipalTag/x509Subject/CN": "host-1.example.com",
                        "aws:PrincipalTag/x509Subject/O": "Example GmbH",
                        "aws:PrincipalTag/x509Subject/OU": "Backup",
                    },
                    "ArnEquals": {"aws:SourceArn": ANCHOR},
                },
            }],
        });
        assert_eq!(policy.document, expected);
        assert!(policy.left_out.is_empty() && policy.names_subject);
    }

    #[test]
    fn what_a_policy_would_read_otherwise_is_left_out_and_said() {
        let policy =
            policy(&[(DnType::CommonName, "${aws:username}"), (DnType::OrganizationName, "x*")]);
        let condition = &policy.document["Statement"][0]["Condition"];
        assert_eq!(*condition, json!({"ArnEquals": {"aws:SourceArn": ANCHOR}}));
        assert_eq!(policy.left_out.len(), 2);
        assert!(!policy.names_subject);
    }

    #[test]
    fn a_trust_anchor_that_is_none_is_refused() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let der = CertificateParams::default().self_signed(&key).unwrap().der().to_vec();
        let certificate = Certificate::from_der(&der).unwrap();
        assert!(trust_policy(&[certificate], "arn:aws:iam::111111111111:role/R").is_err());
    }
}
