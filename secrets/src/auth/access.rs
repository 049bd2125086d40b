use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use rolecall_core::{CredentialsError, ErrorKind, Result};
use rolecall_sts::identity::SubClaim;
use serde::{Deserialize, Serialize};

use super::SessionClaims;

/// Lets those in who have logged in by one auth method, or some of them.
///
/// As text: `ACCESS-ID`, or `ACCESS-ID,role_name=Deploy,role_name=Build,account_id=123456789012`. Of
/// a claim that is named several times one value must fit, and all claims must.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The access id of the method: its name may come to mean another.
    pub access_id: String,
    /// Which values of which claims fit; a claim that is not named may be anything.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sub_claims: BTreeMap<SubClaim, BTreeSet<String>>,
}

impl Access {
    /// Whether it lets in who has this session.
    pub fn fits(&self, session: &SessionClaims) -> bool {
        self.access_id == session.access_id
            && self.sub_claims.iter().all(|(claim, values)| {
                claim.of(&session.identity).is_some_and(|value| values.contains(&value))
            })
    }
}

impl FromStr for Access {
    type Err = CredentialsError;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            CredentialsError::new(ErrorKind::InvalidConfiguration, "access", what)
                .with_place(rolecall_core::printable(text, 80))
                .with_help("write ACCESS-ID[,CLAIM=VALUE]…, as p-abc,role_name=Deploy")
        };
        let mut parts = text.split(',');
        let access_id = parts.next().unwrap_or_default().to_owned();
        if access_id.is_empty() {
            return Err(wrong("it names no auth method"));
        }
        let mut sub_claims: BTreeMap<SubClaim, BTreeSet<String>> = BTreeMap::new();
        for part in parts {
            let (claim, value) = part.split_once('=').ok_or_else(|| wrong("a claim has no ="))?;
            if value.is_empty() {
                return Err(wrong("a claim has no value"));
            }
            sub_claims.entry(SubClaim::parse(claim)?).or_default().insert(value.to_owned());
        }
        Ok(Self { access_id, sub_claims })
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.access_id)?;
        for (claim, values) in &self.sub_claims {
            for value in values {
                write!(f, ",{}={value}", claim.name())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn access_reads_back_and_nonsense_is_refused() {
        for text in ["p-1", "p-1,account_id=123456789012,role_name=A,role_name=B"] {
            assert_eq!(text.parse::<Access>().unwrap().to_string(), text);
        }
        for text in ["", ",role_name=A", "p-1,role_name", "p-1,role_name=", "p-1,session_name=x"] {
            let error = text.parse::<Access>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidConfiguration, "{text}");
        }
    }
}
