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
