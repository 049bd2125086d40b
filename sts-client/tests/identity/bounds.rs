//! AND across kinds, OR within one; ten thousand of them.

use rolecall_sts::identity::{Bounds, Mode, TokenFormat};

use crate::support::{Say, bounds, code, policy, role_session, token, user, verifier};

async fn outcome(bounds: &Bounds, answer: String) -> &'static str {
    let (verifier, _, _) = verifier(Mode::SingleUse, Say::Answer(200, answer));
    code(&verifier.verify(&token(TokenFormat::Akeyless), &policy(bounds)).await).1
}

fn text(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[tokio::test]
async fn one_of_a_kind_is_enough_and_every_kind_must_fit() {
    let names = text(&["Other", "Deploy"]);
    let id = "AROAEXAMPLEROLEID0001";
    for (bounds, expected) in [
        (Bounds { role_names: names.clone(), ..bounds() }, "accepted"),
        (Bounds { role_names: text(&["deploy"]), ..bounds() }, "role-name-not-bound"),
        (Bounds { role_names: names.clone(), role_ids: text(&[id]), ..bounds() }, "accepted"),
        (
            Bounds { role_names: names.clone(), role_ids: text(&["AROAX"]), ..bounds() },
            "role-id-not-bound",
        ),
        (
            Bounds { role_names: names, user_names: text(&["Deploy"]), ..bounds() },
            "user-name-not-bound",
        ),
        (Bounds { arns: text(&["arn:aws:iam::123456789012:root"]), ..bounds() }, "arn-not-bound"),
    ] {
        assert_eq!(outcome(&bounds, role_session()).await, expected);
    }
}

#[tokio::test]
async fn users_are_bound_by_name_and_by_arn_with_path() {
    for (arn, expected) in [
        ("arn:aws:iam::123456789012:user/team/bob", "accepted"),
        ("arn:aws:iam::123456789012:user/team/*", "accepted"),
        ("arn:aws:iam::123456789012:user/*", "accepted"),
        ("arn:aws:iam::123456789012:user/bob", "arn-not-bound"),
        ("arn:aws:iam::123456789012:user/TEAM/bob", "arn-not-bound"),
    ] {
        let bounds = Bounds { arns: text(&[arn]), ..bounds() };
        assert_eq!(outcome(&bounds, user("/team/", "bob")).await, expected, "{arn}");
    }
    let bounds = Bounds { user_names: text(&["bob"]), ..bounds() };
    assert_eq!(outcome(&bounds, user("/team/", "bob")).await, "accepted");
}

#[tokio::test]
async fn ten_thousand_arns_are_asked() {
    let arn = |n: usize| format!("arn:aws:iam::123456789012:role/Role{n}");
    let mut arns: Vec<_> = (0..10_000).map(arn).collect();
    let bounds = Bounds { arns: arns.clone(), ..bounds() };
    assert_eq!(outcome(&bounds, role_session()).await, "arn-not-bound");
    arns.push("arn:aws:iam::123456789012:role/Deploy".to_owned());
    assert_eq!(outcome(&Bounds { arns, ..bounds }, role_session()).await, "accepted");
}
