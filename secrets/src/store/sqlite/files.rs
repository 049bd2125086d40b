//! The store's file: made its owner's alone, and opened only where nobody else could have put
//! another in its place.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rolecall_core::{Context, CredentialsError, ErrorKind, FileLock, Fs, PathKind, Result};

use super::super::PROVIDER;
use super::error::{locked, read_only};

const POLL: Duration = Duration::from_millis(2);

/// Where the store is, and where its writers queue.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) database: PathBuf,
    turn: PathBuf,
    pub(super) context: Context,
    /// How long to wait for other processes.
    pub(super) patience: Duration,
}

impl Files {
    pub(super) fn new(context: Context, path: &Path, patience: Duration) -> Self {
        let mut turn = path.as_os_str().to_owned();
        turn.push("-turn");
        Self { database: path.to_owned(), turn: turn.into(), context, patience }
    }

    /// Makes the file and its folder if they are missing, and gives the path that SQLite is to
    /// open.
    pub(super) fn prepare(&self) -> Result<PathBuf> {
        let fs = &self.context.fs;
        let system = |error: std::io::Error| self.system_error(error);
        let folder = self.database.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        if fs.facts(folder).map_err(system)?.is_none() {
            fs.create_folder(folder).map_err(system)?;
        }
        if fs.facts(&self.database).map_err(system)?.is_none() {
            self.check(fs, folder, PathKind::Folder)?;
            let _turn = self.turn()?;
            // Another process may have made it meanwhile.
            if fs.facts(&self.database).map_err(system)?.is_none() {
                fs.write(&self.database, b"").map_err(system)?;
            }
        }
        self.check(fs, &self.database, PathKind::File)?;
        let resolved = fs.real_path(&self.database).map_err(system)?;
        // Whoever can put files beside it can also put a log there, which SQLite would read.
        self.check(&Fs::real(), resolved.parent().unwrap_or(Path::new("/")), PathKind::Folder)?;
        Ok(resolved)
    }

    /// Refuses what is no file or folder, belongs to somebody else, or others may write.
    fn check(&self, fs: &Fs, path: &Path, kind: PathKind) -> Result<()> {
        let name = path.display();
        let facts = fs.facts(path).map_err(|error| self.system_error(error))?;
        let refuse = |message: String, help: String| {
            let kind = ErrorKind::InvalidConfiguration;
            Err(CredentialsError::new(kind, PROVIDER, message).with_help(help))
        };
        let Some(facts) = facts else {
            return refuse(format!("{name} is missing"), "try again".to_owned());
        };
        if facts.kind != kind {
            let is = if kind == PathKind::File { "no regular file" } else { "no folder" };
            return refuse(format!("{name} is {is}"), "name another file for the store".to_owned());
        }
        if let Some(owner) = facts.foreign_owner {
            return refuse(
                format!("{name} belongs to user {owner}, who could read and change it"),
                "keep the store in a folder of your own".to_owned(),
            );
        }
        if facts.mode & 0o022 != 0 {
            return refuse(
                format!("{name} can be written by others (mode {:o})", facts.mode),
                format!("run chmod go-w {name}, or keep the store in a folder of your own"),
            );
        }
        if kind == PathKind::File && facts.mode & 0o077 != 0 {
            tracing::warn!("{name} can be read by others; run chmod 600 {name}");
        }
        if facts.is_writable { Ok(()) } else { Err(read_only()) }
    }

    /// Waits for this process's turn to wait for the store. Only whoever waits holds it, so that
    /// a process that writes without a pause does not keep others off.
    pub(super) fn turn(&self) -> Result<FileLock> {
        let mut waited = Duration::ZERO;
        loop {
            let lock = self.context.fs.try_lock(&self.turn);
            if let Some(lock) = lock.map_err(|error| self.system_error(error))? {
                return Ok(lock);
            }
            if waited >= self.patience {
                return Err(locked());
            }
            let pause = POLL / 2 + self.context.random.up_to(POLL);
            if let Ok(runtime) = tokio::runtime::Handle::try_current() {
                // Other processes take real time, whatever the clock.
                let never = std::future::pending::<()>();
                runtime.block_on(self.context.clock.timeout(pause, never));
            }
            waited += pause;
        }
    }

    fn system_error(&self, error: std::io::Error) -> CredentialsError {
        use std::io::ErrorKind::{
            NotADirectory, PermissionDenied, ReadOnlyFilesystem, StorageFull,
        };
        match error.kind() {
            ReadOnlyFilesystem => read_only(),
            PermissionDenied => read_only().with_source(error),
            StorageFull => {
                let message = "the disk is full; nothing was changed";
                CredentialsError::new(ErrorKind::Unavailable, PROVIDER, message)
                    .with_help("make room on it and try again")
            }
            kind => {
                let help = if kind == NotADirectory {
                    "a part of the path is a file: name another one"
                } else {
                    "check the path and its folders"
                };
                let message = format!("the store cannot be opened: {error}");
                CredentialsError::new(ErrorKind::InvalidConfiguration, PROVIDER, message)
                    .with_help(help)
                    .with_source(error)
            }
        }
    }
}
