//! IAM Roles Anywhere: from a profile's line, flags or code to a provider.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rolecall_core::cache::{Interactive, Ownership};
use rolecall_core::endpoint::{ConfiguredUrl, EndpointOptions, Overrides, Service};
use rolecall_core::http::{WebClient, WebSettings};
use rolecall_core::profile::{Origin, Plan, ProfileSet, Source};
use rolecall_core::source::ProcessProvider;
use rolecall_core::{
    Context, Credentials, CredentialsError, ErrorKind, Program, ProvideCredentials, Result, Secret,
    SharedProvider,
};
use rolecall_rolesanywhere::command_line::{HelperOptions, ProfileLine};
use rolecall_rolesanywhere::{
    Certificate, Identity, IdentityReader, IdentitySource, RolesAnywhere, RolesAnywhereProvider,
    is_not_supported,
};

use crate::explain::{Finding, Holder};
use crate::setup::{Setup, web_settings};

/// Keeps AWS's own program in use: `true` runs it for every profile that names it.
const USE_HELPER: &str = "ROLECALL_USE_SIGNING_HELPER";

/// What every program holds that has this code in it, whatever it is called.
const MARK: &[u8] = b"rolecall itself answers for aws_signing_helper";

/// The largest program that is looked at for [`MARK`].
const PROGRAM_LIMIT: u64 = 256 * 1024 * 1024;

const IN_THE_OPEN: &str = "keep it in a file that only you can read, and name that: file://PATH, or pin-source=file:PATH \
     in a PKCS#11 URI";

/// Where a URL comes from that a flag or a caller gives.
const ENDPOINT_FLAG: &str = "--endpoint";

/// A certificate as the source of a [`Session`](crate::Session): who asks Roles Anywhere for what.
///
/// ```no_run
/// use rolecall::rolesanywhere::{IdentitySource, RolesAnywhere};
/// use rolecall::{RolesAnywhereOptions, Session, SessionOptions};
///
/// # fn main() -> rolecall::Result<()> {
/// let identity = IdentitySource {
///     certificate: Some(IdentitySource::locate("/etc/pki/host.pem")),
///     private_key: Some(IdentitySource::locate("/etc/pki/host.key")),
///     ..IdentitySource::default()
/// };
/// let certificate = RolesAnywhereOptions {
///     request: RolesAnywhere {
///         trust_anchor_arn: "arn:aws:rolesanywhere:eu-west-1:111111111111:trust-anchor/a".into(),
///         profile_arn: "arn:aws:rolesanywhere:eu-west-1:111111111111:profile/p".into(),
///         role_arn: "arn:aws:iam::111111111111:role/Backup".into(),
///         ..RolesAnywhere::default()
///     },
///     identity: identity.into(),
///     ..RolesAnywhereOptions::default()
/// };
/// let options = SessionOptions { roles_anywhere: Some(certificate), ..SessionOptions::default() };
/// let credentials = Session::new(options)?.credentials_blocking()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct RolesAnywhereOptions {
    /// What is asked for.
    pub request: RolesAnywhere,
    /// Who asks.
    pub identity: Asker,
    /// Where Roles Anywhere is asked, above `AWS_ENDPOINT_URL_ROLESANYWHERE` and the profile's.
    pub endpoint_url: Option<String>,
    /// Passes over the proxies of the environment, as AWS's helper does without `--with-proxy`.
    /// Means nothing with a [`SessionOptions::context`](crate::SessionOptions::context).
    pub no_proxy: bool,
    /// Takes any certificate of the other side: whoever is in between gets the credentials. Means
    /// nothing with a [`SessionOptions::context`](crate::SessionOptions::context).
    pub no_verify_ssl: bool,
}

/// Whose certificate it is.
#[derive(Clone, Debug)]
pub enum Asker {
    /// Whoever has these files, or this token: they are read when they are needed, and again when
    /// they change.
    Source(Box<IdentitySource>),
    /// An identity that is at hand, as one with a signer of yours.
    Identity(Identity),
}

impl Default for Asker {
    fn default() -> Self {
        Self::Source(Box::default())
    }
}

