"""What an operator can set: environment variables that begin with MITRA_, read once, when a process starts.

Every setting has a description; `docs/settings.md` is written from this class, and a test keeps the two equal.
An empty variable counts as unset, so that a compose file may pass on what it does not have.
"""

import os
import secrets
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX: Final = "MITRA_"
KEY_FILE: Final = "secret-key"


class Environment(StrEnum):
    """Where a process runs. Production hides what only a developer should see."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogLevel(StrEnum):
    """How much a process says; with `debug` an error comes with its traceback."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How a line of the log looks."""

    AUTO = "auto"
    TEXT = "text"
    JSON = "json"


class Settings(BaseSettings):
    """All settings of one process. Frozen: nothing changes them after the start."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    data_dir: Path = Field(
        default=Path(".mitra"),
        description="Folder of the embedded servers' data and of the generated secret key.",
    )
    database_url: str | None = Field(
        default=None,
        description="PostgreSQL 18 to use (`postgresql://user:password@host:5432/name`) instead of the embedded one.",
    )
    database_role: str = Field(
        default="mitra_service",
        description="Role that the service takes on after connecting; `mitra migrate` creates it where it is missing. "
        "`none` keeps the role of the URL.",
    )
    database_pool_min: int = Field(
        default=1, ge=0, le=1000, description="Database connections that a process keeps open."
    )
    database_pool_max: int = Field(
        default=10, ge=1, le=1000, description="Database connections that a process opens at most."
    )
    redis_url: str | None = Field(
        default=None,
        description="Redis 7 or Valkey to use (`redis://host:6379/0`, `rediss://…`, `unix:///path`; a cluster is "
        "recognized) instead of the embedded one.",
    )
    secret_key: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Key that signs local tokens, at least 32 characters; all processes need the same. "
        f"Generated into `{KEY_FILE}` in the data folder if unset.",
    )
    token_days: int = Field(default=30, ge=1, le=3650, description="Days that a local token lasts.")
    host: str = Field(default="127.0.0.1", description="Address to listen on; `0.0.0.0` for all.")
    port: int = Field(default=8000, ge=1, le=65535, description="Port to listen on.")
    environment: Environment = Field(
        default=Environment.DEVELOPMENT,
        description="`development` or `production`; GraphiQL is shown in development only.",
    )
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Web origins that may call the API from a browser, separated by commas "
        "(`https://app.example.com`). The API's own origin always may.",
    )
    max_body_bytes: int = Field(
        default=4 * 1024 * 1024, ge=1024, description="Largest request body that is read, in bytes."
    )
    max_import_bytes: int = Field(
        default=1024**3, ge=1, description="Largest file that is taken in by upload, in bytes."
    )
    max_unpacked_bytes: int = Field(
        default=50 * 1024**3,
        ge=1,
        description="Largest size that an uploaded file has once it is unpacked, in bytes.",
    )
    max_refused_rows: int = Field(
        default=1_000_000,
        ge=1,
        description="Refused rows that are kept of an uploaded file: its import stops there, and is resumed for as "
        "many again.",
    )
    max_unfinished_uploads: int = Field(
        default=1_000,
        ge=1,
        description="Files that a program may have announced for upload and not taken in yet.",
    )
    max_unfinished_bytes: int = Field(
        default=20 * 1024**3, ge=1, description="Bytes that those files may have together."
    )
    firebase_credentials: Path | None = Field(
        default=None,
        description="Service account file of the Firebase project that carries phone push; without it nothing is "
        "pushed to phones.",
    )
    log_level: LogLevel = Field(
        default=LogLevel.INFO,
        description="`debug`, `info`, `warning` or `error`; `debug` also shows the traceback of an error.",
    )
    log_format: LogFormat = Field(
        default=LogFormat.AUTO,
        description="`text` for people, `json` for machines (an object on each line), or `auto`: text on a terminal, "
        "else JSON.",
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="Address that `/metrics` is served on; `0.0.0.0` for all."
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of `/metrics`, for Prometheus. Unset: a free one on the local machine, for `mitra top`; "
        "`0`: none.",
    )

    failpoints: str | None = Field(
        default=None,
        description="Faults on purpose, for tests (`point=action`, separated by commas; the points stand in "
        "`base/failpoints.py`). Refused in production.",
    )

    @field_validator("failpoints")
    @classmethod
    def _check_failpoints(cls, value: str | None, known: ValidationInfo) -> str | None:
        """Only faults that can be had, and none where they would hurt somebody."""
        from base.failpoints import parse

        if value is not None and known.data.get("environment") is Environment.PRODUCTION:
            raise ValueError("faults on purpose are refused in production: unset it")
        parse(value or "")
        return value

    @field_validator("allowed_origins", mode="before")
    @classmethod
    def _split_origins(cls, value: object) -> object:
        """Take the comma-separated form that an environment variable has."""
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("environment", "log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @property
    def role(self) -> str | None:
        """The role to take on after connecting, or None to stay the URL's."""
        return None if self.database_role == "none" else self.database_role


def signing_key(settings: Settings) -> str:
    """The key that signs local tokens: the configured one, or the data folder's, generated at first use.

    The file is linked into place whole and readable by its owner only, so two processes that start together agree.
    """
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    path = settings.data_dir / KEY_FILE
    with suppress(FileNotFoundError):
        return path.read_text().strip()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{KEY_FILE}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
        file.flush()
        os.fsync(file.fileno())
    with suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
    return path.read_text().strip()


def settings_table() -> str:
    """The table of `docs/settings.md`: one Markdown row per setting, in the order of the class."""
    rows = ["| variable | default | what it is for |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "unset" if default is None or default == () else f"`{default}`"
        rows.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows) + "\n"
