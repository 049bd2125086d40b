//! rolecall for Python: the classes of the package `rolecall`. All that they do is done by the facade.

mod cached;
mod configure;
mod credentials;
mod eks;
mod errors;
mod identity;
mod per_process;
mod provider;
mod record;
mod report;
mod roles_anywhere;
mod runtime;
mod secrets;
mod session;
mod sts;
mod values;

use pyo3::prelude::*;

/// The native part of the package `rolecall`.
#[pymodule(gil_used = true)]
mod _rolecall {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::{
        cached::{CachedCredentials, cached_credentials, clear_cached_credentials},
        credentials::Credentials,
        provider::Chain,
        report::{doctor, doctor_async, explain, profiles},
        roles_anywhere::RolesAnywhere,
        session::Session,
    };

    #[pymodule_export]
    use crate::{configure::configure, eks::eks, identity::identity, secrets::secrets, sts::sts};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::errors::add_to(module)?;
        crate::runtime::register(module.py())?;
        crate::add_submodules(module)
    }
}

/// Makes `import rolecall.sts` find what is native.
fn add_submodules(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let modules = module.py().import("sys")?.getattr("modules")?;
    for name in ["configure", "eks", "identity", "secrets", "sts"] {
        let (part, name) = (module.getattr(name)?, format!("rolecall.{name}"));
        part.setattr("__name__", &name)?;
        modules.set_item(name, part)?;
    }
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