impl From<IdentitySource> for Asker {
    fn from(source: IdentitySource) -> Self {
        Self::Source(Box::new(source))
    }
}

impl From<Identity> for Asker {
    fn from(identity: Identity) -> Self {
        Self::Identity(identity)
    }
}

impl From<HelperOptions> for RolesAnywhereOptions {
    fn from(options: HelperOptions) -> Self {
        Self {
            request: options.request,
            identity: options.identity.into(),
            endpoint_url: options.endpoint,
            no_proxy: !options.with_proxy,
            no_verify_ssl: options.no_verify_ssl,
        }
    }
}

/// Who asks Roles Anywhere for a plan, if anybody does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    call: Option<Call>,
    /// The profile's line, for keys that only AWS's program can use.
    helper: Option<Source>,
    /// Why AWS's program is run, and where it is named.
    foreign: Option<(String, Origin)>,
    /// What is wrong with the line of a profile whose program is not there to know better.
    wrong: Option<CredentialsError>,
    /// The flags whose secret stands in the profile itself.
    exposed: Vec<&'static str>,
}

#[derive(Clone, Debug)]
struct Call {
    options: RolesAnywhereOptions,
    endpoint: Result<EndpointOptions>,
    context: Context,
}

/// What a plan is looked at with.
pub(crate) struct Surroundings<'a> {
    /// With the prompt that is asked for passwords and PINs.
    pub(crate) context: &'a Context,
    pub(crate) profiles: &'a ProfileSet,
    pub(crate) selected: &'a str,
    /// Whether the HTTP client is our own.
    pub(crate) is_real: bool,
}

impl Surroundings<'_> {
    fn call(&self, options: RolesAnywhereOptions) -> Call {
        let overrides =
            Overrides { endpoint_url: options.endpoint_url.as_deref(), ..Overrides::default() };
        let (env, selected) = (&self.context.env, Some(self.selected));
        let service = Service::RolesAnywhere;
        let endpoint =
            EndpointOptions::with_overrides(service, env, self.profiles, selected, overrides);
        let url = options.endpoint_url.as_deref().map(|url| ConfiguredUrl::new(url, ENDPOINT_FLAG));
        let endpoint = endpoint.map(|endpoint| match url {
            Some(_) => EndpointOptions { url, ..endpoint },
            None => endpoint,
        });
        let mut context = self.context.clone();
        if self.is_real && (options.no_proxy || options.no_verify_ssl) {
            let settings = web_settings(&context, self.profiles.get(self.selected));
            let settings = if options.no_proxy { settings.direct() } else { settings };
            let settings = WebSettings { no_verify: options.no_verify_ssl, ..settings };
            context.http = Arc::new(WebClient::new(settings, context.fs.clone()));
        }
        Call { options, endpoint, context }
    }

    /// Puts `given` in the place of the plan's source; or what the plan's program is called with, if
    /// that is AWS's helper.
    pub(crate) fn take(
        &self,
        plan: Result<Plan>,
        given: Option<RolesAnywhereOptions>,
    ) -> (Result<Plan>, Asked) {
        if let Some(options) = given {
            let call = self.call(options);
            let plan = Plan::of(call.source(None));
            return (Ok(plan), Asked { call: Some(call), ..Asked::default() });
        }
        let mut asked = Asked::default();
        let plan = plan.map(|mut plan| {
            self.recognise(&mut plan, &mut asked);
            plan
        });
        (plan, asked)
    }

    /// Whether the program of a line is there, and is another than this one by a link or a copy.
    fn has_helper(&self, command: &Secret) -> bool {
        let Context { env, fs, .. } = self.context;
        let program = Program::new(self.context.clone(), command.clone(), "credential_process");
        if program.check().is_err() {
            return false;
        }
        let Some(name) = ProfileLine::program(command) else { return false };
        let folders = env.get("PATH").unwrap_or_default();
        let mut places: Vec<PathBuf> = match name.contains('/') {
            true => vec![name.into()],
            false => folders.split(':').map(|folder| Path::new(folder).join(&name)).collect(),
        };
        places.retain(|place| matches!(fs.facts(place), Ok(Some(_))));
        let Some(path) = places.first().and_then(|place| fs.resolve(place).ok()) else {
            return true;
        };
        path.file_stem().is_none_or(|stem| stem != "rolecall")
            && !fs.read(&path, PROGRAM_LIMIT).is_ok_and(|program| is_marked(&program))
    }

    fn recognise(&self, plan: &mut Plan, asked: &mut Asked) {
        let Source::Process { profile, command, origin, .. } = &plan.source else { return };
        if self.context.env.is_true(USE_HELPER) {
            return;
        }
        match ProfileLine::read(command) {
            ProfileLine::Other => {}
            ProfileLine::Wrong(reason) if !self.has_helper(command) => {
                let what = format!("credential_process of profile {profile}");
                let error = CredentialsError::new(ErrorKind::InvalidConfiguration, what, reason);
                asked.wrong =
                    Some(error.with_place(format!("profile {profile} ({origin})")).with_help(
                        "mend the line; see `rolecall credential-process --help` for the flags",
                    ));
            }
            ProfileLine::Wrong(reason) => asked.foreign = Some((reason, origin.clone())),
            ProfileLine::Foreign(reason) => {
                tracing::debug!(profile, reason, "aws_signing_helper itself is run");
                asked.foreign = Some((reason, origin.clone()));
            }
            ProfileLine::Native(options) => {
                asked.exposed.clone_from(&options.exposed);
                let call = self.call((*options).into());
                let set_by = Some((profile.clone(), origin.clone()));
                let native = call.source(set_by);
                asked.call = Some(call);
                asked.helper = Some(std::mem::replace(&mut plan.source, native));
            }
        }
    }
}

