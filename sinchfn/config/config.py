"""``FunctionConfig``: the settings and variables of one function, and where each came from.

They are read once, when the app is made. Precedence, highest first: the ``config=`` argument, the ``app.config`` of the
app that the function is mounted in, the process environment, the ``.env`` beside the function, the ``variables`` of its
``sinch.json``, the default. An empty value counts as not set, so that an unset secret never becomes an empty key. A
secret may also be in a file that ``<VARIABLE>_FILE`` names, in any of these places.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, overload

from ..errors import Advised, ConfigError, did_you_mean
from ..logs.redaction import Redaction, is_secret, is_struck_out, masked_anyhow, secrets_within
from .settings import SETTINGS, Setting
from .sources import (
    SUFFIX,
    Manifest,
    as_text,
    is_meant_for_us,
    misspelt_secrets,
    read_dotenv,
    read_manifest,
    readable_names,
    resolve_files,
    unknown_names,
)

#: The places that a value can come from, highest first.
ORIGINS = CONFIG, HOST, ENVIRONMENT, DOTENV, MANIFEST, DEFAULT = (
    *("config=", "app.config", "environment"),
    *(".env", "sinch.json", "default"),
)

_NAMES = frozenset(setting.name for setting in SETTINGS)

_COMMITTED = (
    "sinch.json has the value of {name}, which is a secret, and sinch.json is committed: put it into the environment "
    "or into .env, and give it a new value."
)
_TOO_PLAIN = (
    "The value of {name} is too short or too plain to be struck out of log lines, and easy to guess. "
    "Give it a longer one."
)


class Variables(Mapping[str, Any]):
    """A read-only mapping of names to values. Its repr shows no value, because some are secrets."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<Variables: {len(self)} names, values not shown>"


