use std::sync::Arc;
use std::time::Duration;

use rolecall_core::endpoint::{self, Endpoint, EndpointOptions, Overrides, Region, Service};
use rolecall_core::http::{RetryPolicy, WebClient, WebSettings};
use rolecall_core::profile::{Plan, Profile, ProfileSet, Source, plan_default, plan_profile};
use rolecall_core::source::ImdsSettings;
use rolecall_core::{Context, CredentialsError, ErrorKind, Prompt, Result, SharedProvider};
use rolecall_sts::StsClient;

use crate::SessionOptions;
#[cfg(feature = "roles-anywhere")]
use crate::roles_anywhere;

/// How long a program of a profile may take where nothing is said.
const PROGRAM_DEADLINE: Duration = Duration::from_secs(60);

/// All that is read before anything is run: profiles, the plan, and where STS is.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) context: Context,
    pub(crate) profiles: ProfileSet,
    /// The profile whose region and endpoint count, also where the environment's keys win.
    pub(crate) selected: String,
    pub(crate) plan: Result<Plan>,
    /// The caller's own, if the plan's source is that.
    pub(crate) given_provider: Option<SharedProvider>,
    pub(crate) sts: Result<StsSettings>,
    pub(crate) imds: Result<ImdsSettings>,
    pub(crate) use_disk_cache: bool,
    /// Whether the caller says who is asked for MFA codes.
    pub(crate) has_own_prompt: bool,
    pub(crate) process_timeout: Option<Duration>,
    /// The region and the URL of the caller, above all else.
    #[cfg(feature = "leases")]
    given: (Option<String>, Option<String>),
    /// What reaches the world, unless the caller brought something of its own.
    pub(crate) web: Option<Arc<WebClient>>,
    /// Who asks Roles Anywhere, if that is the plan's source.
    #[cfg(feature = "roles-anywhere")]
    pub(crate) roles_anywhere: roles_anywhere::Asked,
}

/// Where STS is, and how often to ask it.
#[derive(Clone, Debug)]
pub(crate) struct StsSettings {
    pub(crate) region: Option<Region>,
    pub(crate) endpoint: Result<Endpoint>,
    /// Where its URL was written, if one was.
    pub(crate) url_from: Option<String>,
    /// Whose credentials it hands out: the configured URL's, or those of a partition of AWS,
    /// whichever of its regions is asked.
    pub(crate) authority: String,
    pub(crate) retry: RetryPolicy,
}

impl Setup {
    /// Reads the files and plans. What cannot be planned is kept as an error, so that `explain` can
    /// show the rest; files that cannot be read end it.
    pub(crate) fn read(options: SessionOptions) -> Result<Self> {
        let profiles = Self::profiles(&options)?;
        Ok(Self::of(options, profiles))
    }

    /// The profiles on the machine of `options`. A file may be a pipe: it can be read once.
    pub(crate) fn profiles(options: &SessionOptions) -> Result<ProfileSet> {
        let context = options.context.clone().unwrap_or_else(Context::real);
        ProfileSet::load(&context.env, &context.fs)
    }

    /// [`Self::read`], with `profiles` in the place of what the files say.
    pub(crate) fn of(options: SessionOptions, profiles: ProfileSet) -> Self {
        let is_real = options.context.is_none();
        let context = options.context.clone().unwrap_or_else(Context::real);
        Self::on(context, is_real, options, profiles)
    }

    /// [`Self::of`] on a machine that others work on too; `is_real` unless it has HTTP of its own.
    pub(crate) fn on(
        mut context: Context,
        is_real: bool,
        options: SessionOptions,
        profiles: ProfileSet,
    ) -> Self {
        let plan = match (&options.provider, &options.profile) {
            (Some(_), _) => Ok(Plan::of(Source::Given)),
            (None, Some(name)) => plan_profile(&profiles, name, &context.env),
            (None, None) => plan_default(&profiles, &context.env),
        };
        let selected = options.profile.unwrap_or_else(|| ProfileSet::selected_name(&context.env));
        let profile = profiles.get(&selected);
        let web = is_real
            .then(|| Arc::new(WebClient::new(web_settings(&context, profile), context.fs.clone())));
        if let Some(web) = &web {
            context.http = web.clone();
        }
        let input = options.mfa_code.map(|input| Prompt::from_input(input, &context));
        // An MFA code is no answer to who asks for the password of a key.
        #[cfg(feature = "roles-anywhere")]
        let key_prompt = options.prompt.clone().unwrap_or_else(|| context.prompt.clone());
        let own_prompt = options.prompt.or(input);
        let has_own_prompt = own_prompt.is_some();
        if let Some(prompt) = own_prompt {
            context.prompt = prompt;
        }
        let overrides = Overrides {
            region: options.region.as_deref(),
            endpoint_url: options.endpoint_url.as_deref(),
            ..Overrides::default()
        };
        let sts = sts_settings(&context, &profiles, &selected, overrides);
        let imds = ImdsSettings::read(&context.env, profiles.get(&selected));
        #[cfg(feature = "roles-anywhere")]
        let (plan, roles_anywhere) = {
            let (profiles, selected) = (&profiles, selected.as_str());
            let around = roles_anywhere::Surroundings {
                context: &Context { prompt: key_prompt, ..context.clone() },
                profiles,
                selected,
                is_real,
            };
            around.take(plan, options.roles_anywhere)
        };
        Self {
            context,
            selected,
            #[cfg(feature = "leases")]
            given: (options.region, options.endpoint_url),
            plan,
            sts,
            given_provider: options.provider,
            has_own_prompt,
            imds,
            use_disk_cache: !options.no_disk_cache,
            process_timeout: options.process_timeout,
            web,
            #[cfg(feature = "roles-anywhere")]
            roles_anywhere,
            profiles,
        }
    }

