//! How the server is reached, by a connection string as `libpq` has it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use rolecall_core::http::AnyName;
use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Secret};
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;
use zeroize::Zeroizing;

use super::super::PROVIDER;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const CA_LIMIT: u64 = 4 * 1024 * 1024;

/// How much of the server's certificate is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trust {
    /// No TLS at all.
    Plain,
    /// Encrypted if the server can, whoever it is.
    PreferAny,
    /// Encrypted, whoever it is.
    Any,
    /// Vouched for by an authority, under whatever name.
    Authority,
    /// Vouched for by an authority, under the name that was asked for.
    Name,
}

/// Where the server is and how to reach it.
pub(super) struct Target {
    config: tokio_postgres::Config,
    trust: Trust,
    roots: Option<PathBuf>,
    /// `host:port/database`, for people.
    pub(super) place: String,
}

impl Target {
    /// Reads a `postgres://` URL, with `sslmode` and `sslrootcert` as `libpq` has them, and
    /// PGPASSWORD and PGSSLROOTCERT where it names none. Without `sslmode` the server must prove its
    /// name, unless it is on this machine.
    pub(super) fn parse(context: &Context, url: &Secret) -> Result<Self> {
        let (rest, settings) = split_tls(url.expose())?;
        // What the parser says may quote a password.
        let mut config: tokio_postgres::Config = rest.parse().map_err(|_| {
            invalid("the connection string cannot be read").with_help(
                "write postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full, with everything \
                 unusual percent-encoded, and the password in PGPASSWORD",
            )
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(invalid("the connection string names no host"));
        }
        if config.get_password().is_none()
            && let Some(password) = context.env.get("PGPASSWORD").map(Zeroizing::new)
        {
            config.password(password.as_bytes());
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("rolecall");
        }
        if config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        config.keepalives_idle(Duration::from_secs(30));
        config.keepalives_interval(Duration::from_secs(10));
        config.keepalives_retries(3);
        config.tcp_user_timeout(Duration::from_secs(30));
        let trust = match settings.mode.as_deref() {
            Some("disable") => Trust::Plain,
            Some("prefer") => Trust::PreferAny,
            // As libpq: a root certificate that is named is used.
            Some("require") if settings.roots.is_some() => Trust::Authority,
            Some("require") => Trust::Any,
            Some("verify-ca") => Trust::Authority,
            Some("verify-full") => Trust::Name,
            // Where there are addresses, the names are not what is connected to.
            None if config.get_hosts().iter().all(is_local)
                && config.get_hostaddrs().iter().all(std::net::IpAddr::is_loopback) =>
            {
                Trust::PreferAny
            }
            None => Trust::Name,
            Some(other) => {
                return Err(invalid(&format!("sslmode={other} is not known"))
                    .with_help("use disable, prefer, require, verify-ca or verify-full"));
            }
        };
        config.ssl_mode(match trust {
            Trust::Plain => SslMode::Disable,
            Trust::PreferAny => SslMode::Prefer,
            Trust::Any | Trust::Authority | Trust::Name => SslMode::Require,
        });
        let roots = settings.roots.or_else(|| context.env.get("PGSSLROOTCERT"));
        let place = place_of(&config);
        Ok(Self { config, trust, roots: roots.map(PathBuf::from), place })
    }

    /// Connections that are made when they are needed, each of which begins with `greeting`.
    pub(super) fn pool(self, context: &Context, size: usize, greeting: String) -> Result<Pool> {
        let tls = MakeRustlsConnect::new(self.tls(context)?);
        let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(self.config, tls, settings);
        let greet = Hook::async_fn(move |client: &mut deadpool_postgres::ClientWrapper, _| {
            let greeting = greeting.clone();
            Box::pin(
                async move { client.batch_execute(&greeting).await.map_err(HookError::Backend) },
            )
        });
        let pool = Pool::builder(manager)
            .max_size(size.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT_TIMEOUT * 2))
            .create_timeout(Some(CONNECT_TIMEOUT * 2))
            .recycle_timeout(Some(CONNECT_TIMEOUT))
            .post_create(greet)
            .build();
        pool.map_err(|error| {
            CredentialsError::new(ErrorKind::Internal, PROVIDER, error.to_string())
        })
    }

    fn tls(&self, context: &Context) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let internal = |error: rustls::Error| {
            CredentialsError::new(ErrorKind::Internal, PROVIDER, format!("TLS: {error}"))
        };
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(internal)?;
        let roots = Arc::new(self.roots(context)?);
        if self.trust == Trust::Name {
            return Ok(builder.with_root_certificates(roots).with_no_client_auth());
        }
        let authority = match self.trust {
            Trust::Authority => {
                let built = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
                Some(built.build().map_err(|error| invalid(&format!("sslrootcert: {error}")))?)
            }
            _ => None,
        };
        let verifier = Arc::new(AnyName { authority, provider });
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        Ok(builder.with_no_client_auth())
    }

    fn roots(&self, context: &Context) -> Result<RootCertStore> {
        let Some(path) = &self.roots else {
            return Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect());
        };
        read_roots(context, path).map_err(|what| {
            invalid(&format!("cannot use the root certificate {}: {what}", path.display()))
                .with_help("sslrootcert must name a file of certificates in PEM")
        })
    }
}

