mod text;

use std::path::Path;
use std::time::SystemTime;

use rolecall_core::cache::RefreshWindow;
use rolecall_core::profile::{
    Origin, Plan, Profile, RoleHop, SamlAssertion, SetBy, Severity, Source, WarningKind, misspelt,
    problems,
};
use rolecall_core::source::{ContainerEndpoint, EnvironmentProvider};
use rolecall_core::{
    Context, CredentialsError, ErrorKind, PathKind, Program, ProvideCredentials, Result, Secret,
    SecretInput, timestamp,
};
use rolecall_sts as sts;
use serde_json::{Value, json};

use crate::SessionOptions;
use crate::mfa;
use crate::not_yet::missing_source;
use crate::resolve;
#[cfg(feature = "roles-anywhere")]
use crate::roles_anywhere;
use crate::setup::{Setup, StsSettings};
use crate::sso;

use text::assertion_from;
pub(crate) use text::describe;

/// What a session would do for its credentials and what is wrong with that, found offline: no
/// network, no program, no secret shown.
#[derive(Debug)]
pub struct Explanation {
    plan: Option<Plan>,
    /// The MFA device that one session proves for the roles.
    mfa_session: Option<String>,
    region: Option<String>,
    endpoint: Option<String>,
    /// What Roles Anywhere is asked with, if it is the source.
    certified: Option<Certified>,
    cached: Cached,
    pub(crate) problems: Vec<Finding>,
    pub(crate) warnings: Vec<Finding>,
    /// Slips in profiles that are not the plan's.
    pub(crate) elsewhere: Vec<Finding>,
}

/// Where Roles Anywhere is asked, and by whom.
#[cfg_attr(not(feature = "roles-anywhere"), allow(dead_code))]
#[derive(Debug)]
pub(crate) struct Certified {
    /// Its URL and region.
    pub(crate) endpoint: Option<(String, String)>,
    /// `None` if it cannot be seen without a password or a PIN, or is wrong.
    pub(crate) certificate: Option<Holder>,
}

/// Whom a certificate is for.
#[cfg_attr(not(feature = "roles-anywhere"), allow(dead_code))]
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) subject: String,
    /// Decimal.
    pub(crate) serial: String,
    pub(crate) until: SystemTime,
}

/// What the shared cache holds of the credentials.
#[derive(Debug)]
enum Cached {
    /// They are not kept there, or what would be done is wrong.
    No,
    /// Nothing that is good for a while: AWS would be asked.
    Nothing,
    /// Credentials that would be used as they are.
    Good {
        /// From when on new ones are asked for.
        renewed_from: SystemTime,
        until: SystemTime,
    },
}

