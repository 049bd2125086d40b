//! Printing: data on standard output, talk on standard error.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use rolecall::{CredentialsError, ErrorKind, printable};

use crate::args::ErrorFormat;

/// What ends the program early.
pub(crate) enum Failure {
    /// Something to report, and the exit code.
    Error(CredentialsError, u8),
    /// Nobody reads the output any more, as in `rolecall profiles | head -1`.
    OutputClosed,
}

impl From<CredentialsError> for Failure {
    fn from(error: CredentialsError) -> Self {
        let code = error.kind().exit_code();
        Self::Error(error, code)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::OutputClosed;
        }
        let message = format!("cannot write the output: {error}");
        CredentialsError::new(ErrorKind::Internal, "output", message).into()
    }
}

impl Failure {
    /// Says what happened, and gives the exit code.
    pub(crate) fn report(self, format: ErrorFormat) -> ExitCode {
        let (error, code) = match self {
            Self::OutputClosed => return ExitCode::SUCCESS,
            Self::Error(error, code) => (error, code),
        };
        let text = match format {
            ErrorFormat::Text => {
                let mut text = format!("rolecall: {}: {}\n", error.provider(), error.message());
                if let Some(place) = error.place() {
                    text += &format!("  in: {place}\n");
                }
                if let Some(help) = error.help() {
                    text += &format!("  help: {help}\n");
                }
                text
            }
            ErrorFormat::Json => {
                let fields = serde_json::json!({"error": {
                    "kind": error.kind().name(),
                    "provider": error.provider(),
                    "place": error.place(),
                    "message": error.message(),
                    "help": error.help(),
                    "causes": error.causes(),
                }});
                format!("{fields}\n")
            }
        };
        // If standard error is closed there is nobody to tell.
        let _ = io::stderr().write_all(text.as_bytes());
        ExitCode::from(code)
    }
}

/// Says something on standard error. If that is closed there is nobody to tell.
pub(crate) fn warn(text: &str) {
    let _ = writeln!(io::stderr(), "rolecall: {}", printable(text, usize::MAX));
}

/// Says that the secret `name` stands on the command line itself.
pub(crate) fn warn_of_exposed(name: &str) {
    warn(&format!(
        "warning: other users of this machine can see the value of {name}; \
         give file://PATH, - or env:NAME instead"
    ));
}

/// Prints `text` as it is.
pub(crate) fn print(text: &str) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Prints JSON as AWS CLI does: indented by four.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<ExitCode, Failure> {
    let mut text = zeroize_buffer();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut *text, indent);
    value.serialize(&mut serializer).map_err(io::Error::other)?;
    text.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&text)?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The printed values may be credentials.
fn zeroize_buffer() -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(Vec::with_capacity(16 * 1024))
}

/// Prints rows under headings, each column as wide as its widest cell.
pub(crate) fn print_table(headings: &[&str], rows: &[Vec<String>]) -> Result<ExitCode, Failure> {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..headings.len()).map(width).collect();
    let headings: Vec<_> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let mut text = String::new();
    for row in std::iter::once(&headings).chain(rows) {
        let cells = row.iter().zip(&widths);
        let cells = cells.map(|(cell, width)| format!("{:width$}", printable(cell, usize::MAX)));
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    print(&text)
}

/// How far a long task has come: a line on standard error that is written over, for people only.
pub(crate) struct Progress {
    is_seen: bool,
    is_shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { is_seen: io::stderr().is_terminal(), is_shown: false }
    }

    /// Shows that `done` of `total` are done.
    pub(crate) fn show(&mut self, done: usize, total: usize, what: &str) {
        const WIDTH: usize = 24;
        if self.is_seen && total > 1 {
            let filled = done * WIDTH / total;
            let bar: String = (0..WIDTH).map(|at| if at < filled { '#' } else { '.' }).collect();
            let _ = write!(io::stderr(), "\r{what} [{bar}] {done} of {total}");
            self.is_shown = true;
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
