use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::any_name::unverified;
use super::options::Options;
use super::{ANSWER_LIMIT, HttpClient, HttpError, HttpFailure, Request, Response};
use crate::{Env, Fs, Secret};

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const ANSWER_TIME_LIMIT: Duration = Duration::from_secs(30);
/// How much of a request's time connecting may take.
const CONNECT_SHARE: f64 = 0.9;
const CA_FILE_LIMIT: u64 = 4 * 1024 * 1024;

/// How the world is reached: which authorities are trusted and which proxies are used.
#[derive(Clone, Debug, Default)]
pub struct WebSettings {
    /// A PEM file that replaces the built-in certificate authorities.
    pub ca_bundle: Option<PathBuf>,
    /// Proxy for `http:` (may hold a password).
    pub http_proxy: Option<Secret>,
    /// Proxy for `https:` (may hold a password).
    pub https_proxy: Option<Secret>,
    /// Hosts to reach directly, comma-separated.
    pub no_proxy: Option<String>,
    /// Takes any certificate of the other side, so that whoever is in between reads and changes
    /// everything. Only for a user who asks for just this.
    pub no_verify: bool,
}

impl WebSettings {
    /// `AWS_CA_BUNDLE`, `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`, `NO_PROXY` and their lower-case
    /// forms, which win, as in curl. `HTTP_PROXY` in upper case is not read where `REQUEST_METHOD`
    /// is set: there it may be a header that a client of a CGI program sent.
    pub fn from_env(env: &Env) -> Self {
        let all = || env.first(&["all_proxy", "ALL_PROXY"]);
        let cgi = env.get("REQUEST_METHOD").is_some();
        let http = env.get("http_proxy").or_else(|| env.get("HTTP_PROXY").filter(|_| !cgi));
        let https = env.first(&["https_proxy", "HTTPS_PROXY"]);
        Self {
            ca_bundle: env.get("AWS_CA_BUNDLE").map(PathBuf::from),
            http_proxy: http.or_else(all).map(Secret::from),
            https_proxy: https.or_else(all).map(Secret::from),
            no_proxy: env.first(&["no_proxy", "NO_PROXY"]),
            no_verify: false,
        }
    }

    /// The same without proxies.
    #[must_use]
    pub fn direct(self) -> Self {
        Self { http_proxy: None, https_proxy: None, ..self }
    }
}

/// HTTP and HTTPS by reqwest, rustls and ring. Costs nothing until its first request.
#[derive(Debug)]
pub struct WebClient {
    settings: WebSettings,
    fs: Fs,
    /// Kept for all clients, so that the CA file is read once.
    tls: OnceLock<rustls::ClientConfig>,
    client: OnceLock<reqwest::Client>,
    /// Clients for requests with options; there are as many as there are kinds of metadata service.
    others: Mutex<Vec<(Options, reqwest::Client)>>,
}

impl WebClient {
    /// A client with these settings; `fs` reads the CA file.
    pub fn new(settings: WebSettings, fs: Fs) -> Self {
        Self {
            settings,
            fs,
            tls: OnceLock::new(),
            client: OnceLock::new(),
            others: Mutex::default(),
        }
    }

    /// Says what is wrong with the settings: the CA file, the proxies. Opens no connection. What is
    /// read here is not read again.
    ///
    /// # Errors
    /// `Unusable`, as the first request would fail.
    pub fn check(&self) -> Result<(), HttpError> {
        self.client(&Options::default(), "").map(|_| ())
    }