#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) kind: ErrorKind,
    pub(crate) place: Option<String>,
    pub(crate) file: Option<Origin>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Explanation {
    /// Explains the session that `options` would make.
    ///
    /// # Errors
    /// Only if the profile files cannot be read at all; what is wrong in them is a problem.
    pub fn new(options: SessionOptions) -> Result<Self> {
        let setup = Setup::read(options)?;
        let mut found = Self::of(&setup);
        found.check_web(&setup);
        Ok(found)
    }

    /// What can be seen in `setup`, but for whether the web can be reached as it says.
    pub(crate) fn of(setup: &Setup) -> Self {
        let mut found = Self {
            plan: setup.plan.as_ref().ok().cloned(),
            mfa_session: None,
            region: None,
            endpoint: None,
            certified: None,
            cached: Cached::No,
            problems: Vec::new(),
            warnings: Vec::new(),
            elsewhere: Vec::new(),
        };
        if let Err(error) = &setup.plan {
            found.problems.push(Finding::from(error));
        }
        match &setup.sts {
            Err(error) => found.problems.push(Finding::from(error)),
            Ok(sts) => {
                found.region = sts.region.as_ref().map(ToString::to_string);
                found.endpoint = sts.endpoint.as_ref().ok().map(|endpoint| endpoint.url.clone());
                found.check_endpoint(sts);
            }
        }
        found.check_plan(setup);
        found.look_into_cache(setup);
        for warning in setup.profiles.warnings() {
            let mut finding = Finding::at(Some(warning.origin.clone()), warning.message.clone());
            if warning.kind == WarningKind::DiffersFromAwsCli {
                finding.help = Some("write it so that both read it alike".to_owned());
            }
            found.warnings.push(finding);
        }
        let used = in_use(setup);
        let sections = setup.profiles.profiles().chain(setup.profiles.sso_sessions());
        let (ours, others): (Vec<_>, Vec<_>) =
            sections.partition(|section| used.iter().any(|used| std::ptr::eq(*used, *section)));
        let slips = |sections| {
            let slips = misspelt(sections).into_iter().map(|problem| {
                let finding = Finding::at(problem.origin, problem.message);
                Finding { help: Some(problem.help), ..finding }
            });
            slips.collect::<Vec<_>>()
        };
        found.warnings.extend(slips(ours));
        found.elsewhere = slips(others);
        found
    }

    /// The kind of the first problem, which decides the exit code; `None` if there is none.
    pub fn worst_problem(&self) -> Option<ErrorKind> {
        self.problems.first().map(|problem| problem.kind)
    }

    /// One line for all slips in other profiles.
    fn slips_elsewhere(&self) -> Option<Finding> {
        let finding = |message: &str| Finding {
            help: Some("`rolecall doctor` names each".to_owned()),
            ..Finding::at(None, message.to_owned())
        };
        match self.elsewhere.len() {
            0 => None,
            1 => Some(finding("a setting of another profile is misspelt")),
            count => Some(finding(&format!("{count} settings of other profiles are misspelt"))),
        }
    }

    fn check_endpoint(&mut self, sts: &StsSettings) {
        let needed = self.plan.as_ref().is_some_and(StsSettings::are_needed_by);
        if let (true, Err(error)) = (needed, &sts.endpoint) {
            self.problems.push(Finding::from(error));
        }
    }

    fn check_plan(&mut self, setup: &Setup) {
        let Some(plan) = &self.plan else { return };
        self.mfa_session = mfa::session(&setup.context, plan).map(|(serial, _)| serial.to_owned());
        for problem in problems(plan) {
            let mut finding = Finding::at(problem.origin, problem.message);
            finding.help = Some(problem.help);
            match problem.severity {
                Severity::Error => self.problems.push(finding),
                Severity::Warning => self.warnings.push(finding),
            }
        }
        self.warnings.extend(plan.notes.iter().map(|note| {
            let mut finding = Finding::at(None, note.clone());
            finding.help = Some("keep the one that is meant, and take the other away".to_owned());
            finding
        }));
        #[cfg(feature = "roles-anywhere")]
        self.warnings.extend(setup.roles_anywhere.findings());
        let source_error = match &plan.source {
            #[cfg(feature = "roles-anywhere")]
            Source::RolesAnywhere { .. } => {
                let endpoint = roles_anywhere::endpoint(setup);
                let (seen, error) = match roles_anywhere::check(setup) {
                    Ok((holder, soon)) => {
                        self.warnings.extend(soon);
                        (holder, None)
                    }
                    Err(error) => (None, Some(error)),
                };
                self.certified = Some(Certified { endpoint, certificate: seen });
                error
            }
            _ => source_error(setup, plan),
        };
        self.problems.extend(source_error.map(|error| {
            let (file, finding) = (source_origin(&plan.source), Finding::from(&error));
            // Which of the source's own files it is about.
            let message = match error.place().filter(|place| !place.starts_with("profile ")) {
                Some(place) => format!("{place}: {}", finding.message),
                None => finding.message,
            };
            Finding { file: file.cloned(), message, ..finding }
        }));
        let asking = plan.hops.iter().filter(|hop| hop.mfa_serial.is_some());
        self.problems.extend(asking.filter_map(|hop| {
            let command = hop.mfa_process.as_ref().filter(|_| !setup.has_own_prompt)?;
            let error = program_error(setup, command, "mfa_process", &hop.profile)?;
            Some(Finding { file: Some(hop.origin.clone()), ..Finding::from(&error) })
        }));
    }

    fn look_into_cache(&mut self, setup: &Setup) {
        let Some(plan) = self.plan.as_ref().filter(|_| setup.use_disk_cache) else { return };
        let is_kept = matches!(
            plan.source,
            Source::Sso { .. } | Source::RolesAnywhere { identity: Some(_), .. }
        );
        if !StsSettings::are_needed_by(plan) && !is_kept {
            return;
        }
        let Ok(provider) = resolve::provider(setup, plan) else { return };
        let lifetime = match (&plan.source, plan.hops.is_empty()) {
            #[cfg(feature = "roles-anywhere")]
            (Source::RolesAnywhere { .. }, true) => setup.roles_anywhere.lifetime(),
            _ => resolve::lifetime(plan),
        };
        let window = RefreshWindow::for_lifetime(lifetime);
        let early = if provider.interactive.is_so() { window.mandatory } else { window.advisory };
        self.cached = match provider.ready().and_then(|credentials| credentials.expires_at()) {
            Some(until) => Cached::Good { renewed_from: until - early, until },
            None => Cached::Nothing,
        };
    }

    fn check_web(&mut self, setup: &Setup) {
        let needed = self.plan.as_ref().is_some_and(|plan| {
            StsSettings::are_needed_by(plan)
                || matches!(plan.source, Source::Sso { .. } | Source::RolesAnywhere { .. })
        });
        if let (true, Some(web)) = (needed, &setup.web)
            && let Err(error) = web.check()
        {
            let mut finding = Finding::at(None, error.to_string());
            finding.help = Some("check the proxy variables and the CA bundle".to_owned());
            self.problems.push(finding);
        }
    }

    /// `{"profile", "source": {"kind", …}, "hops": [{"role_arn", …}], "origin": {"file", "line"},
    /// "problems": […], …}`, secrets left out.
    pub fn to_json(&self) -> Value {
        let plan = self.plan.as_ref();
        let passed_over = plan.map(|plan| {
            let links = plan.passed_over.iter();
            links.map(|l| json!({"name": l.name, "reason": l.reason})).collect::<Vec<_>>()
        });
        let mut source = plan.map(|plan| source_json(&plan.source));
        if let (Some(source), Some(certified)) = (&mut source, &self.certified) {
            let holder = certified.certificate.as_ref();
            source["endpoint"] = json!(certified.endpoint.as_ref().map(|(url, _)| url));
            source["subject"] = json!(holder.map(|holder| &holder.subject));
            source["serial"] = json!(holder.map(|holder| &holder.serial));
            source["certificate_until"] =
                json!(holder.map(|holder| timestamp::format(holder.until)));
        }
        let elsewhere = self.slips_elsewhere();
        json!({
            "profile": plan.and_then(|plan| plan.profile.as_deref()),
            "region": self.region,
            "sts_endpoint": self.endpoint,
            "cached_until": match self.cached {
                Cached::Good { until, .. } => Some(timestamp::format(until)),
                Cached::No | Cached::Nothing => None,
            },
            "renewed_from": match self.cached {
                Cached::Good { renewed_from, .. } => Some(timestamp::format(renewed_from)),
                Cached::No | Cached::Nothing => None,
            },
            "source": source,
            "mfa_session": self.mfa_session,
            "hops": plan.map(|plan| plan.hops.iter().map(hop_json).collect::<Vec<_>>()),
            "origin": plan.and_then(|plan| plan.origin.as_ref()).map(origin_json),
            "passed_over": passed_over,
            "problems": self.problems.iter().map(Finding::to_json).collect::<Vec<_>>(),
            "warnings": self.warnings.iter().chain(&elsewhere).map(Finding::to_json).collect::<Vec<_>>(),
        })
    }
}

