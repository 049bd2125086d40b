use std::sync::{Arc, Mutex, PoisonError};

use rolecall_core::endpoint::{self, EndpointOptions, Region, Service, partition_of};
use rolecall_core::{Credentials, Result};
use rolecall_sts::QueryEndpoint;
use rolecall_sts::identity::{Dialect, Token, TokenFormat, TokenSigner, signing_region};

use crate::Session;

/// What tokens are made for. The default is Akeyless.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    /// The dialect, and whom its tokens are for.
    pub dialect: Dialect,
    /// The region whose STS the verifier will ask; `None`: where the dialect's own client has none
    /// to choose (Akeyless, Vault), the global STS, else the session's.
    pub region: Option<String>,
    /// The STS that the verifier will ask, above the region and the session's own URL.
    pub sts_url: Option<String>,
}

impl Default for TokenOptions {
    fn default() -> Self {
        Self { dialect: Dialect::Akeyless, region: None, sts_url: None }
    }
}

/// Makes tokens with a session's credentials, whichever they are at the time. Making many costs
/// two hashes each.
#[derive(Debug)]
pub struct TokenSource {
    session: Session,
    dialect: Dialect,
    endpoint: QueryEndpoint,
    signer: Mutex<Option<(Credentials, Arc<TokenSigner>)>>,
}

impl TokenSource {
    /// Asks nobody yet.
    ///
    /// # Errors
    /// `InvalidConfiguration` if the dialect needs a region and none is set, or for a region or an
    /// URL that makes no sense.
    pub fn new(session: &Session, options: TokenOptions) -> Result<Self> {
        let endpoint = endpoint(session, &options)?;
        let signer = Mutex::default();
        Ok(Self { session: session.clone(), dialect: options.dialect, endpoint, signer })
    }

    /// A token that is signed now.
    ///
    /// # Errors
    /// As [`Session::credentials`]; `InvalidConfiguration` if something for the token holds what
    /// cannot stand in it.
    pub async fn token(&self) -> Result<Token> {
        self.sign(self.session.credentials().await?)
    }

    /// [`Self::token`] for code that is not asynchronous.
    ///
    /// # Errors
    /// As [`Self::token`].
    ///
    /// # Panics
    /// Inside an asynchronous runtime, if it has to wait for credentials.
    pub fn token_blocking(&self) -> Result<Token> {
        self.sign(self.session.credentials_blocking()?)
    }

    /// A token that is signed now with credentials that are in memory and not due for renewal; `None`
    /// if there are none.
    ///
    /// # Errors
    /// `InvalidConfiguration` as [`Self::token`].
    pub fn token_from_memory(&self) -> Option<Result<Token>> {
        self.session.credentials_in_memory().map(|credentials| self.sign(credentials))
    }

    fn sign(&self, credentials: Credentials) -> Result<Token> {
        let signer = {
            let mut kept = self.signer.lock().unwrap_or_else(PoisonError::into_inner);
            match &*kept {
                Some((of, signer)) if *of == credentials => signer.clone(),
                _ => {
                    let signer =
                        TokenSigner::new(self.dialect.clone(), &credentials, &self.endpoint)?;
                    kept.insert((credentials, Arc::new(signer))).1.clone()
                }
            }
        };
        signer.token(self.session.context().clock.now())
    }
}

/// Where the verifier is to show the request, and for which region it is signed.
fn endpoint(session: &Session, options: &TokenOptions) -> Result<QueryEndpoint> {
    let settings = session.sts_settings()?;
    let given = options.region.as_deref();
    let region = match given {
        Some(text) => Some(Region::parse(text, "the region")?),
        None => settings.region.clone(),
    };
    if let Some(url) = &options.sts_url {
        let of_host = signing_region(url);
        let region = of_host.or_else(|| region.map(|region| region.as_str().to_owned()));
        return Ok(sts(url, &region.unwrap_or_else(|| GLOBAL_REGION.to_owned())));
    }
    if settings.url_from.is_some() {
        return Ok(settings.endpoint.clone()?.into());
    }
    if given.is_some() && region != settings.region {
        let options = EndpointOptions { region, ..EndpointOptions::default() };
        return Ok(endpoint::resolve(Service::Sts, &options)?.into());
    }
    let is_of_aws = region.as_ref().is_none_or(|region| partition_of(region).id == "aws");
    let takes_global = match options.dialect.format() {
        TokenFormat::Akeyless | TokenFormat::Vault => given.is_none() && is_of_aws,
        TokenFormat::Rolecall => region.is_none(),
        _ => false,
    };
    match takes_global {
        true => Ok(sts(GLOBAL_URL, GLOBAL_REGION)),
        false => Ok(settings.endpoint.clone()?.into()),
    }
}

