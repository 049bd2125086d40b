use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rolecall_core::http::{HttpClient, RetryPolicy};
use rolecall_core::{Context, CredentialsError, ErrorKind, Result, SharedProvider};
use rolecall_sts::{IAM, QueryClient, QueryEndpoint, ServiceError, StsClient};

use crate::dated::Dated;
use crate::definition::{Connection, DynamicSecret};
use crate::iam::{Budget, Iam};

/// An account as a connection reaches it.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Who asks.
    pub credentials: SharedProvider,
    /// Where IAM is.
    pub iam: QueryEndpoint,
    /// Where STS is.
    pub sts: QueryEndpoint,
    /// How often a call is tried.
    pub retry: RetryPolicy,
    /// What carries the calls: a profile may name authorities of its own.
    pub http: Arc<dyn HttpClient>,
}

/// Turns a connection, and a region above its own, into providers and endpoints. Whoever builds
/// [`crate::Leases`] brings it, as this crate knows nothing of profiles.
#[derive(Clone)]
pub struct Connect(Arc<Resolve>);

type Resolve = dyn Fn(&Connection, Option<&str>) -> Result<Reached> + Send + Sync;

impl Connect {
    /// By this function.
    pub fn new(
        resolve: impl Fn(&Connection, Option<&str>) -> Result<Reached> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(resolve))
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connect(..)")
    }
}

/// How long a connection is taken to lead where it led: files and profiles change.
const KEPT_FOR: Duration = Duration::from_secs(300);

/// One account, ready to be called.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: String,
    /// `aws`, `aws-cn`, `aws-us-gov` …
    pub(crate) partition: String,
    pub(crate) iam: Iam,
    pub(crate) sts: StsClient,
    /// What time it is there.
    pub(crate) dates: Arc<Dated>,
    /// When it was reached, by what has passed.
    at: Duration,
    /// AWS has refused its credentials since: they may have been replaced.
    is_refused: Arc<AtomicBool>,
}

impl Account {
    /// Takes notice of what came of a call: if its credentials were refused, the connection is made
    /// anew for the next.
    pub(crate) fn noting<T>(&self, result: Result<T>) -> Result<T> {
        result.inspect_err(|error| self.note(error))
    }

    pub(crate) fn note(&self, error: &CredentialsError) {
        if is_about_credentials(error) {
            self.is_refused.store(true, Ordering::Relaxed);
        }
    }
}

/// Whether a call failed for its credentials, whatever it was about.
pub(crate) fn is_about_credentials(error: &CredentialsError) -> bool {
    match ServiceError::of(error) {
        Some(answer) => REFUSED.contains(&answer.code.as_str()),
        // There were none to sign with.
        None => matches!(
            error.kind(),
            ErrorKind::NotConfigured | ErrorKind::InvalidConfiguration | ErrorKind::Denied
        ),
    }
}

/// Source: IAM and STS API References, "Common errors".
const REFUSED: [&str; 7] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// The accounts reached so far, each with one budget of calls however many connections lead there.
#[derive(Debug)]
pub(crate) struct Accounts {
    context: Context,
    connect: Connect,
    reached: Mutex<HashMap<String, Account>>,
    budgets: Mutex<HashMap<String, Arc<Budget>>>,
    calls_per_second: u32,
}

impl Accounts {
    pub(crate) fn new(context: Context, connect: Connect, calls_per_second: u32) -> Self {
        Self {
            context,
            connect,
            reached: Mutex::default(),
            budgets: Mutex::default(),
            calls_per_second,
        }
    }

    /// The account that `secret` makes its users or sessions in.
    pub(crate) async fn of(&self, secret: &DynamicSecret) -> Result<Account> {
        let region = secret.region.as_deref();
        // What a definition holds of a connection is no secret.
        let key = format!("{:?} {region:?}", secret.connection);
        let known = self.reached.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let elapsed = self.context.clock.elapsed();
        let is_fresh = |account: &Account| {
            !account.is_refused.load(Ordering::Relaxed) && elapsed < account.at + KEPT_FOR
        };
        if let Some(account) = known.filter(is_fresh) {
            return Ok(account);
        }
        let reached = (self.connect.0)(&secret.connection, region)?;
        let dates = Arc::new(Dated::new(reached.http, self.context.clock.clone()));
        let context = Context { http: dates.clone(), ..self.context.clone() };
        let credentials = Some(reached.credentials);
        let mut sts = StsClient::new(context.clone(), reached.sts, credentials.clone());
        sts.query.retry = reached.retry;
        let who = sts.get_caller_identity().await?;
        let partition = who.arn.split(':').nth(1).unwrap_or("aws").to_owned();
        let query = QueryClient {
            context,
            api: IAM,
            endpoint: reached.iam,
            credentials,
            retry: reached.retry,
        };
        let iam = Iam { query, budget: self.budget(&who.account), deadline: None };
        let is_refused = Arc::default();
        let account =
            Account { id: who.account, partition, iam, sts, dates, at: elapsed, is_refused };
        let mut known = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(key, account.clone());
        Ok(account)
    }

    /// How many leases of an account can be worked on at once; as it begins, if it was not reached.
    pub(crate) fn room(&self, account_id: &str) -> usize {
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let known = budgets.get(account_id).map(|budget| budget.room());
        known.unwrap_or_else(|| Budget::most_room(self.calls_per_second))
    }

    /// The same of every account that was reached.
    pub(crate) fn rooms(&self) -> Vec<(String, usize)> {
        let budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        budgets.iter().map(|(id, budget)| (id.clone(), budget.room())).collect()
    }

    fn budget(&self, account_id: &str) -> Arc<Budget> {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || Arc::new(Budget::new(self.context.clock.clone(), self.calls_per_second));
        budgets.entry(account_id.to_owned()).or_insert_with(made).clone()
    }
}