@dataclass(frozen=True, repr=False, eq=False)
class FunctionConfig(Advised):
    """The settings of one function, read-only. Handlers have it as ``context.config``."""

    _called: ClassVar[str] = "the config"
    _offered: ClassVar[tuple[str, ...]] = (
        *("project_id", "function_name", "environment", "variables", "env"),
        *("get_variable", "require_variable", "require_secret"),
    )
    _elsewhere: ClassVar[Mapping[str, str]] = {"get": "get_variable(name)"}

    #: the folder of the function, which relative paths are relative to
    folder: Path
    #: name in sinch.json, else the folder's name
    function_name: str
    #: True if ``function_name`` is the name in sinch.json
    has_name: bool = False
    #: the parsed value of every setting
    settings: Mapping[str, Any] = field(default_factory=Variables)
    #: the variables of sinch.json, with the values in force
    variables: Mapping[str, str] = field(default_factory=Variables)
    #: every variable that is set, with the value in force
    env: Mapping[str, str] = field(default_factory=Variables)
    #: name -> one of ORIGINS, for every variable that is set
    origins: Mapping[str, str] = field(default_factory=dict)
    #: name -> the file that the value was read from
    files: Mapping[str, Path] = field(default_factory=dict)
    #: the names that sinch.json lists under ``secrets``
    marked: frozenset[str] = frozenset()
    #: the names in ``.env`` and sinch.json, also those without a value
    declared: tuple[str, ...] = ()
    #: the names of secrets whose value is in sinch.json
    committed: tuple[str, ...] = ()
    #: the names of variables that look like a misspelt setting that is a secret
    misspelt: frozenset[str] = frozenset()
    #: a sentence for each key of sinch.json that looks misspelt
    odd_keys: tuple[str, ...] = ()

    @property
    def environment(self) -> str:
        """``production`` or ``development``."""
        return str(self.settings["SINCHFN_ENV"])

    @property
    def is_development(self) -> bool:
        return self.environment == "development"

    def _advice(self, name: str) -> str:
        return f' Write get_variable("{name}").' if name.isupper() else super()._advice(name)

    @property
    def environment_reason(self) -> str:
        """The reason for the environment, for messages."""
        if self.origin("SINCHFN_ENV") != DEFAULT:
            return f"SINCHFN_ENV in {self.place_of('SINCHFN_ENV')}"
        return "the default in debug mode" if self.is_development else "the default"

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
        """Return the value of a variable or secret, or ``default`` if it is not set."""
        return self.env.get(name, default)

    def require_variable(self, name: str) -> str:
        """Return the value of a variable.

        :raises ConfigError: the variable is not set.
        """
        value = self.env.get(name)
        if value is None:
            raise ConfigError(
                f"The variable {name} is not set. Set it in the environment, in .env beside the function, "
                f"or under variables in sinch.json.{did_you_mean(name, list(self.env))}"
            )
        return value

    def require_secret(self, name: str) -> str:
        """Return the value of a secret, like :meth:`require_variable`, but with advice that suits a secret.

        :raises ConfigError: the secret is not set.
        """
        value = self.env.get(name)
        if value is None:
            raise ConfigError(
                f"The secret {name} is not set. Set it in the environment, or in .env beside the function "
                "(never in sinch.json, which is committed)."
            )
        return value

    def path(self, setting: str) -> Path | None:
        """Return the path that a setting names, in the function's folder. None if it is ``off`` or not set."""
        value = self.settings[setting]
        return None if value in (None, "off") else self.folder / value

    def origin(self, name: str) -> str:
        """Return the place that the value of a variable came from: one of ``config=``, ``app.config``, ``environment``,
        ``.env``, ``sinch.json``; ``default`` if it is not set.

        For a value that was read from a file, it is the place of the ``_FILE`` variable.
        """
        return self.origins.get(name, DEFAULT)

    def place_of(self, name: str) -> str:
        """Return the origin in words for a message: ``the environment``, ``.env``."""
        return _place(self.origin(name), name if name in self.files else "")

    def is_secret(self, name: str) -> bool:
        """Return True if a variable holds a secret.

        Its name says so, or looks like a misspelt secret (``ADMIN_PASSWRD``), or sinch.json lists it under ``secrets``.
        """
        return is_secret(name) or name in self.marked or name in self.misspelt

    def secrets(self) -> list[str]:
        """Return all values that must not be shown: those of secrets, and the passwords within other values."""
        whole = [value for name, value in self.env.items() if self.is_secret(name)]
        return list(dict.fromkeys([*whole, *(part for value in self.env.values() for part in secrets_within(value))]))

    @cached_property
    def redact(self) -> Redaction:
        """The redaction that strikes these secrets out of a text."""
        return Redaction(self.secrets(), [self.env[name] for name in self.marked if name in self.env])

    def warnings(self) -> list[str]:
        """Return a sentence for each oddity that is not an error, for the start-up log. They hold no secret."""
        hidden = [name for name in self.env if self._should_be_hidden(name)]
        plain = [name for name in hidden if not is_struck_out(self.env[name], name in self.marked)]
        return [
            *self.odd_keys,
            *unknown_names(self.env, self.origins),
            *(_COMMITTED.format(name=name) for name in self.committed),
            *(_TOO_PLAIN.format(name=name) for name in plain),
        ]

    def _should_be_hidden(self, name: str) -> bool:
        # A name such as MAX_TOKENS, of another program, does not prove a secret. A key alone gives no access.
        return name in self.marked or (name in _NAMES and is_secret(name) and not name.endswith("KEY"))

    def __repr__(self) -> str:
        return f"<FunctionConfig {self.function_name} {self.environment}>"


def load_config(
    folder: Path,
    overrides: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    host: Mapping[str, object] | None = None,
    debug: bool = False,
) -> FunctionConfig:
    """Read every setting of the function in ``folder``.

    :param overrides: the ``config=`` of :func:`sinchfn.create_app`: variable names to str, int or bool.
    :param environ: the process environment; default ``os.environ``.
    :param host: the ``app.config`` of the app that the function is mounted in.
    :param debug: make ``development`` the default environment.
    :raises ConfigError: variables have invalid values; the message names all of them.
    """
    config, faults = read_config(folder, overrides, environ=environ, host=host, debug=debug)
    if len(faults) > 1:
        listed = "".join(f"\n  - {fault}" for fault in faults)
        raise ConfigError(f"{len(faults)} things in the configuration cannot be used:{listed}")
    if faults:
        raise ConfigError(faults[0])
    return config


