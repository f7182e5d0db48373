"""Where everything is: from the environment, or from the running installation's folder."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from city.errors import InvalidInput

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_DATA_DIR = ROOT / ".stack" / "data"
ENDPOINTS_FILE = "endpoints.json"
SECRET_FILE = "secret_key"
# Secrets of channels: variables that begin so, files of this folder of the installation's own.
CHANNEL_PREFIX, CHANNEL_FOLDER = "CHANNEL_", "channel_secrets"
DEMO_DISTRICT = "460107"


@dataclass(frozen=True)
class Settings:
    """Addresses and secrets of one installation."""

    database_url: str
    mqtt_url: str
    redis_url: str
    secret_key: str
    district: str = ""  # of commands; none named: the only one of the installation
    http_host: str = "127.0.0.1"
    http_port: int = 8050
    http_fd: int | None = None  # of a socket that listens already
    trusted_proxies: str = ""  # whose X-Forwarded headers count
    secure_cookies: bool = False
    streams_per_person: int = 24
    streams_per_address: int = 120
    worker: str = "worker-1"
    storers: int = 2
    mqtt_shared: bool = False
    http_url: str = ""
    data_dir: Path = DEFAULT_DATA_DIR
    snapshot_hosts: str = ""  # who may be asked for pictures besides the cameras themselves
    # What cameras are told that ask for a password; a secret, in no text of the settings.
    snapshot_credentials: str = field(default="", repr=False)
    public_url: str = ""  # where people open the screens, for the links in messages
    channel_secrets: Path = DEFAULT_DATA_DIR / CHANNEL_FOLDER
    demo_logins_file: str = ""  # what the sign-in page of a demonstration offers


def load_settings(data_dir: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Addresses in the environment win, one by one; the rest comes from `endpoints.json`."""
    folder = data_dir or Path(environ.get("GRIDWARDEN_DATA_DIR") or DEFAULT_DATA_DIR)
    found = _endpoints(folder)
    return Settings(
        database_url=_address(environ, "GRIDWARDEN_DATABASE_URL", found.get("postgres"), folder),
        mqtt_url=_address(environ, "GRIDWARDEN_MQTT_URL", found.get("mqtt"), folder),
        redis_url=_address(environ, "GRIDWARDEN_REDIS_URL", found.get("redis"), folder),
        secret_key=secret(environ, "GRIDWARDEN_SECRET_KEY") or _stored_secret(folder),
        district=environ.get("GRIDWARDEN_DISTRICT", ""),
        http_host=environ.get("GRIDWARDEN_HTTP_HOST", "127.0.0.1"),
        http_port=_number(environ, "GRIDWARDEN_HTTP_PORT", 8050),
        http_fd=_handed_over(environ, "GRIDWARDEN_HTTP_FD"),
        trusted_proxies=environ.get("GRIDWARDEN_TRUSTED_PROXIES", ""),
        secure_cookies=_switch(environ, "GRIDWARDEN_SECURE_COOKIES"),
        streams_per_person=_number(environ, "GRIDWARDEN_STREAMS_PER_PERSON", 24),
        streams_per_address=_number(environ, "GRIDWARDEN_STREAMS_PER_ADDRESS", 120),
        worker=environ.get("GRIDWARDEN_WORKER", "worker-1"),
        storers=_number(environ, "GRIDWARDEN_STORERS", 2),
        mqtt_shared=_switch(environ, "GRIDWARDEN_MQTT_SHARED"),
        http_url=found.get("http", ""),
        data_dir=folder,
        snapshot_hosts=environ.get("GRIDWARDEN_SNAPSHOT_HOSTS", ""),
        snapshot_credentials=secret(environ, "GRIDWARDEN_SNAPSHOT_CREDENTIALS") or "",
        public_url=environ.get("GRIDWARDEN_PUBLIC_URL", "").rstrip("/"),
        channel_secrets=Path(environ.get("GRIDWARDEN_CHANNEL_SECRETS") or folder / CHANNEL_FOLDER),
        demo_logins_file=environ.get("GRIDWARDEN_DEMO_LOGINS_FILE", ""),
    )


def model_folder(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Where the installation keeps device models of its own."""
    folder = environ.get("GRIDWARDEN_MODELS_DIR")
    return Path(folder) if folder else None


def secret(environ: Mapping[str, str], name: str) -> str | None:
    """The value of NAME, or the contents of the file that NAME_FILE points to."""
    if value := environ.get(name):
        return value
    if path := environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise InvalidInput(f"{name}_FILE", path, f"cannot be read: {error.strerror}") from error
    return None


def resolve_reference(reference: str, folder: Path, environ: Mapping[str, str] = os.environ) -> str:
    """The secret of a channel that `env:CHANNEL_…` or `file:NAME`, a file of this folder, stands
    for. Whoever may set a channel could have any other secret sent to a server of theirs."""
    how, _, name = reference.partition(":")
    if how == "env" and name.startswith(CHANNEL_PREFIX):
        if value := environ.get(name, "").strip():
            return value
        raise InvalidInput("secret", reference, "is not set")
    if how != "file" or not name or Path(name).name != name:
        raise InvalidInput("secret", reference, f"must be env:{CHANNEL_PREFIX}… or file:NAME")
    try:
        return (folder / name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problem = getattr(error, "strerror", None) or "is no text"
        raise InvalidInput("secret", reference, f"cannot be read: {problem}") from error


def create_secret(folder: Path) -> str:
    """The installation's signing key: made once, kept readable by its owner only."""
    path = folder / SECRET_FILE
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text().strip()


def _endpoints(folder: Path) -> dict[str, str]:
    path = folder / ENDPOINTS_FILE
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return {}


def _stored_secret(folder: Path) -> str:
    path = folder / SECRET_FILE
    return path.read_text().strip() if path.exists() else ""


def _address(environ: Mapping[str, str], name: str, stored: str | None, folder: Path) -> str:
    value = secret(environ, name) or stored
    if not value:
        raise InvalidInput(
            name, "", f"is not set, and {folder / ENDPOINTS_FILE} is not there: is it running?"
        )
    return value


def _handed_over(environ: Mapping[str, str], name: str) -> int | None:
    """The file descriptor that `gridwarden up` left open for this process."""
    return _number(environ, name, 0) if environ.get(name) else None


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, str(default))
    if not text.isdigit():
        raise InvalidInput(name, text, "must be a whole number")
    return int(text)


def _switch(environ: Mapping[str, str], name: str) -> bool:
    text = environ.get(name, "").strip().lower()
    if text not in ("", "0", "1", "no", "yes", "false", "true"):
        raise InvalidInput(name, text, "must be yes or no")
    return text in ("1", "yes", "true")
