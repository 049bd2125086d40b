use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind as UsageError;
use rolecall::identity::{Dialect, TokenFormat, TokenOptions, TokenSource, inspect};
use rolecall::{CredentialsError, timestamp};
use serde::Serialize;

use crate::args::Global;
use crate::output::{Failure, print, print_json, warn};
use crate::usage::refuse;

#[derive(Args)]
pub(crate) struct TokenArgs {
    /// The dialect: akeyless, vault, infisical, eks, or rolecall's own. With --region those of
    /// akeyless and vault are for that region's STS instead of the global one
    #[arg(long, value_name = "FORMAT", value_parser = formats())]
    format: TokenFormat,
    /// The STS that the verifier asks, above AWS_ENDPOINT_URL_STS and --endpoint-url
    #[arg(long, value_name = "URL")]
    sts_url: Option<String>,
    /// vault: the role to log in as
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// vault: the server's name for itself (X-Vault-AWS-IAM-Server-ID); without it the token is
    /// bound to no server
    #[arg(long, value_name = "NAME")]
    server_id: Option<String>,
    /// infisical: the machine identity to log in as
    #[arg(long, value_name = "ID")]
    identity_id: Option<String>,
    /// eks: the cluster
    #[arg(long, value_name = "NAME")]
    cluster_name: Option<String>,
    /// rolecall: the server's name for itself
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// rolecall: what the server gave to be signed
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    challenge: Option<String>,
    /// rolecall: how long the token is good for, 1 to 300 seconds; 60 otherwise
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<u32>,
}

pub(super) fn formats() -> impl TypedValueParser<Value = TokenFormat> {
    PossibleValuesParser::new(TokenFormat::ALL.map(TokenFormat::name))
        .try_map(|name| TokenFormat::by_name(&name).ok_or("there is no such dialect"))
}

impl TokenArgs {
    fn dialect(&self) -> Dialect {
        let flags = [
            ("--role", TokenFormat::Vault, self.role.is_some()),
            ("--server-id", TokenFormat::Vault, self.server_id.is_some()),
            ("--identity-id", TokenFormat::Infisical, self.identity_id.is_some()),
            ("--cluster-name", TokenFormat::Eks, self.cluster_name.is_some()),
            ("--audience", TokenFormat::Rolecall, self.audience.is_some()),
            ("--challenge", TokenFormat::Rolecall, self.challenge.is_some()),
            ("--lifetime", TokenFormat::Rolecall, self.lifetime.is_some()),
        ];
        for (flag, format, is_given) in flags {
            if is_given && format != self.format {
                refuse(UsageError::ArgumentConflict, &format!("{flag} is for --format {format}"));
            }
        }
        let needed = |flag: &str, value: &Option<String>| match value {
            Some(value) => value.clone(),
            None => refuse(
                UsageError::MissingRequiredArgument,
                &format!("--format {} needs {flag}", self.format),
            ),
        };
        match self.format {
            TokenFormat::Akeyless => Dialect::Akeyless,
            TokenFormat::Vault => {
                Dialect::Vault { role: self.role.clone(), server_id: self.server_id.clone() }
            }
            TokenFormat::Infisical => {
                Dialect::Infisical { identity_id: needed("--identity-id", &self.identity_id) }
            }
            TokenFormat::Eks => {
                Dialect::Eks { cluster: needed("--cluster-name", &self.cluster_name) }
            }
            _ => Dialect::Rolecall {
                audience: needed("--audience", &self.audience),
                challenge: self.challenge.clone(),
                lifetime: self
                    .lifetime
                    .map_or(Dialect::LIFETIME, |seconds| Duration::from_secs(seconds.into())),
            },
        }
    }
}

/// Written as it is: a value of serde_json would leave a copy of the token behind.
#[derive(Serialize)]
struct Printed<'a> {
    format: &'a str,
    token: &'a str,
    signed_at: String,
    expires_at: String,
}

pub(super) fn run(global: &Global, args: &TokenArgs) -> Result<ExitCode, Failure> {
    let options = TokenOptions {
        dialect: args.dialect(),
        region: global.region.clone(),
        sts_url: args.sts_url.clone(),
    };
    let token = TokenSource::new(&crate::commands::session(global)?, options)?.token_blocking()?;
    let text = token.text.expose();
    if global.debug {
        let inspection = inspect(text).map_err(CredentialsError::from)?;
        warn(&format!("the token holds {}", inspection.to_json()));
    }
    if global.json {
        return print_json(&Printed {
            format: token.format.name(),
            token: text,
            signed_at: timestamp::format(token.signed_at),
            expires_at: timestamp::format(token.expires_at),
        });
    }
    print(text)?;
    print("\n")
}
