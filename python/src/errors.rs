//! `ErrorKind` as exceptions: one for each kind, all of them made from the one table.

use std::error::Error;
use std::ffi::CString;
use std::fmt;

use pyo3::exceptions::{PyException, PyKeyboardInterrupt, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};
use rolecall::core::Interrupted;
use rolecall::{CredentialsError, ErrorKind};

static CLASSES: PyOnceLock<Vec<(ErrorKind, Py<PyType>)>> = PyOnceLock::new();

/// Adds `RolecallError` and an exception for each kind.
pub(crate) fn add_to(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let base = class(
        py,
        "RolecallError",
        "What rolecall says when something fails. Subclasses say what kind of failure it is.\n\n\
         Attributes: `kind`, its name; `exit_code`, of the program rolecall; `message`, what \
         failed; `provider`, which provider; `place`, where it is configured; `help`, what to do \
         next; `causes`, the messages of the errors underneath; `partial`, what was done before \
         it failed, where a function says that it tells. All but `message` and `causes` may be \
         `None`.",
        &py.get_type::<PyException>(),
        None,
    )?;
    let base = base.bind(py);
    module.add("RolecallError", base)?;
    let mut classes = Vec::with_capacity(ErrorKind::ALL.len());
    for kind in ErrorKind::ALL {
        let name = format!("{}Error", kind.name());
        let made = class(py, &name, meaning(kind), base, Some(kind))?;
        module.add(name.as_str(), made.bind(py))?;
        classes.push((kind, made));
    }
    // Another interpreter of the process may have been first.
    _ = CLASSES.set(py, classes);
    Ok(())
}

fn class(
    py: Python<'_>,
    name: &str,
    doc: &str,
    base: &Bound<'_, PyType>,
    kind: Option<ErrorKind>,
) -> PyResult<Py<PyType>> {
    let name = CString::new(format!("rolecall.{name}"))?;
    let doc = CString::new(doc)?;
    // Its last argument is let go too early to be used (pyo3 0.30).
    let class = PyErr::new_type(py, &name, Some(&doc), Some(base), None)?;
    let fields = class.bind(py);
    fields.setattr("kind", kind.map(ErrorKind::name))?;
    fields.setattr("exit_code", kind.map(ErrorKind::exit_code))?;
    for field in ["message", "provider", "place", "help", "partial"] {
        fields.setattr(field, py.None())?;
    }
    fields.setattr("causes", PyTuple::empty(py))?;
    Ok(class)
}

fn meaning(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotConfigured => {
            "Nothing is configured here. The only kind that lets a chain go on to its next provider."
        }
        ErrorKind::InvalidConfiguration => {
            "Something is configured and it is wrong: a file, a profile, an argument, a variable."
        }
        ErrorKind::Denied => {
            "The other side understood and said no: access denied, expired or unknown keys."
        }
        ErrorKind::Unavailable => {
            "The other side could not be reached or could not answer now. Worth trying again later."
        }
        ErrorKind::TimedOut => "A bounded wait ended.",
        ErrorKind::Malformed => "An answer arrived and makes no sense.",
        _ => "A fault of rolecall itself or of the machine under it.",
    }
}

/// An error as the exception of its kind. What a provider in Python raised is its cause. Ctrl-C at a
/// question is what it is elsewhere.
pub(crate) fn to_python(py: Python<'_>, error: CredentialsError) -> PyErr {
    if Interrupted::is_cause_of(&error) {
        return PyKeyboardInterrupt::new_err(());
    }
    let classes = CLASSES.get(py).map(Vec::as_slice).unwrap_or_default();
    let Some((_, class)) = classes.iter().find(|(kind, _)| *kind == error.kind()) else {
        return PyRuntimeError::new_err(error.to_string());
    };
    let exception = PyErr::from_type(class.bind(py).clone(), error.to_string());
    let value = exception.value(py);
    let fields = [
        ("message", Some(error.message())),
        ("provider", Some(error.provider())),
        ("place", error.place()),
        ("help", error.help()),
    ];
    for (name, field) in fields {
        // An exception takes any attribute.
        _ = value.setattr(name, field);
    }
    _ = PyTuple::new(py, error.causes()).and_then(|causes| value.setattr("causes", causes));
    if let Some(Raised(raised)) = error.source().and_then(|source| source.downcast_ref()) {
        exception.set_cause(py, Some(raised.clone_ref(py)));
    }
    exception
}

/// What `provider`, which is written in Python, raised: of its kind if it is one of ours, else
/// `Internal`.
pub(crate) fn from_python(py: Python<'_>, provider: &str, raised: PyErr) -> CredentialsError {
    let classes = CLASSES.get(py).map(Vec::as_slice).unwrap_or_default();
    let known = classes.iter().find(|(_, class)| raised.is_instance(py, class.bind(py)));
    let value = raised.value(py);
    let text = |name: &str| -> Option<String> { value.getattr(name).ok()?.extract().ok() };
    let message = text("message").or_else(|| value.str().ok().map(|text| text.to_string()));
    let message = message.unwrap_or_default();
    let mut error = match known {
        Some((kind, _)) => CredentialsError::new(*kind, provider.to_owned(), message),
        None => {
            let class = raised.get_type(py).name().map(|name| name.to_string());
            let class = class.unwrap_or_else(|_| "an exception".to_owned());
            let message = format!("it raised {class}: {message}");
            CredentialsError::new(ErrorKind::Internal, provider.to_owned(), message)
        }
    };
    if let Some(place) = text("place") {
        error = error.with_place(place);
    }
    if let Some(help) = text("help") {
        error = error.with_help(help);
    }
    error.with_source(Raised(raised))
}

/// An error of the caller's input.
pub(crate) fn wrong(what: &'static str, message: impl Into<String>) -> CredentialsError {
    CredentialsError::new(ErrorKind::InvalidConfiguration, what, message)
}

/// What Python code raised, under an error of ours.
struct Raised(PyErr);

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a provider in Python raised it")
    }
}

// The exception's own may show whatever its frames hold.
impl fmt::Debug for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Raised")
    }
}

impl Error for Raised {}
