use crate::identity::refusal::{Check, Refusal};

/// A URL that names a host and no more.
pub(super) struct Address {
    pub(super) scheme: &'static str,
    /// With its port, where there is one.
    pub(super) host: String,
}

impl Address {
    /// Takes `https://HOST/`, in one spelling.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let (scheme, rest) = split(bytes)?;
        let refuse = |code, message| Err(Refusal::new(Check::Url, code, message));
        if rest.contains('?') {
            return refuse("url-query", "the URL has a query, and a POST must have none");
        }
        if rest.contains('#') {
            return refuse("url-fragment", "the URL has a fragment");
        }
        let Some(host) = rest.strip_suffix('/') else {
            return refuse("url-path", "the URL's path is not /");
        };
        if host.contains('/') {
            return refuse("url-path", "the URL's path is not /");
        }
        Ok(Self { scheme, host: Self::check_host(host)?.to_owned() })
    }

    /// Takes a host in lower case, perhaps with a port.
    pub(super) fn check_host(host: &str) -> Result<&str, Refusal> {
        let refuse = |code, message| Err(Refusal::new(Check::Url, code, message));
        if host.contains('@') {
            return refuse("url-user", "the URL holds a user name");
        }
        if host.is_empty() || host.len() > 253 {
            return refuse("host-length", "the host's name is empty or too long");
        }
        let fits = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b':');
        if !host.bytes().all(fits) {
            let message = "the host holds what is no lower-case letter, digit, hyphen or dot";
            return refuse("host-characters", message);
        }
        if host.ends_with('.') {
            return refuse("host-dot", "the host ends in a dot");
        }
        Ok(host)
    }
}

/// The scheme, and what follows it.
pub(super) fn split(bytes: &[u8]) -> Result<(&'static str, &str), Refusal> {
    let refuse = |code, message| Refusal::new(Check::Url, code, message);
    let text = std::str::from_utf8(bytes);
    let text = text.ok().filter(|text| text.bytes().all(|b| b.is_ascii_graphic()));
    let text =
        text.ok_or_else(|| refuse("url-characters", "the URL holds what is not visible ASCII"))?;
    if text.contains('\\') {
        return Err(refuse("url-backslash", "the URL holds a backslash"));
    }
    match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => Ok(("https", rest)),
        (_, Some(rest)) => Ok(("http", rest)),
        _ => Err(refuse("url-scheme", "the URL starts neither with https:// nor with http://")),
    }
}
