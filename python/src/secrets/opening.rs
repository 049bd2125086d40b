use std::collections::BTreeMap;
use std::sync::Arc;

use pyo3::prelude::*;
use rolecall::identity::Auth;
use rolecall::leases::{self, Leases, OpenOptions};
use rolecall::{PerProcess, Result, SessionOptions, SharedProvider};
use tokio::sync::OnceCell;

use crate::provider::Provider;
use crate::runtime::{Later, apart};
use crate::session::{Options, prompt, secret_input};
use crate::values::Text;

/// How a store is opened, and the one that is open in this process.
pub(crate) struct Opening {
    place: Option<String>,
    actor: Option<String>,
    sealing_key: Option<Text>,
    calls_per_second: Option<u32>,
    session: Options,
    providers: BTreeMap<String, Provider>,
    opened: PerProcess<OnceCell<Leases>>,
}

impl Opening {
    /// Reads the arguments of `SecretStore`.
    #[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
    pub(super) fn of(
        place: Option<String>,
        actor: Option<String>,
        sealing_key: Option<Text>,
        calls_per_second: Option<u32>,
        region: Option<String>,
        endpoint_url: Option<String>,
        prompt: Option<Py<PyAny>>,
        disk_cache: bool,
        providers: BTreeMap<String, Provider>,
    ) -> Arc<Self> {
        let options = SessionOptions {
            region,
            endpoint_url,
            prompt: prompt.map(self::prompt),
            no_disk_cache: !disk_cache,
            ..SessionOptions::default()
        };
        Arc::new(Self {
            place,
            actor,
            sealing_key,
            calls_per_second,
            session: Options { options, ..Options::default() },
            providers,
            opened: PerProcess::empty(),
        })
    }

    fn options(&self) -> Result<OpenOptions> {
        let providers = self.providers.iter();
        let providers = providers.map(|(name, provider)| Ok((name.clone(), provider.resolve()?)));
        let providers: BTreeMap<String, SharedProvider> = providers.collect::<Result<_>>()?;
        Ok(OpenOptions {
            store: self.place.clone(),
            actor: self.actor.clone(),
            sealing_key: self.sealing_key.as_ref().map(|key| secret_input(&key.0)),
            calls_per_second: self.calls_per_second,
            session: self.session.resolve()?,
            providers,
        })
    }

    /// The store of this process. Whoever comes first opens it, and the others wait for that.
    pub(crate) fn leases(self: &Arc<Self>) -> Later<Leases> {
        let cell = self.opened.get_or_make(OnceCell::new);
        let opening = self.clone();
        Box::pin(async move {
            let open = || async { leases::open(apart(move || opening.options()).await?).await };
            cell.get_or_try_init(open).await.cloned()
        })
    }

    /// The auth methods of the store.
    pub(super) fn auth(self: &Arc<Self>) -> Later<Arc<Auth>> {
        let leases = self.leases();
        Box::pin(async move { leases.await?.auth() })
    }
}
