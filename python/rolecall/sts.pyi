from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any, final

from . import Credentials, _Text

__all__ = [
    "AssumeRoleOutput",
    "AssumeRoleWithSamlOutput",
    "AssumeRoleWithWebIdentityOutput",
    "AssumeRootOutput",
    "AssumedRoleUser",
    "Client",
    "FederatedUser",
    "GetCallerIdentityOutput",
    "GetDelegatedAccessTokenOutput",
    "GetFederationTokenOutput",
    "GetWebIdentityTokenOutput",
]

@final
class AssumedRoleUser:
    @property
    def assumed_role_id(self) -> str: ...
    @property
    def arn(self) -> str: ...
    def __copy__(self) -> AssumedRoleUser: ...
    def __deepcopy__(self, _memo: Any) -> AssumedRoleUser: ...

@final
class FederatedUser:
    @property
    def federated_user_id(self) -> str: ...
    @property
    def arn(self) -> str: ...
    def __copy__(self) -> FederatedUser: ...
    def __deepcopy__(self, _memo: Any) -> FederatedUser: ...

@final
class GetCallerIdentityOutput:
    @property
    def user_id(self) -> str: ...
    @property
    def account(self) -> str: ...
    @property
    def arn(self) -> str: ...
    def __copy__(self) -> GetCallerIdentityOutput: ...
    def __deepcopy__(self, _memo: Any) -> GetCallerIdentityOutput: ...

@final
class AssumeRoleOutput:
    @property
    def credentials(self) -> Credentials: ...
    @property
    def assumed_role_user(self) -> AssumedRoleUser: ...
    @property
    def packed_policy_size(self) -> int | None: ...
    @property
    def source_identity(self) -> str | None: ...
    def __copy__(self) -> AssumeRoleOutput: ...
    def __deepcopy__(self, _memo: Any) -> AssumeRoleOutput: ...

@final
class AssumeRoleWithSamlOutput:
    @property
    def credentials(self) -> Credentials: ...
    @property
    def assumed_role_user(self) -> AssumedRoleUser: ...
    @property
    def packed_policy_size(self) -> int | None: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def subject_type(self) -> str | None: ...
    @property
    def issuer(self) -> str | None: ...
    @property
    def audience(self) -> str | None: ...
    @property
    def name_qualifier(self) -> str | None: ...
    @property
    def source_identity(self) -> str | None: ...
    def __copy__(self) -> AssumeRoleWithSamlOutput: ...
    def __deepcopy__(self, _memo: Any) -> AssumeRoleWithSamlOutput: ...

@final
class AssumeRoleWithWebIdentityOutput:
    @property
    def credentials(self) -> Credentials: ...
    @property
    def subject_from_web_identity_token(self) -> str | None: ...
    @property
    def assumed_role_user(self) -> AssumedRoleUser: ...
    @property
    def packed_policy_size(self) -> int | None: ...
    @property
    def provider(self) -> str | None: ...
    @property
    def audience(self) -> str | None: ...
    @property
    def source_identity(self) -> str | None: ...
    def __copy__(self) -> AssumeRoleWithWebIdentityOutput: ...
    def __deepcopy__(self, _memo: Any) -> AssumeRoleWithWebIdentityOutput: ...

@final
class AssumeRootOutput:
    @property
    def credentials(self) -> Credentials: ...
    @property
    def source_identity(self) -> str | None: ...
    def __copy__(self) -> AssumeRootOutput: ...
    def __deepcopy__(self, _memo: Any) -> AssumeRootOutput: ...

@final
class GetFederationTokenOutput:
    @property
    def credentials(self) -> Credentials: ...
    @property
    def federated_user(self) -> FederatedUser: ...
    @property
    def packed_policy_size(self) -> int | None: ...
    def __copy__(self) -> GetFederationTokenOutput: ...
    def __deepcopy__(self, _memo: Any) -> GetFederationTokenOutput: ...

@final
class GetDelegatedAccessTokenOutput:
    @property
    def credentials(self) -> Credentials: ...
    @property
    def packed_policy_size(self) -> int | None: ...
    @property
    def assumed_principal(self) -> str | None: ...
    def __copy__(self) -> GetDelegatedAccessTokenOutput: ...
    def __deepcopy__(self, _memo: Any) -> GetDelegatedAccessTokenOutput: ...

@final
class GetWebIdentityTokenOutput:
    @property
    def web_identity_token(self) -> str: ...
    @property
    def expiration(self) -> datetime: ...

