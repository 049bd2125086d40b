use super::*;

fn entries() -> Entries {
    let args = ["--region", "eu-west-1", "eks", "get-token", "--cluster-name", "prod"];
    Entries {
        cluster_name: "arn:aws:eks:eu-west-1:111111111111:cluster/prod".to_owned(),
        cluster: Value::map([
            ("certificate-authority-data", Value::text("Q0E=")),
            ("server", Value::text("https://x.eks.test")),
        ]),
        user_name: "arn:aws:eks:eu-west-1:111111111111:cluster/prod".to_owned(),
        user: Value::map([(
            "exec",
            Value::map([
                ("apiVersion", Value::text("client.authentication.k8s.io/v1beta1")),
                ("args", Value::List(args.map(Value::text).into())),
                ("command", Value::text("aws")),
            ]),
        )]),
        context_name: "prod".to_owned(),
    }
}

fn changed(text: &str) -> Result<String, Flaw> {
    Document::parse(text)?.with(&entries())
}

fn refusal(text: &str) -> Flaw {
    Document::parse(text).map(|_| ()).unwrap_err()
}

const NEW: &str = "\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://x.eks.test
  name: arn:aws:eks:eu-west-1:111111111111:cluster/prod
contexts:
- context:
    cluster: arn:aws:eks:eu-west-1:111111111111:cluster/prod
    user: arn:aws:eks:eu-west-1:111111111111:cluster/prod
  name: prod
current-context: prod
kind: Config
preferences: {}
users:
- name: arn:aws:eks:eu-west-1:111111111111:cluster/prod
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      args:
      - --region
      - eu-west-1
      - eks
      - get-token
      - --cluster-name
      - prod
      command: aws
";

#[test]
fn a_file_that_says_nothing_becomes_one_as_aws_cli_writes_it() {
    assert_eq!(changed("").unwrap(), NEW);
    assert_eq!(changed("---\n").unwrap(), format!("---\n{NEW}"));
    assert_eq!(changed("# mine\n").unwrap(), format!("# mine\n{NEW}"));
    assert_eq!(changed("# mine").unwrap(), format!("# mine\n{NEW}"));
    assert_eq!(changed("{}\n").unwrap(), NEW);
    assert_eq!(changed("null\n").unwrap(), NEW);
}

#[test]
fn what_is_there_already_is_not_touched() {
    assert_eq!(changed(NEW).unwrap(), NEW);
    let own_way = NEW.replace("name: prod", "'name':   \"prod\"  # mine");
    assert_eq!(changed(&own_way).unwrap(), own_way);
}

