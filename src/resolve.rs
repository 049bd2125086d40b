//! From a plan to providers: the one place where sources and hops of every crate come together.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ring::digest::{SHA256, digest};
use rolecall_core::cache::{
    CacheFolder, DiskCache, Interactive, MemoryCache, Ownership, RoleCacheKey, Slot, own_name,
};
use rolecall_core::profile::{
    Origin, Plan, RoleHop, SamlAssertion, SetBy, Severity, Source, aws_folder, nothing_found,
    problems,
};
use rolecall_core::source::{
    ContainerProvider, EnvironmentProvider, ImdsProvider, KEYS_REREAD_AFTER, ProcessProvider,
    ProfileKeysProvider,
};
use rolecall_core::{
    Credentials, CredentialsError, ErrorKind, Program, ProvideCredentials, Result, SharedProvider,
};
use rolecall_sts::{
    self as sts, MfaSessionProvider, RoleHopProvider, Saml, SamlProvider, SamlResponse,
    WebIdentity, WebIdentityProvider,
};

use crate::given::Given;
use crate::mfa;
use crate::not_yet::{NotYet, missing_source};
#[cfg(feature = "roles-anywhere")]
use crate::roles_anywhere;
use crate::setup::{Setup, StsSettings};
use crate::sso;

/// How long a session lasts where the profile does not say: AWS's own default.
const DEFAULT_DURATION: u32 = 3600;
/// A token file's largest contents, as AWS limits tokens to 20,000 characters.
const TOKEN_LIMIT: u64 = 64 * 1024;

/// The provider that runs `plan`, and keeps its credentials in memory.
pub(crate) fn provider(setup: &Setup, plan: &Plan) -> Result<Arc<MemoryCache>> {
    let given = matches!(plan.source, Source::Given);
    let provider = setup.given_provider.clone().filter(|_| given);
    let clock = setup.context.clock.clone();
    provider_on(setup, plan, provider.map(|provider| Arc::new(Given { provider, clock }) as _))
}

/// [`provider`] with what stands in for the plan's source.
pub(crate) fn provider_on(
    setup: &Setup,
    plan: &Plan,
    source: Option<SharedProvider>,
) -> Result<Arc<MemoryCache>> {
    let fatal = problems(plan).into_iter().find(|p| p.severity == Severity::Error);
    if let Some(problem) = fatal {
        let place = problem.origin.map_or("environment".to_owned(), |origin| origin.to_string());
        return Err(CredentialsError::new(ErrorKind::InvalidConfiguration, place, problem.message)
            .with_help(problem.help));
    }
    let mut resolver = Resolver::new(setup, plan)?;
    // Each is kept in memory: a call that is tried again asks its source again.
    let kept = |provider, interactive| {
        let mut cache = MemoryCache::new(&setup.context, provider);
        cache.interactive = interactive;
        Arc::new(cache)
    };
    let is_given = source.is_some();
    let mut provider = match (&plan.source, source.map_or_else(|| resolver.source(), Ok)?) {
        (Source::StaticKeys { access_key_id, .. }, keys) if !is_given => {
            let keys = MemoryCache::rereading(&setup.context, keys, KEYS_REREAD_AFTER);
            let keys = Arc::new(keys);
            let (now, planned) = (keys.clone(), access_key_id.clone());
            // What comes of other keys is not what the slots' fingerprints say.
            let is_same =
                move || now.look().is_none_or(|(_, keys)| keys.access_key_id() == planned);
            resolver.ownership = Some(Ownership::at_hand(is_same));
            keys
        }
        (_, source) => kept(source, resolver.interactive(0)),
    };
    if let Some(session) = resolver.mfa_session(&provider)? {
        provider = kept(session, true.into());
    }
    for (number, hop) in plan.hops.iter().enumerate() {
        provider = kept(resolver.hop(number, hop, provider)?, resolver.interactive(number + 1));
    }
    Ok(provider)
}

