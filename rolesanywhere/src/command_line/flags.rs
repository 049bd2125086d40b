//! The flags of `aws_signing_helper`, version 1.8, once for its own command lines, for those of
//! profiles, and for `rolecall`.

/// A flag.
#[derive(Clone, Copy, Debug)]
pub struct Flag {
    /// The name, without the dashes.
    pub name: &'static str,
    /// What its value is called in help; `None` for a switch.
    pub value: Option<&'static str>,
    /// What it says, for help.
    pub help: &'static str,
}

const fn flag(name: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { name, value: Some(value), help }
}

const fn switch(name: &'static str, help: &'static str) -> Flag {
    Flag { name, value: None, help }
}

/// Where key and certificate come from. Every command has these.
pub const IDENTITY_FLAGS: [Flag; 13] = [
    flag(
        "certificate",
        "CERTIFICATE",
        "The certificate: a file (PEM, DER or PKCS#12), a PKCS#11 URI, - or env:NAME",
    ),
    flag(
        "private-key",
        "KEY",
        "Its private key, from the same kinds of places; not needed if it lies with the certificate",
    ),
    flag(
        "intermediates",
        "CERTIFICATE",
        "More certificates of the chain, from the same kinds of places",
    ),
    flag(
        "pkcs8-password",
        "PASSWORD",
        "The password of the key or PKCS#12 file: file://PATH, - or env:NAME; otherwise it is asked for",
    ),
    flag("pkcs11-lib", "FILE", "The PKCS#11 module; otherwise the URI's, else p11-kit's"),
    switch("reuse-pin", "Use the PIN of the token for a key that asks at each signature"),
    flag(
        "cert-selector",
        "SELECTOR",
        "Which certificate, where there are several: Key=x509Subject,Value=… Key=x509Issuer,Value=… \
         Key=x509Serial,Value=HEX, or file://PATH with JSON",
    ),
    switch(
        "use-latest-expiring-certificate",
        "Of several certificates that match, take the one that ends last",
    ),
    flag("system-store-name", "NAME", "The store of Windows (not supported yet)"),
    flag("system-store-location", "PLACE", "The place of that store (not supported yet)"),
    flag("tpm-key-password", "PASSWORD", "The password of a key in a TPM (not supported yet)"),
    switch("no-tpm-key-password", "The key in a TPM has no password (not supported yet)"),
    switch("debug", "Say on standard error what is being done"),
];

/// What is asked of Roles Anywhere, and how it is reached: the commands that get credentials have
/// these too.
pub const REQUEST_FLAGS: [Flag; 9] = [
    flag("role-arn", "ARN", "The role"),
    flag("profile-arn", "ARN", "The profile of Roles Anywhere"),
    flag("trust-anchor-arn", "ARN", "The trust anchor that vouches for the certificate"),
    flag(
        "session-duration",
        "SECONDS",
        "How long the session is to last: 900 to 43200; 3600 otherwise",
    ),
    flag("role-session-name", "NAME", "The session's name, where the profile accepts one"),
    flag(
        "region",
        "REGION",
        "The region; it must be the trust anchor's, which is asked without this",
    ),
    flag("endpoint", "URL", "Where Roles Anywhere is asked"),
    switch(
        "with-proxy",
        "Use the proxy that HTTPS_PROXY names; under its own name rolecall does so without this, too",
    ),
    switch(
        "no-verify-ssl",
        "Take any certificate of the other side: whoever is in between gets the credentials",
    ),
];

const UPDATE_FLAGS: [Flag; 3] = [
    flag("profile", "NAME", "The section of the credentials file to write; default otherwise"),
    switch("once", "Write once and end"),
    switch("retry-errors", "Try again what fails; what may pass by itself is always tried again"),
];

const SERVE_FLAGS: [Flag; 2] = [
    flag("port", "PORT", "The port on 127.0.0.1; 9911 otherwise"),
    flag("hop-limit", "NUMBER", "How many machines an answer may pass; 64 otherwise"),
];

const SIGN_STRING_FLAGS: [Flag; 2] = [
    flag("digest", "DIGEST", "SHA256, SHA384 or SHA512; SHA256 otherwise"),
    flag("format", "FORM", "json, text or bin; json otherwise"),
];

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelperVerb {
    /// `credential-process`.
    CredentialProcess,
    /// `update`.
    Update,
    /// `serve`.
    Serve,
    /// `sign-string`.
    SignString,
    /// `read-certificate-data`.
    ReadCertificateData,
    /// `version`.
    Version,
}

impl HelperVerb {
    /// Every command, with its name and what it does.
    pub const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::CredentialProcess, "credential-process", "Print credentials for a profile"),
        (Self::Update, "update", "Write credentials into the credentials file, again and again"),
        (Self::Serve, "serve", "Serve credentials on 127.0.0.1 as an EC2 instance gets them"),
        (Self::SignString, "sign-string", "Sign a fixed text, to see that the key works"),
        (Self::ReadCertificateData, "read-certificate-data", "Print what a certificate says"),
        (Self::Version, "version", "Print the version"),
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, own, _)| *own == name).map(|(verb, ..)| verb)
    }

    /// Its flags.
    pub fn flags(self) -> impl Iterator<Item = Flag> {
        let groups: [&[Flag]; 3] = match self {
            Self::CredentialProcess => [&IDENTITY_FLAGS, &REQUEST_FLAGS, &[]],
            Self::Update => [&IDENTITY_FLAGS, &REQUEST_FLAGS, &UPDATE_FLAGS],
            Self::Serve => [&IDENTITY_FLAGS, &REQUEST_FLAGS, &SERVE_FLAGS],
            Self::SignString => [&IDENTITY_FLAGS, &SIGN_STRING_FLAGS, &[]],
            Self::ReadCertificateData => [&IDENTITY_FLAGS, &[], &[]],
            Self::Version => [&[], &[], &[]],
        };
        groups.into_iter().flatten().copied()
    }
}

/// Flags that the helper does not take together.
pub(super) const EXCLUSIVE: [(&str, &str); 17] = [
    ("certificate", "cert-selector"),
    ("certificate", "system-store-name"),
    ("certificate", "system-store-location"),
    ("private-key", "cert-selector"),
    ("private-key", "system-store-name"),
    ("private-key", "system-store-location"),
    ("private-key", "use-latest-expiring-certificate"),
    ("use-latest-expiring-certificate", "reuse-pin"),
    ("cert-selector", "reuse-pin"),
    ("system-store-name", "reuse-pin"),
    ("system-store-location", "reuse-pin"),
    ("tpm-key-password", "cert-selector"),
    ("tpm-key-password", "reuse-pin"),
    ("no-tpm-key-password", "cert-selector"),
    ("no-tpm-key-password", "reuse-pin"),
    ("no-tpm-key-password", "tpm-key-password"),
    ("pkcs8-password", "tpm-key-password"),
];
