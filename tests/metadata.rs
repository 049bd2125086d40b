//! Sessions on EC2 instances and in containers, against the kit.

#![expect(clippy::unwrap_used, reason = "a broken kit fails its test")]

use std::net::TcpListener;
use std::sync::Arc;

use rolecall::core::http::{WebClient, WebSettings};
use rolecall::core::{Clock, Env, Fs};
use rolecall::{
    Context, CredentialsError, ErrorKind, Explanation, Session, SessionOptions, block_on,
};
use rolecall_kit::{Kit, World, names};

/// A machine with this config file and these variables, and no others.
struct Machine {
    context: Context,
    _folder: tempfile::TempDir,
}

impl Machine {
    fn new(config: &str, pairs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fs = Fs::rooted(folder.path());
        fs.create_folder("/home/.aws".as_ref()).unwrap();
        fs.write("/home/.aws/config".as_ref(), config.as_bytes()).unwrap();
        let mut env = vec![("HOME", "/home"), ("AWS_REGION", "us-east-1")];
        env.extend(pairs);
        let context = Context {
            env: Env::from_pairs(env),
            fs,
            clock: Clock::real(),
            http: Arc::new(WebClient::new(WebSettings::default(), Fs::real())),
            ..Context::fake()
        };
        Self { context, _folder: folder }
    }

    fn options(&self) -> SessionOptions {
        SessionOptions { context: Some(self.context.clone()), ..SessionOptions::default() }
    }

    fn session(&self) -> Session {
        Session::new(self.options()).unwrap()
    }

    /// Who the session's credentials are, as STS sees it.
    fn identity(&self) -> String {
        block_on(async { self.session().sts().unwrap().get_caller_identity().await })
            .unwrap()
            .unwrap()
            .arn
    }

    fn error(&self) -> CredentialsError {
        self.session().credentials_blocking().unwrap_err()
    }
}

fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

const INSTANCE: &str = "arn:aws:sts::111111111111:assumed-role/Instance/i-0a1b2c3d4e5f60718";
const TASK: &str = "arn:aws:sts::111111111111:assumed-role/Task/container";

#[test]
fn the_default_chain_ends_at_the_instance_role() {
    let kit = Kit::start(World::default());
    let (sts, imds) = (kit.url(), kit.imds_url());
    let env = [("AWS_ENDPOINT_URL_STS", &*sts), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*imds)];
    assert_eq!(Machine::new("", &env).identity(), INSTANCE);
    let in_file = format!("[default]\nec2_metadata_service_endpoint = {imds}\n");
    assert_eq!(Machine::new(&in_file, &env[..1]).identity(), INSTANCE);
}

#[test]
fn containers_go_before_the_instance() {
    let kit = Kit::start(World::default());
    let (sts, imds) = (kit.url(), kit.imds_url());
    let (ecs, eks) = (kit.container_url(), kit.pod_identity_url());
    for (uri, token) in [(ecs, ""), (eks, names::POD_TOKEN)] {
        let machine = Machine::new(
            "",
            &[
                ("AWS_ENDPOINT_URL_STS", &sts),
                ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &imds),
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN", token),
            ],
        );
        assert_eq!(machine.identity(), TASK);
    }
    assert_eq!(kit.count("imds:token"), 0);
}

#[test]
fn a_profile_assumes_a_role_from_either() {
    let kit = Kit::start(World::default());
    kit.change_world(|world| {
        let hop = world.roles.iter_mut().find(|role| role.name == "Hop").unwrap();
        hop.trust.principals.extend([names::INSTANCE.to_owned(), names::TASK.to_owned()]);
    });
    let (sts, imds, container) = (kit.url(), kit.imds_url(), kit.container_url());
    let env = [
        ("AWS_ENDPOINT_URL_STS", &*sts),
        ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*imds),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*container),
    ];
    for source in ["Ec2InstanceMetadata", "EcsContainer"] {
        let config = format!(
            "[default]\nrole_arn = {}\nrole_session_name = me\ncredential_source = {source}\n",
            names::HOP
        );
        let hop = "arn:aws:sts::222222222222:assumed-role/Hop/me";
        assert_eq!(Machine::new(&config, &env).identity(), hop);
    }
    assert_eq!((kit.count("imds:token"), kit.count("container:ecs")), (1, 1));
}

#[test]
fn without_a_metadata_service_the_error_lists_all_that_was_tried() {
    let nowhere = closed_port();
    let imds = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", nowhere.as_str());
    let error = Machine::new("[profile other]\nregion = x\n", &[imds]).error();
    assert_eq!(error.kind(), ErrorKind::NotConfigured);
    for link in [
        "environment: AWS_ACCESS_KEY_ID is not set",
        "profile: none of the 1 profiles is default",
        "web identity: ",
        "container: ",
        &format!("IMDS: there is no EC2 metadata service at {nowhere}"),
    ] {
        assert!(error.message().contains(link), "{link}: {error}");
    }
    let kit = Kit::start(World::default());
    kit.change_world(|world| world.imds.enabled = false);
    let disabled = kit.imds_url();
    let error = Machine::new("", &[(imds.0, &disabled)]).error();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.message().contains("403"), "{error}");
    assert!(error.message().contains("environment: AWS_ACCESS_KEY_ID is not set"), "{error}");

    let config = "[default]\ncredential_source = Ec2InstanceMetadata\n";
    let error = Machine::new(config, &[imds]).error();
    assert_eq!(error.kind(), ErrorKind::InvalidConfiguration);
    assert!(
        error.message().starts_with("credential_source is Ec2InstanceMetadata, but"),
        "{error}"
    );
}

#[test]
fn settings_that_make_no_sense_are_found_offline() {
    let mode = ("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5");
    let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/x");
    for (pair, says) in [(mode, "IPv5"), (uri, "192.0.2.1")] {
        let machine = Machine::new("", &[pair]);
        let explanation = Explanation::new(machine.options()).unwrap();
        assert_eq!(explanation.worst_problem(), Some(ErrorKind::InvalidConfiguration));
        assert!(explanation.to_string().contains(says), "{explanation}");
    }
    let config =
        "[default]\ncredential_source = Ec2InstanceMetadata\nmetadata_service_timeout = x\n";
    let explanation = Explanation::new(Machine::new(config, &[]).options()).unwrap().to_string();
    assert!(
        explanation.contains("metadata_service_timeout (/home/.aws/config:3)"),
        "{explanation}"
    );
}
