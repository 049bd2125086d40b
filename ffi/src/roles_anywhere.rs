//! A certificate for IAM Roles Anywhere.

use std::ffi::c_char;

use rolecall::core::SecretInput;
use rolecall::rolesanywhere::{IdentitySource, RolesAnywhere};
use rolecall::{Asker, RolesAnywhereOptions};

use crate::boundary::{Outcome, Place, bytes, free, given_mut, guard, text, text_or_null};
use crate::error::rolecall_error;
use crate::options::secret_input;
use crate::status::rolecall_status;

/// A certificate and what is asked of IAM Roles Anywhere for it: the source of a session, by
/// `rolecall_session_options_set_roles_anywhere`. One thread at a time may change it. Free it with
/// `rolecall_roles_anywhere_free`.
pub struct rolecall_roles_anywhere {
    pub(crate) inner: RolesAnywhereOptions,
}

/// Asks for a session of `role_arn` by the Roles Anywhere profile `profile_arn`, for a certificate
/// that the trust anchor vouches for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_new(
    trust_anchor_arn: *const c_char,
    profile_arn: *const c_char,
    role_arn: *const c_char,
    certificate: *mut *mut rolecall_roles_anywhere,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    guard(error, || {
        let certificate = Place::at(certificate, "certificate")?;
        let request = RolesAnywhere {
            trust_anchor_arn: text(trust_anchor_arn, "trust_anchor_arn")?.to_owned(),
            profile_arn: text(profile_arn, "profile_arn")?.to_owned(),
            role_arn: text(role_arn, "role_arn")?.to_owned(),
            ..RolesAnywhere::default()
        };
        let inner = RolesAnywhereOptions { request, ..RolesAnywhereOptions::default() };
        certificate.hand_over(rolecall_roles_anywhere { inner });
        Ok(())
    })
}

fn set(
    certificate: *mut rolecall_roles_anywhere,
    error: *mut *mut rolecall_error,
    change: impl FnOnce(&mut RolesAnywhereOptions) -> Outcome<()>,
) -> rolecall_status {
    guard(error, || change(&mut given_mut(certificate, "certificate")?.inner))
}

/// Sets a part of where key and certificates come from.
fn set_source(
    certificate: *mut rolecall_roles_anywhere,
    error: *mut *mut rolecall_error,
    change: impl FnOnce(&mut IdentitySource) -> Outcome<()>,
) -> rolecall_status {
    set(certificate, error, |options| match &mut options.identity {
        Asker::Source(source) => change(source),
        // None is made here of another kind.
        Asker::Identity(_) => Ok(()),
    })
}

fn located(text: *const c_char, name: &str) -> Outcome<Option<SecretInput>> {
    Ok(text_or_null(text, name)?.map(IdentitySource::locate))
}

/// The certificate, alone, with its chain or with its key: the path of a file, `file://PATH`,
/// `env:NAME`, `-` (standard input) or a PKCS#11 URI. `place` may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_certificate(
    certificate: *mut rolecall_roles_anywhere,
    place: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set_source(certificate, error, |source| {
        source.certificate = located(place, "place")?;
        Ok(())
    })
}

/// The certificate, alone, with its chain or with its key, from memory: PEM, DER or PKCS#12. The
/// bytes are copied, and the copy is zeroed at its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_certificate_bytes(
    certificate: *mut rolecall_roles_anywhere,
    data: *const u8,
    length: usize,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set_source(certificate, error, |source| {
        source.certificate = Some(IdentitySource::at_hand(bytes(data, length, "data")?));
        Ok(())
    })
}

/// The private key: the path of a file, `file://PATH`, `env:NAME`, `-` (standard input) or a
/// PKCS#11 URI. Needed unless it lies with the certificate. `place` may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_private_key(
    certificate: *mut rolecall_roles_anywhere,
    place: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set_source(certificate, error, |source| {
        source.private_key = located(place, "place")?;
        Ok(())
    })
}

/// The private key, from memory: PEM, DER or PKCS#12. The bytes are copied, and the copy is zeroed at
/// its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_private_key_bytes(
    certificate: *mut rolecall_roles_anywhere,
    data: *const u8,
    length: usize,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set_source(certificate, error, |source| {
        source.private_key = Some(IdentitySource::at_hand(bytes(data, length, "data")?));
        Ok(())
    })
}

/// More certificates of the chain: the path of a file, `file://PATH`, `env:NAME`, `-` (standard
/// input) or a PKCS#11 URI. `place` may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_intermediates(
    certificate: *mut rolecall_roles_anywhere,
    place: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set_source(certificate, error, |source| {
        source.intermediates = located(place, "place")?;
        Ok(())
    })
}

