//! Wildcards: `*` for any text, `?` for one letter.

/// Whether a pattern takes a whole text.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where to go on when a letter does not fit: after the last star, one letter further.
    let mut retry = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(letter) if *letter == '?' || *letter == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut retry {
                Some((after_star, from)) => {
                    *from += 1;
                    (p, t) = (*after_star, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

/// Actions are not distinguished by case.
pub(super) fn action(pattern: &str, action: &str) -> bool {
    glob(&pattern.to_lowercase(), &action.to_lowercase())
}

/// An ARN by its six parts: a wildcard does not reach over a colon into the next.
pub(super) fn arn(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (patterns, parts): (Vec<_>, Vec<_>) =
        (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    patterns.len() == parts.len()
        && patterns.iter().zip(&parts).all(|(pattern, part)| glob(pattern, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_take_what_they_should() {
        for (pattern, text) in [
            ("*", ""),
            ("a*b*c", "aXXbYbc"),
            ("a?c", "abc"),
            ("*.txt", "a.txt.txt"),
            ("iam:*User", "iam:CreateUser"),
            ("**", "x"),
        ] {
            assert!(glob(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("", "a"), ("a?c", "ac"), ("a*b", "a"), ("abc", "abcd"), ("?", "")]
        {
            assert!(!glob(pattern, text), "{pattern} {text}");
        }
        // A pattern that makes backtracking matchers slow.
        assert!(!glob(&"*a".repeat(40), &"a".repeat(39)));
    }

    #[test]
    fn arns_match_part_by_part() {
        let user = "arn:aws:iam::111111111111:user/kit/a";
        for yes in ["*", "arn:aws:iam::*:user/kit/*", "arn:*:iam::111111111111:user/*"] {
            assert!(arn(yes, user), "{yes}");
        }
        for no in ["arn:aws:*", "arn:aws:iam::111111111111:user/Kit/*", "arn:aws:iam:*:user/kit/a"]
        {
            assert!(!arn(no, user), "{no}");
        }
        assert!(action("IAM:create*", "iam:CreateUser"));
    }
}
