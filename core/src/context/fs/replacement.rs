//! Files that are replaced as a whole.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::ownership::{Ownership, link_target};
use super::{Fs, private, remove, rename, sync_folder};

/// The new text of a file, whole on the disk beside the old one. Goes away unless it is put in
/// place.
#[derive(Debug)]
pub struct Replacement {
    fs: Fs,
    temporary: PathBuf,
    target: PathBuf,
    is_done: bool,
}

impl Replacement {
    /// Puts it in the place of the old file.
    ///
    /// # Errors
    /// As the system says; the old file is then untouched.
    pub fn put_in_place(mut self) -> io::Result<()> {
        self.fs.call(|| rename(&self.temporary, &self.target))?;
        self.is_done = true;
        if let Some(folder) = self.target.parent() {
            // The new file is in place: that its name may not outlive a power cut is no failure.
            let _ = self.fs.call(|| sync_folder(folder));
        }
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if !self.is_done {
            // Best effort: what could not be written may not be removable either.
            let _ = self.fs.call(|| remove(&self.temporary));
        }
    }
}

impl Fs {
    /// Replaces a file as a whole, readable by its owner alone: a reader sees the old bytes or the
    /// new ones, also after a crash. A symbolic link keeps pointing where it does.
    ///
    /// # Errors
    /// As the system says; the old file is then untouched.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let target = self.call(|| link_target(&self.place(path)))?;
        self.replacement(target, bytes, &Ownership::default())?.put_in_place()
    }

    /// Replaces, as [`Self::write`] does, a file that people and other programs edit too. What its
    /// owner has decided stays: owner, group and permissions, but for the bits outside `widest`
    /// (0o600 for a file of secrets). A new file is its owner's alone.
    ///
    /// # Errors
    /// As the system says; the old file is then untouched. `PermissionDenied` if the file is
    /// read-only (the folder's permissions alone would let it be replaced), or is somebody else's
    /// and would become ours.
    pub fn rewrite(&self, path: &Path, bytes: &[u8], widest: u32) -> io::Result<()> {
        self.prepare(path, bytes, widest)?.put_in_place()
    }

    /// The first half of [`Self::rewrite`], in which nearly all that can fail does: nothing is
    /// changed yet.
    ///
    /// # Errors
    /// As [`Self::rewrite`].
    pub fn prepare(&self, path: &Path, bytes: &[u8], widest: u32) -> io::Result<Replacement> {
        let target = self.call(|| link_target(&self.place(path)))?;
        let ownership = match self.call(|| target.metadata()) {
            Ok(metadata) => Ownership::of(&metadata, widest)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ownership::default(),
            Err(error) => return Err(error),
        };
        self.replacement(target, bytes, &ownership)
    }

    fn replacement(
        &self,
        target: PathBuf,
        bytes: &[u8],
        ownership: &Ownership,
    ) -> io::Result<Replacement> {
        // A rename would put a file in the place of a device: of /dev/null, for one.
        if self.call(|| Ok(target.metadata().is_ok_and(|there| !there.is_file())))? {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        let folder = target.parent().ok_or(io::ErrorKind::InvalidInput)?;
        let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        let temporary = folder.join(format!(".{name}.{:016x}.tmp", self.random.bits()));
        let mut new = OpenOptions::new();
        private(new.write(true).create_new(true));
        let mut file = self.call(|| new.open(&temporary))?;
        let replacement = Replacement { fs: self.clone(), temporary, target, is_done: false };
        self.call(|| file.write_all(bytes))?;
        self.call(|| ownership.give_to(&file))?;
        self.call(|| file.sync_all())?;
        Ok(replacement)
    }
}
