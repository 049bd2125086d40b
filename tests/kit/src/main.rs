//! `rolecall-kit`: the kit as a program, for tests in other languages.

use std::path::PathBuf;
use std::process::ExitCode;

use rolecall_kit::{Kit, Options, World, names, read_file, write_file};

const USAGE: &str = "\
usage: rolecall-kit [--port N] [--tls] [--world FILE.json] [--ca-out FILE] [--no-stdin]

Serves an AWS on 127.0.0.1, and on ports of their own the metadata service of an
instance and a container's endpoint, prints one line of JSON when ready, and stops when its
standard input ends (unless --no-stdin) or on SIGTERM or SIGINT.";

#[derive(Default)]
struct Arguments {
    port: u16,
    tls: bool,
    world: Option<PathBuf>,
    ca_out: Option<PathBuf>,
    no_stdin: bool,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(problem) => {
            eprintln!("rolecall-kit: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("rolecall-kit: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut given: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut arguments = Arguments::default();
    while let Some(flag) = given.next() {
        let mut value = || given.next().ok_or_else(|| format!("{flag} needs a value"));
        match flag.as_str() {
            "--port" => {
                arguments.port = value()?.parse().map_err(|_| "--port needs a port".to_owned())?;
            }
            "--tls" => arguments.tls = true,
            "--world" => arguments.world = Some(value()?.into()),
            "--ca-out" => {
                arguments.ca_out = Some(value()?.into());
                arguments.tls = true;
            }
            "--no-stdin" => arguments.no_stdin = true,
            "--help" | "-h" => return Ok(None),
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(Some(arguments))
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let mut world = World::default();
    if let Some(path) = &arguments.world {
        let text = read_file(path).map_err(|error| format!("{}: {error}", path.display()))?;
        world =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let options = Options { world, port: arguments.port, tls: arguments.tls };
    let kit = Kit::start_with(options).map_err(|error| error.to_string())?;
    if let (Some(path), Some(pem)) = (&arguments.ca_out, kit.ca_pem()) {
        write_file(path, pem).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    // The default world's keys; a world of one's own has those its file says.
    println!(
        "{}",
        serde_json::json!({
            "url": kit.url(),
            "port": kit.port(),
            "tls_url": kit.tls_url(),
            "ca_pem": kit.ca_pem(),
            "imds_url": kit.imds_url(),
            "imds_port": kit.imds_port(),
            "container_url": kit.container_url(),
            "pod_identity_url": kit.pod_identity_url(),
            "container_port": kit.container_port(),
            "pod_token": names::POD_TOKEN,
            "access_key_id": names::ALICE_KEY,
            "secret_access_key": names::ALICE_SECRET,
            "admin_access_key_id": names::ADMIN_KEY,
            "admin_secret_access_key": names::ADMIN_SECRET,
            "mfa_serial": names::ALICE_MFA,
            "mfa_codes": names::ALICE_MFA_CODES,
            "roles": {
                "Hop": names::HOP, "Deploy": names::DEPLOY, "Final": names::FINAL,
                "Web": names::WEB, "Saml": names::SAML, "Mfa": names::MFA,
                "External": names::EXTERNAL, "Long": names::LONG,
                "Instance": names::INSTANCE, "Task": names::TASK,
                "Leases": names::LEASES, "LeasesInfisical": names::LEASES_INFISICAL,
            },
            "external_id": names::EXTERNAL_ID,
            "saml_provider": names::SAML_PROVIDER,
            "oidc_issuer": names::OIDC_ISSUER,
            "sso_user": names::SSO_USER,
            "sso_role": names::SSO_ROLE,
        })
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime
        .and_then(|runtime| runtime.block_on(wait(arguments.no_stdin)))
        .map_err(|e| e.to_string())
}

/// Until there is a reason to stop.
async fn wait(no_stdin: bool) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A thread of our own reads: the runtime's would keep the program alive until its read ends.
    let (ended, stdin_end) = tokio::sync::oneshot::channel();
    if !no_stdin {
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            let _ = ended.send(());
        });
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        Ok(()) = stdin_end => {}
    }
    Ok(())
}
