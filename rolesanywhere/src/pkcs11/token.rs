//! Tokens and their slots.

use std::fmt;

use cryptoki::context::Pkcs11;
use cryptoki::error::RvError;
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use rolecall_core::{CredentialsError, ErrorKind, Result, printable};

use super::failure::{code, fail, invalid, token_failed};
use super::module::State;
use super::pin::{Answer, locked};
use super::uri::Uri;

/// A token in a slot, as it was when it was asked.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) slot: Slot,
    label: String,
    manufacturer: String,
    model: String,
    pub(super) serial: String,
    pub(super) needs_login: bool,
    /// The PIN is typed on keys of the token's own.
    pub(super) pin_pad: bool,
    pub(super) has_pin: bool,
    pub(super) pin_locked: bool,
    pub(super) pin_final_try: bool,
    pin_few_tries: bool,
}

impl Token {
    fn new(slot: Slot, info: &TokenInfo) -> Self {
        Self {
            slot,
            label: info.label().to_owned(),
            manufacturer: info.manufacturer_id().to_owned(),
            model: info.model().to_owned(),
            serial: info.serial_number().to_owned(),
            needs_login: info.login_required(),
            pin_pad: info.protected_authentication_path(),
            has_pin: info.user_pin_initialized(),
            pin_locked: info.user_pin_locked(),
            pin_final_try: info.user_pin_final_try(),
            pin_few_tries: info.user_pin_count_low(),
        }
    }

    fn matches(&self, uri: &Uri) -> bool {
        is(uri.token.as_ref(), &self.label)
            && is(uri.manufacturer.as_ref(), &self.manufacturer)
            && is(uri.model.as_ref(), &self.model)
            && is(uri.serial.as_ref(), &self.serial)
            && uri.slot_id.is_none_or(|id| id == self.slot.id())
    }

