from collections.abc import Callable, Mapping
from typing import Any

from . import Credentials, RolesAnywhere, _Length, _Provider, _Text

__all__ = [
    "get",
    "set",
    "write_credentials",
]

def get(setting: str, *, profile: str | None = None) -> Any: ...
def set(settings: Mapping[str, _Text], *, profile: str | None = None) -> list[str]: ...
def write_credentials(
    target: str,
    profile: str | None = None,
    *,
    replaces_long_lived_keys: bool = False,
    region: str | None = None,
    endpoint_url: str | None = None,
    mfa_code: str | None = None,
    prompt: Callable[[str], _Text] | None = None,
    process_timeout: _Length | None = None,
    disk_cache: bool = True,
    provider: _Provider | None = None,
    roles_anywhere: RolesAnywhere | None = None,
) -> Credentials: ...