const GLOBAL_URL: &str = "https://sts.amazonaws.com";
const GLOBAL_REGION: &str = "us-east-1";

fn sts(url: &str, region: &str) -> QueryEndpoint {
    QueryEndpoint {
        url: url.to_owned(),
        signing_region: region.to_owned(),
        signing_name: "sts".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rolecall_core::{Context, Env, ErrorKind};
    use rolecall_sts::identity::inspect;

    use super::*;
    use crate::SessionOptions;

    fn source(variables: &[(&str, &str)], options: TokenOptions) -> Result<TokenSource> {
        let keys = [("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "secret")];
        let env = Env::from_pairs(keys.iter().chain(variables).copied());
        let context = Some(Context { env, ..Context::fake() });
        TokenSource::new(&Session::new(SessionOptions { context, ..Default::default() })?, options)
    }

    /// Host and region of a token made on a machine with these variables.
    fn made_for(variables: &[(&str, &str)], options: TokenOptions) -> (String, String) {
        let token = source(variables, options).unwrap().token_blocking().unwrap();
        let found = inspect(token.text.expose()).unwrap();
        (found.host, found.region)
    }

    fn of(dialect: Dialect) -> TokenOptions {
        TokenOptions { dialect, ..TokenOptions::default() }
    }

    fn rolecall() -> Dialect {
        let lifetime = Dialect::LIFETIME;
        Dialect::Rolecall { audience: "login.example.com".to_owned(), challenge: None, lifetime }
    }

    fn infisical() -> Dialect {
        Dialect::Infisical { identity_id: "id-1".to_owned() }
    }

    #[test]
    fn each_dialect_goes_where_its_verifier_looks() {
        let akeyless = || of(Dialect::Akeyless);
        let in_region = |region: &str| TokenOptions { region: Some(region.into()), ..akeyless() };
        let at = |url: &str| TokenOptions { sts_url: Some(url.into()), ..akeyless() };
        let region = |name| vec![("AWS_REGION", name)];
        let vpce = "https://vpce-1.sts.eu-west-1.vpce.amazonaws.com";
        let global = ("sts.amazonaws.com", "us-east-1");
        for (variables, options, (host, signed_for)) in [
            (vec![], akeyless(), global),
            (region("eu-west-1"), akeyless(), global),
            (region("cn-north-1"), akeyless(), ("sts.cn-north-1.amazonaws.com.cn", "cn-north-1")),
            (
                region("eu-west-1"),
                in_region("us-west-2"),
                ("sts.us-west-2.amazonaws.com", "us-west-2"),
            ),
            (
                region("eu-west-1"),
                in_region("eu-west-1"),
                ("sts.eu-west-1.amazonaws.com", "eu-west-1"),
            ),
            (region("eu-west-1"), of(infisical()), ("sts.eu-west-1.amazonaws.com", "eu-west-1")),
            (region("eu-west-1"), of(rolecall()), ("sts.eu-west-1.amazonaws.com", "eu-west-1")),
            (vec![], of(rolecall()), global),
            (region("eu-west-1"), at(vpce), (&vpce[8..], "eu-west-1")),
            // A host of AWS's own takes signatures of its own region alone.
            (
                region("us-east-1"),
                at("https://sts.eu-west-1.amazonaws.com"),
                ("sts.eu-west-1.amazonaws.com", "eu-west-1"),
            ),
            (
                vec![
                    ("AWS_REGION", "eu-west-1"),
                    ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:4566"),
                ],
                akeyless(),
                ("127.0.0.1:4566", "eu-west-1"),
            ),
        ] {
            let made = made_for(&variables, options.clone());
            assert_eq!((made.0.as_str(), made.1.as_str()), (host, signed_for), "{options:?}");
        }
    }

    #[test]
    fn a_region_that_is_needed_or_makes_no_sense_is_told() {
        for options in [
            of(infisical()),
            TokenOptions { region: Some("evil.tld?".to_owned()), ..TokenOptions::default() },
            TokenOptions { sts_url: Some("https://h/path".to_owned()), ..TokenOptions::default() },
        ] {
            let error =
                source(&[], options).and_then(|source| source.token_blocking()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{error}");
        }
    }

    #[test]
    fn tokens_follow_the_clock() {
        let source = source(&[], TokenOptions::default()).unwrap();
        let first = source.token_blocking().unwrap();
        let clock = &source.session.context().clock;
        clock.advance(Duration::from_secs(1));
        let second = source.token_blocking().unwrap();
        assert_ne!(first.text, second.text);
        assert_eq!(second.signed_at.duration_since(first.signed_at).unwrap().as_secs(), 1);
    }
}