/// More certificates of the chain, from memory: PEM, DER or PKCS#12. The bytes are copied, and the
/// copy is zeroed at its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_intermediates_bytes(
    certificate: *mut rolecall_roles_anywhere,
    data: *const u8,
    length: usize,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set_source(certificate, error, |source| {
        source.intermediates = Some(IdentitySource::at_hand(bytes(data, length, "data")?));
        Ok(())
    })
}

/// The password of an encrypted key or PKCS#12 file, or the PIN of a token: `file://PATH`, `env:NAME`,
/// `-` or the text itself. Without one it is asked for if it is needed. `source` may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_password(
    certificate: *mut rolecall_roles_anywhere,
    source: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set_source(certificate, error, |from| {
        from.password = text_or_null(source, "source")?.map(secret_input);
        Ok(())
    })
}

/// The module of the token. `path` may be NULL: the URI's `module-path`, else p11-kit's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_pkcs11_module(
    certificate: *mut rolecall_roles_anywhere,
    path: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set_source(certificate, error, |source| {
        source.pkcs11_module = text_or_null(path, "path")?.map(Into::into);
        Ok(())
    })
}

/// Whether the PIN of the token serves for the key as well, if the key asks at each signature.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_reuse_pin(
    certificate: *mut rolecall_roles_anywhere,
    reuses: bool,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set_source(certificate, error, |source| {
        source.reuse_pin = reuses;
        Ok(())
    })
}

/// Which certificate is meant, where there are several, as `--cert-selector` of AWS's helper has it:
/// `Key=x509Subject,Value=CN=host`. `selector` may be NULL: the one that belongs to the key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_selector(
    certificate: *mut rolecall_roles_anywhere,
    selector: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set_source(certificate, error, |source| {
        let selector = text_or_null(selector, "selector")?;
        source.selector = selector.map(str::parse).transpose()?;
        Ok(())
    })
}

/// Of several certificates that the selector matches, takes the one that ends last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_use_latest_expiring(
    certificate: *mut rolecall_roles_anywhere,
    uses: bool,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set_source(certificate, error, |source| {
        source.use_latest_expiring = uses;
        Ok(())
    })
}

/// How long the session is to last: 900 to 43200 seconds; 0 is the default, 3600.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_duration(
    certificate: *mut rolecall_roles_anywhere,
    seconds: u32,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(certificate, error, |options| {
        options.request.duration_seconds = Some(seconds).filter(|seconds| *seconds != 0);
        Ok(())
    })
}

/// The session's name, where the profile accepts one. `name` may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_session_name(
    certificate: *mut rolecall_roles_anywhere,
    name: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(certificate, error, |options| {
        options.request.role_session_name = text_or_null(name, "name")?.map(str::to_owned);
        Ok(())
    })
}

/// The region, which must be the trust anchor's. `region` may be NULL: that.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_region(
    certificate: *mut rolecall_roles_anywhere,
    region: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(certificate, error, |options| {
        options.request.region = text_or_null(region, "region")?.map(str::to_owned);
        Ok(())
    })
}

/// Where Roles Anywhere is asked, above `AWS_ENDPOINT_URL_ROLESANYWHERE` and the profile's. `url`
/// may be NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_endpoint_url(
    certificate: *mut rolecall_roles_anywhere,
    url: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(certificate, error, |options| {
        options.endpoint_url = text_or_null(url, "url")?.map(str::to_owned);
        Ok(())
    })
}

/// Whether the proxies of the environment are passed over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_no_proxy(
    certificate: *mut rolecall_roles_anywhere,
    is_direct: bool,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(certificate, error, |options| {
        options.no_proxy = is_direct;
        Ok(())
    })
}

/// Whether any certificate of the other side is taken: whoever is in between gets the credentials.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_set_no_verify_ssl(
    certificate: *mut rolecall_roles_anywhere,
    takes_any: bool,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(certificate, error, |options| {
        options.no_verify_ssl = takes_any;
        Ok(())
    })
}

/// Adds what the instance says of itself: a name and a value that AWS keeps with the session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_add_instance_property(
    certificate: *mut rolecall_roles_anywhere,
    name: *const c_char,
    value: *const c_char,
    error: *mut *mut rolecall_error,
) -> rolecall_status {
    set(certificate, error, |options| {
        let (name, value) = (text(name, "name")?.to_owned(), text(value, "value")?.to_owned());
        options.request.instance_properties.insert(name, value);
        Ok(())
    })
}

/// Frees it; `certificate` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn rolecall_roles_anywhere_free(certificate: *mut rolecall_roles_anywhere) {
    free(certificate);
}