    /// The client for these options, built at the first request. A failure is not kept: the CA file
    /// may come later.
    fn client(&self, options: &Options, host: &str) -> Result<reqwest::Client, HttpError> {
        if *options == Options::default() {
            return match self.client.get() {
                Some(client) => Ok(client.clone()),
                None => {
                    let client = self.build(options, host)?;
                    Ok(self.client.get_or_init(|| client).clone())
                }
            };
        }
        if options.pinned.is_some() {
            return self.build(options, host);
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, client)) = others.iter().find(|(known, _)| known == options) {
            return Ok(client.clone());
        }
        let client = self.build(options, host)?;
        others.push((options.clone(), client.clone()));
        Ok(client)
    }

    fn build(&self, options: &Options, host: &str) -> Result<reqwest::Client, HttpError> {
        let limit = options.limit.unwrap_or(ANSWER_TIME_LIMIT);
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls()?)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT_LIMIT.min(limit.mul_f64(CONNECT_SHARE)))
            .timeout(limit)
            .tcp_nodelay(true)
            .no_proxy()
            .user_agent(concat!("rolecall/", env!("CARGO_PKG_VERSION")));
        if let Some(pinned) = &options.pinned {
            // Port 0 stands for the URL's own.
            let addresses: Vec<_> = pinned.0.iter().map(|ip| SocketAddr::new(*ip, 0)).collect();
            builder = builder.resolve_to_addrs(host, &addresses);
        }
        if !options.direct {
            builder = self.proxied(builder)?;
        }
        builder.build().map_err(|error| HttpError::new(HttpFailure::Unusable, describe(&error)))
    }

    fn has_proxy(&self, scheme: Option<&str>) -> bool {
        match scheme {
            Some("http") => self.settings.http_proxy.is_some(),
            _ => self.settings.https_proxy.is_some(),
        }
    }

    fn proxied(
        &self,
        mut builder: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, HttpError> {
        let except = self.settings.no_proxy.as_deref().and_then(reqwest::NoProxy::from_string);
        type Make = fn(&str) -> reqwest::Result<reqwest::Proxy>;
        let proxies: [(&str, &Option<Secret>, Make); 2] = [
            ("HTTP_PROXY", &self.settings.http_proxy, |url| reqwest::Proxy::http(url)),
            ("HTTPS_PROXY", &self.settings.https_proxy, |url| reqwest::Proxy::https(url)),
        ];
        for (name, url, make) in proxies {
            let Some(url) = url else { continue };
            // The address may hold a password, so the error must not show it.
            let is_http = |url: &&str| !url.contains("://") || url.starts_with("http");
            let proxy = Some(url.expose()).filter(is_http).and_then(|url| make(url).ok());
            let proxy = proxy.ok_or_else(|| {
                let message = format!("{name} is not the address of an HTTP proxy");
                HttpError::new(HttpFailure::Unusable, message)
            })?;
            builder = builder.proxy(proxy.no_proxy(except.clone()));
        }
        Ok(builder)
    }

    fn tls(&self) -> Result<rustls::ClientConfig, HttpError> {
        match self.tls.get() {
            Some(config) => Ok(config.clone()),
            None => {
                let config = self.build_tls()?;
                Ok(self.tls.get_or_init(|| config).clone())
            }
        }
    }

    fn build_tls(&self) -> Result<rustls::ClientConfig, HttpError> {
        let unusable = |message: String| HttpError::new(HttpFailure::Unusable, message);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        if self.settings.no_verify {
            return unverified(provider).map_err(|error| unusable(error.to_string()));
        }
        let roots = match &self.settings.ca_bundle {
            Some(path) => self.read_roots(path)?,
            None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
        };
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(error.to_string()))?;
        Ok(config.with_root_certificates(roots).with_no_client_auth())
    }

    fn read_roots(&self, path: &Path) -> Result<rustls::RootCertStore, HttpError> {
        let unusable = |what: String| {
            let message =
                format!("CA bundle {}: {what} (AWS_CA_BUNDLE or ca_bundle)", path.display());
            HttpError::new(HttpFailure::Unusable, message)
        };
        let pem = self.fs.read(path, CA_FILE_LIMIT).map_err(|e| unusable(e.to_string()))?;
        let mut roots = rustls::RootCertStore::empty();
        let certificates = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok);
        // One odd certificate, as bundles of companies hold, is no reason to trust nobody.
        let (_, ignored) = roots.add_parsable_certificates(certificates);
        if ignored > 0 {
            tracing::warn!(ignored, file = %path.display(), "certificates that make no sense");
        }
        if roots.is_empty() {
            return Err(unusable("it holds no usable certificate in PEM form".to_owned()));
        }
        Ok(roots)
    }
}

#[async_trait]
impl HttpClient for WebClient {
    async fn send(&self, request: Request) -> Result<Response, HttpError> {
        let (parts, body) = request.into_parts();
        let options = Options::of(&parts.extensions);
        let client = self.client(&options, parts.uri.host().unwrap_or_default())?;
        let may_be_proxied = !options.direct && self.has_proxy(parts.uri.scheme_str());
        let url = parts.uri.to_string();
        let request = client
            .request(parts.method, url)
            .headers(parts.headers)
            // `from_owner` keeps the body where it is, so that it is zeroed with its owner.
            .body(bytes::Bytes::from_owner(body));
        let mut answer = request.send().await.map_err(|error| {
            let mut error = classify(&error);
            // What has refused is not told; NO_PROXY may name the host.
            if error.failure == HttpFailure::Connect && may_be_proxied {
                error.message += "; a proxy is set, and it may be the proxy that is not there";
            }
            error
        })?;
        let mut response = Response::new(Zeroizing::new(Vec::with_capacity(8 * 1024)));
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        while let Some(chunk) = answer.chunk().await.map_err(|error| classify(&error))? {
            if response.body().len() + chunk.len() > ANSWER_LIMIT {
                let message = format!("the answer is larger than {ANSWER_LIMIT} bytes");
                return Err(HttpError::new(HttpFailure::TooLarge, message));
            }
            append(response.body_mut(), &chunk);
        }
        Ok(response)
    }
}

/// Appends without leaving an unzeroed copy behind where the buffer must grow.
fn append(body: &mut Zeroizing<Vec<u8>>, chunk: &[u8]) {
    if body.len() + chunk.len() > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity((body.len() + chunk.len()) * 2));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(chunk);
}

fn classify(error: &reqwest::Error) -> HttpError {
    let failure = if error.is_connect() {
        // Later on it says that the answer was lost: what was asked for may have been done.
        if chain(error).any(is_tls) { HttpFailure::Tls } else { HttpFailure::Connect }
    } else if error.is_timeout() {
        HttpFailure::TimedOut
    } else if error.is_builder() {
        HttpFailure::Unusable
    } else {
        HttpFailure::Interrupted
    };
    let message = match failure {
        HttpFailure::Connect if error.is_timeout() => "no connection in time".to_owned(),
        _ => describe(error),
    };
    HttpError::new(failure, message)
}

