//! From Python's values to the facade's and back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use rolecall::{Secret, SecretInput};
use serde_json::Value;

/// How a field of the facade becomes one of a frozen class.
pub(crate) trait Convert<T> {
    fn convert(self) -> T;
}

macro_rules! same {
    ($($type:ty),*) => {
        $( impl Convert<$type> for $type {
            fn convert(self) -> $type {
                self
            }
        } )*
    };
}

same!(String, u32, SystemTime, Option<String>, Option<u32>, Option<SystemTime>);

impl Convert<String> for Secret {
    fn convert(self) -> String {
        self.expose().to_owned()
    }
}

/// JSON as dictionaries, lists and plain values.
pub(crate) fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, Some(number)) => number.into_pyobject(py)?.into_any(),
            (None, None) => number.as_f64().into_pyobject(py)?,
        },
        Value::String(text) => text.into_pyobject(py)?.into_any(),
        Value::Array(values) => {
            let list = PyList::empty(py);
            for value in values {
                list.append(to_python(py, value)?)?;
            }
            list.into_any()
        }
        Value::Object(fields) => {
            let dict = PyDict::new(py);
            for (name, value) in fields {
                dict.set_item(name, to_python(py, value)?)?;
            }
            dict.into_any()
        }
    })
}

/// JSON that is made Python's once there is an interpreter.
pub(crate) struct Json(pub(crate) Value);

impl<'py> IntoPyObject<'py> for Json {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Self::Output> {
        to_python(py, &self.0)
    }
}

/// Dictionaries, lists and plain values as JSON text.
pub(crate) fn json_text(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(text) = value.extract() {
        return Ok(text);
    }
    value.py().import("json")?.call_method1("dumps", (value,))?.extract()
}

/// A length of time: seconds, a `timedelta`, or text such as `15m`.
pub(crate) struct Length(pub(crate) Duration);

impl<'py> FromPyObject<'_, 'py> for Length {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(seconds) = value.extract::<f64>() {
            let length = Duration::try_from_secs_f64(seconds);
            return length.map(Self).map_err(|flaw| PyValueError::new_err(flaw.to_string()));
        }
        if let Ok(text) = value.extract::<String>() {
            let length = rolecall::leases::parse_duration(&text);
            return length.map(Self).map_err(|error| crate::errors::to_python(value.py(), error));
        }
        value.extract::<Duration>().map(Self)
    }
}

/// Text or bytes that hold a secret.
pub(crate) struct Text(pub(crate) Secret);

impl<'py> FromPyObject<'_, 'py> for Text {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(text) = value.extract::<String>() {
            return Ok(Self(text.into()));
        }
        let bytes: Vec<u8> = value.extract()?;
        let text = Secret::from_utf8(bytes);
        text.map(Self).ok_or_else(|| PyValueError::new_err("the bytes are not UTF-8"))
    }
}

/// A key or certificate: a path, the text of a flag (`env:NAME`, `pkcs11:…`), PEM, or DER in bytes.
#[derive(Clone)]
pub(crate) struct Material(pub(crate) SecretInput);

impl<'py> FromPyObject<'_, 'py> for Material {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        use rolecall::rolesanywhere::IdentitySource;
        if let Ok(text) = value.extract::<String>() {
            return Ok(Self(IdentitySource::locate(&text)));
        }
        if let Ok(bytes) = value.extract::<Vec<u8>>() {
            let material = IdentitySource::at_hand(&bytes);
            // Taken over and wiped.
            drop(Secret::from_utf8(bytes));
            return Ok(Self(material));
        }
        match value.extract::<PathBuf>() {
            Ok(path) => Ok(Self(SecretInput::File(path))),
            Err(_) => Err(PyTypeError::new_err("a key or certificate is a path, text or bytes")),
        }
    }
}

/// Tags, from a dictionary.
pub(crate) fn tags(tags: BTreeMap<String, String>) -> Vec<rolecall::sts::Tag> {
    tags.into_iter().map(|(key, value)| rolecall::sts::Tag { key, value }).collect()
}