/// How long the credentials of `plan` last when they are new, where a role says so.
pub(crate) fn lifetime(plan: &Plan) -> Duration {
    let seconds = match (plan.hops.last(), &plan.source) {
        (Some(hop), _) => hop.duration_seconds,
        (
            None,
            Source::WebIdentity { duration_seconds, .. } | Source::Saml { duration_seconds, .. },
        ) => *duration_seconds,
        (None, Source::Sso { .. }) => return sso::LONGEST_SESSION,
        (None, _) => None,
    };
    Duration::from_secs(seconds.unwrap_or(DEFAULT_DURATION).into())
}

struct Resolver<'a> {
    setup: &'a Setup,
    plan: &'a Plan,
    cache: Option<CacheFolder>,
    /// Whose credentials STS hands out; empty if the plan does not need it.
    authority: String,
    source_interactive: Interactive,
    /// For a source that can become another's.
    ownership: Option<Ownership>,
}

impl<'a> Resolver<'a> {
    fn new(setup: &'a Setup, plan: &'a Plan) -> Result<Self> {
        let is_known = !matches!(plan.source, Source::RolesAnywhere { identity: None, .. });
        let folder = aws_folder(&setup.context.env).filter(|_| setup.use_disk_cache && is_known);
        let authority = match &setup.sts {
            _ if !StsSettings::are_needed_by(plan) => String::new(),
            Err(error) => return Err(error.clone()),
            Ok(sts) => {
                let place = plan.profile.iter().zip(&plan.origin);
                let place = place.map(|(name, at)| format!("profile {name} ({at})")).next();
                sts.endpoint.as_ref().map_err(|error| match place {
                    Some(place) => error.clone().with_place(place),
                    None => error.clone(),
                })?;
                sts.authority.clone()
            }
        };
        let (source_interactive, ownership) = match &plan.source {
            Source::Sso { .. } | Source::Saml { .. } => (true.into(), None),
            #[cfg(feature = "roles-anywhere")]
            Source::RolesAnywhere { identity, .. } => {
                let asked = &setup.roles_anywhere;
                (asked.interactive(&setup.context), asked.ownership(identity.as_deref()))
            }
            _ => (false.into(), None),
        };
        let cache = folder.map(|folder| CacheFolder::below(&folder));
        Ok(Self { setup, plan, cache, authority, source_interactive, ownership })
    }

    fn source(&self) -> Result<SharedProvider> {
        let context = &self.setup.context;
        #[cfg(feature = "roles-anywhere")]
        if let Some(error) = self.setup.roles_anywhere.wrong_line() {
            return Err(error.clone());
        }
        Ok(match &self.plan.source {
            source @ Source::StaticKeys { .. } => {
                Arc::new(ProfileKeysProvider::new(context.clone(), source)?)
            }
            Source::Environment { .. } => Arc::new(EnvironmentProvider::new(context)),
            Source::Process { profile, command, account_id, origin } => {
                let place = format!("profile {profile} ({origin})");
                let mut process = ProcessProvider::new(context.clone(), command.clone(), place);
                process.account_id.clone_from(account_id);
                process.deadline = self.setup.program_deadline();
                Arc::new(process)
            }
            Source::WebIdentity { .. } => self.web_identity()?,
            Source::Saml { .. } => self.saml()?,
            Source::Sso { profile, origin, .. } => {
                self.sso(format!("profile {profile} ({origin})"))?
            }
            #[cfg(feature = "roles-anywhere")]
            Source::RolesAnywhere { .. } => self.roles_anywhere()?,
            Source::Container => Arc::new(ContainerProvider::new(context.clone())),
            Source::Imds => {
                let provider = ImdsProvider::new(context.clone(), self.setup.imds.clone()?);
                Arc::new(Imds { plan: self.plan.clone(), provider })
            }
            _ => match missing_source(self.plan) {
                Some(error) => Arc::new(NotYet(error)),
                None => return Err(internal("there is no provider for the source")),
            },
        })
    }