/// An `io::Error` does not name the error it holds as its source, so it is looked into.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        Some(held) => is_tls(held),
        None => cause.is::<rustls::Error>(),
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The innermost cause says what happened; the outer ones repeat the URL, which may hold a token.
fn describe(error: &reqwest::Error) -> String {
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use rolecall_kit::Kit;

    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> WebSettings {
        WebSettings::from_env(&Env::from_pairs(pairs.iter().copied()))
    }

    #[test]
    fn lower_case_proxy_variables_win_and_all_proxy_fills_in() {
        let found = settings(&[("HTTPS_PROXY", "a"), ("https_proxy", "b"), ("ALL_PROXY", "c")]);
        assert_eq!(found.https_proxy.unwrap().expose(), "b");
        assert_eq!(found.http_proxy.unwrap().expose(), "c");
    }

    #[test]
    fn a_header_of_a_cgi_request_is_no_proxy() {
        let found = settings(&[("HTTP_PROXY", "evil"), ("REQUEST_METHOD", "GET")]);
        assert!(found.http_proxy.is_none());
    }

    #[test]
    fn a_proxy_address_that_makes_no_sense_is_named_but_not_shown() {
        let client =
            WebClient::new(settings(&[("HTTPS_PROXY", "http://me:hunter2@[")]), Fs::real());
        let error = client.check().unwrap_err();
        assert_eq!(error.failure, HttpFailure::Unusable);
        assert!(error.message.contains("HTTPS_PROXY") && !error.message.contains("hunter2"));
    }

    #[test]
    fn a_missing_or_empty_ca_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let fs = Fs::rooted(folder.path());
        fs.write(Path::new("/empty.pem"), b"nothing here").unwrap();
        for path in ["/missing.pem", "/empty.pem"] {
            let client = WebClient::new(settings(&[("AWS_CA_BUNDLE", path)]), fs.clone());
            let error = client.check().unwrap_err();
            assert!(error.message.contains(path), "{error}");
        }
    }

    /// Carries bytes both ways, and damages what comes back after so many calls.
    #[expect(clippy::disallowed_methods, reason = "a peer on the way")]
    fn damaging(to: std::net::SocketAddr, kit: Arc<Kit>, after: u64) -> u16 {
        use std::io::{Read, Write};
        let door = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = door.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for near in door.incoming() {
                let (mut near, mut far) =
                    (near.unwrap(), std::net::TcpStream::connect(to).unwrap());
                let (mut there, mut back) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut there, &mut back));
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = far.read(&mut buffer) {
                    if kit.count("GetCallerIdentity") >= after {
                        buffer[..length].iter_mut().for_each(|byte| *byte ^= 0x55);
                    }
                    if near.write_all(&buffer[..length]).is_err() {
                        break;
                    }
                }
            }
        });
        port
    }

    #[tokio::test]
    async fn a_tls_failure_after_the_request_was_sent_is_an_answer_lost() {
        let kit = Arc::new(Kit::start_tls(rolecall_kit::World::default()));
        let folder = tempfile::tempdir().unwrap();
        let fs = Fs::rooted(folder.path());
        fs.write(Path::new("/ca.pem"), kit.ca_pem().unwrap().as_bytes()).unwrap();
        let url: http::Uri = kit.tls_url().unwrap().parse().unwrap();
        let to = std::net::SocketAddr::from(([127, 0, 0, 1], url.port_u16().unwrap()));
        let client = WebClient::new(settings(&[("AWS_CA_BUNDLE", "/ca.pem")]), fs);
        for (after, expected) in [(0, HttpFailure::Tls), (1, HttpFailure::Interrupted)] {
            let port = damaging(to, kit.clone(), after);
            let body = b"Action=GetCallerIdentity&Version=2011-06-15".to_vec();
            let mut request = Request::new(Zeroizing::new(body));
            *request.method_mut() = http::Method::POST;
            *request.uri_mut() = format!("https://localhost:{port}/").parse().unwrap();
            let form = http::HeaderValue::from_static("application/x-www-form-urlencoded");
            request.headers_mut().insert(http::header::CONTENT_TYPE, form);
            let error = client.send(request).await.unwrap_err();
            assert_eq!(error.failure, expected, "{error}");
        }
        assert_eq!(kit.count("GetCallerIdentity"), 1);
    }

    #[test]
    fn the_ca_file_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let fs = Fs::rooted(folder.path());
        let kit = Kit::start_tls(rolecall_kit::World::default());
        fs.write(Path::new("/ca.pem"), kit.ca_pem().unwrap().as_bytes()).unwrap();
        let client = WebClient::new(settings(&[("AWS_CA_BUNDLE", "/ca.pem")]), fs.clone());
        client.check().unwrap();
        fs.remove(Path::new("/ca.pem")).unwrap();
        let direct = Options { direct: true, ..Options::default() };
        assert!(client.client(&direct, "host").is_ok());
    }
}
