//! "Did you mean".

/// A sentence about the `names` close to `wanted`, or about which there are.
pub(super) fn suggest<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<&str> = names.collect();
    let near: Vec<&str> = names.iter().copied().filter(|name| near(wanted, name)).take(3).collect();
    if !near.is_empty() {
        return format!("did you mean {}?", near.join(" or "));
    }
    match names.len() {
        0 => "there are no profiles".to_owned(),
        count if count <= SHOWN => format!("there are: {}", names.join(", ")),
        count => format!("there are {count} profiles: {}, …", names[..SHOWN].join(", ")),
    }
}

/// Whether `name` may be meant by `wanted`: a slip or two away, one where it is short.
pub fn near(wanted: &str, name: &str) -> bool {
    let limit = if wanted.chars().count() < 5 { 1 } else { 2 };
    name.eq_ignore_ascii_case(wanted) || distance(name, wanted, limit).is_some_and(|d| d <= limit)
}

/// How many letters to add, drop, change or swap with a neighbour; `None` if surely over `limit`.
fn distance(a: &str, b: &str, limit: usize) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before = vec![0; b.len() + 1];
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let changed = row[j] + usize::from(x != y);
            let mut least = changed.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_are_found_and_else_all_are_listed() {
        let names = ["production", "staging", "Dev"];
        let ask = |wanted| suggest(wanted, names.into_iter());
        assert_eq!(ask("prodcution"), "did you mean production?");
        assert_eq!(ask("dev"), "did you mean Dev?");
        assert_eq!(ask("other"), "there are: production, staging, Dev");
        assert_eq!(suggest("x", std::iter::empty()), "there are no profiles");
    }
}
