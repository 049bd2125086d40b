//! Whose a file is, and where links lead to it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Whose a file is and who may use it; the default is a new file's.
#[derive(Default)]
pub(super) struct Ownership {
    #[cfg(unix)]
    old: Option<(u32, u32, u32)>,
}

#[cfg(unix)]
impl Ownership {
    pub(super) fn of(metadata: &std::fs::Metadata, widest: u32) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt;
        // By the bits and not by trying: for root every file is writable.
        if metadata.mode() & 0o200 == 0 {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
        }
        Ok(Self { old: Some((metadata.uid(), metadata.gid(), metadata.mode() & widest & 0o777)) })
    }

    pub(super) fn give_to(&self, file: &File) -> io::Result<()> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
        let Some((uid, gid, mode)) = self.old else { return Ok(()) };
        let new = file.metadata()?;
        if (new.uid(), new.gid()) != (uid, gid) {
            fchown(file, Some(uid), Some(gid)).map_err(|error| {
                io::Error::new(error.kind(), "it belongs to another user or group")
            })?;
        }
        file.set_permissions(PermissionsExt::from_mode(mode))
    }
}

#[cfg(not(unix))]
impl Ownership {
    pub(super) fn of(metadata: &std::fs::Metadata, _: u32) -> io::Result<Self> {
        if metadata.permissions().readonly() {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read-only"));
        }
        Ok(Self::default())
    }

    pub(super) fn give_to(&self, _: &File) -> io::Result<()> {
        Ok(())
    }
}

/// The file that `place` stands for, also if links lead to one that is yet to be made.
pub(super) fn link_target(place: &Path) -> io::Result<PathBuf> {
    const MOST_LINKS: usize = 40;
    let mut place = place.to_owned();
    for _ in 0..MOST_LINKS {
        match place.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        let Ok(link) = place.read_link() else { return Ok(place) };
        place = place.parent().unwrap_or(Path::new("")).join(link);
    }
    Err(io::Error::other("too many symbolic links"))
}
