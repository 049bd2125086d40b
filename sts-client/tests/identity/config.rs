//! Rows 18, 21 and 22: what there can be no policy with; and what lint says.

use rolecall_core::ErrorKind;
use rolecall_sts::identity::{Binding, Bounds, Policy, Severity, SubClaim, TokenFormat};

use crate::support::{ACCOUNT, bounds};

fn refusal(bounds: &Bounds) -> String {
    let error = Policy::new(bounds, &[TokenFormat::Akeyless], Binding::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    error.message().to_owned()
}

fn codes(bounds: &Bounds) -> Vec<(&'static str, Severity)> {
    bounds.lint().into_iter().map(|lint| (lint.code, lint.severity)).collect()
}

fn text(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn row_18_a_wildcard_account_is_a_configuration_error() {
    for arn in [
        "arn:aws:iam::*:role/x",
        "arn:aws:iam::12345678901?:role/x",
        "arn:aws:*::123456789012:role/x",
        "arn:*:iam::123456789012:role/x",
        "arn:aws:iam::123456789012:*",
        "arn:aws:sts::123456789012:*/Admin/*",
        "*",
        "arn:aws:iam::*",
    ] {
        let bounds = Bounds { arns: text(&[arn]), ..bounds() };
        assert!(refusal(&bounds).contains("the ARN"), "{arn}");
    }
}

#[test]
fn row_21_empty_bounds_are_a_configuration_error() {
    assert!(refusal(&Bounds::default()).contains("no account"));
    let named = Bounds { role_names: text(&["Deploy"]), ..Bounds::default() };
    assert!(refusal(&named).contains("no account"));
    assert!(Policy::new(&bounds(), &[], Binding::default()).is_err());
    for format in [TokenFormat::Eks, TokenFormat::Rolecall] {
        assert!(Policy::new(&bounds(), &[format], Binding::default()).is_err());
    }
}

#[test]
fn row_22_a_sub_claim_must_be_known_and_not_the_callers() {
    for (name, said) in [
        ("", "empty"),
        ("nonsense", "there is no unique identifier"),
        ("arn", "the caller chooses"),
        ("session_name", "the caller chooses"),
        ("federated_name", "the caller chooses"),
    ] {
        let error = SubClaim::parse(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
        assert!(error.message().contains(said), "{error}");
    }
    for claim in SubClaim::ALL {
        assert_eq!(SubClaim::parse(claim.name()).unwrap(), claim);
    }
}

#[test]
fn malformed_bounds_are_errors() {
    for (bounds, code) in [
        (Bounds { account_ids: text(&["12345"]), ..bounds() }, "account-malformed"),
        (Bounds { partition: "aws-moon".to_owned(), ..bounds() }, "partition-unknown"),
        (Bounds { role_names: text(&["a/b"]), ..bounds() }, "name-malformed"),
        (Bounds { user_names: text(&[""]), ..bounds() }, "name-malformed"),
        (Bounds { role_ids: text(&["AIDAX"]), ..bounds() }, "id-malformed"),
        (Bounds { user_ids: text(&["AIDA"]), ..bounds() }, "id-malformed"),
        (Bounds { session_names: text(&[""]), ..bounds() }, "session-malformed"),
        (Bounds { sts_url: Some("ftp://x".to_owned()), ..bounds() }, "sts-url"),
        (Bounds { sts_url: Some("https://x/path".to_owned()), ..bounds() }, "sts-url"),
        (Bounds { arns: text(&["arn:aws:iam::123456789012:role/"]), ..bounds() }, "arn-name"),
        (Bounds { arns: text(&["arn:aws:iam::1:root"]), ..bounds() }, "arn-account"),
        (Bounds { arns: text(&["arn:aws:s3::123456789012:x"]), ..bounds() }, "arn-kind"),
    ] {
        assert!(codes(&bounds).contains(&(code, Severity::Error)), "{code}: {:?}", codes(&bounds));
        refusal(&bounds);
    }
}

#[test]
fn lint_tells_what_crosses_accounts_never_fits_or_is_the_callers() {
    let role = "arn:aws:iam::123456789012:role/Deploy";
    let good = Bounds { arns: text(&[role]), ..bounds() };
    assert_eq!(codes(&good), []);
    let two = text(&[ACCOUNT, "999999999999"]);
    let china = "https://sts.cn-north-1.amazonaws.com.cn";
    for (bounds, code) in [
        (bounds(), "whole-account"),
        (
            Bounds { account_ids: two.clone(), role_names: text(&["R"]), ..bounds() },
            "crosses-accounts",
        ),
        (
            Bounds {
                account_ids: two,
                unique_identifier: Some(SubClaim::RoleName),
                ..good.clone()
            },
            "crosses-accounts",
        ),
        (Bounds { arns: text(&["arn:aws:iam::999999999999:role/R"]), ..bounds() }, "never-matches"),
        (
            Bounds { arns: text(&["arn:aws-cn:iam::123456789012:role/R"]), ..bounds() },
            "never-matches",
        ),
        (
            Bounds { arns: text(&["arn:aws:iam::123456789012:role/team/R"]), ..bounds() },
            "never-matches",
        ),
        (
            Bounds { role_names: text(&["R"]), user_names: text(&["u"]), ..bounds() },
            "never-matches",
        ),
        (
            Bounds {
                user_names: text(&["u"]),
                unique_identifier: Some(SubClaim::RoleId),
                ..bounds()
            },
            "never-matches",
        ),
        (Bounds { sts_url: Some(china.to_owned()), ..good.clone() }, "never-matches"),
        (Bounds { sts_url: Some("http://127.0.0.1:1".to_owned()), ..good.clone() }, "sts-http"),
        (Bounds { session_names: text(&["ci"]), ..good.clone() }, "caller-chosen"),
        (
            Bounds { arns: text(&["arn:aws:sts::123456789012:assumed-role/R/ci"]), ..bounds() },
            "caller-chosen",
        ),
        (
            Bounds { arns: text(&["arn:aws:sts::123456789012:federated-user/bob"]), ..bounds() },
            "caller-chosen",
        ),
    ] {
        assert!(
            codes(&bounds).contains(&(code, Severity::Warning)),
            "{code}: {:?}",
            codes(&bounds)
        );
        Policy::new(&bounds, &[TokenFormat::Akeyless], Binding::default()).unwrap();
    }
    let mixed = [TokenFormat::Akeyless, TokenFormat::Vault];
    let binding = Binding { server_id: Some("x".to_owned()), ..Binding::default() };
    let policy = Policy::new(&good, &mixed, binding).unwrap();
    assert_eq!(policy.lints()[0].code, "unbound-format");
}
