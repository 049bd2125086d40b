use std::sync::{Arc, Mutex, PoisonError};

use rolecall_core::{Context, Result, Secret, SecretInput};

use crate::inputs::is_at_rest;

/// The configured password or PIN, which is needed at each opening. Clones share what could be read
/// but once.
#[derive(Clone, Debug)]
pub(crate) struct Password {
    input: SecretInput,
    once: Arc<Mutex<Option<Secret>>>,
}

impl Password {
    pub(crate) fn new(input: SecretInput) -> Self {
        Self { input, once: Arc::default() }
    }

    /// The password as it is now; from standard input or a pipe, as it was.
    ///
    /// # Errors
    /// As [`SecretInput::read`].
    pub(crate) fn read(&self, context: &Context) -> Result<Secret> {
        let mut once = self.once.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(password) = &*once {
            return Ok(password.clone());
        }
        let password = self.input.read(context)?;
        if !is_at_rest(&self.input, context) {
            *once = Some(password.clone());
        }
        Ok(password)
    }
}
