use std::collections::BTreeMap;
use std::sync::Arc;

/// Environment variables, real or given.
#[derive(Clone)]
pub struct Env(Option<Arc<BTreeMap<String, String>>>);

impl Env {
    /// The variables of this process.
    pub fn real() -> Self {
        Self(None)
    }

    /// These variables and no others.
    pub fn from_pairs<K: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self(Some(Arc::new(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())))
    }

    /// The value of `name`. Empty counts as unset, as in AWS's tools; so does what is not UTF-8.
    pub fn get(&self, name: &str) -> Option<String> {
        let value = match &self.0 {
            None => std::env::var(name).ok(),
            Some(given) => given.get(name).cloned(),
        };
        value.filter(|value| !value.trim().is_empty())
    }

    /// The value of the first of `names` that is set.
    pub fn first(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.get(name))
    }

    /// Whether `name` is `true`, ignoring case.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The name of this machine: what the system says, or of given variables `HOSTNAME`.
    pub fn host_name(&self) -> Option<String> {
        #[cfg(unix)]
        if self.0.is_none() {
            return Some(rustix::system::uname().nodename().to_string_lossy().into_owned());
        }
        self.first(&["HOSTNAME", "COMPUTERNAME"])
    }

    /// The names of all variables that are set and are UTF-8.
    pub fn names(&self) -> Vec<String> {
        match &self.0 {
            None => std::env::vars_os().filter_map(|(k, _)| k.into_string().ok()).collect(),
            Some(given) => given.keys().cloned().collect(),
        }
    }
}

// Values may be secrets.
impl std::fmt::Debug for Env {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Env(given)" } else { "Env(process)" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blank_counts_as_unset() {
        let env = Env::from_pairs([("A", ""), ("B", "  "), ("C", "x"), ("D", "TRUE")]);
        assert_eq!(env.get("A"), None);
        assert_eq!(env.first(&["A", "B", "C"]).as_deref(), Some("x"));
        assert!(env.is_true("D") && !env.is_true("C"));
        assert!(!format!("{env:?}").contains('x'));
    }
}
