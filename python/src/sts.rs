//! Every operation of STS.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use pyo3::prelude::*;
use rolecall::sts::{self as ops, StsClient};
use rolecall::{Result, SessionOptions, anonymous_sts};

use crate::credentials::Credentials;
use crate::errors::to_python;
use crate::per_process::{Make, Maker};
use crate::record::{methods, record};
use crate::session::Options;
use crate::values::{Convert, Text, tags};

/// AWS STS. A `Client` has a method for each operation, and each has a twin for asyncio.
///
/// Durations are in seconds. Inputs are checked against AWS's limits before anything is sent.
#[pymodule]
pub(crate) mod sts {
    #[pymodule_export]
    use super::{
        AssumeRoleOutput, AssumeRoleWithSamlOutput, AssumeRoleWithWebIdentityOutput,
        AssumeRootOutput, AssumedRoleUser, Client, FederatedUser, GetCallerIdentityOutput,
        GetDelegatedAccessTokenOutput, GetFederationTokenOutput, GetWebIdentityTokenOutput,
    };
}

record! {
    /// Who a session of a role is.
    AssumedRoleUser in "rolecall.sts" from ops::AssumedRoleUser {
        /// The role's unique id and the session's name.
        assumed_role_id: String,
        /// The session's ARN.
        arn: String,
    }
}

record! {
    /// Who a session of `get_federation_token` is.
    FederatedUser in "rolecall.sts" from ops::FederatedUser {
        /// The account and the name.
        federated_user_id: String,
        /// The session's ARN.
        arn: String,
    }
}

impl Convert<AssumedRoleUser> for ops::AssumedRoleUser {
    fn convert(self) -> AssumedRoleUser {
        self.into()
    }
}

impl Convert<FederatedUser> for ops::FederatedUser {
    fn convert(self) -> FederatedUser {
        self.into()
    }
}

record! {
    /// Whose credentials they are.
    GetCallerIdentityOutput in "rolecall.sts" from ops::GetCallerIdentityOutput {
        /// The caller's unique id.
        user_id: String,
        /// The caller's account: 12 digits.
        account: String,
        /// The caller's ARN.
        arn: String,
    }
}

record! {
    /// What `assume_role` gives.
    AssumeRoleOutput in "rolecall.sts" from ops::AssumeRoleOutput {
        /// The session's credentials.
        credentials: Credentials,
        /// Who the session is.
        assumed_role_user: AssumedRoleUser,
        /// How much of AWS's limit the packed policies and tags take, in percent.
        packed_policy_size: Option<u32>,
        /// The source identity that was set.
        source_identity: Option<String>,
    }
}

record! {
    /// What `assume_role_with_saml` gives.
    AssumeRoleWithSamlOutput in "rolecall.sts" from ops::AssumeRoleWithSamlOutput {
        /// The session's credentials.
        credentials: Credentials,
        /// Who the session is.
        assumed_role_user: AssumedRoleUser,
        /// How much of AWS's limit the packed policies take, in percent.
        packed_policy_size: Option<u32>,
        /// The assertion's `NameID`.
        subject: Option<String>,
        /// The format of the `NameID`.
        subject_type: Option<String>,
        /// The assertion's `Issuer`.
        issuer: Option<String>,
        /// The assertion's `Recipient`.
        audience: Option<String>,
        /// A hash of issuer, account and provider.
        name_qualifier: Option<String>,
        /// The source identity that the assertion sets.
        source_identity: Option<String>,
    }
}

record! {
    /// What `assume_role_with_web_identity` gives.
    AssumeRoleWithWebIdentityOutput in "rolecall.sts" from ops::AssumeRoleWithWebIdentityOutput {
        /// The session's credentials.
        credentials: Credentials,
        /// The token's `sub`.
        subject_from_web_identity_token: Option<String>,
        /// Who the session is.
        assumed_role_user: AssumedRoleUser,
        /// How much of AWS's limit the packed policies and tags take, in percent.
        packed_policy_size: Option<u32>,
        /// The token's `iss`, or the provider id.
        provider: Option<String>,
        /// The token's `aud` or `azp`.
        audience: Option<String>,
        /// The source identity that the token sets.
        source_identity: Option<String>,
    }
}

record! {
    /// What `assume_root` gives.
    AssumeRootOutput in "rolecall.sts" from ops::AssumeRootOutput {
        /// The session's credentials.
        credentials: Credentials,
        /// The source identity of the caller.
        source_identity: Option<String>,
    }
}

