"""Every setting: its variable, its default, what it takes and what it means.

Read once, when the app is made. Precedence, highest first: the ``config=`` argument, the process environment, the
``.env`` beside the function, the ``variables`` of its ``sinch.json``, the default. A variable that is set to an empty
text counts as not set, so an unset secret never becomes an empty key.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast, overload
from urllib.parse import urlsplit

from dotenv import dotenv_values
from marshmallow import INCLUDE, Schema, ValidationError, fields

from .errors import ConfigError, did_you_mean

Parse = Callable[[str], Any]


def _one_of(*values: str) -> Parse:
    def parse(text: str) -> str:
        if text.lower() not in values:
            raise ValueError(f"it takes {' or '.join(values)}{did_you_mean(text.lower(), values)}")
        return text.lower()

    return parse


def _whole(low: int, high: int) -> Parse:
    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"it takes a whole number from {low} to {high}")
        return int(text)

    return parse


def _url(text: str) -> str:
    if not _URL.fullmatch(text) or not _has_usable_port(text):
        raise ValueError("it takes a URL such as https://voice.example.com or https://example.com/functions")
    scheme, _, rest = text.rstrip("/").partition(":")
    return f"{scheme.lower()}:{rest}"


def _has_usable_port(text: str) -> bool:
    try:
        return urlsplit(text).port != 0
    except ValueError:
        return False


_PATH = r"(:[0-9]+)?(/[!$-;=@-Z_a-z~]*)?"
_URL = re.compile(rf"(?i:https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]){_PATH}")


def _ledger(text: str) -> str:
    if text.strip().lower() in ("off", "false"):
        return "off"
    if text.strip().lower() == "true" or text.endswith("/"):
        raise ValueError("it takes the path of a file, or off")
    return text


def _level(text: str) -> int:
    levels = logging.getLevelNamesMapping()
    if text.upper() not in levels:
        raise ValueError(f"it takes one of DEBUG INFO WARNING ERROR CRITICAL{did_you_mean(text.upper(), list(levels))}")
    return levels[text.upper()]


@dataclass(frozen=True, slots=True)
class Setting:
    """One variable that sinchfn reads."""

    name: str
    meaning: str
    parse: Parse = str
    #: the default, as it would be written in the environment; None: not set
    default: str | None = None
    #: the default in development, where it differs
    development: str | None = None


#: Every variable sinchfn reads, in the order of the README.
SETTINGS = (
    Setting("SINCHFN_ENV", "production or development", _one_of("production", "development"), "production"),
    Setting("SINCHFN_PUBLIC_URL", "how the platform reaches this function", _url),
    Setting("SINCHFN_TRUSTED_PROXIES", "hops believed in X-Forwarded-*", _whole(0, 20), "0"),
    Setting("WEBHOOK_PROTECTION", "when signatures are checked", _one_of("never", "deploy", "always"), "deploy"),
    Setting("VOICE_APPLICATION_KEY", "key of the Voice application"),
    Setting("VOICE_APPLICATION_SECRET", "secret of the Voice application, Base64"),
    Setting("SINCHFN_WEBHOOK_TOLERANCE", "seconds a signed timestamp may be off", _whole(1, 86_400), "300"),
    Setting("PROJECT_ID", "the Sinch project"),
    Setting("PROJECT_ID_API_KEY", "access key of the project; user of Basic auth"),
    Setting("PROJECT_ID_API_SECRET", "its secret; password of Basic auth"),
    Setting("ADMIN_USER", "second user of Basic auth"),
    Setting("ADMIN_PASSWORD", "password of that user"),
    Setting("SINCHFN_USAGE", "ledger of usage records, or off", _ledger, default="data/usage.jsonl", development="off"),
    Setting("SINCHFN_MAX_BODY", "largest request body, in bytes", _whole(1, 1 << 32), "1048576"),
    Setting("SINCHFN_SVAML", "what is done with faulty SVAML", _one_of("strict", "warn"), "warn", "strict"),
    Setting("SINCHFN_VOICE_ERROR_MESSAGE", "said to the caller when a voice handler fails"),
    Setting("SINCHFN_STREAM_SECRET", "signs the URLs of audio streams; default: derived from the application secret"),
    Setting("SINCHFN_LOG_FORMAT", "text or json", _one_of("text", "json"), "json", "text"),
    Setting("SINCHFN_LOG_LEVEL", "least level that is logged", _level, "INFO"),
)

#: Settings of services that this version does not have yet.
NOT_YET = ("SINCHFN_CACHE_URL", "SINCHFN_STORAGE_URL", "SINCHFN_DATABASE", "SINCHFN_WS_ORIGINS")

#: A variable whose name has one of these words holds a secret: its value never appears in a log line or a repr.
SECRET_WORDS = ("KEY", "SECRET", "TOKEN", "PASSWORD", "CREDENTIAL")


def is_secret(name: str) -> bool:
    """Whether the variable of this name holds a secret."""
    return any(word in name.upper() for word in SECRET_WORDS)


class _Manifest(Schema):
    """sinch.json: what sinchfn reads of it. Other keys belong to other tools and are left alone."""

    class Meta:
        unknown = INCLUDE

    name = fields.String()
    runtime = fields.String()
    description = fields.String()
    variables = fields.Dict(keys=fields.String(), values=fields.Raw())


@dataclass(frozen=True, repr=False)
class FunctionConfig:
    """The settings of one function, read-only. ``context.config`` in a handler."""

    #: the folder that relative paths are relative to
    folder: Path
    #: name in sinch.json, else the folder's name
    function_name: str
    #: value of every setting of the table, parsed
    settings: Mapping[str, Any] = field(default_factory=dict)
    #: the variables of sinch.json, with the values in force
    variables: Mapping[str, str] = field(default_factory=dict)
    #: every variable there is, with the values in force
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> str:
        """``production`` or ``development``."""
        return str(self.settings["SINCHFN_ENV"])

    @property
    def is_development(self) -> bool:
        """Whether that is ``development``."""
        return self.environment == "development"

    @property
    def project_id(self) -> str | None:
        """``PROJECT_ID``; None if it is not set."""
        return self.env.get("PROJECT_ID")

    def __getitem__(self, name: str) -> Any:
        return self.settings[name]

    @overload
    def get_variable(self, name: str, default: str) -> str: ...
    @overload
    def get_variable(self, name: str, default: None = None) -> str | None: ...
    def get_variable(self, name: str, default: str | None = None) -> str | None:
        """The value of a variable or secret, `default` if it is not set."""
        return self.env.get(name, default)

    def require_variable(self, name: str) -> str:
        """The value of a variable.

        :raises ConfigError: it is not set.
        """
        value = self.env.get(name)
        if value is None:
            raise ConfigError(
                f"The variable {name} is not set. Set it in the environment, in .env beside the function, "
                f"or under variables in sinch.json.{did_you_mean(name, list(self.env))}"
            )
        return value

    def require_secret(self, name: str) -> str:
        """The value of a secret; the same as :meth:`require_variable`, with advice that suits a secret.

        :raises ConfigError: it is not set.
        """
        value = self.env.get(name)
        if value is None:
            raise ConfigError(
                f"The secret {name} is not set. Set it in the environment, or in .env beside the function "
                "(never in sinch.json, which is committed)."
            )
        return value

    def path(self, setting: str) -> Path | None:
        """A setting that names a file, relative to the function's folder; None when it is ``off`` or not set."""
        value = self.settings[setting]
        return None if value in (None, "off") else self.folder / value

    def secrets(self) -> list[str]:
        """Values of all variables that hold one."""
        return [value for name, value in self.env.items() if is_secret(name)]

    def __repr__(self) -> str:
        return f"<FunctionConfig {self.function_name} {self.environment}>"


