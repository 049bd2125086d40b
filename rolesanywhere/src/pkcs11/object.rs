//! What lies in a token: certificates, and private keys with their public halves.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use pkcs8::der::asn1::{AnyRef, OctetStringRef, UintRef};
use pkcs8::der::{Decode, Encode, Header, Tag};
use pkcs8::spki::SubjectPublicKeyInfoRef;
use rolecall_core::{Context, Result, printable};

use super::failure::token_failed;
use super::module::{CALL_LIMIT, Module, PIN_PAD_LIMIT};
use super::token::{self, Token};
use super::uri::{ObjectKind, Uri};
use super::{TokenCertificates, TokenSource};
use crate::key::spki::{EC, RSA, kind_on, spki};
use crate::{Certificate, KeyKind};

/// The most objects of a kind that are looked at. An HSM may hold very many.
const MOST: usize = 1000;

/// The most objects that an error names.
const MOST_NAMED: usize = 20;

type Raw<T> = cryptoki::error::Result<T>;

/// A private key.
#[derive(Clone, Debug)]
pub(super) struct KeyFacts {
    pub(super) handle: ObjectHandle,
    label: String,
    id: Vec<u8>,
    /// `None` for a kind that is not used here.
    pub(super) kind: Option<KeyKind>,
    /// `SubjectPublicKeyInfo`, if anything in the token tells.
    pub(super) public_key: Option<Vec<u8>>,
    pub(super) always_authenticate: bool,
}

/// Label and identifier.
impl std::fmt::Display for KeyFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&name(self.label.as_bytes(), &self.id))
    }
}

/// How errors name an object.
fn name(label: &[u8], id: &[u8]) -> String {
    let id = hex::encode(&id[..id.len().min(20)]);
    format!("\"{}\" (id {id})", printable(&String::from_utf8_lossy(label), 64))
}

/// What is there instead of what is looked for.
pub(super) fn there_are(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    let more = names.len().saturating_sub(MOST_NAMED);
    names.truncate(MOST_NAMED);
    match (names.as_slice(), more) {
        ([], _) => "there is none".to_owned(),
        (_, 0) => format!("there are: {}", names.join(", ")),
        _ => format!("there are: {} and {more} more", names.join(", ")),
    }
}

/// See [`TokenSource::certificates`].
pub(super) async fn certificates(
    context: &Context,
    source: &TokenSource,
) -> Result<TokenCertificates> {
    let module = Module::find(context, source.module.as_deref(), &source.uri)?;
    let (shared, uri) = (module.clone(), source.uri.clone());
    let (found, closed) = module
        .call(context, CALL_LIMIT, move |state| {
            let library = shared.library(state)?;
            let mut found = TokenCertificates::default();
            let mut closed = Vec::new();
            for token in token::named(&library, &uri, &shared.to_string())? {
                let session = token::session(&library, &token)?;
                let here = read_certificates(&session, &token, &uri)?;
                if here.named.is_empty() && token.needs_login && !token::is_logged_in(&session) {
                    closed.push(token);
                } else {
                    found.named.extend(here.named);
                    found.all.extend(here.all);
                    found.others.extend(here.others);
                }
            }
            Ok((found, closed))
        })
        .await?;
    // Certificates are seldom private. Where they are, one token is asked, and no other.
    let [token] = &closed[..] else { return Ok(found) };
    if !found.named.is_empty() {
        return Ok(found);
    }
    let pin = source.pin.of(context, token).await?;
    let limit = if pin.is_none() { PIN_PAD_LIMIT } else { CALL_LIMIT };
    let (shared, uri, token) = (module.clone(), source.uri.clone(), token.clone());
    let asked = source.pin.clone();
    module
        .call(context, limit, move |state| {
            let library = shared.library(state)?;
            let session = token::session(&library, &token)?;
            let user = UserType::User;
            token::log_in(state, &library, &session, &token, user, pin.as_ref())
                .inspect_err(|_| asked.forget(&token))?;
            read_certificates(&session, &token, &uri)
        })
        .await
}