record! {
    /// What `get_federation_token` gives.
    GetFederationTokenOutput in "rolecall.sts" from ops::GetFederationTokenOutput {
        /// The session's credentials.
        credentials: Credentials,
        /// Who the session is.
        federated_user: FederatedUser,
        /// How much of AWS's limit the packed policies and tags take, in percent.
        packed_policy_size: Option<u32>,
    }
}

record! {
    /// What `get_delegated_access_token` gives.
    GetDelegatedAccessTokenOutput in "rolecall.sts" from ops::GetDelegatedAccessTokenOutput {
        /// The session's credentials.
        credentials: Credentials,
        /// How much of AWS's limit the packed policies take, in percent.
        packed_policy_size: Option<u32>,
        /// The ARN of the principal that was delegated.
        assumed_principal: Option<String>,
    }
}

/// What `get_web_identity_token` gives.
#[pyclass(frozen, get_all, module = "rolecall.sts")]
pub(crate) struct GetWebIdentityTokenOutput {
    /// A JWT that proves who the caller is to others than AWS. Whoever has it can be the caller.
    web_identity_token: String,
    /// When it ends: a `datetime` in UTC.
    expiration: SystemTime,
}

#[pymethods]
impl GetWebIdentityTokenOutput {
    fn __repr__(&self) -> String {
        let end = rolecall::timestamp::format(self.expiration);
        format!("GetWebIdentityTokenOutput(web_identity_token=[redacted], expiration={end})")
    }

    fn __reduce_ex__(&self, _protocol: u32) -> PyResult<()> {
        Err(crate::credentials::no_pickle("GetWebIdentityTokenOutput"))
    }
}

/// A client of STS, as `Session.sts` gives it.
///
/// Every method raises `InvalidConfigurationError` for input beyond AWS's limits, `DeniedError` if
/// AWS refuses, `UnavailableError` or `TimedOutError` if it cannot be reached.
#[pyclass(frozen, module = "rolecall.sts")]
pub(crate) struct Client {
    signer: Signer,
}

/// Whose signature the calls have.
#[derive(Clone)]
enum Signer {
    Session(Arc<Maker<Options>>),
    Nobody(Arc<Maker<Nobody>>),
}

struct Nobody(SessionOptions);

impl Make for Nobody {
    type Made = StsClient;

    fn make(&self) -> Result<StsClient> {
        anonymous_sts(self.0.clone())
    }
}

impl Client {
    pub(crate) fn of_session(py: Python<'_>, session: &Arc<Maker<Options>>) -> PyResult<Self> {
        session.wait(py)?.sts().map_err(|error| to_python(py, error))?;
        Ok(Self { signer: Signer::Session(session.clone()) })
    }

    fn native(&self) -> impl Future<Output = Result<StsClient>> + Send + use<> {
        let signer = self.signer.clone();
        async move {
            match signer {
                Signer::Session(session) => session.ready().await?.sts(),
                Signer::Nobody(nobody) => nobody.ready().await,
            }
        }
    }
}

