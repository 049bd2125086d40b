use std::path::Path;

use rolecall_core::{Env, Fs};
use rolecall_kit::rolesanywhere::NewCertificate;
use rolecall_kit::{Kit, World, names};

use super::*;
use crate::{Session, SessionOptions, cached_credentials};

/// A machine whose Roles Anywhere is the kit.
struct Machine {
    kit: Kit,
    context: Context,
    _folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = Env::from_pairs([("HOME", "/home")]);
        let fs = Fs::rooted(folder.path());
        let http = Arc::new(WebClient::new(WebSettings::from_env(&env), fs.clone()));
        let context = Context { env, fs, http, ..Context::real() };
        Self { kit: Kit::start(World::default()), context, _folder: folder }
    }

    /// Puts the key and a new certificate of somebody where the options look for them.
    fn put(&self, name: &str) {
        let certificate = NewCertificate { common_name: name.to_owned(), ..Default::default() };
        let issued = self.kit.issue(&certificate);
        let pair = format!("{}{}", issued.certificate, issued.private_key.unwrap().expose());
        self.context.fs.write(Path::new("/pair.pem"), pair.as_bytes()).unwrap();
    }

    fn session(&self) -> Session {
        let identity = IdentitySource {
            certificate: Some(IdentitySource::locate("/pair.pem")),
            ..IdentitySource::default()
        };
        let certificate = RolesAnywhereOptions {
            request: RolesAnywhere {
                trust_anchor_arn: names::TRUST_ANCHOR.to_owned(),
                profile_arn: names::PROFILE.to_owned(),
                role_arn: names::WORKLOAD.to_owned(),
                ..RolesAnywhere::default()
            },
            identity: identity.into(),
            endpoint_url: Some(self.kit.url()),
            ..RolesAnywhereOptions::default()
        };
        let options = SessionOptions {
            context: Some(self.context.clone()),
            roles_anywhere: Some(certificate),
            ..SessionOptions::default()
        };
        Session::new(options).unwrap()
    }

    fn cached(&self) -> usize {
        cached_credentials(&self.context).unwrap().len()
    }
}

#[tokio::test]
async fn what_another_identity_got_is_not_kept_as_that_of_the_one_before() {
    let machine = Machine::new();
    machine.put("one");
    let session = machine.session();
    machine.put("two");
    let of_two = session.credentials().await.unwrap();
    assert_eq!(machine.cached(), 0);
    machine.put("one");
    let of_one = machine.session().credentials().await.unwrap();
    assert_ne!(of_one, of_two);
    assert_eq!(machine.cached(), 1);
    // A renewed certificate is the same identity's.
    machine.context.fs.remove(&cache_file(&machine)).unwrap();
    let session = machine.session();
    machine.put("one");
    session.credentials().await.unwrap();
    assert_eq!(machine.cached(), 1);
}

fn cache_file(machine: &Machine) -> std::path::PathBuf {
    let entries = cached_credentials(&machine.context).unwrap();
    Path::new("/home/.aws/cli/cache").join(&entries[0].name)
}