impl Call {
    fn source(&self, set_by: Option<(String, Origin)>) -> Source {
        let request = &self.options.request;
        // What is wrong with a request, the provider says.
        let region = request.signing_region().map(|region| region.to_string()).unwrap_or_default();
        Source::RolesAnywhere {
            certificate: match &self.options.identity {
                Asker::Source(source) => source.place().unwrap_or_default(),
                Asker::Identity(identity) => identity.leaf().to_string(),
            },
            trust_anchor_arn: request.trust_anchor_arn.clone(),
            profile_arn: request.profile_arn.clone(),
            role_arn: request.role_arn.clone(),
            region,
            identity: self.cache_identity(),
            set_by,
        }
    }

    /// Who asks for what; `None` if nothing of it may lie in the shared cache: what came from an
    /// unverified other side is not for those who verify it.
    fn cache_identity(&self) -> Option<String> {
        let provider = self.provider().ok().filter(|_| !self.options.no_verify_ssl)?;
        provider.cache_identity()
    }

    fn provider(&self) -> Result<RolesAnywhereProvider> {
        let (options, context) = (&self.options, self.context.clone());
        let endpoint = options.request.endpoint(self.endpoint.as_ref().map_err(Clone::clone)?)?;
        let request = options.request.clone();
        Ok(match &options.identity {
            Asker::Source(source) => {
                RolesAnywhereProvider::new(context, endpoint, (**source).clone(), request)
            }
            Asker::Identity(identity) => {
                RolesAnywhereProvider::with_identity(context, endpoint, identity.clone(), request)
            }
        })
    }
}

impl Asked {
    fn call(&self) -> Result<&Call> {
        self.call.as_ref().ok_or_else(|| {
            CredentialsError::new(ErrorKind::Internal, "plan", "the source has no certificate")
        })
    }

