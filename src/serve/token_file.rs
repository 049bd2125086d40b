use std::path::{Path, PathBuf};

use rolecall_core::profile::aws_folder;
use rolecall_core::{Context, CredentialsError, ErrorKind, Fs, Result, Secret};

/// The authorization token in a file that its owner alone reads, for
/// `AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE`. Removed when dropped.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    token: Secret,
    fs: Fs,
}

impl TokenFile {
    /// Writes `token` to `path`; without one, to `~/.aws/rolecall/serve/PORT.token`.
    ///
    /// # Errors
    /// `InvalidConfiguration` without a home folder; `Internal` if it cannot be written.
    pub fn write(
        context: &Context,
        path: Option<&Path>,
        port: u16,
        token: &Secret,
    ) -> Result<Self> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => default_path(context, port)?,
        };
        let unwritable = |error: std::io::Error| {
            let place = path.display();
            let message = format!("cannot write the authorization token to {place}: {error}");
            CredentialsError::new(ErrorKind::Internal, "serve", message)
                .with_help("choose another place for it with --token-file")
                .with_source(error)
        };
        // Whoever reads it is somewhere else.
        let path = context.fs.absolute(&path).map_err(unwritable)?;
        let made = path.parent().map_or(Ok(()), |folder| context.fs.create_folder(folder));
        made.and_then(|()| context.fs.write(&path, token.expose().as_bytes()))
            .map_err(unwritable)?;
        Ok(Self { path, token: token.clone(), fs: context.fs.clone() })
    }

    /// Where it is, from the root.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        // A server that came after this one may have written its own there.
        let there = self.fs.read(&self.path, 1024);
        if there.is_ok_and(|there| there.as_slice() == self.token.expose().as_bytes()) {
            // What is left behind opens nothing: the server is gone.
            let _ = self.fs.remove(&self.path);
        }
    }
}

fn default_path(context: &Context, port: u16) -> Result<PathBuf> {
    let folder = aws_folder(&context.env).ok_or_else(|| {
        CredentialsError::new(ErrorKind::InvalidConfiguration, "serve", "HOME is not set")
            .with_help("say where the authorization token is to be written: --token-file")
    })?;
    Ok(folder.join("rolecall").join("serve").join(format!("{port}.token")))
}
