from collections.abc import Awaitable

from . import Session
from .identity import Token as Token

__all__ = [
    "Token",
    "token",
    "token_async",
]

def token(session: Session, cluster: str) -> Token: ...
def token_async(session: Session, cluster: str) -> Awaitable[Token]: ...