    /// The flag that is wrong in what a caller asks for, if one is.
    pub(crate) fn wrong_flag(&self) -> Option<&'static str> {
        self.call.as_ref()?.options.request.wrong_flag()
    }

    /// What is wrong with the helper's line of the plan's profile, if nothing else is to read it.
    pub(crate) fn wrong_line(&self) -> Option<&CredentialsError> {
        self.wrong.as_ref()
    }

    /// How long a session lasts when it is new.
    pub(crate) fn lifetime(&self) -> Duration {
        let seconds = self.call.as_ref().map(|call| call.options.request.duration());
        Duration::from_secs(seconds.unwrap_or(RolesAnywhere::DEFAULT_DURATION).into())
    }

    /// Whether a person may be asked for a password or a PIN. The key is looked at for that, if it
    /// matters.
    pub(crate) fn interactive(&self, context: &Context) -> Interactive {
        match self.call.as_ref().map(|call| &call.options.identity) {
            Some(Asker::Source(source)) => {
                let (source, context) = (source.clone(), context.clone());
                Interactive::when(move || source.may_ask(&context))
            }
            Some(Asker::Identity(_)) | None => false.into(),
        }
    }

    /// Whether `identity` still asks, whose the slots in the cache are.
    pub(crate) fn ownership(&self, identity: Option<&str>) -> Option<Ownership> {
        let (call, identity) = (self.call.clone()?, identity?.to_owned());
        match &call.options.identity {
            Asker::Source(_) => {
                Some(Ownership::new(move || call.cache_identity().as_ref() == Some(&identity)))
            }
            Asker::Identity(_) => None,
        }
    }

    /// The profile's line, if it is one's.
    fn origin(&self) -> Option<&Origin> {
        match &self.helper {
            Some(Source::Process { origin, .. }) => Some(origin),
            _ => None,
        }
    }

    /// What is worth knowing about how it is done.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let finding = |origin: Option<&Origin>, message: String, help: &str| {
            let help = Some(help.to_owned());
            Finding { help, ..Finding::at(origin.cloned(), message) }
        };
        let mut findings = Vec::new();
        if let Some((reason, origin)) = &self.foreign {
            findings.push(finding(
                Some(origin),
                format!("aws_signing_helper itself is run, without a cache: {reason}"),
                "see `rolecall credential-process --help` for what this program knows",
            ));
        }
        let origin = self.origin();
        findings.extend(self.exposed.iter().map(|flag| {
            let message = format!("the value of --{flag} stands in the file in the open");
            finding(origin, message, IN_THE_OPEN)
        }));
        if self.call.as_ref().is_some_and(|call| call.options.no_verify_ssl) {
            findings.push(finding(
                origin,
                "--no-verify-ssl: whoever is in between can take the credentials".to_owned(),
                "take it out, and name the other side's authority with AWS_CA_BUNDLE",
            ));
        }
        findings
    }
}

/// The provider of a plan's certificate.
pub(crate) fn provider(setup: &Setup) -> Result<SharedProvider> {
    let asked = &setup.roles_anywhere;
    let call = asked.call()?;
    let mut native = call.provider()?;
    native.retry = setup.retry()?;
    if call.options.no_verify_ssl {
        tracing::warn!(
            "--no-verify-ssl: the other side is not verified, and whoever is in between can take \
             these credentials; name its authority with AWS_CA_BUNDLE instead"
        );
    }
    let exposed = asked.exposed.clone();
    let helper = match &asked.helper {
        Some(Source::Process { profile, command, account_id, origin }) => {
            let place = format!("profile {profile} ({origin})");
            let mut process = ProcessProvider::new(setup.context.clone(), command.clone(), place);
            process.account_id.clone_from(account_id);
            process.deadline = setup.program_deadline();
            process
        }
        _ => return Ok(Arc::new(native)),
    };
    Ok(Arc::new(OrHelper { native, helper, exposed }))
}

/// Whether a program is this one.
fn is_marked(program: &[u8]) -> bool {
    // Else the compiler takes it apart, and it is in no program.
    let mark = std::hint::black_box(MARK);
    program.windows(mark.len()).any(|window| window == mark)
}

/// Where a plan's request goes: URL and region.
pub(crate) fn endpoint(setup: &Setup) -> Option<(String, String)> {
    let call = setup.roles_anywhere.call().ok()?;
    let endpoint = call.options.request.endpoint(call.endpoint.as_ref().ok()?).ok()?;
    Some((endpoint.url, endpoint.signing_region))
}