#[test]
fn comments_order_and_foreign_entries_stay_byte_for_byte() {
    let before = "\
# top
kind: Config   # a config
users:
  # the first
  - name: other   # indented more than AWS CLI does
    user: {token: abc, \"x\": 'y'}

  # behind it
contexts: # none yet
current-context: other
clusters: []  # nor here
apiVersion: v1
extensions: &e
  - a: >-
      folded
again: *e
# the end
";
    let after = changed(before).unwrap();
    let lines: Vec<&str> = after.lines().collect();
    // Every line of before is there, in order, but for the two that had to change.
    let mut rest = lines.iter();
    for line in before.lines() {
        let line = line.replace("current-context: other", "current-context: prod");
        let line = line.replace("clusters: []  # nor here", "clusters:  # nor here");
        assert!(rest.any(|&l| l == line), "{line:?} is gone from:\n{after}");
    }
    let at = |line: &str| lines.iter().position(|&l| l == line).unwrap();
    assert!(at("contexts: # none yet") < at("- context:"), "{after}");
    assert!(at("  - name: arn:aws:eks:eu-west-1:111111111111:cluster/prod") < at("  # behind it"));
    assert_eq!(changed(&after).unwrap(), after);
}

#[test]
fn an_entry_is_changed_in_its_place_and_its_own_settings_stay() {
    let before = NEW
        .replace("    server: https://x.eks.test", "    # old\n    server: https://old # was\n    tls-server-name: a\n    proxy-url: http://p")
        .replace("  name: prod", "    namespace: shop  # mine\n  name: prod")
        .replace("    exec:", "    token: abc\n    as: me\n    exec:\n      interactiveMode: Never")
        .replace("      - prod\n", "      - prod\n      - --role\n      - arn:x\n      env:\n      - name: AWS_PROFILE\n        value: dev\n");
    let before = before + "- name: later\n  user: {}\n";
    let after = changed(&before).unwrap();
    let expected = NEW
        .replace(
            "    server: https://x.eks.test",
            "    # old\n    server: https://x.eks.test # was\n    tls-server-name: a",
        )
        .replace("  name: prod", "    namespace: shop  # mine\n  name: prod")
        .replace("    exec:", "    as: me\n    exec:");
    assert_eq!(after, expected + "- name: later\n  user: {}\n");
}

#[test]
fn parts_of_the_wrong_type_are_put_right() {
    for (old, new) in [
        (
            "- cluster:\n    certificate-authority-data: Q0E=\n    server: https://x.eks.test\n",
            "- cluster:\n",
        ),
        (
            "- cluster:\n    certificate-authority-data: Q0E=\n    server: https://x.eks.test\n",
            "- cluster: text\n",
        ),
        (
            "- context:\n    cluster: arn:aws:eks:eu-west-1:111111111111:cluster/prod\n    user: arn:aws:eks:eu-west-1:111111111111:cluster/prod\n",
            "- context: null\n",
        ),
        ("      command: aws\n", "      command: |\n        aws\n        x\n"),
        ("      command: aws\n", "      command: !!str 7\n"),
        ("      - prod\n", "      - 7\n"),
        ("current-context: prod", "current-context: \"\""),
        ("current-context: prod", "current-context:"),
    ] {
        let before = NEW.replace(old, new);
        assert_ne!(before, NEW, "{old}");
        assert_eq!(changed(&before).unwrap(), NEW, "{new}");
    }
}

#[test]
fn keys_that_are_missing_are_added() {
    for key in ["clusters", "contexts", "users", "current-context"] {
        let root = parse(NEW).unwrap().unwrap();
        let Value::Map(entries) = Value::of(&root) else { panic!() };
        let without: Vec<_> = entries.into_iter().filter(|(name, _)| name != key).collect();
        let before = Value::Map(without).to_yaml();
        let after = changed(&before).unwrap();
        assert!(after.starts_with(&before), "{after}");
        assert!(same(&Value::of(&parse(&after).unwrap().unwrap()), &Value::of(&root)), "{after}");
    }
}

#[test]
fn json_stays_json() {
    let before = r#"{"apiVersion": "v1", "kind": "Config",
 "clusters": [{"name": "a", "cluster": {"server": "https://a"}}],
 "contexts": [], "users": null}
"#;
    let after = changed(before).unwrap();
    let json: serde_json::Value = serde_json::from_str(&after).unwrap();
    assert_eq!(json["clusters"][0]["name"], "a");
    assert_eq!(json["clusters"][1]["cluster"]["server"], "https://x.eks.test");
    assert_eq!(json["users"][0]["user"]["exec"]["command"], "aws");
    assert_eq!(json["current-context"], "prod");
    assert!(after.starts_with("{\"apiVersion\": \"v1\", \"kind\": \"Config\",\n \"clusters\""));
    assert_eq!(changed(&after).unwrap(), after);
}

#[test]
fn lines_end_as_they_did() {
    let after = changed(&NEW.replace("prod", "old").replace('\n', "\r\n")).unwrap();
    assert_eq!(after.matches('\n').count(), after.matches("\r\n").count());
    let after = changed(NEW.replace("- prod", "- older").trim_end()).unwrap();
    assert_eq!(after, NEW.trim_end());
    let after = changed(&format!("\u{feff}{NEW}")).unwrap();
    assert_eq!(after, format!("\u{feff}{NEW}"));
    let after =
        changed("apiVersion: v1\nüser: ünïcode # ü\nclusters:\n- name: ä\n  cluster: {}").unwrap();
    assert!(
        after.contains("üser: ünïcode # ü\nclusters:\n- name: ä\n  cluster: {}\n- cluster:\n"),
        "{after}"
    );
}