fn read_certificates(session: &Session, token: &Token, uri: &Uri) -> Result<TokenCertificates> {
    let failed = |error| token_failed("read its certificates", &token.to_string(), error);
    let mut named = find_certificates(session, uri).map_err(failed)?;
    if named.is_empty() && uri.kind == Some(ObjectKind::Private) {
        // A key's URI: its certificate may have another label.
        named = find_certificates(session, &Uri::default()).map_err(failed)?;
    }
    let (mut all, mut others) = (Vec::new(), Vec::new());
    match named.is_empty() {
        true => others = certificate_names(session).map_err(failed)?,
        false => all = find_certificates(session, &Uri::default()).map_err(failed)?,
    }
    let certificates =
        |found: Vec<(Vec<u8>, Certificate)>| found.into_iter().map(|f| f.1).collect();
    Ok(TokenCertificates { named: certificates(named), all: certificates(all), others })
}

fn certificate_names(session: &Session) -> Raw<Vec<String>> {
    let objects = find(session, ObjectClass::CERTIFICATE, &Uri::default())?;
    let named = objects.into_iter().map(|object| {
        let (mut label, mut id) = (Vec::new(), Vec::new());
        for attribute in
            session.get_attributes(object, &[AttributeType::Label, AttributeType::Id])?
        {
            match attribute {
                Attribute::Label(found) => label = found,
                Attribute::Id(found) => id = found,
                _ => {}
            }
        }
        Ok(name(&label, &id))
    });
    named.collect()
}

/// The certificates with the label and identifier of `uri`, each with its own identifier. What is no
/// X.509 certificate is passed over.
fn find_certificates(session: &Session, uri: &Uri) -> Raw<Vec<(Vec<u8>, Certificate)>> {
    let mut certificates = Vec::new();
    for object in find(session, ObjectClass::CERTIFICATE, uri)? {
        let wanted = [AttributeType::Value, AttributeType::Id];
        let (mut value, mut id) = (Vec::new(), Vec::new());
        for attribute in session.get_attributes(object, &wanted)? {
            match attribute {
                Attribute::Value(found) => value = found,
                Attribute::Id(found) => id = found,
                _ => {}
            }
        }
        if let Ok(certificate) = Certificate::from_der(&value) {
            certificates.push((id, certificate));
        }
    }
    Ok(certificates)
}

fn find(session: &Session, class: ObjectClass, uri: &Uri) -> Raw<Vec<ObjectHandle>> {
    let mut template = vec![Attribute::Class(class)];
    template.extend(uri.object.clone().map(|label| Attribute::Label(label.into_bytes())));
    template.extend(uri.id.clone().map(Attribute::Id));
    session.iter_objects(&template)?.take(MOST).collect()
}

/// The private keys with the label and identifier of `uri`, as far as the session sees them.
pub(super) fn private_keys(session: &Session, token: &Token, uri: &Uri) -> Result<Vec<KeyFacts>> {
    let read = || -> Raw<Vec<KeyFacts>> {
        let handles = find(session, ObjectClass::PRIVATE_KEY, uri)?;
        if handles.is_empty() {
            return Ok(Vec::new());
        }
        let public = public_keys(session, &Uri::default())?;
        handles.into_iter().map(|handle| private_key(session, handle, &public)).collect()
    };
    read().map_err(|error| token_failed("read its keys", &token.to_string(), error))
}

/// The public keys that lie open in the token with the label and identifier of `uri`, from public
/// keys and certificates, each with its identifier.
pub(super) fn public_keys(session: &Session, uri: &Uri) -> Raw<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut keys = Vec::new();
    for handle in find(session, ObjectClass::PUBLIC_KEY, uri)? {
        let facts = Facts::read(session, handle)?;
        keys.extend(facts.public_key().map(|key| (facts.id, key)));
    }
    let certificates = find_certificates(session, uri)?;
    keys.extend(certificates.into_iter().map(|(id, c)| (id, c.public_key().to_vec())));
    Ok(keys)
}

