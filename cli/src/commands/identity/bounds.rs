//! The flags of bounds, with the names that Akeyless gives them.

use std::process::ExitCode;

use clap::Args;
use rolecall::ErrorKind;
use rolecall::identity::{Bounds, BoundsEdit, Lint, Severity};
use serde_json::json;

use crate::args::Global;
use crate::output::{Failure, print, print_json};

// Of each kind that is given one must fit, and all kinds must.
#[derive(Args)]
pub(crate) struct BoundsArgs {
    /// An account that may come in; at least one
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    bound_aws_account_id: Option<Vec<String>>,
    /// The ARN of a user, role or session; * and ? may stand in names
    #[arg(long, value_name = "ARN")]
    bound_arn: Option<Vec<String>>,
    /// A role's name
    #[arg(long, value_name = "NAME")]
    bound_role_name: Option<Vec<String>>,
    /// A role's id: AROA…
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    bound_role_id: Option<Vec<String>>,
    /// A user's name
    #[arg(long, value_name = "NAME")]
    bound_user_name: Option<Vec<String>>,
    /// A user's id: AIDA…
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    bound_user_id: Option<Vec<String>>,
    /// A session's name, with * and ?: the caller chooses it
    #[arg(long, value_name = "NAME")]
    bound_session_name: Option<Vec<String>>,
    /// What names the identity: account_id, principal_arn, role_name, role_id, user_name or user_id
    #[arg(long, value_name = "CLAIM")]
    unique_identifier: Option<String>,
    /// The STS to ask, for which tokens must be made, instead of AWS's own hosts
    #[arg(long, value_name = "URL")]
    sts_url: Option<String>,
    /// The partition: aws, aws-cn, aws-us-gov … (aws if none is given)
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
}

impl BoundsArgs {
    pub(super) fn edit(&self) -> BoundsEdit {
        BoundsEdit {
            account_ids: self.bound_aws_account_id.clone(),
            arns: self.bound_arn.clone(),
            role_names: self.bound_role_name.clone(),
            role_ids: self.bound_role_id.clone(),
            user_names: self.bound_user_name.clone(),
            user_ids: self.bound_user_id.clone(),
            session_names: self.bound_session_name.clone(),
            unique_identifier: self.unique_identifier.clone(),
            sts_url: self.sts_url.clone(),
            partition: self.partition.clone(),
        }
    }

    pub(super) fn bounds(&self) -> Result<Bounds, Failure> {
        let mut bounds = Bounds::default();
        self.edit().apply(&mut bounds)?;
        Ok(bounds)
    }
}

#[derive(Args)]
#[command(
    after_help = "Exit codes: 4 if there can be no policy with these bounds, else 0, also with \
                  warnings."
)]
pub(crate) struct LintArgs {
    #[command(flatten)]
    bounds: BoundsArgs,
}

pub(super) fn lint(global: &Global, args: &LintArgs) -> Result<ExitCode, Failure> {
    let lints = args.bounds.bounds()?.lint();
    if global.json {
        let lints: Vec<_> = lints.iter().map(Lint::to_json).collect();
        print_json(&json!({ "lints": lints }))?;
    } else if lints.is_empty() {
        print("Nothing is wrong with these bounds.\n")?;
    } else {
        let lines = lints
            .iter()
            .map(|lint| format!("{}: {} ({})\n", lint.severity.name(), lint.message, lint.code));
        print(&lines.collect::<String>())?;
    }
    let is_wrong = lints.iter().any(|lint| lint.severity == Severity::Error);
    let wrong = ExitCode::from(ErrorKind::InvalidConfiguration.exit_code());
    Ok(if is_wrong { wrong } else { ExitCode::SUCCESS })
}