#[test]
fn what_is_no_kubeconfig_is_refused_with_the_line() {
    for (text, line, said) in [
        ("This is not a yaml file\nThis is a text", Some(1), "a mapping"),
        ("a: b\nc d\n", Some(3), "not YAML"),
        ("- a\n", Some(1), "a list"),
        ("clusters:\n- String\n", Some(2), "entry in clusters is a text"),
        ("users:\n- - a\n", Some(2), "entry in users is a list"),
        ("contexts: {}\n", Some(1), "contexts is a mapping"),
        ("current-context: []\n", Some(1), "current-context is a list"),
        ("preferences: x\n", Some(1), "preferences is a text"),
        ("a: b\n---\nc: d\n", Some(2), "second document"),
        ("users: &x\n- *x\n", Some(2), "an alias"),
        ("\"", Some(1), "not YAML"),
        ("users: [", Some(2), "not YAML"),
        ("a: *nobody\n", Some(1), "not YAML"),
    ] {
        let flaw = refusal(text);
        assert!(flaw.message.contains(said), "{text:?}: {flaw:?}");
        assert_eq!(flaw.line, line, "{text:?}: {flaw:?}");
    }
    let deep = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
    assert!(Document::parse(&deep).is_err());
    let deep = format!("a:\n{}x\n", "- ".repeat(150));
    assert!(refusal(&deep).message.contains("too deep"));
}

#[test]
fn what_cannot_be_changed_safely_is_refused() {
    let twins = NEW
        .replace("users:\n", "users:\n- name: arn:aws:eks:eu-west-1:111111111111:cluster/prod\n");
    let anchored = NEW.replace("    exec:", "    exec: &e").replace("command: aws", "command: b")
        + "- name: z\n  user:\n    exec: *e\n";
    let shared =
        NEW.replace("command: aws", "command: *c").replace("apiVersion: v1", "apiVersion: &c v1");
    let twice = NEW.replace("kind: Config", "kind: Config\nkind: Config").replace("- prod", "- x");
    for (text, said) in [
        (twins, "two entries"),
        (anchored, "points at it"),
        (shared, "alias"),
        (twice, "stands twice"),
    ] {
        let flaw = changed(&text).unwrap_err();
        assert!(flaw.message.contains(said), "{text}: {flaw:?}");
        assert!(flaw.line.is_some(), "{flaw:?}");
    }
}

#[test]
fn texts_that_yaml_would_take_for_something_else_are_quoted() {
    for (text, written) in [
        ("123", "\"123\""),
        ("0x1f", "\"0x1f\""),
        ("1e3", "\"1e3\""),
        ("1_000", "\"1_000\""),
        ("12:30:45", "\"12:30:45\""),
        ("2026-01-01", "\"2026-01-01\""),
        ("yes", "\"yes\""),
        ("Null", "\"Null\""),
        ("~", "\"~\""),
        (".inf", "\".inf\""),
        ("", "\"\""),
        ("a: b", "\"a: b\""),
        ("a #b", "\"a #b\""),
        ("a:", "\"a:\""),
        ("- a", "\"- a\""),
        ("*a", "\"*a\""),
        ("a\nb\u{1b}", "\"a\\nb\\u001b\""),
        (
            "arn:aws:eks:eu-west-1:111111111111:cluster/a",
            "arn:aws:eks:eu-west-1:111111111111:cluster/a",
        ),
        ("--region", "--region"),
        ("https://a.b:8443/c?d=e", "\"https://a.b:8443/c?d=e\""),
        ("prod-1", "prod-1"),
        ("Q0E=", "Q0E="),
    ] {
        let value = Value::text(text);
        assert_eq!(value.inline(), written);
        let root = parse(&format!("a: {}\n", value.inline())).unwrap().unwrap();
        assert_eq!(Value::of(root.get("a").unwrap()), value, "{text:?}");
    }
}

/// Numbers without a pattern, the same at each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit.max(1)
    }
}

#[test]
fn keys_that_are_no_texts_are_never_written_anew() {
    let odd = "&k k: 1\n*k : v\n";
    assert!(changed(&format!("{odd}{NEW}")).is_ok(), "nothing has to change");
    let user = |inside: &str| {
        let entry = format!("- name: {}\n  user:\n    {inside}\n", entries().user_name);
        format!("{}{entry}", NEW.split("- name: arn").next().unwrap())
    };
    for text in [
        format!("{odd}clusters: []\n"),
        "[a, b]: x\nkind: Config\n".to_owned(),
        "{[a, b]: x, kind: Config}\n".to_owned(),
        // A name that only looks like the stand-in of another.
        "\"\\0n[a]\": x\n".to_owned(),
        user("[a, b]: x"),
        user("exec: {}\n    extensions: {[a, b]: x}\n    ? [c]\n    : d"),
        user("{extensions: [{[a, b]: x}], token: y}").replace("user:\n    ", "user: "),
    ] {
        let flaw = changed(&text).unwrap_err();
        assert!(flaw.message.contains("a key that is no text"), "{text}{flaw:?}");
    }
}