    fn web_identity(&self) -> Result<SharedProvider> {
        let Source::WebIdentity {
            token_file,
            role_arn,
            role_session_name,
            duration_seconds,
            set_by,
            ..
        } = &self.plan.source
        else {
            return Err(internal("the source is no web identity"));
        };
        let context = &self.setup.context;
        let place = match set_by {
            SetBy::Environment => "AWS_WEB_IDENTITY_TOKEN_FILE".to_owned(),
            SetBy::Profile { name, origin } => place(name, origin),
        };
        let identity = WebIdentity {
            role_arn: role_arn.clone(),
            token_file: token_file.clone(),
            role_session_name: role_session_name.clone(),
            duration_seconds: *duration_seconds,
        };
        let provider = WebIdentityProvider::with_client(self.setup.sts_client(None)?, identity);
        let key = RoleCacheKey {
            role_arn,
            role_session_name: role_session_name.as_deref(),
            duration_seconds: *duration_seconds,
            ..RoleCacheKey::default()
        };
        // AWS CLI v1 has the token in its key, v2 has not: an entry of either is read.
        let token = context.fs.read(token_file, TOKEN_LIMIT).ok();
        let token = token.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        let other_names = token
            .map(|token| RoleCacheKey { web_identity_token: Some(token), ..key.clone() }.name())
            .into_iter()
            .collect();
        let fingerprint = self.fingerprint(&[]);
        let slot = slot(&key, other_names, fingerprint, false.into());
        Ok(self.cached(slot, place, Arc::new(provider)))
    }

    fn saml(&self) -> Result<SharedProvider> {
        let Source::Saml { profile, assertion, role_arn, principal_arn, duration_seconds, origin } =
            &self.plan.source
        else {
            return Err(internal("the source is no SAML assertion"));
        };
        let place = format!("profile {profile} ({origin})");
        let response = match assertion {
            SamlAssertion::Input(input) => SamlResponse::Input(input.clone()),
            SamlAssertion::Process(command) => {
                let what = format!("saml_process of {place}");
                let program = Program::new(self.setup.context.clone(), command.clone(), what);
                SamlResponse::Program(program, self.setup.program_deadline())
            }
        };
        let saml = Saml {
            role_arn: role_arn.clone(),
            principal_arn: principal_arn.clone(),
            duration_seconds: *duration_seconds,
            response,
        };
        let provider = SamlProvider::with_client(self.setup.sts_client(None)?, saml);
        // AWS CLI knows no such profiles: under its name for the role lies what others assumed.
        let seconds = duration_seconds.unwrap_or(DEFAULT_DURATION).to_string();
        let parts = [("RoleArn", role_arn.as_str()), ("DurationSeconds", &seconds)];
        let key =
            RoleCacheKey { role_arn, duration_seconds: *duration_seconds, ..Default::default() };
        let interactive = self.interactive(0);
        let slot = slot(&key, Vec::new(), self.fingerprint(&[]), interactive);
        let slot = Slot { name: own_name("saml", &parts), ..slot };
        Ok(self.cached(slot, place, Arc::new(provider)))
    }

    fn sso(&self, place: String) -> Result<SharedProvider> {
        let source = &self.plan.source;
        let provider =
            sso::provider(self.setup, source).map_err(|error| error.with_place(place.as_str()))?;
        let role = sso::role(source).ok_or_else(|| internal("the source has no role"))?;
        let portal = sso::endpoints(self.setup, source)?.portal;
        let slot = Slot {
            name: role.cache_key().name(),
            other_names: Vec::new(),
            fingerprint: digest_of(&format!("{portal}\n{}", self.plan.source_identity())),
            about: format!("SSO role {} in account {}", role.role_name, role.account_id),
            lifetime: sso::LONGEST_SESSION,
            account_id: Some(role.account_id),
            interactive: self.interactive(0),
            provider_type: Some("sso"),
        };
        Ok(self.cached(slot, place, Arc::new(provider)))
    }

