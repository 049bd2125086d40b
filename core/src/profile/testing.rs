//! What the tests of profiles share.

use std::path::Path;

use super::{FileKind, ProfileSet};

pub(super) fn config(text: &str) -> ProfileSet {
    both(text, "")
}

pub(super) fn both(config: &str, credentials: &str) -> ProfileSet {
    ProfileSet::parse(&[
        (FileKind::Config, Path::new("/aws/config"), config.as_bytes()),
        (FileKind::Credentials, Path::new("/aws/credentials"), credentials.as_bytes()),
    ])
    .unwrap()
}