def load_config(
    folder: Path,
    overrides: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    debug: bool = False,
) -> FunctionConfig:
    """Read every setting of the function in `folder`.

    :param overrides: the ``config=`` of :func:`sinchfn.create_app`: variable names to str, int or bool.
    :param environ: the process environment; default ``os.environ``.
    :param debug: whether ``development`` is the default environment (Flask's debug flag).
    :raises ConfigError: a value that its variable does not take; the message names the variable.
    """
    manifest = _read_manifest(folder / "sinch.json")
    variables = {name: _as_text(value) for name, value in manifest.get("variables", {}).items()}
    sources = (
        variables,
        _read_dotenv(folder / ".env"),
        os.environ if environ is None else environ,
        {name: _override(name, value) for name, value in (overrides or {}).items() if value is not None},
    )
    env: dict[str, str] = {}
    for source in sources:
        env.update({name: value for name, value in source.items() if value})
    return FunctionConfig(
        folder=folder,
        function_name=str(manifest.get("name") or folder.name or "function"),
        settings=MappingProxyType(_read_settings(env, debug)),
        variables=MappingProxyType({name: env[name] for name in variables if name in env}),
        env=MappingProxyType(env),
    )


def unknown_settings(env: Mapping[str, str]) -> list[str]:
    """A sentence for each ``SINCHFN_*`` variable that nothing reads."""
    known = [setting.name for setting in SETTINGS] + ["SINCHFN_FUNCTION"]
    return [
        f"{name} is set, but nothing reads it in this version."
        if name in NOT_YET
        else f"{name} is set, but there is no such setting.{did_you_mean(name, known)}"
        for name in sorted(env)
        if name.startswith("SINCHFN_") and name not in known
    ]