    /// The endpoint of a service in a region of its own.
    pub(crate) fn endpoint(&self, service: Service, region: &str) -> Result<Endpoint> {
        let overrides = Overrides { region: Some(region), ..Overrides::default() };
        endpoint::resolve(service, &self.endpoint_options(service, overrides)?)
    }

    /// What decides where a service's requests go.
    pub(crate) fn endpoint_options(
        &self,
        service: Service,
        overrides: Overrides<'_>,
    ) -> Result<EndpointOptions> {
        let (env, profile) = (&self.context.env, Some(self.selected.as_str()));
        EndpointOptions::with_overrides(service, env, &self.profiles, profile, overrides)
    }

    /// The endpoint of a service where the caller's own region and URL count.
    #[cfg(feature = "leases")]
    pub(crate) fn endpoint_as_given(&self, service: Service) -> Result<Endpoint> {
        let (region, endpoint_url) = (self.given.0.as_deref(), self.given.1.as_deref());
        let overrides = Overrides { region, endpoint_url, ..Overrides::default() };
        endpoint::resolve(service, &self.endpoint_options(service, overrides)?)
    }

    /// How long a program of a profile may take.
    pub(crate) fn program_deadline(&self) -> Duration {
        self.process_timeout.unwrap_or(PROGRAM_DEADLINE)
    }

    /// How often calls are tried.
    pub(crate) fn retry(&self) -> Result<RetryPolicy> {
        retry_policy(&self.context, self.profiles.get(&self.selected))
    }

    /// A client of STS.
    pub(crate) fn sts_client(&self, credentials: Option<SharedProvider>) -> Result<StsClient> {
        self.sts.as_ref().map_err(Clone::clone)?.client(&self.context, credentials)
    }
}

impl StsSettings {
    /// A client of STS.
    pub(crate) fn client(
        &self,
        context: &Context,
        credentials: Option<SharedProvider>,
    ) -> Result<StsClient> {
        let endpoint = self.endpoint.clone()?;
        let mut client = StsClient::new(context.clone(), endpoint.into(), credentials);
        client.query.retry = self.retry;
        Ok(client)
    }

    /// Whether `plan` needs STS at all.
    pub(crate) fn are_needed_by(plan: &Plan) -> bool {
        let by_source = matches!(plan.source, Source::WebIdentity { .. } | Source::Saml { .. });
        by_source || !plan.hops.is_empty()
    }
}

fn sts_settings(
    context: &Context,
    profiles: &ProfileSet,
    selected: &str,
    overrides: Overrides<'_>,
) -> Result<StsSettings> {
    let env = &context.env;
    let options =
        EndpointOptions::with_overrides(Service::Sts, env, profiles, Some(selected), overrides)?;
    let retry = retry_policy(context, profiles.get(selected))?;
    let endpoint = endpoint::resolve(Service::Sts, &options);
    let authority = match (&options.url, &options.region) {
        (Some(url), _) => url.url.clone(),
        (None, Some(region)) => endpoint::partition_of(region).id.to_owned(),
        (None, None) => String::new(),
    };
    let url_from = options.url.map(|url| url.from);
    Ok(StsSettings { region: options.region, endpoint, url_from, authority, retry })
}

/// `AWS_CA_BUNDLE` and the proxies of the environment, and the profile's `ca_bundle`.
pub(crate) fn web_settings(context: &Context, profile: Option<&Profile>) -> WebSettings {
    let mut settings = WebSettings::from_env(&context.env);
    if settings.ca_bundle.is_none() {
        settings.ca_bundle = profile.and_then(|p| p.get("ca_bundle")).map(Into::into);
    }
    settings
}

fn retry_policy(context: &Context, profile: Option<&Profile>) -> Result<RetryPolicy> {
    let variable = context.env.get("AWS_MAX_ATTEMPTS");
    let (text, place) = match (&variable, profile.and_then(|p| p.get("max_attempts"))) {
        (Some(text), _) => (text.as_str(), "AWS_MAX_ATTEMPTS"),
        (None, Some(text)) => (text, "max_attempts"),
        (None, None) => return Ok(RetryPolicy::default()),
    };
    match text.trim().parse() {
        Ok(max_attempts @ 1..=100) => Ok(RetryPolicy { max_attempts }),
        _ => Err(CredentialsError::new(
            ErrorKind::InvalidConfiguration,
            "retries",
            format!("{place} is not a number from 1 to 100"),
        )
        .with_help("leave it out for 3 attempts")),
    }
}