    #[cfg(feature = "roles-anywhere")]
    fn roles_anywhere(&self) -> Result<SharedProvider> {
        let Source::RolesAnywhere { role_arn, identity, set_by, .. } = &self.plan.source else {
            return Err(internal("the source is no certificate"));
        };
        let place = match set_by {
            Some((profile, origin)) => format!("profile {profile} ({origin})"),
            None => {
                let flag = self.setup.roles_anywhere.wrong_flag();
                flag.unwrap_or("the given certificate").to_owned()
            }
        };
        let provider = roles_anywhere::provider(self.setup)
            .map_err(|error| error.with_place(place.as_str()))?;
        let Some(identity) = identity else { return Ok(Arc::new(Placed { place, provider })) };
        let key = RoleCacheKey { role_arn, ..RoleCacheKey::default() };
        let asked = &self.setup.roles_anywhere;
        let slot = Slot {
            name: own_name("roles-anywhere", &[("Identity", identity)]),
            lifetime: asked.lifetime(),
            ..slot(&key, Vec::new(), digest_of(identity), self.interactive(0))
        };
        Ok(self.cached(slot, place, provider))
    }

    /// The session that proves the first role's device for all roles that name it; it takes the
    /// place of the user's `keys`.
    fn mfa_session(&self, keys: &Arc<MemoryCache>) -> Result<Option<SharedProvider>> {
        let session = mfa::session(&self.setup.context, self.plan);
        let (Some((serial, access_key_id)), Some(hop)) = (session, self.plan.hops.first()) else {
            return Ok(None);
        };
        let mut client = self.setup.sts_client(None)?;
        client.query.context.prompt = mfa::prompt(self.setup, hop);
        let name = mfa::cache_name(serial, access_key_id, &self.authority);
        let slot = Slot {
            fingerprint: digest_of(&name),
            name,
            other_names: Vec::new(),
            about: format!("MFA session of {serial}"),
            lifetime: mfa::SESSION_LIFETIME,
            account_id: None,
            interactive: true.into(),
            provider_type: None,
        };
        let provider = MfaSessionProvider::with_client(client, keys.clone(), serial);
        let place = format!("profile {} ({})", hop.profile, hop.origin);
        Ok(Some(self.cached(slot, place, Arc::new(provider))))
    }

    fn hop(&self, number: usize, hop: &RoleHop, source: SharedProvider) -> Result<SharedProvider> {
        let place = place(&hop.profile, &hop.origin);
        let session = mfa::session(&self.setup.context, self.plan);
        let mfa_serial = hop.mfa_serial.clone();
        let role = sts::RoleHop {
            role_arn: hop.role_arn.clone(),
            external_id: hop.external_id.clone(),
            role_session_name: hop.role_session_name.clone(),
            duration_seconds: hop.duration_seconds,
            mfa_serial: mfa_serial.filter(|_| mfa::proves_device(session, number, hop)),
        };
        let mut client = self.setup.sts_client(None)?;
        client.query.context.prompt = mfa::prompt(self.setup, hop);
        let provider = RoleHopProvider::with_client(client, source, role);
        let key = RoleCacheKey {
            role_arn: &hop.role_arn,
            role_session_name: hop.role_session_name.as_deref(),
            external_id: hop.external_id.as_deref(),
            serial_number: hop.mfa_serial.as_deref(),
            duration_seconds: hop.duration_seconds,
            web_identity_token: None,
        };
        let fingerprint = self.fingerprint(&self.plan.hops[..number]);
        let interactive = self.interactive(number + 1);
        let slot = slot(&key, Vec::new(), fingerprint, interactive);
        Ok(self.cached(slot, place, Arc::new(provider)))
    }

