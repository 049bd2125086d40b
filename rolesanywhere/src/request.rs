use std::collections::BTreeMap;
use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rolecall_core::endpoint::{Endpoint, EndpointOptions, Region, Service, resolve};
use rolecall_core::{CredentialsError, ErrorKind, Result};
use serde::Serialize;

use crate::arn::Arn;

/// What SigV4 leaves as it is (RFC 3986's unreserved characters).
const ENCODED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What is asked of Roles Anywhere: a session of a role, by a profile, for a certificate that a
/// trust anchor vouches for. Source: `CreateSession` in the IAM Roles Anywhere API Reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RolesAnywhere {
    /// The trust anchor; its region is where the request goes.
    pub trust_anchor_arn: String,
    /// The Roles Anywhere profile, of the same region.
    pub profile_arn: String,
    /// The role.
    pub role_arn: String,
    /// How long the session is to last: 900 to 43200 seconds; `None` is 3600.
    pub duration_seconds: Option<u32>,
    /// The session's name; only where the profile accepts one.
    pub role_session_name: Option<String>,
    /// The region, which must be the trust anchor's: `None` is that.
    pub region: Option<String>,
    /// What the instance says of itself: names and values that AWS keeps with the session.
    pub instance_properties: BTreeMap<String, String>,
}

impl RolesAnywhere {
    /// How long a session lasts where nothing is said: AWS's helper's default.
    pub const DEFAULT_DURATION: u32 = 3600;

    /// How long the session is to last, in seconds.
    pub fn duration(&self) -> u32 {
        self.duration_seconds.unwrap_or(Self::DEFAULT_DURATION)
    }

    /// The region to ask: the given one, else the trust anchor's.
    ///
    /// # Errors
    /// `InvalidConfiguration` if that is none.
    pub fn signing_region(&self) -> Result<Region> {
        match &self.region {
            Some(region) => Region::parse(region, "the region"),
            None => {
                let arn = Arn::trust_anchor(&self.trust_anchor_arn)?;
                Region::parse(arn.region, "the region of the trust anchor's ARN")
            }
        }
    }

    /// Where the request goes: [`Self::signing_region`] goes before the region in `options`, which
    /// is another service's.
    ///
    /// # Errors
    /// `InvalidConfiguration` without a region, or if an own URL meets FIPS or dual-stack.
    pub fn endpoint(&self, options: &EndpointOptions) -> Result<Endpoint> {
        let options = EndpointOptions { region: Some(self.signing_region()?), ..options.clone() };
        resolve(Service::RolesAnywhere, &options)
    }

    /// The role's account, if its ARN has one.
    pub fn account_id(&self) -> Option<&str> {
        Arn::role(&self.role_arn).ok().map(|arn| arn.account)
    }

    /// The query in its canonical form: sorted, encoded as SigV4 wants it.
    pub(crate) fn query(&self) -> String {
        let mut query = String::with_capacity(512);
        for (name, value) in [
            ("profileArn", &self.profile_arn),
            ("roleArn", &self.role_arn),
            ("trustAnchorArn", &self.trust_anchor_arn),
        ] {
            let separator = if query.is_empty() { "" } else { "&" };
            // Writing into a String cannot fail.
            let _ = write!(query, "{separator}{name}={}", utf8_percent_encode(value, &ENCODED));
        }
        query
    }

    /// The body.
    pub(crate) fn body(&self) -> Result<Vec<u8>> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Body<'a> {
            duration_seconds: u32,
            #[serde(skip_serializing_if = "Option::is_none")]
            role_session_name: Option<&'a str>,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            instance_properties: &'a BTreeMap<String, String>,
        }
        let body = Body {
            duration_seconds: self.duration(),
            role_session_name: self.role_session_name.as_deref(),
            instance_properties: &self.instance_properties,
        };
        serde_json::to_vec(&body).map_err(|flaw| {
            CredentialsError::new(ErrorKind::Internal, "Roles Anywhere", "no body can be written")
                .with_source(flaw)
        })
    }
}

#[cfg(test)]
mod tests {
    use rolecall_core::endpoint::ConfiguredUrl;

    use super::*;
    use crate::testing;

    #[test]
    fn the_region_is_the_trust_anchors_unless_one_is_given() {
        let mut request = testing::request();
        let options = EndpointOptions {
            region: Some(Region::parse("eu-west-1", "test").unwrap()),
            ..EndpointOptions::default()
        };
        let endpoint = request.endpoint(&options).unwrap();
        assert_eq!(endpoint.url, "https://rolesanywhere.us-east-2.amazonaws.com");
        assert_eq!(endpoint.signing_region, "us-east-2");
        request.region = Some("us-west-2".to_owned());
        assert_eq!(request.endpoint(&options).unwrap().signing_region, "us-west-2");
        request.region = Some("evil.tld/".to_owned());
        assert!(request.endpoint(&options).is_err());
    }

    #[test]
    fn every_partition_has_its_host() {
        for (region, flags, host) in [
            ("cn-north-1", "", "rolesanywhere.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", "", "rolesanywhere.us-gov-west-1.amazonaws.com"),
            ("us-gov-west-1", "f", "rolesanywhere-fips.us-gov-west-1.amazonaws.com"),
            ("us-isob-east-1", "", "rolesanywhere.us-isob-east-1.sc2s.sgov.gov"),
            ("eu-isoe-west-1", "", "rolesanywhere.eu-isoe-west-1.cloud.adc-e.uk"),
            ("us-isof-south-1", "", "rolesanywhere.us-isof-south-1.csp.hci.ic.gov"),
            ("eusc-de-east-1", "", "rolesanywhere.eusc-de-east-1.amazonaws.eu"),
            ("us-east-1", "d", "rolesanywhere.us-east-1.api.aws"),
            ("us-east-1", "fd", "rolesanywhere-fips.us-east-1.api.aws"),
        ] {
            let request = RolesAnywhere { region: Some(region.to_owned()), ..testing::request() };
            let options = EndpointOptions {
                fips: flags.contains('f'),
                dual_stack: flags.contains('d'),
                ..EndpointOptions::default()
            };
            assert_eq!(request.endpoint(&options).unwrap().url, format!("https://{host}"));
        }
    }

    #[test]
    fn an_own_url_keeps_the_region_and_excludes_fips() {
        let url =
            Some(ConfiguredUrl::new("http://127.0.0.1:8080/x", "AWS_ENDPOINT_URL_ROLESANYWHERE"));
        let options = EndpointOptions { url, ..EndpointOptions::default() };
        let endpoint = testing::request().endpoint(&options).unwrap();
        assert_eq!(endpoint.signing_region, "us-east-2");
        let error = testing::request().endpoint(&EndpointOptions { fips: true, ..options });
        assert!(error.unwrap_err().message().contains("AWS_ENDPOINT_URL_ROLESANYWHERE"));
    }

    #[test]
    fn the_body_holds_what_is_asked_and_no_more() {
        let mut request = testing::request();
        assert_eq!(request.body().unwrap(), br#"{"durationSeconds":3600}"#);
        request.duration_seconds = Some(900);
        request.role_session_name = Some("me".to_owned());
        request.instance_properties.insert("os".to_owned(), "linux".to_owned());
        let body = String::from_utf8(request.body().unwrap()).unwrap();
        assert_eq!(
            body,
            r#"{"durationSeconds":900,"roleSessionName":"me","instanceProperties":{"os":"linux"}}"#
        );
    }
}
