from collections.abc import Awaitable, Callable
from os import PathLike
from typing import Any

from . import RolesAnywhere, Session, _Length, _Provider, _Text
from .identity import Token as Token

__all__ = [
    "Token",
    "exec_credential",
    "session",
    "token",
    "token_async",
    "update_kubeconfig",
]

def token(session: Session, cluster: str) -> Token: ...
def token_async(session: Session, cluster: str) -> Awaitable[Token]: ...
def session(
    role_arn: str,
    profile: str | None = None,
    *,
    external_id: str | None = None,
    role_session_name: str | None = None,
    region: str | None = None,
    endpoint_url: str | None = None,
    mfa_code: str | None = None,
    prompt: Callable[[str], _Text] | None = None,
    process_timeout: _Length | None = None,
    disk_cache: bool = True,
    provider: _Provider | None = None,
    roles_anywhere: RolesAnywhere | None = None,
) -> Session: ...
def exec_credential(token: Token) -> str: ...
def update_kubeconfig(
    name: str,
    profile: str | None = None,
    *,
    kubeconfig: str | PathLike[str] | None = None,
    role_arn: str | None = None,
    assume_role_arn: str | None = None,
    proxy_url: str | None = None,
    alias: str | None = None,
    user_alias: str | None = None,
    command: str = "aws",
    eks_endpoint_url: str | None = None,
    dry_run: bool = False,
    region: str | None = None,
    endpoint_url: str | None = None,
    mfa_code: str | None = None,
    prompt: Callable[[str], _Text] | None = None,
    process_timeout: _Length | None = None,
    disk_cache: bool = True,
    provider: _Provider | None = None,
    roles_anywhere: RolesAnywhere | None = None,
) -> dict[str, Any]: ...