    /// A URI of this token alone, whatever slot it is in, with the object of `uri`.
    pub(super) fn narrow(&self, uri: &Uri) -> Uri {
        Uri {
            token: Some(self.label.clone()),
            manufacturer: Some(self.manufacturer.clone()),
            model: Some(self.model.clone()),
            serial: Some(self.serial.clone()),
            slot_id: None,
            slot_description: None,
            slot_manufacturer: None,
            ..uri.clone()
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| printable(text, 64);
        write!(f, "token \"{}\" ({}", shown(&self.label), shown(&self.model))?;
        write!(f, ", serial {}, slot {})", shown(&self.serial), self.slot.id())
    }
}

/// Values are padded with spaces.
fn is(wanted: Option<&String>, found: &str) -> bool {
    wanted.is_none_or(|wanted| wanted.trim_end() == found.trim_end())
}

/// The tokens that `uri` names: one at least.
///
/// # Errors
/// `InvalidConfiguration`, with the tokens there are, if it names none.
pub(super) fn named(library: &Pkcs11, uri: &Uri, module: &str) -> Result<Vec<Token>> {
    let failed = |error| token_failed("list its tokens", module, error);
    let mut others = Vec::new();
    let mut tokens = Vec::new();
    let is_library = is_library(library, uri).map_err(failed)?;
    for slot in library.get_slots_with_token().map_err(failed)? {
        // Taken out meanwhile, or of a kind the module does not know.
        let Ok(info) = library.get_token_info(slot) else { continue };
        if !info.token_initialized() {
            continue;
        }
        let token = Token::new(slot, &info);
        if is_library && token.matches(uri) && is_slot(library, slot, uri) {
            tokens.push(token);
        } else {
            others.push(token.to_string());
        }
    }
    if tokens.is_empty() {
        let there = match others.len() {
            0 => "there is none".to_owned(),
            _ => format!("there are: {}", others.join(", ")),
        };
        let uri = uri.whole_token();
        return Err(invalid(format!("{module} has no token for {uri}; {there}"))
            .with_help("is the token plugged in, and is this its module?"));
    }
    Ok(tokens)
}

fn is_library(library: &Pkcs11, uri: &Uri) -> cryptoki::error::Result<bool> {
    let info = library.get_library_info()?;
    let version = info.library_version();
    Ok(is(uri.library_description.as_ref(), info.library_description())
        && is(uri.library_manufacturer.as_ref(), info.manufacturer_id())
        && uri.library_version.is_none_or(|(major, minor)| {
            major == version.major() && minor.is_none_or(|minor| minor == version.minor())
        }))
}

fn is_slot(library: &Pkcs11, slot: Slot, uri: &Uri) -> bool {
    if uri.slot_description.is_none() && uri.slot_manufacturer.is_none() {
        return true;
    }
    library.get_slot_info(slot).is_ok_and(|info| {
        is(uri.slot_description.as_ref(), info.slot_description())
            && is(uri.slot_manufacturer.as_ref(), info.manufacturer_id())
    })
}

/// Opens a session for reading: enough to sign.
///
/// # Errors
/// `Unavailable` if the token does not allow it.
pub(super) fn session(library: &Pkcs11, token: &Token) -> Result<Session> {
    library
        .open_ro_session(token.slot)
        .map_err(|error| token_failed("open a session", &token.to_string(), error))
}

/// Whether somebody has logged in, in this session or another one of this process.
pub(super) fn is_logged_in(session: &Session) -> bool {
    let state = session.get_session_info().map(|info| info.session_state());
    matches!(state, Ok(SessionState::RoUser | SessionState::RwUser))
}

/// Logs in as the user, or for one use of a key; `pin` is `None` if it is typed at the token.
///
/// A PIN that may count as a wrong one is never tried a second time.
///
/// # Errors
/// `Denied` if the PIN is wrong, locked or expired, or is a stored one and the token fails with it.
pub(super) fn log_in(
    state: &mut State,
    library: &Pkcs11,
    session: &Session,
    token: &Token,
    user: UserType,
    pin: Option<&Answer>,
) -> Result<()> {
    if pin.is_some_and(|pin| state.is_refused(&token.serial, &pin.pin)) {
        let message = format!("{token} has refused this PIN before; it is not tried again");
        return Err(fail(ErrorKind::Denied, message).with_help("give the right PIN"));
    }
    let auth_pin = pin.map(|pin| AuthPin::from(pin.pin.expose()));
    let Err(error) = session.login(user, auth_pin.as_ref()) else { return Ok(()) };
    let code = code(&error);
    let refused = pin.filter(|pin| is_refusal(code, pin.is_stored));
    if let Some(pin) = refused {
        state.refuse(&token.serial, &pin.pin);
    }
    let refused = match code {
        Some(RvError::UserAlreadyLoggedIn) => return Ok(()),
        Some(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange) => {
            wrong_pin(library, token)
        }
        Some(RvError::PinLocked) => locked(token),
        Some(RvError::PinExpired) => {
            fail(ErrorKind::Denied, format!("{token}: its PIN has expired"))
                .with_help("set a new one")
        }
        _ if refused.is_some() => {
            fail(ErrorKind::Denied, format!("{token}: cannot log in with the stored PIN: {error}"))
                .with_help(
                    "it may count as a wrong one and is not tried again: try it with `pkcs11-tool \
                     --login --test`, then start anew",
                )
        }
        _ => return Err(token_failed("log in", &token.to_string(), error)),
    };
    Err(refused.with_source(error))
}

/// Whether a PIN is not to be tried again after a login that ended with `code`. A stored one is not
/// after any failure but those before a PIN is looked at: it would be tried at each refresh, and a
/// token that counts it each time locks itself.
fn is_refusal(code: Option<&RvError>, is_stored: bool) -> bool {
    match code {
        Some(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange) => true,
        Some(
            RvError::UserAlreadyLoggedIn
            | RvError::UserAnotherAlreadyLoggedIn
            | RvError::UserTooManyTypes
            | RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::SlotIdInvalid
            | RvError::CryptokiNotInitialized,
        ) => false,
        _ => is_stored,
    }
}

fn wrong_pin(library: &Pkcs11, token: &Token) -> CredentialsError {
    // The flags have changed with this try.
    let now = library.get_token_info(token.slot).map(|info| Token::new(token.slot, &info));
    let now = now.unwrap_or_else(|_| token.clone());
    let left = match (now.pin_locked, now.pin_final_try, now.pin_few_tries) {
        (true, ..) => ", and it is locked now",
        (_, true, _) => ", and one try is left before it locks",
        (_, _, true) => ", and few tries are left before it locks",
        _ => "",
    };
    fail(ErrorKind::Denied, format!("{token}: the PIN is wrong{left}"))
        .with_help("it was tried once, and is not tried again")
}

#[cfg(test)]
impl Token {
    /// A token with a PIN that is not locked.
    pub(super) fn fake() -> Self {
        let text = |text: &str| text.to_owned();
        Self {
            slot: Slot::try_from(0_u64).unwrap(),
            label: text("fake"),
            manufacturer: text("maker"),
            model: text("model"),
            serial: text("1"),
            needs_login: true,
            pin_pad: false,
            has_pin: true,
            pin_locked: false,
            pin_final_try: false,
            pin_few_tries: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_pin_is_refused_after_whatever_may_have_counted_it() {
        let wrong = [RvError::PinIncorrect, RvError::PinInvalid, RvError::PinLenRange];
        for code in &wrong {
            assert!(is_refusal(Some(code), true) && is_refusal(Some(code), false), "{code:?}");
        }
        for code in [
            RvError::GeneralError,
            RvError::FunctionFailed,
            RvError::DeviceError,
            RvError::DeviceMemory,
            RvError::FunctionCanceled,
            RvError::PinLocked,
            RvError::PinExpired,
            RvError::VendorDefined(0x8000_0001),
        ] {
            assert!(is_refusal(Some(&code), true), "{code:?}");
            // Nobody types it again and again.
            assert!(!is_refusal(Some(&code), false), "{code:?}");
        }
        assert!(is_refusal(None, true));
        for code in [
            RvError::UserAlreadyLoggedIn,
            RvError::UserAnotherAlreadyLoggedIn,
            RvError::SessionHandleInvalid,
            RvError::SessionClosed,
            RvError::DeviceRemoved,
            RvError::TokenNotPresent,
            RvError::CryptokiNotInitialized,
        ] {
            assert!(!is_refusal(Some(&code), true), "{code:?}");
        }
    }
}
