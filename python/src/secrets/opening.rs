use std::collections::BTreeMap;

use pyo3::prelude::*;
use rolecall::Result;
use rolecall::leases::{self, Leases, OpenOptions};

use crate::errors::to_python;
use crate::per_process::PerProcess;
use crate::provider::Provider;
use crate::runtime::wait;
use crate::session::{Options, secret_input};
use crate::values::Text;

/// How a store is opened, and the one that is open in this process.
pub(super) struct Opening {
    pub(super) place: Option<String>,
    pub(super) actor: Option<String>,
    pub(super) sealing_key: Option<Text>,
    pub(super) calls_per_second: Option<u32>,
    pub(super) session: Options,
    pub(super) providers: BTreeMap<String, Provider>,
    pub(super) opened: PerProcess<Leases>,
}

impl Opening {
    fn options(&self) -> Result<OpenOptions> {
        let providers = self.providers.iter();
        let providers = providers.map(|(name, provider)| Ok((name.clone(), provider.resolve()?)));
        Ok(OpenOptions {
            store: self.place.clone(),
            actor: self.actor.clone(),
            sealing_key: self.sealing_key.as_ref().map(|key| secret_input(&key.0)),
            calls_per_second: self.calls_per_second,
            session: self.session.resolve()?,
            providers: providers.collect::<Result<_>>()?,
        })
    }

    /// The store, open in this process.
    pub(super) fn leases(&self, py: Python<'_>) -> PyResult<Leases> {
        if let Some(leases) = self.opened.look() {
            return Ok(leases);
        }
        let options = self.options().map_err(|error| to_python(py, error))?;
        let opened = wait(py, leases::open(options))?;
        Ok(self.opened.keep(opened))
    }
}
