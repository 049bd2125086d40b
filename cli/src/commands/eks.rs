use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use rolecall::eks::{self, ExecApi, Role};

use crate::args::Global;
use crate::output::{Failure, print, warn};

#[derive(Args)]
#[command(subcommand_required = true)]
pub(crate) struct EksCommand {
    #[command(subcommand)]
    command: Command,
}

// Built only for `eks`: all other commands start without it.
#[derive(Subcommand)]
#[command(defer = true)]
enum Command {
    /// Print a token for a cluster, for the `exec` of a kubeconfig: as `aws eks get-token`, and with
    /// the flags of `aws-iam-authenticator token`
    #[command(alias = "token")]
    GetToken(GetTokenArgs),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct ClusterArgs {
    /// The cluster's name
    #[arg(long, value_name = "NAME")]
    cluster_name: Option<String>,
    /// The cluster's id, for a local cluster on Outposts
    #[arg(long, short = 'i', value_name = "ID")]
    cluster_id: Option<String>,
}

#[derive(Args)]
struct GetTokenArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Assume this role first, and sign with its credentials
    #[arg(long, short = 'r', visible_alias = "role", value_name = "ARN")]
    role_arn: Option<String>,
    /// The external id for that role
    #[arg(long, short = 'e', value_name = "ID", requires = "role_arn")]
    external_id: Option<String>,
    /// The name of that role's session; EKSGetTokenAuth otherwise
    #[arg(long, short = 's', value_name = "NAME", requires = "role_arn")]
    session_name: Option<String>,
    /// Print the token alone
    #[arg(long)]
    token_only: bool,
    /// Taken for AWS CLI's sake: the output is JSON
    #[arg(long, hide = true, value_parser = PossibleValuesParser::new(["json"]))]
    output: Option<String>,
}

pub(crate) fn run(global: &Global, eks: &EksCommand) -> Result<ExitCode, Failure> {
    match &eks.command {
        Command::GetToken(args) => get_token(global, args),
    }
}

fn get_token(global: &Global, args: &GetTokenArgs) -> Result<ExitCode, Failure> {
    let role = args.role_arn.as_ref().map(|role_arn| Role {
        role_arn: role_arn.clone(),
        external_id: args.external_id.clone(),
        session_name: args.session_name.clone(),
    });
    let session = eks::session(super::options(global), role.as_ref())?;
    let cluster = args.cluster.cluster_id.as_ref().or(args.cluster.cluster_name.as_ref());
    let token = eks::token_blocking(&session, cluster.map_or("", String::as_str))?;
    if args.token_only {
        print(token.token.expose())?;
        return print("\n");
    }
    let api = ExecApi::asked_for(session.context());
    if let Some(warning) = &api.warning {
        warn(warning);
    }
    print(&eks::exec_credential(&token, &api))
}
