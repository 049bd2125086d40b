from collections.abc import Awaitable, Sequence
from datetime import datetime
from os import PathLike
from typing import Any, Literal, final

from . import Session, _Length
from .secrets import SecretStore

__all__ = [
    "Challenges",
    "Decision",
    "Policy",
    "Token",
    "TokenSource",
    "Verifier",
    "inspect",
    "save_access_id",
    "verify_web_identity_token",
]

@final
class Token:
    @property
    def format(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def expires_at(self) -> datetime: ...

@final
class TokenSource:
    def __new__(
        cls,
        session: Session | None = None,
        format: str = "akeyless",
        *,
        role: str | None = None,
        server_id: str | None = None,
        identity_id: str | None = None,
        cluster: str | None = None,
        audience: str | None = None,
        challenge: str | None = None,
        lifetime: _Length | None = None,
        region: str | None = None,
        sts_url: str | None = None,
    ) -> TokenSource: ...
    def token(self) -> Token: ...
    def token_async(self) -> Awaitable[Token]: ...

def inspect(token: str) -> dict[str, Any]: ...
def verify_web_identity_token(
    token: str,
    *,
    jwks: str | bytes | PathLike[str] | dict[str, Any],
    issuer: str,
    audience: str,
) -> dict[str, Any]: ...

def save_access_id(
    access_id: str, *, profile: str | None = None, access_type: str = "aws_iam"
) -> None: ...

@final
class Challenges:
    def __new__(
        cls, key: bytes | None = None, *, life: _Length | None = None
    ) -> Challenges: ...
    def issue(self, audience: str) -> str: ...

@final
class Policy:
    def __new__(
        cls,
        *,
        account_ids: Sequence[str],
        formats: Sequence[str],
        arns: Sequence[str] = ...,
        role_names: Sequence[str] = ...,
        role_ids: Sequence[str] = ...,
        user_names: Sequence[str] = ...,
        user_ids: Sequence[str] = ...,
        session_names: Sequence[str] = ...,
        partition: str = ...,
        unique_identifier: str | None = None,
        sts_url: str | None = None,
        server_id: str | None = None,
        cluster: str | None = None,
        audience: str | None = None,
        challenges: Challenges | None = None,
    ) -> Policy: ...
    @property
    def warnings(self) -> list[str]: ...

@final
class Verifier:
    def __new__(
        cls,
        *,
        mode: Literal["single-use", "cached"] = "single-use",
        max_age: _Length | None = None,
        time_limit: _Length | None = None,
        guard: SecretStore | None = None,
    ) -> Verifier: ...
    def verify(self, token: str, policy: Policy) -> Decision: ...
    def verify_async(self, token: str, policy: Policy) -> Awaitable[Decision]: ...

@final
class Decision:
    @property
    def accepted(self) -> bool: ...
    def __bool__(self) -> bool: ...
    def caller(self) -> dict[str, Any]: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def refused_by(self) -> str | None: ...
    @property
    def reason(self) -> str | None: ...
    def to_dict(self) -> dict[str, Any]: ...
