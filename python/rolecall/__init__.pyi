from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from os import PathLike
from typing import Any, Protocol, SupportsFloat, Union, final

from . import configure as configure, eks as eks, identity as identity, secrets as secrets, sts as sts

__all__ = [
    "CachedCredentials",
    "Chain",
    "Credentials",
    "DeniedError",
    "InternalError",
    "InvalidConfigurationError",
    "MalformedError",
    "NotConfiguredError",
    "RolecallError",
    "RolesAnywhere",
    "Session",
    "TimedOutError",
    "UnavailableError",
    "__version__",
    "cached_credentials",
    "clear_cached_credentials",
    "configure",
    "doctor",
    "doctor_async",
    "eks",
    "explain",
    "identity",
    "profiles",
    "secrets",
    "sts",
]

__version__: str

_Length = Union[SupportsFloat, timedelta, str]
_Text = Union[str, bytes]
_Material = Union[str, bytes, PathLike[str]]

class _HasCredentials(Protocol):
    def credentials(self) -> Credentials: ...

_Provider = Union[
    _HasCredentials, Callable[[], Credentials], Callable[[], Awaitable[Credentials]]
]

class RolecallError(Exception):
    kind: str | None
    exit_code: int | None
    message: str | None
    provider: str | None
    place: str | None
    help: str | None
    causes: tuple[str, ...]
    partial: Any

class NotConfiguredError(RolecallError): ...
class InvalidConfigurationError(RolecallError): ...
class DeniedError(RolecallError): ...
class UnavailableError(RolecallError): ...
class TimedOutError(RolecallError): ...
class MalformedError(RolecallError): ...
class InternalError(RolecallError): ...

@final
class Credentials:
    def __new__(
        cls,
        access_key_id: str,
        secret_access_key: _Text,
        session_token: _Text | None = None,
        *,
        expiration: datetime | None = None,
        account_id: str | None = None,
    ) -> Credentials: ...
    @property
    def access_key_id(self) -> str: ...
    @property
    def secret_access_key(self) -> str: ...
    @property
    def session_token(self) -> str | None: ...
    @property
    def expiration(self) -> datetime | None: ...
    @property
    def account_id(self) -> str | None: ...
    @property
    def provider(self) -> str: ...
    def export(self, format: str) -> str: ...
    def environment(self, *, region: str | None = None) -> dict[str, str | None]: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __copy__(self) -> Credentials: ...
    def __deepcopy__(self, _memo: Any) -> Credentials: ...

@final
class Session:
    def __new__(
        cls,
        profile: str | None = None,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        mfa_code: str | None = None,
        prompt: Callable[[str], _Text] | None = None,
        process_timeout: _Length | None = None,
        disk_cache: bool = True,
        provider: _Provider | None = None,
        roles_anywhere: RolesAnywhere | None = None,
    ) -> Session: ...
    def credentials(self) -> Credentials: ...
    def credentials_async(self) -> Awaitable[Credentials]: ...
    def sts(self) -> sts.Client: ...
    @property
    def region(self) -> str | None: ...
    @property
    def profile(self) -> str | None: ...

@final
class Chain:
    def __new__(cls, links: Sequence[tuple[str, _Provider]]) -> Chain: ...
    def credentials(self) -> Credentials: ...
    def credentials_async(self) -> Awaitable[Credentials]: ...

@final
class RolesAnywhere:
    def __new__(
        cls,
        *,
        trust_anchor_arn: str,
        profile_arn: str,
        role_arn: str,
        certificate: _Material,
        private_key: _Material | None = None,
        intermediates: _Material | None = None,
        password: _Text | None = None,
        region: str | None = None,
        duration: _Length | None = None,
        role_session_name: str | None = None,
        instance_properties: Mapping[str, str] = ...,
        endpoint_url: str | None = None,
        pkcs11_module: str | PathLike[str] | None = None,
        reuse_pin: bool = False,
        selector: str | None = None,
        use_latest_expiring: bool = False,
        no_proxy: bool = False,
        no_verify_ssl: bool = False,
    ) -> RolesAnywhere: ...
    def session(self, *, disk_cache: bool = True) -> Session: ...

def explain(
    profile: str | None = None,
    *,
    region: str | None = None,
    endpoint_url: str | None = None,
    mfa_code: str | None = None,
    prompt: Callable[[str], _Text] | None = None,
    process_timeout: _Length | None = None,
    disk_cache: bool = True,
    provider: _Provider | None = None,
    roles_anywhere: RolesAnywhere | None = None,
) -> dict[str, Any]: ...
def doctor(
    profile: str | None = None,
    *,
    region: str | None = None,
    endpoint_url: str | None = None,
    mfa_code: str | None = None,
    prompt: Callable[[str], _Text] | None = None,
    process_timeout: _Length | None = None,
    disk_cache: bool = True,
    provider: _Provider | None = None,
    roles_anywhere: RolesAnywhere | None = None,
) -> dict[str, Any]: ...
def doctor_async(
    profile: str | None = None,
    *,
    region: str | None = None,
    endpoint_url: str | None = None,
    mfa_code: str | None = None,
    prompt: Callable[[str], _Text] | None = None,
    process_timeout: _Length | None = None,
    disk_cache: bool = True,
    provider: _Provider | None = None,
    roles_anywhere: RolesAnywhere | None = None,
) -> Awaitable[dict[str, Any]]: ...
def profiles() -> dict[str, Any]: ...

@final
class CachedCredentials:
    @property
    def name(self) -> str: ...
    @property
    def about(self) -> str | None: ...
    @property
    def access_key_id(self) -> str: ...
    @property
    def account_id(self) -> str | None: ...
    @property
    def expires_at(self) -> datetime | None: ...
    def __copy__(self) -> CachedCredentials: ...
    def __deepcopy__(self, _memo: Any) -> CachedCredentials: ...

def cached_credentials() -> list[CachedCredentials]: ...
def clear_cached_credentials() -> int: ...
