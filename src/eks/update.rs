//! Entries of clusters in kubeconfig files, as `aws eks update-kubeconfig` makes them.

use std::fmt;
use std::path::{Path, PathBuf};

use rolecall_core::endpoint::{self, Overrides, Service};
use rolecall_core::{CredentialsError, ErrorKind, Result};
use rolecall_sts::{Cluster, EksClient};
use zeroize::Zeroizing;

use super::kubeconfig::{self, Entries, Kubeconfigs, Value};
use super::token::{Role, assume};
use crate::setup::Setup;
use crate::{Session, SessionOptions};

/// The name of the session that asks for the cluster, as AWS CLI's.
const SESSION_NAME: &str = "EKSDescribeClusterSession";
/// The version that every Kubernetes since 1.11 reads.
const EXEC_API: &str = "client.authentication.k8s.io/v1beta1";

/// The program that a kubeconfig names for tokens. Both take the same arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExecCommand {
    /// AWS CLI.
    #[default]
    Aws,
    /// rolecall.
    Rolecall,
}

impl ExecCommand {
    /// As it stands in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Rolecall => "rolecall",
        }
    }
}

/// A cluster to put into a kubeconfig. Only `name` is needed.
#[derive(Clone, Debug, Default)]
pub struct UpdateKubeconfig {
    /// The cluster.
    pub name: String,
    /// The file; `None` takes those of `KUBECONFIG`, else `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// The role that tokens are to be made with.
    pub role_arn: Option<String>,
    /// The role that asks for the cluster.
    pub assume_role_arn: Option<String>,
    /// The proxy in front of the cluster.
    pub proxy_url: Option<String>,
    /// The context's name; the user's if it is `None` or empty.
    pub alias: Option<String>,
    /// The user's name; the cluster's ARN if it is `None` or empty.
    pub user_alias: Option<String>,
    /// The program for tokens.
    pub command: ExecCommand,
    /// The URL of EKS, above `AWS_ENDPOINT_URL_EKS` and the profile's.
    pub endpoint_url: Option<String>,
}

/// What [`UpdateKubeconfig::plan`] found: the file, and what it is to hold.
pub struct KubeconfigUpdate {
    session: Session,
    entries: Entries,
    path: PathBuf,
    is_update: bool,
    warnings: Vec<CredentialsError>,
    overruled_by: Option<PathBuf>,
}

impl fmt::Debug for KubeconfigUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeconfigUpdate")
            .field("path", &self.path)
            .field("context_name", &self.context_name())
            .field("is_update", &self.is_update)
            .finish_non_exhaustive()
    }
}

