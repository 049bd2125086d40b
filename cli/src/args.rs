//! The command line.

use clap::error::ErrorKind as UsageError;
use clap::{Parser, Subcommand, ValueEnum};
use rolecall::SecretInput;
use rolecall::configure::SettingPath;
use rolecall::export::ExportFormat;
use rolecall::rolesanywhere::Digest;
use rolecall::rolesanywhere::command_line::SignFormat;

use crate::commands::eks::EksCommand;
use crate::commands::identity::IdentityCommand;
use crate::commands::lease::LeaseCommand;
use crate::commands::secret::SecretCommand;
use crate::commands::sts::StsCommand;
use crate::helper_flags::{CertificateFlags, IdentityFlags};
use crate::usage::refuse;

/// Short-lived AWS credentials for any profile.
#[derive(Parser)]
#[command(name = "rolecall", version, arg_required_else_help = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 2 bad usage, 3 nothing configured, 4 wrong configuration, \
                        5 denied, 6 not reachable or too slow, 7 an answer that makes no sense, \
                        1 anything else."
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(clap::Args, Default)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The profile, used alone; without it the default chain is asked (environment, AWS_PROFILE, …)
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The region, above AWS_REGION and the profile's
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// The URL of STS, of IAM for leases, of EKS for update-kubeconfig, above AWS_ENDPOINT_URL_… and
    /// the profile's
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// Where the MFA code comes from: file://PATH, - or env:NAME; otherwise the profile's
    /// mfa_process or the terminal is asked
    #[arg(long, global = true, value_name = "SOURCE")]
    pub(crate) mfa_code: Option<SecretInput>,
    /// How long a program that a profile names may take before it is killed; 60 seconds otherwise
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) process_timeout: Option<u64>,
    /// Leave the shared cache in ~/.aws/cli/cache alone
    #[arg(long, global = true)]
    pub(crate) no_cache: bool,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The form of errors on standard error
    #[arg(long, global = true, value_name = "FORM", default_value = "text")]
    pub(crate) error_format: ErrorFormat,
    /// Say on standard error what is being done
    #[arg(long, global = true)]
    pub(crate) debug: bool,
}

impl Global {
    /// The form of the output that `--format` asks for. Ends the program beside `--json`, which asks
    /// for another.
    pub(crate) fn form<T: Default>(&self, format: Option<T>) -> T {
        if self.json && format.is_some() {
            refuse(UsageError::ArgumentConflict, "--json and --format are two forms: give one");
        }
        format.unwrap_or_default()
    }
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum ErrorFormat {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object
    Json,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print credentials, as `aws configure export-credentials` does
    Export(ExportArgs),
    /// Print credentials for a `credential_process` line in ~/.aws/config: of a profile, or of a
    /// certificate as `aws_signing_helper` does
    CredentialProcess(Box<CertificateFlags>),
    /// Run a command with the credentials in its environment
    Exec(ExecArgs),
    /// Serve credentials on loopback, as EC2 instances and ECS containers get them
    Serve(Box<ServeArgs>),
    /// Print whose credentials these are
    Whoami,
    /// Call an operation of STS, as `aws sts` does
    Sts(Box<StsCommand>),
    /// List the profiles; with --json also what each holds, secrets redacted
    Profiles,
    /// Say where a profile's credentials would come from and what is wrong with it, offline
    Explain,
    /// Look for what is wrong on this machine with getting credentials, and say what to do about it
    Doctor,
    /// Set keys, region and output of a profile, as `aws configure` does: asks, or takes --set
    Configure(Box<ConfigureArgs>),
    /// Write credentials into the credentials file, and new ones before they end
    Update(Box<UpdateArgs>),
    /// Sign a fixed text with a certificate's key, to see that the key works
    SignString(Box<SignStringArgs>),
    /// Print what a certificate says, or a token's certificates
    ReadCertificateData(Box<IdentityFlags>),
    /// Print the version alone, as `aws_signing_helper version` does
    Version,
    /// Prove who this is with a token, or check one
    Identity(Box<IdentityCommand>),
    /// Tokens for clusters of EKS, and their entries in kubeconfig files, as `aws eks` makes them
    Eks(Box<EksCommand>),
    /// Dynamic secrets: definitions of IAM users and STS sessions that are leased
    Secret(Box<SecretCommand>),
    /// Leases of dynamic secrets: take, renew, revoke, and the worker that ends them in time
    Lease(Box<LeaseCommand>),
    /// The credentials cache that is shared with AWS CLI
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Print a script that completes this program's command lines
    Completions {
        /// The shell to complete in
        shell: clap_complete::Shell,
    },
}

#[derive(clap::Args)]
pub(crate) struct ExportArgs {
    /// process, env, env-no-export, fish, powershell or windows-cmd; process otherwise
    #[arg(long, value_name = "FORMAT", value_parser = export_format())]
    pub(crate) format: Option<ExportFormat>,
}

pub(crate) fn export_format() -> impl clap::builder::TypedValueParser<Value = ExportFormat> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(ExportFormat::ALL.map(|(name, _)| name))
        .try_map(|name| name.parse::<ExportFormat>())
}