/// Says what is wrong with a plan's request and identity, as far as no password or PIN is needed
/// for that; or who asks, and what will be wrong soon.
pub(crate) fn check(setup: &Setup) -> Result<(Option<Holder>, Option<Finding>)> {
    let asked = &setup.roles_anywhere;
    let call = asked.call()?;
    call.options.request.check()?;
    call.provider()?;
    match check_asker(&setup.context, &call.options.identity) {
        // AWS's program can use it.
        Err(error) if is_not_supported(&error) && asked.helper.is_some() => Ok((None, None)),
        Err(error) => Err(error),
        Ok(None) => Ok((None, None)),
        Ok(Some(leaf)) => {
            let soon = leaf.ends_soon(setup.context.clock.now()).map(|soon| Finding {
                help: Some("renew it: its key and name can stay".to_owned()),
                ..Finding::at(asked.origin().cloned(), soon)
            });
            let holder = Holder {
                subject: leaf.subject().to_owned(),
                serial: leaf.serial().to_owned(),
                until: leaf.not_after(),
            };
            Ok((Some(holder), soon))
        }
    }
}

/// Says what is wrong with `options` before they go into a profile, as far as no password or PIN is
/// needed for that.
pub(crate) fn check_options(context: &Context, options: &HelperOptions) -> Result<()> {
    options.request.check()?;
    let url = options.endpoint.as_deref().map(|url| ConfiguredUrl::new(url, ENDPOINT_FLAG));
    options.request.endpoint(&EndpointOptions { url, ..EndpointOptions::default() })?;
    check_asker(context, &options.identity.clone().into()).map(|_| ())
}

/// Gives the certificate, if it can be seen which it is.
fn check_asker(context: &Context, asker: &Asker) -> Result<Option<Certificate>> {
    let now = context.clock.now();
    let source = match asker {
        Asker::Identity(identity) => {
            identity.check(now)?;
            return Ok(Some(identity.leaf().clone()));
        }
        Asker::Source(source) => source,
    };
    if !source.may_ask(context) && source.is_at_rest(context) {
        let reader = IdentityReader::new(context.clone(), (**source).clone());
        let identity = apart(|| crate::block_on(reader.identity()))?;
        identity.check(now)?;
        return Ok(Some(identity.leaf().clone()));
    }
    // Without the key there is still the certificate, unless it lies with that.
    let certificate =
        IdentitySource { certificate: source.certificate.clone(), ..IdentitySource::default() };
    let is_apart = certificate.certificate.is_some() && source.private_key.is_some();
    if !is_apart || certificate.may_ask(context) || !certificate.is_at_rest(context) {
        return Ok(None);
    }
    let reader = IdentityReader::new(context.clone(), certificate);
    let mut certificates = apart(|| crate::block_on(reader.certificates()))?;
    if certificates.len() != 1 {
        return Ok(None);
    }
    let only = certificates.remove(0);
    only.check(now)?;
    Ok(Some(only))
}

/// On a thread of its own: the caller's may be in a runtime.
fn apart<T: Send>(read: impl FnOnce() -> Result<Result<T>> + Send) -> Result<T> {
    let failed =
        |_| CredentialsError::new(ErrorKind::Internal, "Roles Anywhere", "it could not be read");
    std::thread::scope(|scope| scope.spawn(read).join()).map_err(failed)??
}

/// Runs AWS's program for a profile whose key only that can use.
#[derive(Debug)]
struct OrHelper {
    native: RolesAnywhereProvider,
    helper: ProcessProvider,
    exposed: Vec<&'static str>,
}

#[async_trait]
impl ProvideCredentials for OrHelper {
    async fn provide_credentials(&self) -> Result<Credentials> {
        for flag in &self.exposed {
            tracing::warn!(
                "the value of --{flag} stands in the profile in the open: {IN_THE_OPEN}"
            );
        }
        match self.native.provide_credentials().await {
            Err(error) if is_not_supported(&error) => {
                tracing::debug!(%error, "aws_signing_helper itself is run");
                self.helper.provide_credentials().await
            }
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests;