impl From<&CredentialsError> for Finding {
    fn from(error: &CredentialsError) -> Self {
        Self {
            kind: error.kind(),
            place: Some(error.provider().to_owned()),
            file: None,
            message: error.message().to_owned(),
            help: error.help().map(str::to_owned),
        }
    }
}

impl Finding {
    pub(crate) fn at(file: Option<Origin>, message: String) -> Self {
        let kind = ErrorKind::InvalidConfiguration;
        Self { kind, place: None, file, message, help: None }
    }

    fn to_json(&self) -> Value {
        json!({
            "kind": self.kind.name(),
            "place": self.place,
            "file": self.file.as_ref().map(|origin| origin.file.display().to_string()),
            "line": self.file.as_ref().map(|origin| origin.line),
            "message": self.message,
            "help": self.help,
        })
    }
}

/// The profiles that have to do with what is done, and their SSO session.
fn in_use(setup: &Setup) -> Vec<&Profile> {
    let mut used: Vec<&Profile> = Vec::new();
    let mut next = setup.profiles.get(&setup.selected);
    while let Some(profile) = next.filter(|p| !used.iter().any(|used| std::ptr::eq(*used, *p))) {
        used.push(profile);
        next = profile.get("source_profile").and_then(|name| setup.profiles.get(name));
    }
    let named = used.iter().filter_map(|profile| profile.get("sso_session")).collect::<Vec<_>>();
    let sessions = setup.profiles.sso_sessions();
    used.extend(sessions.filter(|session| named.contains(&session.name.as_str())));
    used
}

