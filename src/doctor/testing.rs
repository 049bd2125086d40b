//! What the tests of this module share.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rolecall_core::{Context, Env, Fs, Process};

use super::Finding;
use crate::SessionOptions;
use crate::setup::Setup;

/// A machine with the home folder `/home`, these variables and no others; nothing may be run.
pub(super) struct Machine {
    pub(super) context: Context,
    folder: tempfile::TempDir,
    /// Kept open, so that they do not end.
    pipes: Vec<(std::io::PipeReader, std::io::PipeWriter)>,
}

impl Machine {
    pub(super) fn new(pairs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = [("HOME", "/home")].into_iter().chain(pairs.iter().copied());
        let context = Context {
            env: Env::from_pairs(env),
            fs: Fs::rooted(folder.path()),
            process: Process::fake(|_| panic!("doctor runs a program")),
            ..Context::fake()
        };
        context.fs.create_folder(Path::new("/home/.aws")).unwrap();
        Self { context, folder, pipes: Vec::new() }
    }

    pub(super) fn config(self, text: &str) -> Self {
        self.file("/home/.aws/config", text)
    }

    pub(super) fn file(self, path: &str, text: &str) -> Self {
        let path = Path::new(path);
        self.context.fs.create_folder(path.parent().unwrap()).unwrap();
        self.context.fs.write(path, text.as_bytes()).unwrap();
        self
    }

    fn place(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own files")]
    pub(super) fn mode(self, path: &str, mode: u32) -> Self {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(self.place(path), mode).unwrap();
        self
    }

    pub(super) fn link(self, target: &str, path: &str) -> Self {
        std::os::unix::fs::symlink(target, self.place(path)).unwrap();
        self
    }

    /// A pipe that nobody writes to.
    pub(super) fn pipe(mut self, path: &str) -> Self {
        let pipe = std::io::pipe().unwrap();
        let number = std::os::fd::AsRawFd::as_raw_fd(&pipe.0);
        self.pipes.push(pipe);
        self.link(&format!("/dev/fd/{number}"), path)
    }

    /// Makes the clock say so much later than the files' time.
    pub(super) fn files_are_from(&self, before: Duration) {
        let local = self.context.clock.local_now();
        let target = self.newest() + before;
        self.context.clock.advance(target.duration_since(local).unwrap());
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own files")]
    fn newest(&self) -> SystemTime {
        self.place("/home/.aws").metadata().unwrap().modified().unwrap()
    }

    pub(super) fn options(&self) -> SessionOptions {
        SessionOptions { context: Some(self.context.clone()), ..SessionOptions::default() }
    }

    pub(super) fn setup(&self) -> Setup {
        Setup::read(self.options()).unwrap()
    }
}

/// There must be such a finding; each text may be a part.
#[track_caller]
pub(super) fn has(findings: &[Finding], what: &str, evidence: &str, fix: &str) {
    let is_in = |part: &str, text: &Option<String>| {
        part.is_empty() || text.as_ref().is_some_and(|text| text.contains(part))
    };
    let found = findings.iter().any(|finding| {
        finding.what.contains(what)
            && is_in(evidence, &finding.evidence)
            && is_in(fix, &finding.fix)
    });
    assert!(found, "no {what:?} ({evidence:?}) fix {fix:?} in {findings:#?}");
}

#[track_caller]
pub(super) fn has_not(findings: &[Finding], what: &str) {
    assert!(!findings.iter().any(|finding| finding.what.contains(what)), "{findings:#?}");
}
