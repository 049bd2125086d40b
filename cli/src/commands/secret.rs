use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind as UsageError;
use clap::{Args, Subcommand};
use rolecall::leases::{
    self, Access, Connection, DefinitionEdit, DynamicSecret, Leases, StoredSecret, format_duration,
    parse_duration,
};
use rolecall::{Context, CredentialsError, ErrorKind, SecretInput, block_on, printable};
use serde_json::{Value, json};

use super::store::{self, StoreArgs};
use crate::args::Global;
use crate::output::{Failure, print, print_json, print_table, warn};
use crate::usage::refuse;

#[derive(Args)]
#[command(subcommand_required = true)]
pub(crate) struct SecretCommand {
    #[command(flatten)]
    store: StoreArgs,
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Operation {
    /// Define what is leased: how AWS is reached, what is made there, for how long
    Create(Box<CreateArgs>),
    /// List the definitions
    List,
    /// Show a definition; with --json in the form that --file takes
    Show {
        /// The dynamic secret
        name: String,
    },
    /// Change a definition, for new leases and renewals; an empty text clears a part
    Update(Box<UpdateArgs>),
    /// Try a definition: the connection, and every permission that it needs
    Check {
        /// The dynamic secret
        name: String,
    },
    /// Take a definition out of use; its leases must be over
    Delete {
        /// The dynamic secret
        name: String,
    },
}

#[derive(Args)]
struct CreateArgs {
    /// Its name: A-Z a-z 0-9 . _ - and slashes
    name: String,
    /// iam-user, assumed-role, federation-token or session-token; iam-user without --file
    #[arg(long, value_parser = ["iam-user", "assumed-role", "federation-token", "session-token"])]
    kind: Option<String>,
    #[command(flatten)]
    definition: DefinitionArgs,
}

#[derive(Args)]
struct UpdateArgs {
    /// The dynamic secret
    name: String,
    #[command(flatten)]
    definition: DefinitionArgs,
}

#[derive(Args)]
struct DefinitionArgs {
    /// The definition as JSON: a path, or - for standard input; flags go above it
    #[arg(long, value_name = "PATH")]
    file: Option<String>,
    /// How AWS is reached: default, profile:NAME, access-key:ID=env:NAME (or =file://PATH),
    /// role:ARN[,external-id=ID][,source=CONNECTION] or web-identity:ARN=FILE; --profile NAME is
    /// profile:NAME
    #[arg(long, value_name = "CONNECTION")]
    // A text, as clap would print one that it cannot read, and with it a secret.
    connection: Option<String>,
    /// For people
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// How long a lease lasts if nobody says: 90s, 15m, 1h, 7d (1h in a new definition)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    default_ttl: Option<Duration>,
    /// How long a lease may last in all, renewals included (in a new definition 1d, 12h
    /// for roles)
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    max_ttl: Option<Duration>,
    /// The path of users: theirs is this, `rolecall` and the store's id
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// The policy that bounds what users may do
    #[arg(long, value_name = "ARN")]
    permissions_boundary: Option<String>,
    /// A group that users join; several with commas, or given more than once
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    group: Option<Vec<String>>,
    /// A managed policy; several with commas, or given more than once
    #[arg(long, value_name = "ARN", value_delimiter = ',')]
    policy_arn: Option<Vec<String>>,
    /// A policy of its own: JSON, file://PATH or - (standard input)
    #[arg(long, value_name = "JSON")]
    policy_document: Option<SecretInput>,
    /// A tag; may be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    tag: Option<Vec<String>>,
    /// The template of names, as Infisical's: {{random 8}}, {{identity.name}}, {{truncate …}} …
    #[arg(long, value_name = "TEMPLATE")]
    username_template: Option<String>,
    /// The role to assume (assumed-role)
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// What the role's trust policy asks for (assumed-role)
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// The MFA device (session-token); its code is asked for with each lease
    #[arg(long, value_name = "SERIAL")]
    mfa_serial: Option<String>,
    /// Who may take leases: those with a session of this auth method, and of these claims, as
    /// ACCESS-ID[,CLAIM=VALUE]…; may be given more than once, one must fit. Otherwise whoever can
    /// open the store
    #[arg(long, value_name = "ACCESS")]
    access: Option<Vec<String>>,
    /// Try it too, as `secret check` does; it is kept also if permissions are missing
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(global: &Global, command: &SecretCommand) -> Result<ExitCode, Failure> {
    let takes_profile = matches!(command.operation, Operation::Create(_) | Operation::Update(_));
    if !takes_profile {
        store::refuse_profile(global);
    }
    block_on(async {
        let leases = store::open(global, &command.store, None).await?;
        match &command.operation {
            Operation::Create(args) => create(global, &leases, args).await,
            Operation::List => list(global, &leases).await,
            Operation::Show { name } => show(global, &leases.definition(name).await?),
            Operation::Update(args) => update(global, &leases, args).await,
            Operation::Check { name } => check(global, &leases, name).await,
            Operation::Delete { name } => {
                leases.undefine(name).await?;
                done(global, &leases, name, "deleted", false).await
            }
        }
    })?
}

async fn create(global: &Global, leases: &Leases, args: &CreateArgs) -> Result<ExitCode, Failure> {
    let edit = args.definition.edit(global, leases.context())?;
    let secret = match args.definition.read(leases.context(), &args.name)? {
        None => edit.define(&args.name, args.kind.as_deref().unwrap_or("iam-user"))?,
        Some(mut secret) => {
            let kind = secret.kind.name();
            if args.kind.as_deref().is_some_and(|asked| asked != kind) {
                let message = format!("the file defines a secret of kind {kind}");
                let error =
                    CredentialsError::new(ErrorKind::InvalidConfiguration, "--kind", message);
                return Err(error.with_help("leave --kind out").into());
            }
            edit.apply(&mut secret)?;
            secret
        }
    };
    leases.define(&secret).await?;
    done(global, leases, &args.name, "created", args.definition.check).await
}

async fn update(global: &Global, leases: &Leases, args: &UpdateArgs) -> Result<ExitCode, Failure> {
    let stored = leases.definition(&args.name).await?;
    let read = args.definition.read(leases.context(), &args.name)?;
    let mut secret = read.unwrap_or(stored.secret);
    args.definition.edit(global, leases.context())?.apply(&mut secret)?;
    leases.redefine(&secret, stored.version).await?;
    done(global, leases, &args.name, "updated", args.definition.check).await
}

async fn done(
    global: &Global,
    leases: &Leases,
    name: &str,
    what: &str,
    and_check: bool,
) -> Result<ExitCode, Failure> {
    if and_check {
        warn(&format!("dynamic secret {name} {what}"));
        return check(global, leases, name).await;
    }
    if global.json {
        return print_json(&json!({ "name": name, "done": what }));
    }
    print(&format!("Dynamic secret {name} {what}.\n"))
}

async fn check(global: &Global, leases: &Leases, name: &str) -> Result<ExitCode, Failure> {
    let probe = leases.probe(name).await?;
    let is_complete = probe.missing.is_empty();
    if global.json {
        print_json(&leases::probe_to_json(&probe))?;
    } else {
        let who = printable(&probe.arn, 4096);
        print(&format!("Account  {}\nArn      {who}\n", probe.account_id))?;
        match &probe.policy {
            None if probe.untried.is_empty() => print("Nothing is missing.\n")?,
            None => {
                let untried = probe.untried.join(", ");
                warn(&format!("{name}: not tried, as it needs an MFA code: {untried}"));
                ExitCode::SUCCESS
            }
            Some(policy) => {
                warn(&format!("{name}: missing: {}", probe.missing.join(", ")));
                if !probe.untried.is_empty() {
                    let untried = probe.untried.join(", ");
                    warn(&format!("{name}: could not be tried before that is allowed: {untried}"));
                }
                warn("this policy, attached to it, allows what is missing:");
                print_json(policy)?
            }
        };
    }
    // A script learns by the exit code whether leases can be had.
    let denied = ExitCode::from(ErrorKind::Denied.exit_code());
    Ok(if is_complete { ExitCode::SUCCESS } else { denied })
}

async fn list(global: &Global, leases: &Leases) -> Result<ExitCode, Failure> {
    let all = leases::definitions(leases).await?;
    if global.json {
        let all: Vec<_> = all.iter().map(leases::secret_to_json).collect();
        return print_json(&json!({ "secrets": all }));
    }
    let rows = all.iter().map(|stored| {
        let secret = &stored.secret;
        vec![
            secret.name.clone(),
            secret.kind.name().to_owned(),
            secret.connection.to_string(),
            format_duration(secret.default_ttl),
            format_duration(secret.max_ttl),
            stored.version.to_string(),
        ]
    });
    let headings = ["NAME", "KIND", "CONNECTION", "TTL", "MAX TTL", "VERSION"];
    print_table(&headings, &rows.collect::<Vec<_>>())
}

fn show(global: &Global, stored: &StoredSecret) -> Result<ExitCode, Failure> {
    let value = leases::secret_to_json(stored);
    if global.json {
        return print_json(&value);
    }
    let mut text = String::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        let value = match key.as_str() {
            "connection" => stored.secret.connection.to_string(),
            "access" => {
                let access = stored.secret.access.iter().map(ToString::to_string);
                access.collect::<Vec<_>>().join(" ")
            }
            "default_ttl_seconds" => format_duration(stored.secret.default_ttl),
            "max_ttl_seconds" => format_duration(stored.secret.max_ttl),
            _ => plain(value),
        };
        if !value.is_empty() {
            let key = key.trim_end_matches("_seconds");
            text += &format!("{key:21} {}\n", printable(&value, usize::MAX));
        }
    }
    print(&text)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let pairs = fields.iter().map(|(key, value)| format!("{key}={}", plain(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

impl DefinitionArgs {
    fn read(&self, context: &Context, name: &str) -> Result<Option<DynamicSecret>, Failure> {
        let Some(place) = &self.file else { return Ok(None) };
        let input = if place == "-" {
            SecretInput::Stdin
        } else {
            SecretInput::File(place.strip_prefix("file://").unwrap_or(place).into())
        };
        let text = input.read(context)?;
        Ok(Some(leases::read_definition(text.expose(), Some(name))?))
    }

    fn edit(&self, global: &Global, context: &Context) -> Result<DefinitionEdit, Failure> {
        if self.connection.is_some() && global.profile.is_some() {
            refuse(
                UsageError::ArgumentConflict,
                "--profile and --connection say the same: give one of them",
            );
        }
        let connection = self.connection.as_deref().map(str::parse).transpose()?;
        let of_profile = global.profile.clone().map(Connection::Profile);
        let list = |texts: &Option<Vec<String>>| {
            let filled = |texts: &Vec<String>| -> Vec<String> {
                texts.iter().filter(|text| !text.is_empty()).cloned().collect()
            };
            texts.as_ref().map(filled)
        };
        Ok(DefinitionEdit {
            description: self.description.clone(),
            connection: connection.or(of_profile),
            region: global.region.clone(),
            access: list(&self.access).map(access).transpose()?,
            default_ttl: self.default_ttl,
            max_ttl: self.max_ttl,
            path: self.path.clone(),
            permissions_boundary: self.permissions_boundary.clone(),
            groups: list(&self.group),
            policy_arns: list(&self.policy_arn),
            policy_document: self.document(context)?,
            tags: self.tag.as_deref().map(tags).transpose()?,
            username_template: self.username_template.clone(),
            role_arn: self.role_arn.clone(),
            external_id: self.external_id.clone(),
            mfa_serial: self.mfa_serial.clone(),
        })
    }

    fn document(&self, context: &Context) -> Result<Option<String>, Failure> {
        match &self.policy_document {
            None => Ok(None),
            Some(SecretInput::Literal(text)) => Ok(Some(text.expose().to_owned())),
            Some(input) => Ok(Some(input.read(context)?.expose().to_owned())),
        }
    }
}

fn access(texts: Vec<String>) -> Result<Vec<Access>, Failure> {
    Ok(texts.iter().map(|text| text.parse()).collect::<Result<_, _>>()?)
}

fn tags(texts: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut tags = BTreeMap::new();
    for text in texts.iter().filter(|text| !text.is_empty()) {
        let Some((key, value)) = text.split_once('=') else {
            let message = format!("{text:?} is not KEY=VALUE");
            return Err(
                CredentialsError::new(ErrorKind::InvalidConfiguration, "--tag", message).into()
            );
        };
        tags.insert(key.to_owned(), value.to_owned());
    }
    Ok(tags)
}