/// What can be seen of the source's failure without running it.
fn source_error(setup: &Setup, plan: &Plan) -> Option<CredentialsError> {
    let context = &setup.context;
    #[cfg(feature = "roles-anywhere")]
    if let Some(error) = setup.roles_anywhere.wrong_line() {
        return Some(error.clone());
    }
    match &plan.source {
        Source::Environment { .. } => EnvironmentProvider::new(context).read().err(),
        Source::WebIdentity { token_file, .. } => {
            sts::read_token_file(&context.fs, token_file).err()
        }
        Source::Process { profile, command, .. } => {
            program_error(setup, command, "credential_process", profile)
        }
        Source::Saml { profile, assertion: SamlAssertion::Process(command), .. } => {
            program_error(setup, command, "saml_process", profile)
        }
        // Standard input and pipes are for a run.
        Source::Saml { assertion: SamlAssertion::Input(input), .. } => match input {
            SecretInput::Stdin => None,
            SecretInput::File(path) if is_pipe(&setup.context, path) => None,
            _ => input.read(context).err(),
        },
        Source::Sso { .. } if sso::role(&plan.source).is_some() => {
            sso::provider(setup, &plan.source).and_then(|provider| provider.check()).err()
        }
        Source::Imds => setup.imds.as_ref().err().cloned(),
        Source::Container => ContainerEndpoint::from_env(&context.env).err(),
        _ => missing_source(plan),
    }
}

/// Whether it gives what it holds once, and may have to be waited for.
fn is_pipe(context: &Context, path: &Path) -> bool {
    let facts = context.fs.facts(path).ok().flatten();
    facts.is_some_and(|facts| facts.kind == PathKind::Other)
}

/// Why a program of a profile could not be started.
fn program_error(
    setup: &Setup,
    command: &Secret,
    key: &str,
    profile: &str,
) -> Option<CredentialsError> {
    let what = format!("{key} of profile {profile}");
    let program = Program::new(setup.context.clone(), command.clone(), what);
    program.check().err()
}

fn source_origin(source: &Source) -> Option<&Origin> {
    match source {
        Source::WebIdentity { set_by: SetBy::Profile { origin, .. }, .. }
        | Source::RolesAnywhere { set_by: Some((_, origin)), .. }
        | Source::Process { origin, .. }
        | Source::Saml { origin, .. }
        | Source::Sso { origin, .. }
        | Source::LoginSession { origin, .. } => Some(origin),
        _ => None,
    }
}

fn origin_json(origin: &Origin) -> Value {
    json!({"file": origin.file.display().to_string(), "line": origin.line})
}

fn source_json(source: &Source) -> Value {
    match source {
        Source::StaticKeys { profile, access_key_id, origin, .. } => json!({
            "kind": "static", "profile": profile, "access_key_id": access_key_id,
            "origin": origin_json(origin),
        }),
        Source::Environment { access_key_id, .. } => {
            json!({"kind": "environment", "access_key_id": access_key_id})
        }
        Source::Process { profile, origin, .. } => {
            json!({"kind": "process", "profile": profile, "origin": origin_json(origin)})
        }
        Source::WebIdentity { token_file, role_arn, role_session_name, .. } => json!({
            "kind": "web-identity", "token_file": token_file.display().to_string(),
            "role_arn": role_arn, "role_session_name": role_session_name,
        }),
        Source::Saml { profile, assertion, role_arn, principal_arn, origin, .. } => json!({
            "kind": "saml", "profile": profile, "assertion": assertion_from(assertion),
            "role_arn": role_arn, "principal_arn": principal_arn, "origin": origin_json(origin),
        }),
        Source::Sso { profile, session, account_id, role_name, .. } => json!({
            "kind": "sso", "profile": profile, "sso_session": session,
            "account_id": account_id, "role_name": role_name,
        }),
        Source::RolesAnywhere {
            certificate,
            trust_anchor_arn,
            profile_arn,
            role_arn,
            region,
            set_by,
            ..
        } => json!({
            "kind": "roles-anywhere", "profile": set_by.as_ref().map(|(profile, _)| profile),
            "certificate": certificate, "trust_anchor_arn": trust_anchor_arn,
            "profile_arn": profile_arn, "role_arn": role_arn, "region": region,
            "origin": set_by.as_ref().map(|(_, origin)| origin_json(origin)),
        }),
        Source::LoginSession { profile, .. } => json!({"kind": "login", "profile": profile}),
        Source::Container => json!({"kind": "container"}),
        Source::Given => json!({"kind": "given"}),
        _ => json!({"kind": "imds"}),
    }
}

fn hop_json(hop: &RoleHop) -> Value {
    json!({
        "role_arn": hop.role_arn,
        "profile": hop.profile,
        "role_session_name": hop.role_session_name,
        "external_id": hop.external_id,
        "duration_seconds": hop.duration_seconds,
        "mfa_serial": hop.mfa_serial,
        "mfa_process": hop.mfa_process.is_some(),
        "origin": origin_json(&hop.origin),
    })
}