def read_config(
    folder: Path,
    overrides: Mapping[str, object] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    host: Mapping[str, object] | None = None,
    debug: bool = False,
) -> tuple[FunctionConfig, tuple[str, ...]]:
    """Like :func:`load_config`, but return the faults instead of raising. An invalid setting has its default."""
    manifest = read_manifest(folder / "sinch.json")
    dotenv, dotenv_faults = read_dotenv(folder / ".env")
    given, given_faults = _from_code(overrides or {}, CONFIG)
    ours = {name: value for name, value in (host or {}).items() if is_meant_for_us(name)}
    hosts, host_faults = _from_code(ours, HOST)
    sources = {
        MANIFEST: manifest.variables,
        DOTENV: dotenv,
        ENVIRONMENT: os.environ if environ is None else environ,
        HOST: hosts,
        CONFIG: given,
    }
    found = [(origin, name, value) for origin, source in sources.items() for name, value in source.items() if value]
    env, origins = {name: value for _, name, value in found}, {name: origin for origin, name, _ in found}
    declared = tuple(sorted({*manifest.variables, *manifest.secrets, *dotenv}))
    ranks = {origin: rank for rank, origin in enumerate(ORIGINS)}
    files, file_faults = resolve_files(env, origins, ranks, readable_names(declared, manifest.secrets), folder)
    settings, faults = _read_settings(env, origins, files, debug)
    config = FunctionConfig(
        folder=folder,
        function_name=manifest.name or folder.name or "function",
        has_name=bool(manifest.name),
        settings=Variables(settings),
        variables=Variables({name: env[name] for name in manifest.variables if name in env}),
        env=Variables(env),
        origins=origins,
        files=files,
        marked=manifest.secrets,
        declared=tuple(name for name in declared if name in env or name.removesuffix(SUFFIX) not in files),
        committed=_committed(manifest),
        misspelt=misspelt_secrets(env),
        odd_keys=manifest.warnings,
    )
    all_faults = (*manifest.faults, *dotenv_faults, *host_faults, *given_faults, *file_faults, *faults)
    return config, tuple(map(config.redact, all_faults))


def _committed(manifest: Manifest) -> tuple[str, ...]:
    """Return the names of the secrets in a manifest that have a value there, or a password within one."""
    secret = manifest.secrets | misspelt_secrets(manifest.variables)
    return tuple(
        name
        for name, value in manifest.variables.items()
        if any(
            is_struck_out(part, name in manifest.secrets)
            for part in ([value] if name in secret or is_secret(name) else secrets_within(value))
        )
    )


def _from_code(overrides: Mapping[str, object], origin: str) -> tuple[dict[str, str], list[str]]:
    if not isinstance(overrides, Mapping):
        return {}, [f"{origin} is a {type(overrides).__name__}: it takes a dict of variable names and their values."]
    given: dict[str, str] = {}
    faults: list[str] = []
    for name, value in overrides.items():
        if not isinstance(name, str):
            faults.append(f"A name in {origin} is {name!r}: it takes a str.")
        elif isinstance(value, str | int):
            given[name] = as_text(value)
        elif value is not None:
            faults.append(f"{name} in {origin} is a {type(value).__name__}: it takes a str, an int or a bool.")
    return given, faults


def _read_settings(
    env: Mapping[str, str], origins: Mapping[str, str], files: Mapping[str, Path], debug: bool
) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    faults: list[str] = []
    for setting in SETTINGS:
        name = setting.name
        default = default_of(setting, values.get("SINCHFN_ENV", ""), debug)
        text = env.get(name, default)
        try:
            values[name] = None if text is None else setting.parse(text)
        except ValueError as error:
            values[name] = None if default is None else setting.parse(default)
            found = "has a value that cannot be used" if is_secret(name) else f"is {masked_anyhow(str(text))!r}"
            faults.append(f"{name} {found} (in {_place(origins[name], name if name in files else '')}): {error}")
    return values, faults


def default_of(setting: Setting, environment: str, debug: bool = False) -> str | None:
    """Return the default of a setting in ``production`` or ``development``, as written in the environment."""
    if setting.name == "SINCHFN_ENV" and debug:
        return "development"
    return setting.development if setting.development and environment == "development" else setting.default


def _place(origin: str, in_file: str = "") -> str:
    """Return the place of a value, for a message.

    :param in_file: the variable, if its value is in a file.
    """
    place = "the environment" if origin == ENVIRONMENT else origin
    return f"the file of {in_file}{SUFFIX} in {place}" if in_file else place
