use std::path::PathBuf;

use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Secret, SecretInput};

/// The variable that names the store where nothing else does.
const VARIABLE: &str = "ROLECALL_STORE";

/// Where leases are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlace {
    /// In a file of SQLite.
    Sqlite(PathBuf),
    /// In PostgreSQL; the URL may hold a password.
    Postgres(Secret),
}

impl StorePlace {
    /// The place that `text` names: `sqlite:PATH` or a path, `postgres://…`; or `env:NAME` or
    /// `file://PATH`, where one of these is written. Without a text `ROLECALL_STORE` says, or else it
    /// is `rolecall/leases.db` in `XDG_DATA_HOME` (`~/.local/share`).
    ///
    /// # Errors
    /// `InvalidConfiguration` if the text names no place; `NotConfigured` without a text and a home
    /// folder.
    pub fn find(context: &Context, text: Option<&str>) -> Result<Self> {
        let env = &context.env;
        let named = text.map(str::to_owned).or_else(|| env.get(VARIABLE));
        if let Some(text) = named.filter(|text| !text.trim().is_empty()) {
            let input: SecretInput = text.parse().unwrap_or_else(|never| match never {});
            return match input {
                SecretInput::Env(_) | SecretInput::File(_) => {
                    Self::read(context, input.read(context)?.expose())
                }
                _ => Self::read(context, &text),
            };
        }
        let data = env.get("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let data = data.or_else(|| Some(home(context)?.join(".local/share")));
        let folder = data.ok_or_else(|| {
            CredentialsError::new(ErrorKind::NotConfigured, "lease store", "HOME is not set")
                .with_help(format!("name the store with --store or {VARIABLE}"))
        })?;
        Ok(Self::Sqlite(folder.join("rolecall/leases.db")))
    }

    fn read(context: &Context, text: &str) -> Result<Self> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(text.into()));
        }
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        // `sqlite:///path` is a path as URLs have it; with two slashes a machine would follow.
        let names_machine = path.starts_with("//") && !path.starts_with("///");
        if path.is_empty() || path.contains("://") || names_machine {
            // The text may hold a password: it is not shown.
            let message = "the place is no sqlite:PATH, path or postgres:// URL";
            return Err(CredentialsError::new(
                ErrorKind::InvalidConfiguration,
                "lease store",
                message,
            )
            .with_help(format!("check --store and {VARIABLE}")));
        }
        Ok(Self::Sqlite(match (path.strip_prefix("~/"), home(context)) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => path.into(),
        }))
    }

    /// Whether it holds a password, which everybody could see on a command line.
    pub fn has_password(&self) -> bool {
        let Self::Postgres(url) = self else { return false };
        let authority = url.expose().split_once("://").map_or("", |(_, rest)| rest);
        let authority = authority.split(['/', '?']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        user.contains(':') || url.expose().contains("password=")
    }
}

fn home(context: &Context) -> Option<PathBuf> {
    context.env.get("HOME").map(PathBuf::from).filter(|home| home.is_absolute())
}

#[cfg(test)]
mod tests {
    use rolecall_core::Env;

    use super::*;

    fn find(text: Option<&str>, env: &[(&str, &str)]) -> Result<StorePlace> {
        let env = Env::from_pairs(env.iter().copied());
        StorePlace::find(&Context { env, ..Context::real() }, text)
    }

    fn file(path: &str) -> StorePlace {
        StorePlace::Sqlite(path.into())
    }

    #[test]
    fn every_place_is_found() {
        let home = ("HOME", "/home/me");
        let variable = ("ROLECALL_STORE", "/var/lib/leases.db");
        for (text, env, expected) in [
            (None, vec![home], "/home/me/.local/share/rolecall/leases.db"),
            (None, vec![home, ("XDG_DATA_HOME", "/data")], "/data/rolecall/leases.db"),
            (
                None,
                vec![home, ("XDG_DATA_HOME", "data")],
                "/home/me/.local/share/rolecall/leases.db",
            ),
            (None, vec![home, variable], "/var/lib/leases.db"),
            (Some("sqlite:/x.db"), vec![home, variable], "/x.db"),
            (Some("sqlite:~/x.db"), vec![home], "/home/me/x.db"),
            (Some("x.db"), vec![], "x.db"),
            (Some("env:PLACE"), vec![("PLACE", "sqlite:y.db")], "y.db"),
        ] {
            assert_eq!(find(text, &env).unwrap(), file(expected), "{text:?} {env:?}");
        }
        let url = "postgres://me@db/leases";
        assert_eq!(find(Some(url), &[]).unwrap(), StorePlace::Postgres(url.into()));
    }

    #[test]
    fn what_names_no_place_is_told_without_showing_it() {
        assert_eq!(find(None, &[]).unwrap_err().kind(), ErrorKind::NotConfigured);
        for text in ["mysql://me:hunter2@db/x", "sqlite:", "sqlite://x"] {
            let error = find(Some(text), &[]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{text}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn passwords_in_urls_are_noticed() {
        for (url, expected) in [
            ("postgres://me:hunter2@db/leases", true),
            ("postgres://db/leases?password=hunter2", true),
            ("postgres://me@db:5432/leases", false),
            ("postgres://db:5432/leases?user=a:b@c", false),
        ] {
            let place = find(Some(url), &[]).unwrap();
            assert_eq!(place.has_password(), expected, "{url}");
            assert!(!format!("{place:?}").contains("hunter2"));
        }
    }
}