impl UpdateKubeconfig {
    /// Asks EKS for the cluster, and looks for the file. Nothing is written.
    ///
    /// # Errors
    /// As [`Session::new`] and [`EksClient::describe_cluster`]; `Unavailable` for a cluster that is
    /// being made, `InvalidConfiguration` for one that is not there, a role that is none and a file
    /// that cannot be read.
    pub async fn plan(&self, options: SessionOptions) -> Result<KubeconfigUpdate> {
        self.check_role()?;
        let mut setup = Setup::read(options.clone())?;
        if let Some(role_arn) = &self.assume_role_arn {
            let role = Role { role_arn: role_arn.clone(), ..Role::default() };
            assume(&mut setup, &role, SESSION_NAME, "--assume-role-arn");
        }
        let overrides = Overrides {
            region: options.region.as_deref(),
            endpoint_url: self.endpoint_url.as_deref(),
            ..Overrides::default()
        };
        let endpoint =
            endpoint::resolve(Service::Eks, &setup.endpoint_options(Service::Eks, overrides)?)?;
        let retry = setup.retry()?;
        let session = Session::of(setup)?;
        let client = EksClient {
            context: session.context().clone(),
            endpoint: endpoint.into(),
            credentials: session.provider(),
            retry,
        };
        let cluster = usable(client.describe_cluster(&self.name).await?)?;
        let profile = options
            .profile
            .or_else(|| session.context().env.first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]));
        let entries = self.entries(&cluster, profile.as_deref())?;
        let files = Kubeconfigs::of(session.context(), self.kubeconfig.as_deref())?;
        let chosen = files.choose(&entries.cluster_name, &entries.context_name)?;
        Ok(KubeconfigUpdate {
            entries,
            path: chosen.path,
            is_update: chosen.has_cluster,
            warnings: chosen.warnings,
            overruled_by: chosen.overruled_by,
            session,
        })
    }

    /// Refuses a role that is none: only kubectl would find out, at each call.
    fn check_role(&self) -> Result<()> {
        let Some(role) = &self.role_arn else { return Ok(()) };
        let parts: Vec<_> = role.splitn(6, ':').collect();
        if matches!(parts[..], ["arn", _, "iam", "", _, name] if name.starts_with("role/")) {
            return Ok(());
        }
        let shown = rolecall_core::printable(role, 80);
        let message = format!("{shown} is not the ARN of a role");
        Err(CredentialsError::new(ErrorKind::InvalidConfiguration, "--role-arn", message)
            .with_help("write arn:aws:iam::ACCOUNT:role/NAME"))
    }

    fn entries(&self, cluster: &Cluster, profile: Option<&str>) -> Result<Entries> {
        let malformed = |what: &str| {
            let message = format!("the answer has no {what}");
            CredentialsError::new(ErrorKind::Malformed, "EKS DescribeCluster", message)
                .with_help("a proxy or a wrong endpoint URL may have answered")
        };
        let region = cluster.arn.split(':').nth(3).filter(|region| !region.is_empty());
        let region = region.ok_or_else(|| malformed("ARN of a cluster"))?;
        let server = cluster.endpoint.as_deref().ok_or_else(|| malformed("endpoint"))?;
        let mut described = Value::map([
            ("certificate-authority-data", text(cluster.certificate_authority.as_deref())),
            ("server", Value::text(server)),
        ]);
        if let Some(proxy) = &self.proxy_url {
            described.set("proxy-url", Value::text(proxy));
        }
        // A local cluster on Outposts is known by its id alone.
        let (flag, identifier) = match cluster.is_local {
            false => ("--cluster-name", self.name.as_str()),
            true => ("--cluster-id", cluster.id.as_deref().ok_or_else(|| malformed("id"))?),
        };
        let mut args =
            vec!["--region", region, "eks", "get-token", flag, identifier, "--output", "json"];
        if let Some(role_arn) = &self.role_arn {
            args.extend(["--role", role_arn]);
        }
        let mut exec = Value::map([
            ("apiVersion", Value::text(EXEC_API)),
            ("args", Value::List(args.into_iter().map(Value::text).collect())),
            ("command", Value::text(self.command.name())),
        ]);
        if let Some(profile) = profile {
            let variable =
                Value::map([("name", Value::text("AWS_PROFILE")), ("value", Value::text(profile))]);
            exec.set("env", Value::List(vec![variable]));
        }
        // Empty ones are none, as for AWS CLI.
        let given = |alias: &Option<String>| alias.clone().filter(|alias| !alias.is_empty());
        let user_name = given(&self.user_alias).unwrap_or_else(|| cluster.arn.clone());
        Ok(Entries {
            cluster_name: cluster.arn.clone(),
            cluster: described,
            context_name: given(&self.alias).unwrap_or_else(|| user_name.clone()),
            user_name,
            user: Value::map([("exec", exec)]),
        })
    }
}

impl KubeconfigUpdate {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the context, which becomes the current one.
    pub fn context_name(&self) -> &str {
        &self.entries.context_name
    }

    /// Whether the file has the cluster already.
    pub fn is_update(&self) -> bool {
        self.is_update
    }

    /// The files of `KUBECONFIG` that were passed over, as they cannot be understood.
    pub fn warnings(&self) -> &[CredentialsError] {
        &self.warnings
    }

    /// The file before it in `KUBECONFIG` whose `current-context` is another, and which kubectl
    /// believes.
    pub fn overruled_by(&self) -> Option<&Path> {
        self.overruled_by.as_deref()
    }

    /// The entries as YAML: of the context, the user and the cluster.
    pub fn entries(&self) -> [String; 3] {
        self.entries.to_yaml()
    }

    /// What the file is to hold. It may hold secrets of others.
    ///
    /// # Errors
    /// `InvalidConfiguration` if the file cannot be read, understood or changed safely.
    pub fn text(&self) -> Result<Zeroizing<String>> {
        kubeconfig::with(self.session.context(), &self.path, &self.entries)
    }

    /// Writes the file: as a whole, every byte kept that is not of these entries. `false`: it says all
    /// of it already, and nothing was written.
    ///
    /// # Errors
    /// As [`Self::text`]; `InvalidConfiguration` if it may not be written, `Unavailable` if another
    /// process holds its lock for long, `Internal` if the disk is full. It is then as it was.
    pub async fn write(&self) -> Result<bool> {
        kubeconfig::write(self.session.context(), &self.path, &self.entries).await
    }
}

fn text(text: Option<&str>) -> Value {
    Value::text(text.unwrap_or_default())
}

/// The cluster, if it answers calls.
fn usable(cluster: Cluster) -> Result<Cluster> {
    if ["ACTIVE", "UPDATING"].contains(&cluster.status.as_str()) {
        return Ok(cluster);
    }
    let (kind, help) = match cluster.status.as_str() {
        "CREATING" | "PENDING" => {
            (ErrorKind::Unavailable, "try again when it is active: aws eks wait cluster-active")
        }
        _ => (ErrorKind::InvalidConfiguration, "only a cluster that is active can be used"),
    };
    let message = format!("Cluster status is {}", cluster.status);
    Err(CredentialsError::new(kind, "EKS DescribeCluster", message).with_help(help))
}
