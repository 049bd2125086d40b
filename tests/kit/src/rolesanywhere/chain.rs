//! Whether a trust anchor vouches for a certificate (RFC 5280, section 6, as far as AWS asks it).

use x509_parser::pem::Pem;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate, X509Version};

use super::Refusal;
use super::keys::{signature_algorithm, verifies};

/// Extensions that may be critical because they are looked at here, or say nothing that matters to
/// Roles Anywhere: basicConstraints, keyUsage, subjectAltName, extendedKeyUsage,
/// certificatePolicies.
const UNDERSTOOD: [&str; 5] = ["2.5.29.19", "2.5.29.15", "2.5.29.17", "2.5.29.37", "2.5.29.32"];

/// Certificates that a request may bring beside its own: every order of them is tried.
const LONGEST: usize = 6;

/// Checks a certificate, and that there is a way from it over those of the chain to one of the
/// anchors, at a time in seconds since 1970.
///
/// # Errors
/// AWS's two texts: `Untrusted certificate. Insufficient certificate` if the certificate itself may
/// not sign, `Untrusted signing certificate` if nobody vouches for it now.
pub fn check_chain(
    certificate: &[u8],
    chain: &[Vec<u8>],
    anchors: &str,
    now: i64,
) -> Result<(), Refusal> {
    let untrusted =
        |reason: String| Refusal::denied("Untrusted signing certificate").because(reason);
    let leaf = parse(certificate).map_err(untrusted)?;
    check_leaf(&leaf).map_err(|reason| {
        Refusal::denied("Untrusted certificate. Insufficient certificate").because(reason)
    })?;
    check_dates(&leaf, now).map_err(untrusted)?;

    let pems: Vec<Pem> = Pem::iter_from_buffer(anchors.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| untrusted(format!("the trust anchor's PEM: {error}")))?;
    let anchors: Vec<_> =
        pems.iter().map(|pem| parse(&pem.contents)).collect::<Result<_, _>>().map_err(untrusted)?;
    if chain.len() > LONGEST {
        return Err(untrusted(format!("there are more than {LONGEST} certificates in the chain")));
    }
    let chain: Vec<_> =
        chain.iter().map(|der| parse(der)).collect::<Result<_, _>>().map_err(untrusted)?;
    let mut search = Search { anchors: &anchors, chain: &chain, now, problems: Vec::new() };
    if search.reaches_anchor(&leaf, &mut Vec::new()) {
        return Ok(());
    }
    if search.problems.is_empty() {
        search.problems.push(format!(
            "neither the trust anchor nor the chain has a certificate of {}",
            leaf.issuer()
        ));
    }
    Err(untrusted(search.problems.join("; ")))
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("there is more than a certificate where one should be".into()),
        Err(error) => Err(format!("not a certificate: {error}")),
    }
}

/// What AWS wants of the certificate that signs.
fn check_leaf(leaf: &X509Certificate<'_>) -> Result<(), String> {
    if leaf.version() != X509Version::V3 {
        return Err("the certificate is not X.509 v3".into());
    }
    check_common(leaf)?;
    let constraints = leaf.basic_constraints().map_err(|error| error.to_string())?;
    if constraints.is_some_and(|constraints| constraints.value.ca) {
        return Err("the certificate is an authority's (CA:TRUE)".into());
    }
    let usage = leaf.key_usage().map_err(|error| error.to_string())?;
    if !usage.is_some_and(|usage| usage.value.digital_signature()) {
        return Err("the certificate's key usage is without digitalSignature".into());
    }
    if leaf.subject().iter().next().is_none() {
        return Err("the certificate has no subject".into());
    }
    Ok(())
}

