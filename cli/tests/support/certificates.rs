use std::fs;

use rolecall_kit::names;
use rolecall_kit::rolesanywhere::NewCertificate;

use super::{Running, Sandbox, path_text};

impl Sandbox {
    /// A machine that asks the sandbox's AWS for sessions of Roles Anywhere too, with a certificate
    /// in `host.pem` and its key in `host.key`.
    pub(crate) fn with_certificate() -> Self {
        let sandbox = Self::new();
        let url = sandbox.kit.url();
        let sandbox = sandbox.set("AWS_ENDPOINT_URL_ROLESANYWHERE", url);
        sandbox.issue("host", &NewCertificate::default());
        sandbox
    }

    /// Writes a new certificate with its chain to `NAME.pem`, and its key to `NAME.key`.
    pub(crate) fn issue(&self, name: &str, certificate: &NewCertificate) {
        let issued = self.kit.issue(certificate);
        self.file(&format!("{name}.pem"), &format!("{}{}", issued.certificate, issued.chain));
        self.file(&format!("{name}.key"), issued.private_key.unwrap().expose());
    }

    /// The program under the name of AWS's helper.
    pub(crate) fn helper(&self) -> String {
        let path = self.home().join("bin/aws_signing_helper");
        if !path.exists() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let program = env!("CARGO_BIN_EXE_rolecall");
            // Another disk has no hard links to it.
            fs::hard_link(program, &path)
                .or_else(|_| fs::copy(program, &path).map(|_| ()))
                .unwrap();
        }
        path_text(&path)
    }

    /// Starts the program under that name.
    pub(crate) fn start_helper(&self, args: &[&str]) -> Running {
        let mut command = std::process::Command::new(self.helper());
        command.args(args);
        self.dress(&mut command);
        Running::start(&mut command, b"")
    }
}

/// What is asked for, as flags.
pub(crate) fn request_flags(role: &str) -> [&str; 6] {
    let (anchor, profile) = (names::TRUST_ANCHOR, names::PROFILE);
    ["--trust-anchor-arn", anchor, "--profile-arn", profile, "--role-arn", role]
}

/// The flags of `host.pem`, which role `Workload` takes.
pub(crate) fn flags() -> Vec<&'static str> {
    let identity = ["--certificate", "host.pem", "--private-key", "host.key"];
    [&identity[..], &request_flags(names::WORKLOAD)].concat()
}
