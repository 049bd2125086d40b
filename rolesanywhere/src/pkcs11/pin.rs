//! PINs: where they come from, and who is asked.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rolecall_core::{Context, CredentialsError, ErrorKind, Result, Secret};

use super::failure::{fail, invalid};
use super::token::Token;
use super::uri::PinSource;
use crate::password::Password;

/// The longest file of a PIN.
const LIMIT: u64 = 4096;

/// Where the PIN comes from: the URI, what was given beside it, or a person. Clones share what was
/// read or typed, so that nobody is asked twice.
#[derive(Clone)]
pub(super) struct Pin {
    source: Option<PinSource>,
    given: Option<Password>,
    /// Whether the key gets the token's PIN.
    pub(super) reuse: bool,
    known: Arc<Mutex<Vec<Known>>>,
}

/// A PIN, and who gave it.
#[derive(Clone)]
pub(super) struct Answer {
    pub(super) pin: Secret,
    /// Nobody typed it: it would be given again and again.
    pub(super) is_stored: bool,
}

/// The PIN of a token.
struct Known {
    serial: String,
    answer: Answer,
}

impl Pin {
    pub(super) fn new(source: Option<PinSource>, given: Option<Password>, reuse: bool) -> Self {
        Self { source, given, reuse, known: Arc::default() }
    }

    /// The same, from `source` if there is one. What is known of tokens stays known.
    pub(super) fn or(&self, source: Option<PinSource>) -> Self {
        Self { source: source.or_else(|| self.source.clone()), ..self.clone() }
    }

    /// The PIN of `token`; `None` if it is typed on the token's own keys. A stored PIN is not given
    /// for the last try before the token locks itself.
    ///
    /// # Errors
    /// `Denied` if the token takes none; `InvalidConfiguration` if there is none.
    pub(super) async fn of(&self, context: &Context, token: &Token) -> Result<Option<Answer>> {
        if token.pin_locked {
            return Err(locked(token));
        }
        if !token.has_pin {
            return Err(invalid(format!("{token} has no PIN yet"))
                .with_help("set one, for example with `pkcs11-tool --init-pin`"));
        }
        if token.pin_pad {
            return Ok(None);
        }
        let known = self.known(token);
        if let Some(answer) = known {
            return Ok(Some(answer));
        }
        let answer = match self.stored(context)? {
            Some(_) if token.pin_final_try => {
                return Err(fail(
                    ErrorKind::Denied,
                    format!(
                        "{token} allows one more try before it locks its PIN, and the stored PIN \
                             is not tried"
                    ),
                )
                .with_help(
                    "log in once with the right PIN, for example with `pkcs11-tool --login --test`",
                ));
            }
            Some(pin) => Answer { pin, is_stored: true },
            None => {
                let last = if token.pin_final_try { ", the last try before it locks" } else { "" };
                ask(context, &format!("PIN of {token}{last}: ")).await?
            }
        };
        let known = Known { serial: token.serial.clone(), answer: answer.clone() };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).push(known);
        Ok(Some(answer))
    }

    /// The PIN that a key asks for at a signature; `None` if it is typed on the token's own keys.
    ///
    /// # Errors
    /// `InvalidConfiguration` if there is none.
    pub(super) async fn of_key(
        &self,
        context: &Context,
        token: &Token,
        key: &str,
    ) -> Result<Option<Answer>> {
        if self.reuse || token.pin_pad {
            return self.of(context, token).await;
        }
        let question = format!("PIN of the key {key} in {token}: ");
        ask(context, &question).await.map(Some).map_err(|error| {
            error.with_help("the key asks at each signature: --reuse-pin gives it the token's PIN")
        })
    }

    /// Forgets the PIN of a token that refused it.
    pub(super) fn forget(&self, token: &Token) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|known| known.serial != token.serial);
    }

    fn known(&self, token: &Token) -> Option<Answer> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|known| known.serial == token.serial).map(|known| known.answer.clone())
    }

    fn stored(&self, context: &Context) -> Result<Option<Secret>> {
        let path = match (&self.source, &self.given) {
            (Some(PinSource::Value(pin)), _) => return Ok(Some(pin.clone())),
            (Some(PinSource::File(path)), _) => path,
            (None, Some(given)) => return given.read(context).map(Some),
            (None, None) => return Ok(None),
        };
        let place = path.display();
        let mut bytes = context.fs.read_also_pipe(path, LIMIT).map_err(|error| {
            invalid(format!("the PIN cannot be read from {place}: {error}")).with_source(error)
        })?;
        let pin = Secret::from_utf8(std::mem::take(&mut *bytes)).map(|pin| pin.trimmed());
        match pin.filter(|pin| !pin.expose().is_empty()) {
            Some(pin) => Ok(Some(pin)),
            None => Err(invalid(format!("there is no PIN in {place}: it is empty or no UTF-8"))),
        }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pin").field("source", &self.source).finish_non_exhaustive()
    }
}

pub(super) fn locked(token: &Token) -> CredentialsError {
    fail(ErrorKind::Denied, format!("{token}: its PIN is locked after too many wrong ones"))
        .with_help("unlock it, for example with its PUK or security officer's PIN")
}

async fn ask(context: &Context, question: &str) -> Result<Answer> {
    let typed = context.prompt.ask(question).await;
    typed.map(|pin| Answer { pin, is_stored: false }).map_err(|error| {
        // The prompt's own help is about MFA codes.
        fail(error.kind(), error.message()).with_help(
            "give the PIN in a file (pin-source=file:… in the URI, or --pkcs8-password file://…)",
        )
    })
}

#[cfg(test)]
mod tests {
    use rolecall_core::Prompt;

    use super::*;

    fn context() -> Context {
        let prompt = Prompt::from_fn(|question| {
            assert!(question.contains("the last try before it locks"), "{question}");
            Ok("typed".into())
        });
        Context { prompt, ..Context::fake() }
    }

    fn stored() -> Pin {
        Pin::new(Some(PinSource::Value("1234".into())), None, false)
    }

    #[tokio::test]
    async fn the_last_try_is_a_persons() {
        let mut token = Token::fake();
        token.pin_final_try = true;
        let error = stored().of(&context(), &token).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().contains("the stored PIN is not tried"), "{error}");
        let answer = Pin::new(None, None, false).of(&context(), &token).await.unwrap().unwrap();
        assert!(answer.pin.expose() == "typed" && !answer.is_stored);
        let answer = stored().of(&context(), &Token::fake()).await.unwrap().unwrap();
        assert!(answer.pin.expose() == "1234" && answer.is_stored);
    }

    #[tokio::test]
    async fn a_locked_token_is_given_none() {
        let mut token = Token::fake();
        (token.pin_locked, token.pin_pad) = (true, true);
        for pin in [stored(), Pin::new(None, None, true)] {
            let error = pin.of(&context(), &token).await.err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Denied);
            assert!(error.message().contains("its PIN is locked"), "{error}");
        }
    }
}
