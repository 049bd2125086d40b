use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand, ValueEnum};
use rolecall::eks::{self, ExecApi, ExecCommand, Role, UpdateKubeconfig};
use rolecall::{SessionOptions, block_on};

use crate::args::Global;
use crate::output::{Failure, print, print_json, warn};

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
    /// Write a cluster's entries into a kubeconfig file and make them the current ones, as `aws eks
    /// update-kubeconfig` does; all other bytes of the file stay
    UpdateKubeconfig(UpdateKubeconfigArgs),
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

#[derive(Args)]
struct UpdateKubeconfigArgs {
    /// The cluster's name
    #[arg(long)]
    name: String,
    /// The file; without it the one of KUBECONFIG that has the cluster, else the first there, else
    /// ~/.kube/config
    #[arg(long, value_name = "PATH")]
    kubeconfig: Option<PathBuf>,
    /// The role to make tokens with
    #[arg(long, visible_alias = "role", value_name = "ARN")]
    role_arn: Option<String>,
    /// The role to ask EKS for the cluster with, in the cluster's account
    #[arg(long, value_name = "ARN")]
    assume_role_arn: Option<String>,
    /// The proxy in front of the cluster
    #[arg(long, value_name = "URL")]
    proxy_url: Option<String>,
    /// The context's name; the user's otherwise
    #[arg(long, value_name = "NAME")]
    alias: Option<String>,
    /// The user's name; the cluster's ARN otherwise
    #[arg(long, value_name = "NAME")]
    user_alias: Option<String>,
    /// The program that the file names for tokens
    #[arg(long, value_name = "PROGRAM", default_value = "aws")]
    command: CommandName,
    /// Print the whole file instead of writing it
    #[arg(long)]
    dry_run: bool,
    /// Print the entries too
    #[arg(long)]
    verbose: bool,
    /// Taken for AWS CLI's sake
    #[arg(long, hide = true)]
    output: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum CommandName {
    Aws,
    Rolecall,
}

pub(crate) fn run(global: &Global, eks: &EksCommand) -> Result<ExitCode, Failure> {
    match &eks.command {
        Command::GetToken(args) => get_token(global, args),
        Command::UpdateKubeconfig(args) => update_kubeconfig(global, args),
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

fn update_kubeconfig(global: &Global, args: &UpdateKubeconfigArgs) -> Result<ExitCode, Failure> {
    let wanted = UpdateKubeconfig {
        name: args.name.clone(),
        kubeconfig: args.kubeconfig.clone(),
        role_arn: args.role_arn.clone(),
        assume_role_arn: args.assume_role_arn.clone(),
        proxy_url: args.proxy_url.clone(),
        alias: args.alias.clone(),
        user_alias: args.user_alias.clone(),
        command: match args.command {
            CommandName::Aws => ExecCommand::Aws,
            CommandName::Rolecall => ExecCommand::Rolecall,
        },
        endpoint_url: global.endpoint_url.clone(),
    };
    // Here the URL is that of EKS, as AWS CLI has it.
    let options = SessionOptions { endpoint_url: None, ..super::options(global) };
    let update = block_on(wanted.plan(options))??;
    for passed_over in update.warnings() {
        warn(&format!("warning: passed over: {passed_over}"));
    }
    if let Some(path) = update.overruled_by() {
        warn(&format!(
            "warning: kubectl takes the current context of {}, which comes first in KUBECONFIG",
            path.display()
        ));
    }
    if args.dry_run {
        return print(&update.text()?);
    }
    let is_changed = block_on(update.write())??;
    let (context, path) = (update.context_name(), update.path().display());
    if global.json {
        return print_json(&update.to_json(is_changed));
    }
    print(&match (is_changed, update.is_update()) {
        (true, true) => format!("Updated context {context} in {path}\n"),
        (true, false) => format!("Added new context {context} to {path}\n"),
        (false, _) => format!("Context {context} is already in {path}: nothing was changed\n"),
    })?;
    if args.verbose {
        let [context, user, cluster] = update.entries();
        print(&format!("Entries:\n\n{context}\n{user}\n{cluster}\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}
