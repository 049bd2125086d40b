use std::fs::Metadata;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKind {
    /// A file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link to nothing.
    DanglingLink,
    /// A pipe, a device and the like.
    Other,
}

/// What the system says of a path without opening it. Symbolic links are followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// What is there.
    pub kind: PathKind,
    /// Its permissions, such as `0o600`; 0 where the system has none of this kind.
    pub mode: u32,
    /// The number of the user it belongs to, if that is neither this process's nor root.
    pub foreign_owner: Option<u32>,
    /// Whether this process may write it, or into it.
    pub is_writable: bool,
    /// When it was last written.
    pub modified: Option<SystemTime>,
}

impl FileFacts {
    /// The facts of `path`; `None` if nothing is there.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        use io::ErrorKind::{NotADirectory, NotFound};
        match path.metadata() {
            Ok(metadata) => Ok(Some(Self::from(path, &metadata))),
            Err(error) if !matches!(error.kind(), NotFound | NotADirectory) => Err(error),
            Err(_) => Ok(path
                .symlink_metadata()
                .ok()
                .map(|link| Self { kind: PathKind::DanglingLink, ..Self::from(path, &link) })),
        }
    }

    fn from(path: &Path, metadata: &Metadata) -> Self {
        let kind = match metadata {
            file if file.is_file() => PathKind::File,
            folder if folder.is_dir() => PathKind::Folder,
            _ => PathKind::Other,
        };
        let (mode, foreign_owner) = mode_and_owner(metadata);
        let modified = metadata.modified().ok();
        Self { kind, mode, foreign_owner, is_writable: is_writable(path, metadata), modified }
    }
}

#[cfg(unix)]
fn mode_and_owner(metadata: &Metadata) -> (u32, Option<u32>) {
    use std::os::unix::fs::MetadataExt;
    let own = rustix::process::geteuid().as_raw();
    let owner = Some(metadata.uid()).filter(|owner| *owner != own && *owner != 0);
    (metadata.mode() & 0o7777, owner)
}

#[cfg(not(unix))]
fn mode_and_owner(_: &Metadata) -> (u32, Option<u32>) {
    (0, None)
}

/// The system is asked: permissions are not all there is to it, a disk may be read-only.
#[cfg(unix)]
fn is_writable(path: &Path, _: &Metadata) -> bool {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(unix))]
fn is_writable(_: &Path, metadata: &Metadata) -> bool {
    !metadata.permissions().readonly()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::Fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn facts_are_those_of_the_system() {
        let folder = tempfile::tempdir().unwrap();
        let fs = Fs::rooted(folder.path());
        let facts = |path: &str| fs.facts(Path::new(path)).unwrap();
        fs.write(Path::new("/file"), b"x").unwrap();
        symlink("file", folder.path().join("link")).unwrap();
        symlink("nothing", folder.path().join("dangling")).unwrap();
        let file = facts("/file").unwrap();
        assert_eq!((file.kind, file.mode), (PathKind::File, 0o600));
        assert!(file.is_writable && file.foreign_owner.is_none() && file.modified.is_some());
        assert_eq!(facts("/link"), Some(file));
        assert_eq!(facts("/dangling").unwrap().kind, PathKind::DanglingLink);
        assert_eq!(facts("/").unwrap().kind, PathKind::Folder);
        assert_eq!((facts("/none"), facts("/file/none")), (None, None));
        let open = PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(folder.path().join("file"), open).unwrap();
        assert_eq!(facts("/file").unwrap().mode, 0o644);
    }
}
