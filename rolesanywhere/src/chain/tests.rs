use std::time::Duration;

use super::*;
use crate::testing::{Issued, now};

fn names(chain: &[Certificate]) -> Vec<&str> {
    chain.iter().map(Certificate::subject).collect()
}

#[test]
fn the_chain_is_ordered_minimal_and_without_a_root() {
    let root = Issued::authority("root", None);
    let upper = Issued::authority("upper", Some(&root));
    let lower = Issued::authority("lower", Some(&upper));
    let leaf = Issued::new("leaf", Some(&lower), &|_| {});
    let stranger = Issued::authority("stranger", Some(&root));
    let sibling = Issued::new("sibling", Some(&lower), &|_| {});
    let pool: Vec<_> = [&root, &stranger, &upper, &sibling, &lower, &leaf, &lower, &upper]
        .map(Issued::certificate)
        .to_vec();
    assert_eq!(names(&above(&leaf.certificate(), &pool, now())), ["CN=lower", "CN=upper"]);
    assert!(above(&leaf.certificate(), &[], now()).is_empty());
    // A gap ends it: what is above the gap proves nothing.
    assert!(above(&leaf.certificate(), &[upper.certificate()], now()).is_empty());
}

#[test]
fn of_two_authorities_of_one_name_the_key_identifier_tells() {
    let root = Issued::authority("root", None);
    let old = Issued::authority("middle", Some(&root));
    let new = Issued::authority("middle", Some(&root));
    for (issuer, other) in [(&old, &new), (&new, &old)] {
        let leaf = Issued::new("leaf", Some(issuer), &|_| {});
        let pool = [other.certificate(), issuer.certificate()];
        assert_eq!(above(&leaf.certificate(), &pool, now()), [issuer.certificate()]);
    }
}

#[test]
fn of_a_renewed_authority_the_valid_certificate_is_sent() {
    let root = Issued::authority("root", None);
    let new = Issued::authority("middle", Some(&root));
    let key = rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(
        &new.key_pem(),
        &rcgen::PKCS_ECDSA_P256_SHA256,
    );
    let old = Issued::with_key("middle", Some(&root), key.unwrap(), &|params| {
        params.not_after = (now() - Duration::from_secs(1)).into();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    });
    let leaf = Issued::new("leaf", Some(&new), &|_| {});
    let pool = [old.certificate(), new.certificate()];
    assert_eq!(above(&leaf.certificate(), &pool, now()), [new.certificate()]);
}

/// One key, certified by two authorities: the trust anchor may be either.
#[test]
fn of_a_cross_signed_authority_every_certificate_is_sent() {
    let [old, new] = ["old root", "new root"].map(|name| Issued::authority(name, None));
    let middle = Issued::authority("middle", Some(&new));
    let again = |issuer: &Issued, days: u64| {
        let key = rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(
            &middle.key_pem(),
            &rcgen::PKCS_ECDSA_P256_SHA256,
        );
        Issued::with_key("middle", Some(issuer), key.unwrap(), &|params| {
            params.not_after = (now() + Duration::from_secs(days * 86_400)).into();
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        })
    };
    let upper = Issued::authority("upper", Some(&old));
    let (by_old, by_upper) = (again(&old, 10), again(&upper, 20));
    let leaf = Issued::new("leaf", Some(&middle), &|_| {});
    let pool = [&old, &by_old, &new, &upper, &middle, &by_upper].map(Issued::certificate);
    // The one that is valid longest, and what is above it; then the others, and what is above them.
    assert_eq!(
        above(&leaf.certificate(), &pool, now()),
        [&middle, &by_upper, &by_old, &upper].map(Issued::certificate)
    );
}

/// A root that has certified its next key is above it, and no trust anchor need know that key.
#[test]
fn an_authority_that_certified_its_next_key_is_no_root() {
    let root = Issued::authority("root", None);
    let next = Issued::authority("root", Some(&root));
    let leaf = Issued::new("leaf", Some(&next), &|_| {});
    let pool = [root.certificate(), next.certificate()];
    assert_eq!(above(&leaf.certificate(), &pool, now()), [next.certificate()]);
}

#[test]
fn certificates_that_issue_each_other_end() {
    let a = Issued::authority("a", None);
    let b = Issued::authority("b", Some(&a));
    let cross = Issued::with_key(
        "a",
        Some(&b),
        rcgen::KeyPair::from_pkcs8_pem_and_sign_algo(&a.key_pem(), &rcgen::PKCS_ECDSA_P256_SHA256)
            .unwrap(),
        &|params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained),
    );
    let leaf = Issued::new("leaf", Some(&b), &|_| {});
    let pool = [cross.certificate(), b.certificate(), a.certificate()];
    assert_eq!(names(&above(&leaf.certificate(), &pool, now())), ["CN=b", "CN=a"]);
}

#[test]
fn no_chain_is_longer_than_what_servers_take() {
    let mut all = vec![Issued::authority("0", None)];
    for number in 1..=12 {
        all.push(Issued::authority(&number.to_string(), all.last()));
    }
    let leaf = Issued::new("leaf", all.last(), &|_| {});
    let pool: Vec<_> = all.iter().map(Issued::certificate).collect();
    assert_eq!(above(&leaf.certificate(), &pool, now()).len(), LONGEST);
}
