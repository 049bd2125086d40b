use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read};

use zeroize::Zeroizing;

/// How long to wait for the next bytes of a pipe.
#[cfg(unix)]
const PATIENCE_SECONDS: i64 = 120;

/// Whether a path is a pipe or a socket.
#[cfg(unix)]
fn is_pipe(metadata: &Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    kind.is_fifo() || kind.is_socket()
}

/// Windows keeps them apart from files.
#[cfg(not(unix))]
fn is_pipe(_: &Metadata) -> bool {
    false
}

/// Refuses folders and pipes.
pub(super) fn expect_file(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if is_pipe(metadata) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is a pipe, not a file"));
    }
    Ok(())
}

/// Opens without waiting for whoever writes to a pipe, and reads without waiting for a device.
pub(super) fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        options,
        rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
    );
    options
}

/// Reads to the end, with room for all of it at once: a buffer that grows leaves copies of secrets
/// behind.
pub(super) fn read_up_to(
    source: &mut dyn Read,
    expected: u64,
    limit: u64,
) -> io::Result<Zeroizing<Vec<u8>>> {
    let room = usize::try_from(expected.min(limit) + 1).unwrap_or(usize::MAX);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    source.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

/// Reads what may never come, and gives up in time.
pub(super) struct Bounded<T> {
    source: T,
    /// Whether a read may block, so that it must be known first that there is something.
    blocks: bool,
}

impl<T> Bounded<T> {
    pub(super) fn new(source: T) -> Self {
        Self { source, blocks: true }
    }

    /// For a pipe opened so: if nobody writes to it, it is at its end.
    pub(super) fn without_blocking(source: T) -> Self {
        Self { source, blocks: false }
    }
}

#[cfg(unix)]
impl<T: std::os::fd::AsFd> Bounded<T> {
    fn wait(&self) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let limit = Timespec { tv_sec: PATIENCE_SECONDS, tv_nsec: 0 };
        match poll(&mut [PollFd::new(&self.source, PollFlags::IN)], Some(&limit))? {
            0 => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(unix)]
impl<T: std::os::fd::AsFd> Read for Bounded<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.blocks {
            self.wait()?;
        }
        loop {
            match rustix::io::read(&self.source, &mut *buffer) {
                Err(rustix::io::Errno::AGAIN) => self.wait()?,
                outcome => return Ok(outcome?),
            }
        }
    }
}

#[cfg(not(unix))]
impl<T: Read> Read for Bounded<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer)
    }
}