methods! {
    Client {
        /// A client for what needs no credentials: `assume_role_with_saml` and
        /// `assume_role_with_web_identity`.
        #[staticmethod]
        #[pyo3(signature = (*, region=None, endpoint_url=None))]
        fn anonymous(
            py: Python<'_>,
            region: Option<String>,
            endpoint_url: Option<String>,
        ) -> PyResult<Self> {
            let options = SessionOptions { region, endpoint_url, ..SessionOptions::default() };
            let nobody = Maker::new(Nobody(options));
            nobody.wait(py)?;
            Ok(Self { signer: Signer::Nobody(nobody) })
        }

        fn __repr__(&self) -> &'static str {
            match self.signer {
                Signer::Session(_) => "Client(...)",
                Signer::Nobody(_) => "Client.anonymous(...)",
            }
        }
    }

    /// Says whose credentials these are. No permission is needed for it.
    fn get_caller_identity / get_caller_identity_async [] (py, &self) -> GetCallerIdentityOutput {
        let client = self.native();
        async move { Ok(client.await?.get_caller_identity().await?.into()) }
    }

    /// Assumes a role.
    ///
    /// - `duration_seconds`: 900 to 43200; AWS's default is 3600.
    /// - `policy`, `policy_arns`: narrow the session. `policy` is JSON.
    /// - `tags`: session tags; `transitive_tag_keys`: those that go on to further roles.
    /// - `serial_number`, `token_code`: the MFA device and its code.
    /// - `provided_contexts`: pairs of a context provider's ARN and its signed assertion.
    fn assume_role / assume_role_async [
        role_arn, role_session_name, *, policy_arns=Vec::new(), policy=None, duration_seconds=None,
        tags=BTreeMap::new(), transitive_tag_keys=Vec::new(), external_id=None, serial_number=None,
        token_code=None, source_identity=None, provided_contexts=Vec::new()
    ] (
        py,
        &self,
        role_arn: String,
        role_session_name: String,
        policy_arns: Vec<String>,
        policy: Option<String>,
        duration_seconds: Option<u32>,
        tags: BTreeMap<String, String>,
        transitive_tag_keys: Vec<String>,
        external_id: Option<String>,
        serial_number: Option<String>,
        token_code: Option<Text>,
        source_identity: Option<String>,
        provided_contexts: Vec<(String, Text)>
    ) -> AssumeRoleOutput {
        let contexts = provided_contexts.into_iter().map(|(provider_arn, assertion)| {
            ops::ProvidedContext { provider_arn, context_assertion: assertion.0 }
        });
        let input = ops::AssumeRole {
            role_arn,
            role_session_name,
            policy_arns,
            policy,
            duration_seconds,
            tags: self::tags(tags),
            transitive_tag_keys,
            external_id,
            serial_number,
            token_code: token_code.map(|code| code.0),
            source_identity,
            provided_contexts: contexts.collect(),
        };
        let client = self.native();
        async move { Ok(client.await?.assume_role(&input).await?.into()) }
    }

    /// Assumes a role with a SAML response of an identity provider, in base64. Unsigned.
    ///
    /// - `duration_seconds`: 900 to 43200; AWS's default is 3600.
    fn assume_role_with_saml / assume_role_with_saml_async [
        role_arn, principal_arn, saml_assertion, *, policy_arns=Vec::new(), policy=None,
        duration_seconds=None
    ] (
        py,
        &self,
        role_arn: String,
        principal_arn: String,
        saml_assertion: Text,
        policy_arns: Vec<String>,
        policy: Option<String>,
        duration_seconds: Option<u32>
    ) -> AssumeRoleWithSamlOutput {
        let input = ops::AssumeRoleWithSaml {
            policy_arns,
            policy,
            duration_seconds,
            ..ops::AssumeRoleWithSaml::new(role_arn, principal_arn, saml_assertion.0)
        };
        let client = self.native();
        async move { Ok(client.await?.assume_role_with_saml(&input).await?.into()) }
    }

    /// Assumes a role with a token of an identity provider. Unsigned.
    ///
    /// - `provider_id`: for OAuth 2.0 access tokens only.
    /// - `duration_seconds`: 900 to 43200; AWS's default is 3600.
    fn assume_role_with_web_identity / assume_role_with_web_identity_async [
        role_arn, role_session_name, web_identity_token, *, provider_id=None,
        policy_arns=Vec::new(), policy=None, duration_seconds=None
    ] (
        py,
        &self,
        role_arn: String,
        role_session_name: String,
        web_identity_token: Text,
        provider_id: Option<String>,
        policy_arns: Vec<String>,
        policy: Option<String>,
        duration_seconds: Option<u32>
    ) -> AssumeRoleWithWebIdentityOutput {
        let token = web_identity_token.0;
        let input = ops::AssumeRoleWithWebIdentity {
            provider_id,
            policy_arns,
            policy,
            duration_seconds,
            ..ops::AssumeRoleWithWebIdentity::new(role_arn, role_session_name, token)
        };
        let client = self.native();
        async move { Ok(client.await?.assume_role_with_web_identity(&input).await?.into()) }
    }

    /// Gets a session of a member account's root user, for one task. Works at regional endpoints
    /// only.
    ///
    /// - `target_principal`: the account, or its root user's ARN.
    /// - `task_policy_arn`: `arn:aws:iam::aws:policy/root-task/…`.
    /// - `duration_seconds`: 0 to 900; AWS's default is 900.
    fn assume_root / assume_root_async [
        target_principal, task_policy_arn, *, duration_seconds=None
    ] (
        py,
        &self,
        target_principal: String,
        task_policy_arn: String,
        duration_seconds: Option<u32>
    ) -> AssumeRootOutput {
        let input = ops::AssumeRoot { target_principal, task_policy_arn, duration_seconds };
        let client = self.native();
        async move { Ok(client.await?.assume_root(&input).await?.into()) }
    }

    /// Decodes why a service refused a request; gives JSON. Needs `sts:DecodeAuthorizationMessage`.
    fn decode_authorization_message / decode_authorization_message_async [encoded_message] (
        py,
        &self,
        encoded_message: String
    ) -> String {
        let input = ops::DecodeAuthorizationMessage { encoded_message };
        let client = self.native();
        async move { Ok(client.await?.decode_authorization_message(&input).await?.decoded_message) }
    }

    /// Says which account an access key belongs to: 12 digits.
    fn get_access_key_info / get_access_key_info_async [access_key_id] (
        py,
        &self,
        access_key_id: String
    ) -> String {
        let input = ops::GetAccessKeyInfo { access_key_id };
        let client = self.native();
        async move { Ok(client.await?.get_access_key_info(&input).await?.account) }
    }

    /// Trades in a token for temporary access to a customer's account.
    fn get_delegated_access_token / get_delegated_access_token_async [trade_in_token] (
        py,
        &self,
        trade_in_token: Text
    ) -> GetDelegatedAccessTokenOutput {
        let input = ops::GetDelegatedAccessToken { trade_in_token: trade_in_token.0 };
        let client = self.native();
        async move { Ok(client.await?.get_delegated_access_token(&input).await?.into()) }
    }

    /// Gets a session of a federated user, with what both the caller and the policies allow: nothing
    /// without a policy.
    ///
    /// - `name`: 2 to 32 characters.
    /// - `duration_seconds`: 900 to 129600; AWS's default is 43200.
    fn get_federation_token / get_federation_token_async [
        name, *, policy=None, policy_arns=Vec::new(), duration_seconds=None, tags=BTreeMap::new()
    ] (
        py,
        &self,
        name: String,
        policy: Option<String>,
        policy_arns: Vec<String>,
        duration_seconds: Option<u32>,
        tags: BTreeMap<String, String>
    ) -> GetFederationTokenOutput {
        let tags = self::tags(tags);
        let input = ops::GetFederationToken { name, policy, policy_arns, duration_seconds, tags };
        let client = self.native();
        async move { Ok(client.await?.get_federation_token(&input).await?.into()) }
    }

    /// Gets a session of the calling user, as policies that ask for MFA want it.
    ///
    /// - `duration_seconds`: 900 to 129600; AWS's default is 43200.
    /// - `serial_number`, `token_code`: the MFA device and its code.
    fn get_session_token / get_session_token_async [
        *, duration_seconds=None, serial_number=None, token_code=None
    ] (
        py,
        &self,
        duration_seconds: Option<u32>,
        serial_number: Option<String>,
        token_code: Option<Text>
    ) -> Credentials {
        let token_code = token_code.map(|code| code.0);
        let input = ops::GetSessionToken { duration_seconds, serial_number, token_code };
        let client = self.native();
        async move { Ok(client.await?.get_session_token(&input).await?.credentials.into()) }
    }

    /// Gets a JWT by which others than AWS can tell who the caller is. Works at regional endpoints
    /// only.
    ///
    /// - `audience`: whom it is for, 1 to 10.
    /// - `signing_algorithm`: `RS256` or `ES384`.
    /// - `duration_seconds`: 60 to 3600; AWS's default is 300.
    /// - `tags`: claims of the caller's own.
    fn get_web_identity_token / get_web_identity_token_async [
        audience, *, signing_algorithm="RS256".to_owned(), duration_seconds=None,
        tags=BTreeMap::new()
    ] (
        py,
        &self,
        audience: Vec<String>,
        signing_algorithm: String,
        duration_seconds: Option<u32>,
        tags: BTreeMap<String, String>
    ) -> GetWebIdentityTokenOutput {
        let tags = self::tags(tags);
        let input = ops::GetWebIdentityToken { audience, signing_algorithm, duration_seconds, tags };
        let client = self.native();
        async move {
            let output = client.await?.get_web_identity_token(&input).await?;
            Ok(GetWebIdentityTokenOutput {
                web_identity_token: output.web_identity_token.expose().to_owned(),
                expiration: output.expiration,
            })
        }
    }
}