#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: the command's own, 128 and the signal's number if one ended it, 126 \
                        if it cannot be run, 127 if there is no such command; without credentials \
                        those of every command (rolecall --help)."
)]
pub(crate) struct ExecArgs {
    /// Stay, and serve the command credentials that are renewed while it runs
    #[arg(long)]
    pub(crate) serve: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) command: Vec<std::ffi::OsString>,
}

#[derive(clap::Args, Default)]
pub(crate) struct ServeArgs {
    /// The profile; more may be named, the first is the one for who asks for none. Without it the
    /// default chain is served
    // In place of the global one, which gets the first.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Vec<String>,
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, value_name = "PORT", default_value_t = 9911)]
    pub(crate) port: u16,
    /// The same port on [::1] too
    #[arg(long)]
    pub(crate) ipv6: bool,
    /// How many machines an answer may pass: 1 keeps it out of containers
    #[arg(long, value_name = "NUMBER", default_value_t = 64, value_parser = clap::value_parser!(u8).range(1..))]
    pub(crate) hop_limit: u8,
    /// Serve EC2's metadata service (version 2); both without --imds and --ecs
    #[arg(long)]
    pub(crate) imds: bool,
    /// Serve the container endpoint, to who knows the authorization token
    #[arg(long)]
    pub(crate) ecs: bool,
    /// Where to write the authorization token; ~/.aws/rolecall/serve/PORT.token otherwise
    #[arg(long, value_name = "PATH")]
    pub(crate) token_file: Option<std::path::PathBuf>,
    #[command(flatten)]
    pub(crate) certificate: CertificateFlags,
}

#[derive(clap::Args)]
pub(crate) struct ConfigureArgs {
    /// Set this and ask nothing; a secret may be file://PATH, - (standard input) or env:NAME; may
    /// be given more than once
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(subcommand)]
    pub(crate) command: Option<ConfigureCommand>,
}

#[derive(Subcommand)]
pub(crate) enum ConfigureCommand {
    /// List the names of the profiles
    ListProfiles,
    /// Print a setting; the exit code is 1 if it is not set
    Get {
        /// NAME, NAME.NAME, default.NAME or profile.PROFILE.NAME
        #[arg(value_name = "KEY")]
        key: SettingPath,
    },
    /// Write a setting, secrets to the credentials file and the rest to the config file
    Set {
        /// NAME, NAME.NAME, default.NAME or profile.PROFILE.NAME
        #[arg(value_name = "KEY")]
        key: SettingPath,
        /// The value; of a secret also file://PATH, - (standard input) or env:NAME
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Write a profile that gets its credentials from IAM Roles Anywhere; asks for what no flag says
    RolesAnywhere(Box<ConfigureRolesAnywhereArgs>),
}

#[derive(clap::Args)]
pub(crate) struct ConfigureRolesAnywhereArgs {
    /// The program that the profile names: aws_signing_helper, or a path that ends so, is AWS's or
    /// this one under that name; this program answers such profiles itself
    #[arg(long, value_name = "PROGRAM", default_value = "aws_signing_helper")]
    pub(crate) program: String,
    /// Print the trust policy that the role needs for this certificate, and write nothing
    #[arg(long)]
    pub(crate) print_trust_policy: bool,
    /// Write the line also into a profile that has access keys of its own
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) certificate: CertificateFlags,
}

#[derive(clap::Args, Default)]
pub(crate) struct UpdateArgs {
    /// The section to write; without it `default`, unless keys of a user (AKIA…, or without a
    /// session token) are in it. Session keys in the section are never the source: they are what
    /// is replaced. Keys of a user that would be the source are not overwritten
    // In place of the global one, as in AWS's helper.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The profile whose credentials are written; without it the default chain is asked
    #[arg(long, value_name = "NAME")]
    pub(crate) from: Option<String>,
    /// Write once and end
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) certificate: CertificateFlags,
}

#[derive(clap::Args)]
pub(crate) struct SignStringArgs {
    /// The digest that is signed
    #[arg(long, value_name = "DIGEST", default_value = "SHA256")]
    pub(crate) digest: DigestName,
    /// How the signature is printed; json otherwise
    #[arg(long, value_name = "FORM")]
    pub(crate) format: Option<SignatureForm>,
    #[command(flatten)]
    pub(crate) identity: IdentityFlags,
}

#[derive(Clone, Copy, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum DigestName {
    Sha256,
    Sha384,
    Sha512,
}

impl From<DigestName> for Digest {
    fn from(name: DigestName) -> Self {
        match name {
            DigestName::Sha256 => Self::Sha256,
            DigestName::Sha384 => Self::Sha384,
            DigestName::Sha512 => Self::Sha512,
        }
    }
}

#[derive(Clone, Copy, Default, ValueEnum)]
pub(crate) enum SignatureForm {
    /// Hexadecimal digits in quotes
    #[default]
    Json,
    /// Hexadecimal digits
    Text,
    /// The bytes
    Bin,
}

impl From<SignatureForm> for SignFormat {
    fn from(form: SignatureForm) -> Self {
        match form {
            SignatureForm::Json => Self::Json,
            SignatureForm::Text => Self::Text,
            SignatureForm::Bin => Self::Bin,
        }
    }
}

#[derive(Subcommand)]
pub(crate) enum CacheCommand {
    /// List the cached credentials
    List,
    /// Remove the cached credentials, those of AWS CLI included
    Clear,
}
