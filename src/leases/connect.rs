//! From a definition's connection to providers and endpoints: a plan is made of it, which the
//! resolver runs as it runs those of profiles.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rolecall_core::endpoint::Service;
use rolecall_core::profile::{Origin, Plan, ProfileSet, RoleHop, SetBy, Source};
use rolecall_core::{
    Context, Credentials, CredentialsError, ErrorKind, Result, SecretInput, SharedProvider,
};
use rolecall_secrets::{Connect, Connection, DynamicSecret, Reached};

use crate::SessionOptions;
use crate::resolve;
use crate::setup::Setup;

/// What connections are made with.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) context: Context,
    /// Whether the context has no HTTP of the caller's own.
    pub(super) is_real: bool,
    pub(super) session: SessionOptions,
    pub(super) providers: BTreeMap<String, SharedProvider>,
}

impl Machine {
    pub(super) fn connect(self) -> Connect {
        Connect::new(move |connection, region| self.reach(connection, region))
    }

    fn reach(&self, connection: &Connection, region: Option<&str>) -> Result<Reached> {
        let (root, roles) = unfold(connection);
        let mut setup = self.setup(root, region)?;
        let (mut plan, source) = self.plan(root, &setup)?;
        plan.hops.extend(roles);
        if matches!(root, Connection::Custom(_)) {
            // Nothing tells in the shared cache whose role's session it would be.
            setup.use_disk_cache = false;
        }
        Ok(Reached {
            credentials: resolve::provider_on(&setup, &plan, source)?,
            iam: setup.endpoint_as_given(Service::Iam)?.into(),
            sts: setup.endpoint_as_given(Service::Sts)?.into(),
            retry: setup.retry()?,
            http: setup.context.http.clone(),
        })
    }

    fn setup(&self, root: &Connection, region: Option<&str>) -> Result<Setup> {
        let profile = match root {
            Connection::Profile(name) => Some(name.clone()),
            _ => None,
        };
        let region = region.map(str::to_owned).or_else(|| self.session.region.clone());
        let options = SessionOptions { profile, region, ..self.session.clone() };
        let profiles = ProfileSet::load(&self.context.env, &self.context.fs)?;
        Ok(Setup::on(self.context.clone(), self.is_real, options, profiles))
    }

    /// The plan of a connection that assumes no role, and what stands in for its source.
    fn plan(&self, root: &Connection, setup: &Setup) -> Result<(Plan, Option<SharedProvider>)> {
        match root {
            Connection::AccessKey { access_key_id, secret_access_key } => {
                // A definition that was checked names a variable or a file.
                let input: SecretInput =
                    secret_access_key.parse().unwrap_or_else(|never| match never {});
                let secret = input.read(&self.context)?;
                let keys = Credentials::new(access_key_id.clone(), secret.clone(), PLACE);
                let source = Source::StaticKeys {
                    profile: String::new(),
                    access_key_id: access_key_id.clone(),
                    secret_access_key: secret,
                    session_token: None,
                    account_id: None,
                    origin: origin(),
                };
                Ok((Plan::of(source), Some(Arc::new(keys))))
            }
            Connection::WebIdentity { role_arn, token_file } => Ok((
                Plan::of(Source::WebIdentity {
                    token_file: token_file.clone(),
                    role_arn: role_arn.clone(),
                    role_session_name: None,
                    duration_seconds: None,
                    region: None,
                    set_by: SetBy::Profile { name: String::new(), origin: origin() },
                }),
                None,
            )),
            Connection::Custom(name) => {
                let provider = self.providers.get(name).cloned().ok_or_else(|| {
                    let message = format!("nobody has brought the connection {name:?}");
                    CredentialsError::new(ErrorKind::InvalidConfiguration, PLACE, message)
                        .with_help("pass a provider of that name when the store is opened")
                })?;
                Ok((Plan::of(Source::Given), Some(provider)))
            }
            _ => Ok((setup.plan.clone()?, None)),
        }
    }
}

/// The region that programs with a lease of `secret` are to work in: that of `session`, the
/// definition's, or its connection's.
pub(super) fn region(
    context: &Context,
    session: &SessionOptions,
    secret: &DynamicSecret,
) -> Option<String> {
    let region = session.region.clone().or_else(|| secret.region.clone());
    let machine = Machine {
        context: context.clone(),
        is_real: false,
        session: session.clone(),
        providers: BTreeMap::new(),
    };
    let setup = machine.setup(unfold(&secret.connection).0, region.as_deref());
    let of_connection = |setup: Setup| setup.sts.ok()?.region.map(|r| r.as_str().to_owned());
    region.or_else(|| setup.ok().and_then(of_connection))
}

const PLACE: &str = "connection";

/// What a connection begins with, and the roles after it in the order to assume them.
fn unfold(connection: &Connection) -> (&Connection, Vec<RoleHop>) {
    let Connection::AssumeRole { role_arn, external_id, source } = connection else {
        return (connection, Vec::new());
    };
    let (root, mut roles) = unfold(source);
    roles.push(RoleHop {
        profile: String::new(),
        role_arn: role_arn.clone(),
        external_id: external_id.clone(),
        role_session_name: None,
        duration_seconds: None,
        mfa_serial: None,
        mfa_process: None,
        mfa_session: false,
        region: None,
        origin: origin(),
    });
    (root, roles)
}

fn origin() -> Origin {
    Origin { file: Arc::from(Path::new(PLACE)), line: 0 }
}