#[test]
fn an_entry_whose_name_nobody_can_tell_is_refused() {
    let cluster = &entries().cluster_name;
    for (text, says) in [
        (format!("x: &n {cluster}\nclusters:\n- name: *n\n  cluster: {{}}\n"), "by an alias"),
        (
            format!("x: &b {{name: {cluster}}}\nclusters:\n- <<: *b\n  cluster: {{}}\n"),
            "or a merge",
        ),
        ("x: &k name\nusers:\n- *k : a\n  user: {}\n".to_owned(), "by an alias"),
        ("x: &b {clusters: []}\n<<: *b\n".to_owned(), "merged into the file"),
    ] {
        let flaw = changed(&text).unwrap_err();
        assert!(flaw.message.contains(says), "{text}{flaw:?}");
    }
    let named = "x: &b {cluster: {server: a}}\nclusters:\n- name: other\n  <<: *b\n";
    assert!(changed(named).unwrap().starts_with(named));
}

#[test]
fn what_ends_lines_or_cannot_be_shown_is_escaped() {
    let odd = "a\u{7}\u{7f}\u{85}\u{9f}\u{2028}\u{2029}\u{feff}\n\u{0}b";
    let new = Entries { context_name: odd.to_owned(), ..entries() };
    let text = Document::parse("").unwrap().with(&new).unwrap();
    let line = text.lines().find(|line| line.starts_with("current-context")).unwrap();
    let shown = r#""a\u0007\u007f\u0085\u009f\u2028\u2029\ufeff\n\u0000b""#;
    assert_eq!(line, format!("current-context: {shown}"));
    assert!(text.bytes().all(|b| b == b'\n' || (b' '..0x7f).contains(&b)));
}

#[test]
fn whatever_a_file_holds_it_is_refused_or_changed_for_good() {
    const PIECES: [&str; 30] = [
        "\n",
        " ",
        "  ",
        "- ",
        ":",
        ": ",
        "#",
        " # c",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&a ",
        "*a",
        "|",
        ">-",
        "\"",
        "'",
        "!!str ",
        "---\n",
        "...\n",
        "? ",
        "\t",
        "\r\n",
        "ä",
        "null",
        "clusters",
        "- name: x\n",
        "\u{feff}",
    ];
    let seeds = [
        NEW.to_owned(),
        NEW.replace("prod", "other"),
        NEW.replace('\n', "\r\n"),
        "{\"clusters\": [{\"name\": \"a\"}], \"users\": [], \"contexts\": null}\n".to_owned(),
        "users:\n  - name: a\n    user: {token: x} # y\nclusters: []\ncontexts:\n".to_owned(),
    ];
    let mut chance = Chance(1);
    let mut changes = 0;
    for _ in 0..1_000 {
        let mut text: Vec<char> = seeds[chance.below(seeds.len())].chars().collect();
        for _ in 0..=chance.below(4) {
            let start = chance.below(text.len());
            let end = (start + chance.below(30)).min(text.len());
            let piece: Vec<char> = match chance.below(3) {
                0 => PIECES[chance.below(PIECES.len())].chars().collect(),
                1 => {
                    text.drain(start..end);
                    Vec::new()
                }
                _ => text[start..end].to_vec(),
            };
            let place = chance.below(text.len() + 1);
            text.splice(place..place, piece);
        }
        let text = String::from_iter(text);
        let Ok(after) = changed(&text) else { continue };
        assert_eq!(changed(&after).as_deref(), Ok(&*after), "not for good: {text:?}");
        changes += 1;
        let comments = |text: &str| text.lines().filter(|line| line.starts_with('#')).count();
        assert!(comments(&after) >= comments(&text), "{text:?}\n{after}");
    }
    assert!(changes > 100, "{changes}");
}

#[test]
fn large_files_take_no_longer_than_their_size() {
    let many: String = (0..20_000).map(|number| format!("key{number}: {number}\n")).collect();
    let after = changed(&many).unwrap();
    assert!(after.starts_with(&many));
}