@final
class Client:
    @staticmethod
    def anonymous(
        *, region: str | None = None, endpoint_url: str | None = None
    ) -> Client: ...
    def get_caller_identity(self) -> GetCallerIdentityOutput: ...
    def get_caller_identity_async(self) -> Awaitable[GetCallerIdentityOutput]: ...
    def assume_role(
        self,
        role_arn: str,
        role_session_name: str,
        *,
        policy_arns: Sequence[str] = ...,
        policy: str | None = None,
        duration_seconds: int | None = None,
        tags: Mapping[str, str] = ...,
        transitive_tag_keys: Sequence[str] = ...,
        external_id: str | None = None,
        serial_number: str | None = None,
        token_code: _Text | None = None,
        source_identity: str | None = None,
        provided_contexts: Sequence[tuple[str, _Text]] = ...,
    ) -> AssumeRoleOutput: ...
    def assume_role_async(
        self,
        role_arn: str,
        role_session_name: str,
        *,
        policy_arns: Sequence[str] = ...,
        policy: str | None = None,
        duration_seconds: int | None = None,
        tags: Mapping[str, str] = ...,
        transitive_tag_keys: Sequence[str] = ...,
        external_id: str | None = None,
        serial_number: str | None = None,
        token_code: _Text | None = None,
        source_identity: str | None = None,
        provided_contexts: Sequence[tuple[str, _Text]] = ...,
    ) -> Awaitable[AssumeRoleOutput]: ...
    def assume_role_with_saml(
        self,
        role_arn: str,
        principal_arn: str,
        saml_assertion: _Text,
        *,
        policy_arns: Sequence[str] = ...,
        policy: str | None = None,
        duration_seconds: int | None = None,
    ) -> AssumeRoleWithSamlOutput: ...
    def assume_role_with_saml_async(
        self,
        role_arn: str,
        principal_arn: str,
        saml_assertion: _Text,
        *,
        policy_arns: Sequence[str] = ...,
        policy: str | None = None,
        duration_seconds: int | None = None,
    ) -> Awaitable[AssumeRoleWithSamlOutput]: ...
    def assume_role_with_web_identity(
        self,
        role_arn: str,
        role_session_name: str,
        web_identity_token: _Text,
        *,
        provider_id: str | None = None,
        policy_arns: Sequence[str] = ...,
        policy: str | None = None,
        duration_seconds: int | None = None,
    ) -> AssumeRoleWithWebIdentityOutput: ...
    def assume_role_with_web_identity_async(
        self,
        role_arn: str,
        role_session_name: str,
        web_identity_token: _Text,
        *,
        provider_id: str | None = None,
        policy_arns: Sequence[str] = ...,
        policy: str | None = None,
        duration_seconds: int | None = None,
    ) -> Awaitable[AssumeRoleWithWebIdentityOutput]: ...
    def assume_root(
        self,
        target_principal: str,
        task_policy_arn: str,
        *,
        duration_seconds: int | None = None,
    ) -> AssumeRootOutput: ...
    def assume_root_async(
        self,
        target_principal: str,
        task_policy_arn: str,
        *,
        duration_seconds: int | None = None,
    ) -> Awaitable[AssumeRootOutput]: ...
    def decode_authorization_message(self, encoded_message: str) -> str: ...
    def decode_authorization_message_async(self, encoded_message: str) -> Awaitable[str]: ...
    def get_access_key_info(self, access_key_id: str) -> str: ...
    def get_access_key_info_async(self, access_key_id: str) -> Awaitable[str]: ...
    def get_delegated_access_token(
        self,
        trade_in_token: _Text,
    ) -> GetDelegatedAccessTokenOutput: ...
    def get_delegated_access_token_async(
        self,
        trade_in_token: _Text,
    ) -> Awaitable[GetDelegatedAccessTokenOutput]: ...
    def get_federation_token(
        self,
        name: str,
        *,
        policy: str | None = None,
        policy_arns: Sequence[str] = ...,
        duration_seconds: int | None = None,
        tags: Mapping[str, str] = ...,
    ) -> GetFederationTokenOutput: ...
    def get_federation_token_async(
        self,
        name: str,
        *,
        policy: str | None = None,
        policy_arns: Sequence[str] = ...,
        duration_seconds: int | None = None,
        tags: Mapping[str, str] = ...,
    ) -> Awaitable[GetFederationTokenOutput]: ...
    def get_session_token(
        self,
        *,
        duration_seconds: int | None = None,
        serial_number: str | None = None,
        token_code: _Text | None = None,
    ) -> Credentials: ...
    def get_session_token_async(
        self,
        *,
        duration_seconds: int | None = None,
        serial_number: str | None = None,
        token_code: _Text | None = None,
    ) -> Awaitable[Credentials]: ...
    def get_web_identity_token(
        self,
        audience: Sequence[str],
        *,
        signing_algorithm: str = ...,
        duration_seconds: int | None = None,
        tags: Mapping[str, str] = ...,
    ) -> GetWebIdentityTokenOutput: ...
    def get_web_identity_token_async(
        self,
        audience: Sequence[str],
        *,
        signing_algorithm: str = ...,
        duration_seconds: int | None = None,
        tags: Mapping[str, str] = ...,
    ) -> Awaitable[GetWebIdentityTokenOutput]: ...
