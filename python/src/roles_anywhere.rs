use std::collections::BTreeMap;
use std::path::PathBuf;

use pyo3::prelude::*;
use rolecall::RolesAnywhereOptions;
use rolecall::rolesanywhere::{self, IdentitySource};

use crate::errors::to_python;
use crate::session::{Options, Session, secret_input};
use crate::values::{Length, Material, Text};

/// A certificate for IAM Roles Anywhere: who asks for which role.
///
/// - `trust_anchor_arn`, `profile_arn`, `role_arn`: what is asked for.
/// - `certificate`: PEM, DER or PKCS#12, with or without its chain and key. A path, `env:NAME`, a
///   PKCS#11 URI, PEM as text, or bytes.
/// - `private_key`: the same; `None` if it lies with the certificate.
/// - `intermediates`: more certificates of the chain.
/// - `password`: of an encrypted key or PKCS#12 file, or a token's PIN; also `env:NAME` or
///   `file://PATH`. Without it a person is asked if it is needed.
/// - `region`: must be the trust anchor's, which it is unless given.
/// - `duration`: seconds that a session lasts, 900 to 43200; 3600 unless given.
/// - `role_session_name`: only where the profile accepts one.
/// - `instance_properties`: names and values that AWS keeps with the session.
/// - `endpoint_url`: above `AWS_ENDPOINT_URL_ROLESANYWHERE` and the profile's.
/// - `pkcs11_module`: the module of a token; `reuse_pin` uses its PIN for the key as well.
/// - `selector`: which certificate is meant, where there are several, as `--cert-selector` of AWS's
///   helper has it: `Key=x509Subject,Value=CN=host`. The one that belongs to the key unless given.
/// - `use_latest_expiring`: of several that the selector matches, takes the one that ends last.
/// - `no_proxy`: passes over the proxies of the environment.
/// - `no_verify_ssl`: takes any certificate of the other side. **Whoever is in between gets the
///   credentials**.
///
/// Files are read when they are needed, and again when they change. Raises `ValueError` or
/// `TypeError` for arguments that make no sense, `InvalidConfigurationError` for a selector that does
/// not; what is wrong with the rest is said when credentials are asked for.
#[pyclass(frozen, module = "rolecall")]
pub(crate) struct RolesAnywhere {
    pub(crate) options: RolesAnywhereOptions,
}

#[pymethods]
impl RolesAnywhere {
    #[new]
    #[pyo3(signature = (
        *, trust_anchor_arn, profile_arn, role_arn, certificate, private_key=None,
        intermediates=None, password=None, region=None, duration=None, role_session_name=None,
        instance_properties=BTreeMap::new(), endpoint_url=None, pkcs11_module=None,
        reuse_pin=false, selector=None, use_latest_expiring=false, no_proxy=false,
        no_verify_ssl=false,
    ))]
    #[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn new(
        py: Python<'_>,
        trust_anchor_arn: String,
        profile_arn: String,
        role_arn: String,
        certificate: Material,
        private_key: Option<Material>,
        intermediates: Option<Material>,
        password: Option<Text>,
        region: Option<String>,
        duration: Option<Length>,
        role_session_name: Option<String>,
        instance_properties: BTreeMap<String, String>,
        endpoint_url: Option<String>,
        pkcs11_module: Option<PathBuf>,
        reuse_pin: bool,
        selector: Option<&str>,
        use_latest_expiring: bool,
        no_proxy: bool,
        no_verify_ssl: bool,
    ) -> PyResult<Self> {
        let selector = selector.map(str::parse).transpose();
        let seconds = duration.map(|length| u32::try_from(length.0.as_secs())).transpose();
        let request = rolesanywhere::RolesAnywhere {
            trust_anchor_arn,
            profile_arn,
            role_arn,
            duration_seconds: seconds?,
            role_session_name,
            region,
            instance_properties,
        };
        let identity = IdentitySource {
            certificate: Some(certificate.0),
            private_key: private_key.map(|key| key.0),
            intermediates: intermediates.map(|chain| chain.0),
            password: password.map(|text| secret_input(&text.0)),
            pkcs11_module,
            reuse_pin,
            selector: selector.map_err(|error| to_python(py, error))?,
            use_latest_expiring,
        };
        let options = RolesAnywhereOptions {
            request,
            identity: identity.into(),
            endpoint_url,
            no_proxy,
            no_verify_ssl,
        };
        Ok(Self { options })
    }

    /// A session whose source it is.
    #[pyo3(signature = (*, disk_cache=true))]
    fn session(&self, py: Python<'_>, disk_cache: bool) -> PyResult<Session> {
        let mut options = Options::default();
        options.options.roles_anywhere = Some(self.options.clone());
        options.options.no_disk_cache = !disk_cache;
        Session::make(py, options)
    }

    fn __repr__(&self) -> String {
        format!("RolesAnywhere(role_arn={:?})", self.options.request.role_arn)
    }

    fn __reduce_ex__(&self, _protocol: u32) -> PyResult<()> {
        Err(crate::credentials::no_pickle("RolesAnywhere"))
    }
}
