"""Sessions of boto3 whose credentials come from rolecall and are renewed in time.

Every request asks rolecall, which answers from memory in less than a microsecond and lets one thread
ask AWS when it must: however many clients and threads there are, a refresh is one call.

Needs boto3, or botocore alone for `install`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Optional, Protocol, Union

import botocore.credentials
import botocore.session
from botocore.credentials import CredentialResolver, ReadOnlyCredentials

from . import Credentials, InvalidConfigurationError, Session

if TYPE_CHECKING:
    from boto3.session import Session as _Boto3Session

__all__ = ["install", "session"]


class _Provider(Protocol):
    def credentials(self) -> Credentials: ...


class _Credentials(botocore.credentials.Credentials):  # type: ignore[misc]
    """What clients of botocore hold. They ask it anew for every request."""

    method = "rolecall"

    def __init__(self, provider: _Provider) -> None:
        # What the parent keeps, this asks for.
        self._provider = provider

    @property
    def access_key(self) -> str:
        return self._provider.credentials().access_key_id

    @property
    def secret_key(self) -> str:
        return self._provider.credentials().secret_access_key

    @property
    def token(self) -> Optional[str]:
        return self._provider.credentials().session_token

    @property
    def account_id(self) -> Optional[str]:
        return self._provider.credentials().account_id

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        now = self._provider.credentials()
        fields = (now.access_key_id, now.secret_access_key, now.session_token, now.account_id)
        # Versions of botocore before 1.35 know no account.
        return ReadOnlyCredentials(*fields[: len(ReadOnlyCredentials._fields)])

    def get_deferred_property(self, property_name: str) -> Any:
        return lambda: getattr(self, property_name)

    def __repr__(self) -> str:
        return "<credentials of rolecall>"

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError("credentials cannot be pickled: they hold secrets")


class _Source(botocore.credentials.CredentialProvider):  # type: ignore[misc]
    """The one link of a session's chain."""

    METHOD = "rolecall"
    CANONICAL_NAME = "Rolecall"

    def __init__(self, provider: _Provider) -> None:
        super().__init__()
        self._provider = provider

    def load(self) -> _Credentials:
        return _Credentials(self._provider)


def session(
    profile: Optional[str] = None, *, region: Optional[str] = None, **options: Any
) -> _Boto3Session:
    """A session of boto3 with the credentials of a profile, or of the default chain.

    `options` are those of `rolecall.Session`. What else boto3 reads from the profile (endpoints,
    retries, S3's settings) it reads as ever; the region is rolecall's. Nobody is asked for
    credentials yet.

    Raises what `rolecall.Session` does.
    """
    from boto3.session import Session as _Boto3Session

    source = Session(profile, region=region, **options)
    inner = botocore.session.Session(profile=profile)
    install(inner, source)
    return _Boto3Session(botocore_session=inner, region_name=source.region)


def install(
    session: Union[_Boto3Session, botocore.session.Session], provider: _Provider
) -> None:
    """Makes `provider` the only source of credentials of a session of boto3 or botocore: a
    `rolecall.Session`, or anything with a method `credentials` that gives `rolecall.Credentials`.

    It must come before the session's first client. Raises `InvalidConfigurationError` if the session
    has credentials already, of its own or of another provider: its clients would go on with those.
    """
    # boto3 has no public name for the session of botocore that it wraps.
    inner = getattr(session, "_session", session)
    # Nor botocore for the credentials that a session has; `get_credentials` would look for some.
    known = getattr(inner, "_credentials", None)
    if isinstance(known, _Credentials) and known._provider is provider:
        return
    if known is not None:
        raise InvalidConfigurationError(
            "the session has credentials already; install one provider, before they are used, and do "
            "not give the session keys of its own")
    resolver = CredentialResolver([_Source(provider)])
    inner.register_component("credential_provider", resolver)
    installed = inner.get_credentials()
    if not isinstance(installed, _Credentials) or installed._provider is not provider:
        # Somebody else was faster.
        raise InvalidConfigurationError("the session got credentials of another provider meanwhile")
