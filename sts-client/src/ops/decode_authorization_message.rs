use rolecall_core::Result;
use serde::Deserialize;
use serde_json::Value;

use super::common::Json;
use super::limits::Limits;
use crate::StsClient;
use crate::form::Params;

const ACTION: &str = "DecodeAuthorizationMessage";

/// What DecodeAuthorizationMessage takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct DecodeAuthorizationMessage {
    /// The message as a service gave it: 1 to 10240 characters.
    pub encoded_message: String,
}

/// What DecodeAuthorizationMessage gives.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DecodeAuthorizationMessageOutput {
    /// Why a request was refused, in JSON.
    pub decoded_message: String,
}

impl DecodeAuthorizationMessageOutput {
    /// What `aws sts decode-authorization-message` prints.
    pub fn to_json(&self) -> Value {
        Json::new().put("DecodedMessage", self.decoded_message.as_str()).done()
    }
}

impl StsClient {
    /// Decodes why a service refused a request. Needs `sts:DecodeAuthorizationMessage`.
    ///
    /// # Errors
    /// `InvalidConfiguration` if `input` is beyond a limit; else as [`crate::QueryClient::call`].
    pub async fn decode_authorization_message(
        &self,
        input: &DecodeAuthorizationMessage,
    ) -> Result<DecodeAuthorizationMessageOutput> {
        Limits(ACTION).text("EncodedMessage", &input.encoded_message, 1..=10_240)?;
        let mut params = Params::new();
        params.add("EncodedMessage", &input.encoded_message);
        self.signed(ACTION, params).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[tokio::test]
    async fn decodes() {
        let result = "<DecodedMessage>{&quot;allowed&quot;: false}</DecodedMessage>";
        let (sts, http) = testing::client([testing::success(ACTION, result)]);
        let input = DecodeAuthorizationMessage { encoded_message: "a-b_c==".to_owned() };
        let output = sts.decode_authorization_message(&input).await.unwrap();
        assert_eq!(
            http.take_bodies(),
            ["Action=DecodeAuthorizationMessage&Version=2011-06-15&EncodedMessage=a-b_c%3D%3D"]
        );
        assert_eq!(output.decoded_message, "{\"allowed\": false}");
        assert_eq!(output.to_json()["DecodedMessage"], "{\"allowed\": false}");
    }

    #[tokio::test]
    async fn limits_are_checked() {
        for length in [0, 10_241] {
            let (sts, http) = testing::client([]);
            let input = DecodeAuthorizationMessage { encoded_message: "x".repeat(length) };
            let error = sts.decode_authorization_message(&input).await.unwrap_err();
            assert!(error.message().contains("1 to 10240"), "{error}");
            assert!(http.take_bodies().is_empty());
        }
    }
}