def _read_settings(env: Mapping[str, str], debug: bool) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = env.get(setting.name) or _default(setting, values, debug)
        values[setting.name] = None if text is None else _parse(setting, text)
    return values


def _default(setting: Setting, values: Mapping[str, Any], debug: bool) -> str | None:
    if setting.name == "SINCHFN_ENV":
        return "development" if debug else setting.default
    if setting.development is not None and values["SINCHFN_ENV"] == "development":
        return setting.development
    return setting.default


def _parse(setting: Setting, text: str) -> Any:
    try:
        return setting.parse(text)
    except ValueError as error:
        found = "" if is_secret(setting.name) else f" is {text!r}"
        found = found or " has a value that cannot be used"
        raise ConfigError(f"{setting.name}{found}: {error}. (Its meaning: {setting.meaning}.)") from None


def _override(name: str, value: object) -> str:
    if not isinstance(value, (str, int)):
        raise ConfigError(f"{name} in config= is a {type(value).__name__}: it takes a str, an int or a bool.")
    return _as_text(value)


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_dotenv(file: Path) -> Mapping[str, str]:
    if not file.is_file():
        return {}
    try:
        return {name: value for name, value in dotenv_values(file, interpolate=False).items() if value is not None}
    except (OSError, ValueError) as error:
        raise ConfigError(f"Cannot read {file}: {error}. It takes lines of NAME=value in UTF-8.") from None


def _read_manifest(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        loaded = cast(dict[str, Any], _Manifest().load(json.loads(file.read_bytes())))
    except ValidationError as error:
        raise ConfigError(f"{file}: {_first_fault(error.messages_dict)}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"Cannot read {file}: {error}. It takes a JSON object.") from None
    for name, value in loaded.get("variables", {}).items():
        if not isinstance(value, (str, int, float)):
            raise ConfigError(f"{file}: variables.{name} is {type(value).__name__}: it takes a text, number or bool.")
    return loaded


def _first_fault(messages: Mapping[str, Any]) -> str:
    key, fault = next(iter(messages.items()))
    while isinstance(fault, Mapping):
        deeper, fault = next(iter(fault.items()))
        key = f"{key}.{deeper}"
    return f"{key}: {fault[0] if isinstance(fault, list) else fault}"
