use std::time::SystemTime;

use rolecall_core::{ErrorKind, Result, Secret, timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::common::{self, Json, Tag};
use super::limits::Limits;
use crate::form::Params;
use crate::{StsClient, client, xml};

const ACTION: &str = "GetWebIdentityToken";

/// What GetWebIdentityToken takes; the first two are required.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct GetWebIdentityToken {
    /// Whom the token is for: 1 to 10, each of 1 to 1000 characters.
    pub audience: Vec<String>,
    /// `RS256` or `ES384`.
    pub signing_algorithm: String,
    /// 60 to 3600 seconds; AWS's default is 300.
    pub duration_seconds: Option<u32>,
    /// Claims of the caller's own: at most 50.
    pub tags: Vec<Tag>,
}

impl GetWebIdentityToken {
    fn params(&self) -> Result<Params> {
        let limits = Limits(ACTION);
        limits.count("Audience", self.audience.len(), 1..=10)?;
        for (index, audience) in self.audience.iter().enumerate() {
            limits.text(&format!("Audience[{index}]"), audience, 1..=1000)?;
        }
        limits.text("SigningAlgorithm", &self.signing_algorithm, 5..=5)?;
        limits.seconds("DurationSeconds", self.duration_seconds, 60..=3600)?;
        limits.tags(&self.tags)?;

        let mut params = Params::new();
        params.add_list("Audience", "", &self.audience);
        params.add_if("DurationSeconds", self.duration_seconds);
        params.add("SigningAlgorithm", &self.signing_algorithm);
        common::add_tags(&mut params, &self.tags);
        Ok(params)
    }
}

/// What GetWebIdentityToken gives.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GetWebIdentityTokenOutput {
    /// A JWT that proves who the caller is to others than AWS.
    #[serde(deserialize_with = "xml::secret")]
    pub web_identity_token: Secret,
    /// When it ends (UTC).
    #[serde(deserialize_with = "xml::moment")]
    pub expiration: SystemTime,
}

impl GetWebIdentityTokenOutput {
    /// What `aws sts get-web-identity-token` prints. **Exposes the token.**
    pub fn to_json(&self) -> Value {
        Json::new()
            .put("WebIdentityToken", self.web_identity_token.expose())
            .put("Expiration", timestamp::format_with_offset(self.expiration))
            .done()
    }
}

impl StsClient {
    /// Gets a token by which others than AWS can tell who the caller is. The account must have
    /// switched this on; works at regional endpoints only.
    ///
    /// # Errors
    /// `InvalidConfiguration` if `input` is beyond a limit; else as [`crate::QueryClient::call`].
    pub async fn get_web_identity_token(
        &self,
        input: &GetWebIdentityToken,
    ) -> Result<GetWebIdentityTokenOutput> {
        let output: GetWebIdentityTokenOutput = self.signed(ACTION, input.params()?).await?;
        if output.web_identity_token.expose().is_empty() {
            let message = "the answer's WebIdentityToken is empty";
            return Err(client::error(ErrorKind::Malformed, ACTION, message));
        }
        Ok(output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn input() -> GetWebIdentityToken {
        GetWebIdentityToken {
            audience: vec!["https://api.test".to_owned()],
            signing_algorithm: "ES384".to_owned(),
            ..GetWebIdentityToken::default()
        }
    }

    #[tokio::test]
    async fn sends_audience_and_algorithm_and_reads_the_token() {
        let result = "<WebIdentityToken>ey.hunter2.x</WebIdentityToken>\
                      <Expiration>2026-01-01T00:05:00Z</Expiration>";
        let (sts, http) = testing::client([testing::success(ACTION, result)]);
        let tags = vec![Tag { key: "k".to_owned(), value: "v".to_owned() }];
        let input = GetWebIdentityToken { duration_seconds: Some(60), tags, ..input() };
        let output = sts.get_web_identity_token(&input).await.unwrap();
        assert_eq!(
            http.take_bodies(),
            ["Action=GetWebIdentityToken&Version=2011-06-15\
              &Audience.member.1=https%3A%2F%2Fapi.test&DurationSeconds=60\
              &SigningAlgorithm=ES384&Tags.member.1.Key=k&Tags.member.1.Value=v"]
        );
        assert_eq!(
            output.to_json().to_string(),
            "{\"WebIdentityToken\":\"ey.hunter2.x\",\"Expiration\":\"2026-01-01T00:05:00+00:00\"}"
        );
        assert!(!format!("{output:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn limits_are_checked() {
        let audiences = |count, length| vec!["a".repeat(length); count];
        for (input, field) in [
            (GetWebIdentityToken { audience: vec![], ..input() }, "Audience"),
            (GetWebIdentityToken { audience: audiences(11, 1), ..input() }, "Audience"),
            (GetWebIdentityToken { audience: audiences(1, 1001), ..input() }, "Audience[0]"),
            (GetWebIdentityToken { signing_algorithm: String::new(), ..input() }, "Signing"),
            (GetWebIdentityToken { duration_seconds: Some(3601), ..input() }, "DurationSeconds"),
            (GetWebIdentityToken { tags: vec![Tag::default()], ..input() }, "Tags[0].Key"),
        ] {
            let (sts, http) = testing::client([]);
            let error = sts.get_web_identity_token(&input).await.unwrap_err();
            assert!(error.message().starts_with(field), "{error}");
            assert!(http.take_bodies().is_empty());
        }
    }
}
