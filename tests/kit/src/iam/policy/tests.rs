use super::*;

fn question<'a>(action: &'a str, resource: &'a str, context: &'a Context) -> Question<'a> {
    Question { action, resource, context }
}

fn context(values: &[(&str, &[&str])]) -> Context {
    let owned = |values: &&[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    values.iter().map(|(key, values)| (key.to_lowercase(), owned(values))).collect()
}

fn verdict(document: &str, action: &str, resource: &str, known: &[(&str, &[&str])]) -> Verdict {
    let document = Document::parse(document).unwrap();
    judge([&document], &question(action, resource, &context(known)))
}

/// Whether a statement with this condition applies.
fn holds(condition: &str, known: &[(&str, &[&str])]) -> bool {
    let document = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}}}"#
    );
    verdict(&document, "iam:X", "*", known) == Verdict::Allow
}

const USER: &str = "arn:aws:iam::111111111111:user/kit/a";

#[test]
fn a_denial_wins_and_silence_is_no_allowance() {
    let document = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Action":["iam:*User"],"Resource":"arn:aws:iam::*:user/kit/*"},
        {"Effect":"Deny","NotAction":"iam:Create*","Resource":"*"}]}"#;
    assert_eq!(verdict(document, "iam:CreateUser", USER, &[]), Verdict::Allow);
    assert_eq!(verdict(document, "iam:DeleteUser", USER, &[]), Verdict::ExplicitDeny);
    assert_eq!(verdict(document, "iam:CreateGroup", USER, &[]), Verdict::NoAllow);
    let elsewhere = "arn:aws:iam::111111111111:user/other/a";
    assert_eq!(verdict(document, "iam:CreateUser", elsewhere, &[]), Verdict::NoAllow);
    let except = r#"{"Statement":{"Effect":"Allow","Action":"iam:*","NotResource":"arn:aws:iam::*:user/kit/*"}}"#;
    assert_eq!(verdict(except, "iam:CreateUser", USER, &[]), Verdict::NoAllow);
    assert_eq!(verdict(except, "iam:CreateUser", elsewhere, &[]), Verdict::Allow);
}

#[test]
fn variables_stand_for_values_in_the_newer_version_only() {
    let known: &[(&str, &[&str])] = &[("aws:username", &["a"])];
    let of = |version: &str| {
        format!(
            r#"{{"Version":"{version}","Statement":{{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::*:user/kit/${{aws:username}}"}}}}"#
        )
    };
    assert_eq!(verdict(&of("2012-10-17"), "iam:GetUser", USER, known), Verdict::Allow);
    assert_eq!(verdict(&of("2012-10-17"), "iam:GetUser", USER, &[]), Verdict::NoAllow);
    assert_eq!(verdict(&of("2008-10-17"), "iam:GetUser", USER, known), Verdict::NoAllow);
}

#[test]
fn dates_are_compared_by_the_second() {
    let after = r#"{"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}}"#;
    for (now, expected) in [
        ("2025-12-31T23:59:59Z", false),
        ("2026-01-01T00:00:00Z", false),
        ("2026-01-01T00:00:01Z", true),
    ] {
        assert_eq!(holds(after, &[("aws:CurrentTime", &[now])]), expected, "{now}");
    }
    let epoch = r#"{"DateLessThan":{"aws:EpochTime":"1767225600"}}"#;
    assert!(holds(epoch, &[("aws:EpochTime", &["1767225599"])]));
    assert!(!holds(epoch, &[("aws:EpochTime", &["1767225600"])]));
    assert!(holds(
        r#"{"DateLessThanEquals":{"aws:CurrentTime":"2026-01-01"}}"#,
        &[("aws:CurrentTime", &["2026-01-01T00:00:00Z"])]
    ));
}

#[test]
fn operators_compare_as_their_names_say() {
    let known: &[(&str, &[&str])] = &[
        ("aws:RequestTag/Team", &["Blue"]),
        ("iam:PermissionsBoundary", &["arn:aws:iam::111111111111:policy/B"]),
        ("aws:SourceIp", &["127.0.0.1"]),
        ("aws:MultiFactorAuthPresent", &["true"]),
        ("s3:max-keys", &["10"]),
    ];
    for yes in [
        r#"{"StringEquals":{"aws:requesttag/team":["Red","Blue"]}}"#,
        r#"{"StringEqualsIgnoreCase":{"aws:RequestTag/Team":"bLUE"}}"#,
        r#"{"StringLike":{"aws:RequestTag/Team":"B?u*"}}"#,
        r#"{"StringNotEquals":{"aws:RequestTag/Team":["Red","Green"]}}"#,
        r#"{"StringNotEquals":{"aws:RequestTag/Missing":"x"}}"#,
        r#"{"StringEqualsIfExists":{"aws:RequestTag/Missing":"x"}}"#,
        r#"{"ArnLike":{"iam:PermissionsBoundary":"arn:aws:iam::*:policy/*"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","127.0.0.0/8"]}}"#,
        r#"{"NotIpAddress":{"aws:SourceIp":"::1"}}"#,
        r#"{"Bool":{"aws:MultiFactorAuthPresent":true}}"#,
        r#"{"BoolIfExists":{"aws:SecureTransport":"true"}}"#,
        r#"{"NumericLessThanEquals":{"s3:max-keys":"10"}}"#,
        r#"{"NumericGreaterThan":{"s3:max-keys":9.5}}"#,
        r#"{"Null":{"aws:RequestTag/Missing":"true","aws:RequestTag/Team":"false"}}"#,
        r#"{"StringLike":{"aws:RequestTag/Team":"*"},"NumericEquals":{"s3:max-keys":10}}"#,
    ] {
        assert!(holds(yes, known), "{yes}");
    }
    for no in [
        r#"{"StringEquals":{"aws:RequestTag/Team":"blue"}}"#,
        r#"{"StringEquals":{"aws:RequestTag/Team":"B*"}}"#,
        r#"{"StringNotLike":{"aws:RequestTag/Team":["Red","B*"]}}"#,
        r#"{"StringEquals":{"aws:RequestTag/Missing":"x"}}"#,
        r#"{"ArnLike":{"iam:PermissionsBoundary":"arn:aws:iam::222222222222:policy/*"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":"127.0.0.2"}}"#,
        r#"{"Bool":{"aws:MultiFactorAuthPresent":"false"}}"#,
        r#"{"NumericLessThan":{"s3:max-keys":"10"}}"#,
        r#"{"Null":{"aws:RequestTag/Team":"true"}}"#,
        r#"{"StringLike":{"aws:RequestTag/Team":"*"},"NumericEquals":{"s3:max-keys":11}}"#,
    ] {
        assert!(!holds(no, known), "{no}");
    }
}

#[test]
fn keys_with_several_values_need_a_quantifier() {
    let known: &[(&str, &[&str])] = &[("aws:TagKeys", &["team", "lease"])];
    assert!(holds(r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["team","lease","x"]}}"#, known));
    assert!(!holds(r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}}"#, known));
    assert!(holds(r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}}"#, known));
    assert!(!holds(r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["x"]}}"#, known));
    assert!(holds(r#"{"ForAllValues:StringEquals":{"aws:TagKeys":["x"]}}"#, &[]));
    assert!(!holds(r#"{"ForAnyValue:StringEquals":{"aws:TagKeys":["x"]}}"#, &[]));
}

#[test]
fn malformed_documents_are_refused_in_words() {
    let statement = |inside: &str| format!(r#"{{"Version":"2012-10-17","Statement":[{inside}]}}"#);
    let with = |more: &str| {
        statement(&format!(r#"{{"Effect":"Allow","Action":"s3:Get*","Resource":"*"{more}}}"#))
    };
    assert!(Document::parse(&with(r#","Sid":"A1""#)).is_ok());
    for (document, words) in [
        (String::new(), "Syntax errors"),
        ("[]".into(), "Syntax errors"),
        ("{}".into(), "Syntax errors"),
        (r#"{"Statement":[]}"#.into(), "Syntax errors"),
        (r#"{"Version":"2013-01-01","Statement":[]}"#.into(), "Syntax errors"),
        (with("").replace("Version", "version"), "Syntax errors"),
        (with(r#","Extra":1"#), "Syntax errors"),
        (with(r#","Principal":"*""#), "principal"),
        (with(r#","Sid":"a b""#), "alpha-numeric"),
        (with(r#","NotAction":"x:y""#), "Syntax errors"),
        (with(r#","Condition":{"Nonsense":{"aws:x":"y"}}"#), "Syntax errors"),
        (with(r#","Condition":{"StringEquals":{"x":"y"}}"#), "vendor"),
        (with(r#","Condition":{"DateGreaterThan":{"aws:CurrentTime":"soon"}}"#), "legacy"),
        (with(r#","Condition":{"Bool":{"aws:SecureTransport":"maybe"}}"#), "legacy"),
        (with(r#","Condition":{"StringEquals":{"aws:x":{"y":1}}}"#), "Syntax errors"),
        (with("").replace("Allow", "allow"), "Syntax errors"),
        (with("").replace("s3:Get*", "GetObject"), "vendor"),
        (with("").replace("s3:Get*", "s3:Get Object"), "colon"),
        (with("").replace(r#""*""#, r#""my-bucket""#), "ARN format"),
        (statement(r#"{"Effect":"Allow","Resource":"*"}"#), "must contain actions"),
        (statement(r#"{"Effect":"Allow","Action":"*"}"#), "must contain resources"),
        (statement(r#"{"Effect":"Allow","Action":[],"Resource":"*"}"#), "must contain actions"),
        (
            statement(&[r#"{"Sid":"A","Effect":"Deny","Action":"*","Resource":"*"}"#; 2].join(",")),
            "unique",
        ),
    ] {
        let error = Document::parse(&document).unwrap_err();
        assert_eq!((error.status, error.code.as_ref()), (400, "MalformedPolicyDocument"));
        assert!(error.message.contains(words), "{document}: {}", error.message);
    }
}
