"""Short-lived AWS credentials anywhere: any profile, role and source.

    import rolecall

    session = rolecall.Session(profile="deploy")
    credentials = session.credentials()

Whatever fails raises a `RolecallError` that says what failed, where, and what to do next.
"""

from ._rolecall import (
    CachedCredentials,
    Chain,
    Credentials,
    DeniedError,
    InternalError,
    InvalidConfigurationError,
    MalformedError,
    NotConfiguredError,
    RolecallError,
    RolesAnywhere,
    Session,
    TimedOutError,
    UnavailableError,
    __version__,
    cached_credentials,
    clear_cached_credentials,
    configure,
    doctor,
    doctor_async,
    eks,
    explain,
    identity,
    profiles,
    secrets,
    sts,
)

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
