use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use rolecall::identity::{
    self, Binding, Decision, Outcome, Policy, TokenFormat, VerifierOptions, WebIdentityRules,
};
use rolecall::{Context, CredentialsError, Secret, SecretInput, block_on, printable};
use serde_json::Value;

use super::bounds::BoundsArgs;
use super::token::formats;
use crate::args::Global;
use crate::commands::store::{self, StoreArgs};
use crate::output::{Failure, print, print_json, warn, warn_of_exposed};

#[derive(Args)]
pub(crate) struct InspectArgs {
    /// The token: - (standard input), file://PATH or env:NAME
    #[arg(default_value = "-")]
    token: SecretInput,
}

#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 it is who may come in, 5 it is not, 6 STS cannot be asked, 7 STS's \
                  answer makes no sense, 4 the bounds make none."
)]
pub(crate) struct VerifyArgs {
    /// The token: - (standard input), file://PATH or env:NAME
    #[arg(default_value = "-")]
    token: SecretInput,
    #[command(flatten)]
    bounds: BoundsArgs,
    /// A dialect that is taken; may be given more than once. Otherwise all that can be checked
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', value_parser = formats())]
    format: Vec<TokenFormat>,
    /// This server's name, which tokens of Vault must be bound to
    #[arg(long, value_name = "NAME")]
    server_id: Option<String>,
    /// The cluster that tokens of EKS must be for
    #[arg(long, value_name = "NAME")]
    cluster_name: Option<String>,
    /// This server's name, which rolecall's own tokens, and JWTs, must be for
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// How old a token may be, up to 900 seconds; 300 otherwise
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(..=900))]
    max_age: Option<u64>,
    /// Where it is remembered that the token was used, so that it is taken once: the place of a
    /// store as `lease --store` takes it. Without it each run takes it anew
    #[arg(long, value_name = "PLACE")]
    store: Option<String>,
    /// Print each check and how it went
    #[arg(long)]
    explain: bool,
    /// The token is a JWT of sts:GetWebIdentityToken, and these are its issuer's keys: the file of
    /// its /.well-known/jwks.json. Bounds and dialects are for the other tokens
    // Whoever gives a bound counts on it.
    #[arg(
        long,
        value_name = "PATH",
        requires = "issuer",
        requires = "audience",
        conflicts_with_all = ["BoundsArgs", "format", "server_id", "cluster_name", "max_age", "store", "explain"]
    )]
    jwks: Option<PathBuf>,
    /// The JWT's issuer: https://….tokens.sts.global.api.aws
    #[arg(long, value_name = "URL", requires = "jwks")]
    issuer: Option<String>,
}

pub(super) fn inspect(global: &Global, args: &InspectArgs) -> Result<ExitCode, Failure> {
    let token = read(&args.token)?;
    let inspection = identity::inspect(token.expose()).map_err(CredentialsError::from)?.to_json();
    if global.json {
        return print_json(&inspection);
    }
    print(&table(&inspection))
}

pub(super) fn run(global: &Global, args: &VerifyArgs) -> Result<ExitCode, Failure> {
    let token = read(&args.token)?;
    if let (Some(keys), Some(issuer), Some(audience)) = (&args.jwks, &args.issuer, &args.audience) {
        let rules = WebIdentityRules { issuer: issuer.clone(), audience: audience.clone() };
        return jwt(global, &token, keys, &rules);
    }
    let policy = args.policy()?;
    for lint in policy.lints() {
        warn(&format!("warning: {}", lint.message));
    }
    let decision = block_on(async {
        let leases = match &args.store {
            Some(place) => Some(store::open(global, &StoreArgs::of(place), None).await?),
            None => None,
        };
        let guard = leases.map(|leases| identity::replay_guard(leases.store().clone()));
        let options = VerifierOptions {
            max_age: args.max_age.map(Duration::from_secs),
            guard: guard.transpose()?,
            ..VerifierOptions::default()
        };
        let decision = identity::verifier(options).verify(token.expose(), &policy).await;
        Ok::<_, Failure>(decision)
    })??;
    show(global, &decision, args.explain)?;
    match decision.accepted() {
        Ok(_) => Ok(ExitCode::SUCCESS),
        Err(refusal) => Err(CredentialsError::from(refusal.clone()).into()),
    }
}

impl VerifyArgs {
    fn policy(&self) -> Result<Policy, Failure> {
        let binding = Binding {
            server_id: self.server_id.clone(),
            cluster: self.cluster_name.clone(),
            audience: self.audience.clone(),
            challenges: None,
        };
        let formats = match self.format.is_empty() {
            true => binding.formats(),
            false => self.format.clone(),
        };
        Ok(Policy::new(&self.bounds.bounds()?, &formats, binding)?)
    }
}

/// What was found, as far as the checks came.
fn show(global: &Global, decision: &Decision, explain: bool) -> Result<(), Failure> {
    let json = decision.to_json();
    if global.json {
        print_json(&json)?;
        return Ok(());
    }
    if explain {
        let lines = decision.checks().map(|(check, outcome)| {
            let why = decision.refusal.as_ref().filter(|_| outcome == Outcome::Failed);
            let why = why.map_or_else(String::new, |refusal| format!(": {}", refusal.message));
            format!("{:12} {check}{}\n", outcome.name(), printable(&why, usize::MAX))
        });
        print(&lines.collect::<String>())?;
    }
    if decision.accepted().is_ok() {
        print(&table(&json["identity"]))?;
        if let Some(subject) = &decision.subject {
            print(&format!("{:26} {}\n", "subject", printable(subject, 4096)))?;
        }
    }
    Ok(())
}

fn jwt(
    global: &Global,
    token: &Secret,
    keys: &Path,
    rules: &WebIdentityRules,
) -> Result<ExitCode, Failure> {
    let context = Context::real();
    let keys = identity::read_jwks(&context, keys)?;
    let now = context.clock.now();
    let claims = identity::verify_web_identity_token(token.expose(), &keys, rules, now);
    let claims = claims.map_err(CredentialsError::from)?.to_json();
    if global.json {
        return print_json(&claims);
    }
    print(&table(&claims))
}

pub(super) fn read(input: &SecretInput) -> Result<Secret, Failure> {
    if matches!(input, SecretInput::Literal(_)) {
        warn_of_exposed("TOKEN");
    }
    Ok(input.read(&Context::real())?)
}

pub(super) fn table(json: &Value) -> String {
    let fields = json.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let lines = fields.map(|(key, value)| {
        let value = match value {
            Value::String(text) => text.clone(),
            Value::Array(list) => {
                let texts = list.iter().map(|value| value.as_str().unwrap_or_default());
                texts.collect::<Vec<_>>().join(", ")
            }
            other => other.to_string(),
        };
        format!("{key:26} {}\n", printable(&value, usize::MAX))
    });
    lines.collect()
}