fn read_roots(context: &Context, path: &Path) -> Result<RootCertStore, String> {
    let text = context.fs.read(path, CA_LIMIT).map_err(|error| error.to_string())?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|error| error.to_string())?;
        roots.add(certificate).map_err(|error| error.to_string())?;
    }
    if roots.is_empty() { Err("there is no certificate in it".to_owned()) } else { Ok(roots) }
}

#[derive(Default)]
struct TlsSettings {
    mode: Option<String>,
    roots: Option<String>,
}

/// Takes out of a URL what tokio-postgres does not know.
fn split_tls(url: &str) -> Result<(Zeroizing<String>, TlsSettings)> {
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        return Err(invalid("the connection string is no postgres:// URL")
            .with_help("write postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full"));
    }
    let (address, query) = url.split_once('?').unwrap_or((url, ""));
    let mut settings = TlsSettings::default();
    let mut rest = Zeroizing::new(String::with_capacity(url.len() + 1));
    rest.push_str(address);
    let mut separator = '?';
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = || {
            let value = percent_encoding::percent_decode_str(value).decode_utf8();
            value.map(String::from).map_err(|_| invalid(&format!("{name} is not UTF-8")))
        };
        match name {
            "sslmode" => settings.mode = Some(decoded()?),
            "sslrootcert" => settings.roots = Some(decoded()?),
            _ => {
                rest.push(separator);
                rest.push_str(pair);
                separator = '&';
            }
        }
    }
    Ok((rest, settings))
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            let address = name.parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn place_of(config: &tokio_postgres::Config) -> String {
    let hosts = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    });
    let hosts = hosts.collect::<Vec<_>>().join(",");
    let ports = config.get_ports().iter().map(u16::to_string).collect::<Vec<_>>().join(",");
    let ports = if ports.is_empty() { "5432".to_owned() } else { ports };
    format!("{hosts}:{ports}/{}", config.get_dbname().unwrap_or_default())
}

fn invalid(message: &str) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rolecall_core::Env;

    fn target(url: &str, env: &[(&str, &str)]) -> Result<Target> {
        let env = Env::from_pairs(env.iter().copied());
        Target::parse(&Context { env, ..Context::real() }, &Secret::from(url))
    }

    #[test]
    fn only_a_server_on_this_machine_need_not_prove_its_name() {
        for (url, trust) in [
            ("postgres://u@db.example/x", Trust::Name),
            ("postgresql://u@10.0.0.7/x", Trust::Name),
            ("postgres://u@127.0.0.1,db.example/x", Trust::Name),
            ("postgres://u@127.0.0.1/x", Trust::PreferAny),
            ("postgres://u@localhost/x", Trust::PreferAny),
            ("postgres://u@localhost/x?hostaddr=10.0.0.7", Trust::Name),
            ("postgres:///x?user=u&hostaddr=10.0.0.7", Trust::Name),
            ("postgres:///x?user=u&hostaddr=127.0.0.1", Trust::PreferAny),
            ("postgres://u@%2Frun%2Fpostgresql/x", Trust::PreferAny),
            ("postgres://u@db.example/x?sslmode=disable", Trust::Plain),
            ("postgres://u@db.example/x?sslmode=prefer", Trust::PreferAny),
            ("postgres://u@db.example/x?sslmode=require", Trust::Any),
            ("postgres://u@db.example/x?sslmode=require&sslrootcert=%2Fca", Trust::Authority),
            ("postgres://u@db.example/x?connect_timeout=3&sslmode=verify-ca", Trust::Authority),
            ("postgres://u@db.example/x?sslmode=verify-full&connect_timeout=3", Trust::Name),
        ] {
            assert_eq!(target(url, &[]).unwrap().trust, trust, "{url}");
        }
        assert!(target("postgres://u@h/x?sslmode=allow", &[]).is_err());
    }

    #[test]
    fn the_password_comes_from_the_url_or_the_environment_and_is_never_shown() {
        let env = [("PGPASSWORD", "hunter2")];
        let found = target("postgres://u@db.example:77/x", &env).unwrap();
        assert_eq!(found.config.get_password(), Some(b"hunter2".as_slice()));
        assert_eq!(found.place, "db.example:77/x");
        let found = target("postgres://u:p%40ss@db.example/x", &env).unwrap();
        assert_eq!(found.config.get_password(), Some(b"p@ss".as_slice()));
        assert_eq!(found.place, "db.example:5432/x");
        for wrong in [
            "postgres://u:hunter2@h:port/x",
            "postgres://u:hunter2@h/x?hunter2=1",
            "host=h password=hunter2",
            "postgres://u:hunter2@h/x?sslmode=verify",
            "postgres://u:hunter2@/x",
            "",
        ] {
            let error = target(wrong, &[]).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{wrong}");
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn a_root_certificate_that_cannot_be_used_is_named() {
        let found = target("postgres://u@h/x?sslrootcert=/no/such/file", &[]).unwrap();
        let error = found.tls(&Context::real()).unwrap_err();
        assert!(error.message().contains("/no/such/file"), "{error}");
    }
}