    /// Whether getting the credentials of the first `hops` roles of the plan, or of its source with
    /// none, may ask a person: for an MFA code, the PIN of a key, or to sign in.
    fn interactive(&self, hops: usize) -> Interactive {
        match self.plan.hops[..hops].iter().any(|hop| hop.mfa_serial.is_some()) {
            true => true.into(),
            false => self.source_interactive.clone(),
        }
    }

    fn cached(&self, slot: Slot, place: String, provider: SharedProvider) -> SharedProvider {
        let provider: SharedProvider = Arc::new(Placed { place, provider });
        match &self.cache {
            None => provider,
            Some(folder) => {
                let context = self.setup.context.clone();
                let mut cache = DiskCache::new(context, folder.clone(), slot, provider);
                cache.ownership.clone_from(&self.ownership);
                Arc::new(cache)
            }
        }
    }

    /// What AWS CLI's cache key leaves out: who asks (the source and the roles before), and whom.
    fn fingerprint(&self, before: &[RoleHop]) -> String {
        fingerprint(&self.authority, self.plan, before)
    }
}

/// Who asks `whom`: the source of a plan and some of its roles, as a name.
pub(crate) fn fingerprint(whom: &str, plan: &Plan, roles: &[RoleHop]) -> String {
    let mut text = format!("{whom}\n{}", plan.source_identity());
    for hop in roles {
        let name = hop.role_session_name.as_deref().unwrap_or_default();
        let external_id = hop.external_id.as_deref().unwrap_or_default();
        text += &format!("\n{}\n{name}\n{external_id}", hop.role_arn);
    }
    digest_of(&text)
}

/// Where a source or role is configured: in a profile, or where the origin alone says.
fn place(profile: &str, origin: &Origin) -> String {
    if profile.is_empty() { origin.to_string() } else { format!("profile {profile} ({origin})") }
}

pub(crate) fn digest_of(text: &str) -> String {
    // Half of a SHA-256 is plenty against chance, and keeps the file small.
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn slot(
    key: &RoleCacheKey<'_>,
    other_names: Vec<String>,
    fingerprint: String,
    interactive: Interactive,
) -> Slot {
    let is_account = |text: &&str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let seconds = key.duration_seconds.unwrap_or(DEFAULT_DURATION);
    Slot {
        name: key.name(),
        other_names,
        fingerprint,
        about: key.role_arn.to_owned(),
        lifetime: Duration::from_secs(seconds.into()),
        account_id: key.role_arn.split(':').nth(4).filter(is_account).map(str::to_owned),
        interactive,
        provider_type: None,
    }
}

fn internal(message: &str) -> CredentialsError {
    CredentialsError::new(ErrorKind::Internal, "plan", message)
}

/// Adds to errors where the provider is configured.
#[derive(Debug)]
struct Placed {
    place: String,
    provider: SharedProvider,
}

#[async_trait]
impl ProvideCredentials for Placed {
    async fn provide_credentials(&self) -> Result<Credentials> {
        let outcome = self.provider.provide_credentials().await;
        outcome.map_err(|error| error.with_place(self.place.as_str()))
    }
}

/// The metadata service as a plan has it: the end of the default chain, or what a profile names.
#[derive(Debug)]
struct Imds {
    plan: Plan,
    provider: ImdsProvider,
}

#[async_trait]
impl ProvideCredentials for Imds {
    async fn provide_credentials(&self) -> Result<Credentials> {
        let outcome = self.provider.provide_credentials().await;
        outcome.map_err(|error| match (error.kind(), &self.plan.profile) {
            (_, None) => nothing_found(&self.plan, &error),
            // The profile counts on it: no chain is to pass over that.
            (ErrorKind::NotConfigured, Some(_)) => CredentialsError::new(
                ErrorKind::InvalidConfiguration,
                error.provider().to_owned(),
                format!("credential_source is Ec2InstanceMetadata, but {}", error.message()),
            )
            .with_help("use such a profile on EC2 instances with a role, and others elsewhere"),
            _ => error,
        })
    }
}
