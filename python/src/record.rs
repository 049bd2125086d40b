//! Frozen classes for what the facade gives, and methods in pairs.

use std::collections::BTreeMap;
use std::time::SystemTime;

use rolecall::timestamp;

use crate::credentials::Credentials;

/// How a field looks in a `repr`: as Python would write it, and never a secret.
pub(crate) trait Shown {
    fn shown(&self) -> String;
}

impl Shown for String {
    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

impl Shown for bool {
    fn shown(&self) -> String {
        if *self { "True" } else { "False" }.to_owned()
    }
}

impl Shown for u32 {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl Shown for SystemTime {
    fn shown(&self) -> String {
        timestamp::format(*self)
    }
}

impl Shown for Credentials {
    fn shown(&self) -> String {
        self.to_string()
    }
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map_or_else(|| "None".to_owned(), Shown::shown)
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> String {
        let parts: Vec<_> = self.iter().map(Shown::shown).collect();
        format!("[{}]", parts.join(", "))
    }
}

impl Shown for BTreeMap<String, String> {
    fn shown(&self) -> String {
        let parts: Vec<_> = self.iter().map(|(key, value)| format!("{key:?}: {value:?}")).collect();
        format!("{{{}}}", parts.join(", "))
    }
}

/// A frozen class whose fields are those of a struct of the facade, with a `repr` and no pickle.
macro_rules! record {
    (
        $(#[$meta:meta])*
        $name:ident in $module:literal from $of:ty {
            $( $(#[$field_meta:meta])* $field:ident: $type:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[pyo3::pyclass(frozen, get_all, module = $module)]
        #[derive(Clone)]
        pub(crate) struct $name {
            $( $(#[$field_meta])* $field: $type, )*
        }

        impl From<$of> for $name {
            fn from(from: $of) -> Self {
                Self { $( $field: $crate::values::Convert::convert(from.$field), )* }
            }
        }

        impl $crate::record::Shown for $name {
            fn shown(&self) -> String {
                let fields: Vec<String> = vec![
                    $( format!(
                        concat!(stringify!($field), "={}"),
                        $crate::record::Shown::shown(&self.$field),
                    ), )*
                ];
                format!(concat!(stringify!($name), "({})"), fields.join(", "))
            }
        }

        #[pyo3::pymethods]
        impl $name {
            fn __repr__(&self) -> String {
                $crate::record::Shown::shown(self)
            }

            fn __reduce_ex__(&self, _protocol: u32) -> pyo3::PyResult<()> {
                Err($crate::credentials::no_pickle(stringify!($name)))
            }

            fn __copy__(slf: pyo3::PyRef<'_, Self>) -> pyo3::PyRef<'_, Self> {
                slf
            }

            fn __deepcopy__<'py>(
                slf: pyo3::PyRef<'py, Self>,
                _memo: &pyo3::Bound<'py, pyo3::PyAny>,
            ) -> pyo3::PyRef<'py, Self> {
                slf
            }
        }
    };
}
pub(crate) use record;

/// The methods of a class. After the plain ones come those in pairs: each body gives a future, which
/// the first of the two names waits for and the second gives as an awaitable.
macro_rules! methods {
    (
        $class:ident { $($plain:tt)* }
        $(
            $(#[$meta:meta])*
            fn $name:ident / $twin:ident [$($signature:tt)*] ($py:ident, $($arguments:tt)*)
            -> $output:ty
            $body:block
        )*
    ) => {
        #[pyo3::pymethods]
        impl $class {
            $($plain)*
            $(
                $(#[$meta])*
                #[pyo3(signature = ($($signature)*))]
                #[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
                fn $name($($arguments)*, $py: pyo3::Python<'_>) -> pyo3::PyResult<$output> {
                    $crate::runtime::wait::<$output>($py, $body)
                }

                #[doc = concat!("`", stringify!($name), "` for asyncio: an awaitable of what that gives.")]
                #[pyo3(signature = ($($signature)*))]
                #[allow(clippy::too_many_arguments, reason = "they are keywords in Python")]
                fn $twin<'py>(
                    $($arguments)*,
                    $py: pyo3::Python<'py>,
                ) -> pyo3::PyResult<pyo3::Bound<'py, pyo3::PyAny>> {
                    $crate::runtime::promise::<$output>($py, $body)
                }
            )*
        }
    };
}
pub(crate) use methods;
