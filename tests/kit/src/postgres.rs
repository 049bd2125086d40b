//! A PostgreSQL server of the test's own.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::OnceLock;

use crate::tls;

/// A private PostgreSQL server on a port of `127.0.0.1`, with its files in a folder of its own.
/// Both go when this is dropped or its process ends, however that ends.
pub struct Postgres {
    port: u16,
    password: String,
    /// The server runs until this is closed.
    _alive: ChildStdin,
}

/// Runs the server until its input ends. Arguments: its programs' folder, port, password, more
/// settings.
const SCRIPT: &str = r#"
set -eu
programs=$1 port=$2 password=$3
shift 3
folder=$(mktemp -d /tmp/rolecall-postgres.XXXXXX)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
printf '%s' "$password" > password
"$programs/initdb" -D data -A scram-sha-256 --pwfile=password -U postgres -N -E UTF8 > initdb.log 2>&1 ||
    { cat initdb.log; exit 1; }
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    printf '%s\n' "$2" > "data/$1"
    chmod 600 "data/$1"
    shift 2
done
[ $# -eq 0 ] || shift
"$programs/postgres" -D data -p "$port" -c listen_addresses=127.0.0.1 \
    -c "unix_socket_directories=$folder" "$@" 2>&1 < /dev/null &
server=$!
# The output ends with the server.
exec > /dev/null 2>&1
cat
kill -INT $server
wait $server || true
"#;

impl Postgres {
    /// The server that the tests of one process share; each keeps to a schema of its own. It does
    /// not wait for the disk.
    ///
    /// # Panics
    /// If there is no PostgreSQL or it does not start.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[], &["fsync=off", "max_connections=300"]))
    }

    /// A server with these further `files` (name and text) in its data folder and these further
    /// settings.
    ///
    /// # Panics
    /// If there is no PostgreSQL or it does not start.
    #[expect(clippy::panic, reason = "a test without its server has failed")]
    pub fn start(files: &[(&str, &str)], settings: &[&str]) -> Self {
        let Some(programs) = programs() else {
            panic!("these tests need PostgreSQL below /usr/lib/postgresql: run `make peers`");
        };
        let port = free_port();
        let password = format!("password-{:016x}", u64::from(std::process::id()) << 16 | 0xbeef);
        let mut command = shell();
        command.args(["sh", "-c", SCRIPT, "sh"]).arg(programs).arg(port.to_string()).arg(&password);
        command.args(files.iter().flat_map(|(name, text)| [name, text]));
        command.arg("--").args(settings.iter().flat_map(|setting| ["-c", setting]));
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("PostgreSQL did not start: {error}"));
        let (Some(alive), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            panic!("PostgreSQL's server has no input and output");
        };
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let mut said = Vec::new();
        for line in lines.by_ref() {
            let is_ready = line.contains("ready to accept connections");
            said.push(line);
            if is_ready {
                // Whoever does not read what it says stops it.
                std::thread::spawn(move || {
                    lines.for_each(drop);
                    let _ = child.wait();
                });
                return Self { port, password, _alive: alive };
            }
        }
        drop(alive);
        let _ = child.wait();
        panic!("PostgreSQL did not start:\n{}", said.join("\n"));
    }

    /// A server that speaks TLS with a certificate for `name`, and the PEM of the authority that
    /// vouches for it.
    ///
    /// # Panics
    /// If there is no PostgreSQL or it does not start.
    #[expect(clippy::panic, reason = "a test without its server has failed")]
    pub fn start_with_tls(name: &str) -> (Self, String) {
        let (certificate, key, authority) =
            tls::certificate(name).unwrap_or_else(|error| panic!("no certificate: {error}"));
        let files = [("server.crt", certificate.as_str()), ("server.key", key.as_str())];
        (Self::start(&files, &["ssl=on", "fsync=off"]), authority)
    }

    /// The URL of its database, with the password of its superuser.
    pub fn url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The password of its superuser.
    pub fn password(&self) -> &str {
        &self.password
    }
}

/// The newest version's programs, where Debian puts them.
#[expect(clippy::disallowed_methods, reason = "the kit stands outside the seams")]
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let folders = versions.map(|version| version.path().join("bin"));
    folders.filter(|folder| folder.join("initdb").exists()).max()
}

/// The server refuses to run as root.
#[expect(clippy::disallowed_methods, reason = "the kit stands outside the seams")]
fn shell() -> Command {
    let is_root = std::path::Path::new("/proc/self")
        .metadata()
        .is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) == 0);
    if is_root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]);
        return command;
    }
    Command::new("env")
}

#[expect(clippy::panic, reason = "a test without its server has failed")]
fn free_port() -> u16 {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    bound.map_or_else(|error| panic!("no port is free: {error}"), |address| address.port())
}