/// What holds for every certificate on the way.
fn check_common(certificate: &X509Certificate<'_>) -> Result<(), String> {
    let subject = certificate.subject();
    if certificate.signature_algorithm != certificate.tbs_certificate.signature {
        return Err(format!("{subject}: two different signature algorithms are stated"));
    }
    if signature_algorithm(&certificate.signature_algorithm).is_none() {
        return Err(format!(
            "{subject}: the signature algorithm {} is not RSA or ECDSA with SHA-256 or better",
            certificate.signature_algorithm.algorithm
        ));
    }
    let mut critical = certificate.iter_extensions().filter(|extension| extension.critical);
    match critical.find(|extension| !UNDERSTOOD.contains(&extension.oid.to_id_string().as_str())) {
        Some(strange) => Err(format!("{subject}: unknown critical extension {}", strange.oid)),
        None => Ok(()),
    }
}

fn check_dates(certificate: &X509Certificate<'_>, now: i64) -> Result<(), String> {
    let at = ASN1Time::from_timestamp(now).map_err(|error| error.to_string())?;
    let (validity, subject) = (certificate.validity(), certificate.subject());
    if at < validity.not_before {
        return Err(format!("{subject} is not valid before {}", validity.not_before));
    }
    if at > validity.not_after {
        return Err(format!("{subject} expired at {}", validity.not_after));
    }
    Ok(())
}

/// Whether a certificate is an authority's that may have so many authorities below it.
fn check_authority(
    authority: &X509Certificate<'_>,
    authorities_below: usize,
    now: i64,
) -> Result<(), String> {
    let subject = authority.subject();
    check_common(authority)?;
    check_dates(authority, now)?;
    let constraints = authority.basic_constraints().map_err(|error| error.to_string())?;
    let constraints = constraints.filter(|constraints| constraints.value.ca);
    let constraints = constraints.ok_or_else(|| format!("{subject} is not an authority"))?.value;
    let most = constraints.path_len_constraint.and_then(|most| usize::try_from(most).ok());
    if most.is_some_and(|most| authorities_below > most) {
        return Err(format!("{subject} allows fewer authorities below it (pathLenConstraint)"));
    }
    let usage = authority.key_usage().map_err(|error| error.to_string())?;
    if !usage.is_some_and(|usage| usage.value.key_cert_sign()) {
        return Err(format!("{subject}: the key usage is without keyCertSign"));
    }
    Ok(())
}

fn signed_by(certificate: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    signature_algorithm(&certificate.signature_algorithm).is_some_and(|(family, hash)| {
        verifies(
            issuer.public_key(),
            family,
            hash,
            certificate.tbs_certificate.as_ref(),
            &certificate.signature_value.data,
        )
    })
}

struct Search<'a> {
    anchors: &'a [X509Certificate<'a>],
    chain: &'a [X509Certificate<'a>],
    now: i64,
    /// Why ways that looked right ended.
    problems: Vec<String>,
}

impl Search<'_> {
    /// Whether a way leads on from a certificate; `path` holds the places in the chain of the
    /// authorities between it and the leaf.
    fn reaches_anchor(&mut self, certificate: &X509Certificate<'_>, path: &mut Vec<usize>) -> bool {
        let (anchors, chain) = (self.anchors, self.chain);
        if anchors.iter().any(|anchor| self.vouches(anchor, certificate, path.len())) {
            return true;
        }
        for (at, candidate) in chain.iter().enumerate() {
            if path.contains(&at) || !self.vouches(candidate, certificate, path.len()) {
                continue;
            }
            path.push(at);
            if self.reaches_anchor(candidate, path) {
                return true;
            }
            path.pop();
        }
        false
    }

    fn vouches(
        &mut self,
        issuer: &X509Certificate<'_>,
        certificate: &X509Certificate<'_>,
        authorities_below: usize,
    ) -> bool {
        if issuer.subject().as_raw() != certificate.issuer().as_raw() {
            return false;
        }
        if !signed_by(certificate, issuer) {
            let (subject, issuer) = (certificate.subject(), issuer.subject());
            self.problems.push(format!("{subject} is not signed with the key of {issuer}"));
            return false;
        }
        match check_authority(issuer, authorities_below, self.now) {
            Ok(()) => true,
            Err(problem) => {
                self.problems.push(problem);
                false
            }
        }
    }
}