fn private_key(
    session: &Session,
    handle: ObjectHandle,
    public: &[(Vec<u8>, Vec<u8>)],
) -> Raw<KeyFacts> {
    let facts = Facts::read(session, handle)?;
    let kind = facts.kind();
    let by_id = || {
        let mut same = public.iter().filter(|(id, _)| !id.is_empty() && *id == facts.id);
        same.next().map(|(_, key)| key.clone())
    };
    let public_key = facts.public_key().or_else(by_id);
    Ok(KeyFacts {
        handle,
        label: String::from_utf8_lossy(&facts.label).into_owned(),
        kind,
        public_key,
        always_authenticate: facts.always_authenticate,
        id: facts.id,
    })
}

/// What the attributes of a key say.
#[derive(Default)]
struct Facts {
    label: Vec<u8>,
    id: Vec<u8>,
    key_type: Option<KeyType>,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    curve: Vec<u8>,
    point: Vec<u8>,
    info: Vec<u8>,
    always_authenticate: bool,
}

impl Facts {
    fn read(session: &Session, handle: ObjectHandle) -> Raw<Self> {
        let wanted = [
            AttributeType::Label,
            AttributeType::Id,
            AttributeType::KeyType,
            AttributeType::Modulus,
            AttributeType::PublicExponent,
            AttributeType::EcParams,
            AttributeType::EcPoint,
            AttributeType::PublicKeyInfo,
            AttributeType::AlwaysAuthenticate,
        ];
        let mut facts = Self::default();
        for attribute in session.get_attributes(handle, &wanted)? {
            match attribute {
                Attribute::Label(label) => facts.label = label,
                Attribute::Id(id) => facts.id = id,
                Attribute::KeyType(key_type) => facts.key_type = Some(key_type),
                Attribute::Modulus(modulus) => facts.modulus = modulus,
                Attribute::PublicExponent(exponent) => facts.exponent = exponent,
                Attribute::EcParams(curve) => facts.curve = curve,
                Attribute::EcPoint(point) => facts.point = point,
                Attribute::PublicKeyInfo(info) => facts.info = info,
                Attribute::AlwaysAuthenticate(always) => facts.always_authenticate = always,
                _ => {}
            }
        }
        Ok(facts)
    }

    fn kind(&self) -> Option<KeyKind> {
        match self.key_type? {
            KeyType::RSA => {
                let modulus = UintRef::new(&self.modulus).ok()?;
                let zeros = modulus.as_bytes().first().map_or(0, |byte| byte.leading_zeros());
                let bits = u32::try_from(modulus.as_bytes().len()).ok()?.checked_mul(8)?;
                Some(KeyKind::Rsa { bits: bits - zeros })
            }
            KeyType::EC => kind_on(Decode::from_der(&self.curve).ok()?),
            _ => None,
        }
    }

    /// `SubjectPublicKeyInfo`.
    fn public_key(&self) -> Option<Vec<u8>> {
        if SubjectPublicKeyInfoRef::try_from(&self.info[..]).is_ok() {
            return Some(self.info.clone());
        }
        match self.key_type? {
            KeyType::RSA if !self.modulus.is_empty() && !self.exponent.is_empty() => {
                let numbers =
                    [UintRef::new(&self.modulus).ok()?, UintRef::new(&self.exponent).ok()?];
                spki(RSA, AnyRef::NULL, &rsa_public_key(numbers).ok()?).ok()
            }
            KeyType::EC if !self.point.is_empty() => {
                // By the standard an octet string; some tokens leave out its head.
                let inner = <&OctetStringRef>::from_der(&self.point).map(OctetStringRef::as_bytes);
                let point = inner.ok().filter(|point| point.first() == Some(&4));
                let curve = AnyRef::from_der(&self.curve).ok()?;
                spki(EC, curve, point.unwrap_or(&self.point)).ok()
            }
            _ => None,
        }
    }
}

fn rsa_public_key(numbers: [UintRef<'_>; 2]) -> pkcs8::der::Result<Vec<u8>> {
    let mut der = Vec::new();
    let length = (numbers[0].encoded_len()? + numbers[1].encoded_len()?)?;
    Header::new(Tag::Sequence, length).encode_to_vec(&mut der)?;
    for number in numbers {
        number.encode_to_vec(&mut der)?;
    }
    Ok(der)
}
