"""FunctionConfig: the settings and variables of one function, and where each came from.

Read once, when the app is made. Precedence, highest first: the ``config=`` argument, the ``app.config`` of the app that
a function is mounted in, the process environment, the ``.env`` beside the function, the ``variables`` of its
``sinch.json``, the default. A variable that is set to an empty text counts as not set, so an unset secret never becomes
an empty key. A secret may also be in a file that ``<VARIABLE>_FILE`` names, in any of these.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, overload

from ..errors import Advised, ConfigError, did_you_mean
from ..redaction import Redaction, is_secret, is_struck_out, masked_anyhow, secrets_within
from .files import SUFFIX, readable_names, resolve_files
from .settings import SETTINGS, Setting
from .sources import Manifest, as_text, read_dotenv, read_manifest
from .spelling import is_meant_for_us, misspelt_secrets, unknown_names

#: Where a value can come from, highest first.
ORIGINS = CONFIG, HOST, ENVIRONMENT, DOTENV, MANIFEST, DEFAULT = (
    *("config=", "app.config", "environment"),
    *(".env", "sinch.json", "default"),
)

_BY_NAME = {setting.name: setting for setting in SETTINGS}

_COMMITTED = (
    "sinch.json has the value of {name}, which is a secret, and sinch.json is committed: put it into the environment "
    "or into .env, and give it a new value."
)
_TOO_PLAIN = (
    "The value of {name} is so short, or so plain, that it is not struck out of log lines: anybody could guess it. "
    "Give it a longer one."
)


class Variables(Mapping[str, Any]):
    """Names and values, read-only. Its repr shows no value, for some are secrets."""

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
    """The settings of one function, read-only. ``context.config`` in a handler."""

    _called: ClassVar[str] = "the config"
    _offered: ClassVar[tuple[str, ...]] = (
        *("project_id", "function_name", "environment", "variables", "env"),
        *("get_variable", "require_variable", "require_secret"),
    )
    _elsewhere: ClassVar[Mapping[str, str]] = {"get": "get_variable(name)"}

    #: the folder that relative paths are relative to
    folder: Path
    #: name in sinch.json, else the folder's name
    function_name: str
    #: whether that is the name in sinch.json
    has_name: bool = False
    #: value of every setting of the table, parsed
    settings: Mapping[str, Any] = field(default_factory=Variables)
    #: the variables of sinch.json, with the values in force
    variables: Mapping[str, str] = field(default_factory=Variables)
    #: every variable there is, with the values in force
    env: Mapping[str, str] = field(default_factory=Variables)
    #: name -> where its value came from, one of ORIGINS but the last
    origins: Mapping[str, str] = field(default_factory=dict)
    #: name -> the file that its value was read from
    files: Mapping[str, Path] = field(default_factory=dict)
    #: the names that sinch.json lists under ``secrets``
    marked: frozenset[str] = frozenset()
    #: the names that ``.env`` or sinch.json have, also those without a value
    declared: tuple[str, ...] = ()
    #: the names of secrets whose value stands in sinch.json
    committed: tuple[str, ...] = ()
    #: the names of variables that are a near miss of a setting that is a secret
    misspelt: frozenset[str] = frozenset()
    #: a sentence for each key of sinch.json that looks like a misspelt one
    odd_keys: tuple[str, ...] = ()

    @property
    def environment(self) -> str:
        """``production`` or ``development``."""
        return str(self.settings["SINCHFN_ENV"])

    @property
    def is_development(self) -> bool:
        """Whether that is ``development``."""
        return self.environment == "development"

    def _advice(self, name: str) -> str:
        return f' Write get_variable("{name}").' if name.isupper() else super()._advice(name)

    @property
    def environment_reason(self) -> str:
        """Why it is this environment, for messages."""
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

    def origin(self, name: str) -> str:
        """Where the value of a setting or variable came from: ``config=``, ``app.config``, ``environment``, ``.env``,
        ``sinch.json``. Of a value in a file: where the file is named.

        ``default`` if it is set nowhere, whether or not there is a default.
        """
        return self.origins.get(name, DEFAULT)

    def place_of(self, name: str) -> str:
        """The same in words for a message: ``the environment``, ``.env``."""
        return _place(self.origin(name), name if name in self.files else "")

    def is_secret(self, name: str) -> bool:
        """Whether a variable holds a secret.

        By its name, also a misspelt one (``ADMIN_PASWORD``), or because sinch.json lists it under ``secrets``.
        """
        return is_secret(name) or name in self.marked or name in self.misspelt

    def secrets(self) -> list[str]:
        """All values that must not be seen: of the variables that hold a secret, and the passwords within others."""
        whole = [value for name, value in self.env.items() if self.is_secret(name)]
        return list(dict.fromkeys([*whole, *(part for value in self.env.values() for part in secrets_within(value))]))

    @cached_property
    def redact(self) -> Redaction:
        """Strikes these values out of a text."""
        return Redaction(self.secrets(), [self.env[name] for name in self.marked if name in self.env])

    def warnings(self) -> list[str]:
        """A sentence for each thing that is odd without being wrong, for the start-up log; without any secret."""
        hidden = [name for name in self.env if self._should_be_hidden(name)]
        plain = [name for name in hidden if not is_struck_out(self.env[name], name in self.marked)]
        return [
            *self.odd_keys,
            *unknown_names(self.env, self.origins),
            *(_COMMITTED.format(name=name) for name in self.committed),
            *(_TOO_PLAIN.format(name=name) for name in plain),
        ]

    def _should_be_hidden(self, name: str) -> bool:
        # Of the process environment who knows: there are names such as MAX_TOKENS. And a key alone opens nothing.
        return name in self.marked or (name in _BY_NAME and is_secret(name) and not name.endswith("KEY"))

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
    """Read every setting of the function in `folder`.

    :param overrides: the ``config=`` of :func:`sinchfn.create_app`: variable names to str, int or bool.
    :param environ: the process environment; default ``os.environ``.
    :param host: the ``app.config`` of the app that the function is mounted in.
    :param debug: make ``development`` the default environment.
    :raises ConfigError: values that their variables do not take; the message names all of them.
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
    """The same without an end: what is faulty is left out, and a sentence says so. No sentence holds a secret."""
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
    env, origins = _merged(sources)
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


def _merged(sources: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """The values in force, and where each came from. Of the sources, by their origin, the last has the last word."""
    found = [(origin, name, value) for origin, source in sources.items() for name, value in source.items() if value]
    return {name: value for _, name, value in found}, {name: origin for origin, name, _ in found}


def _committed(manifest: Manifest) -> tuple[str, ...]:
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
    named = {name: value for name, value in overrides.items() if isinstance(name, str)}
    faults = [f"A name in {origin} is {name!r}: it takes a str." for name in overrides if name not in named]
    given = {name: value for name, value in named.items() if value is not None}
    faults += [
        f"{name} in {origin} is a {type(value).__name__}: it takes a str, an int or a bool."
        for name, value in given.items()
        if not isinstance(value, str | int)
    ]
    return {name: as_text(value) for name, value in given.items() if isinstance(value, str | int)}, faults


def _read_settings(
    env: Mapping[str, str], origins: Mapping[str, str], files: Mapping[str, Path], debug: bool
) -> tuple[dict[str, Any], list[str]]:
    values: dict[str, Any] = {}
    faults: list[str] = []
    for setting in SETTINGS:
        default = default_of(setting, values.get("SINCHFN_ENV", ""), debug)
        text = env.get(setting.name, default)
        try:
            values[setting.name] = None if text is None else setting.parse(text)
        except ValueError as error:
            values[setting.name] = None if default is None else setting.parse(default)
            place = _place(origins[setting.name], setting.name if setting.name in files else "")
            faults.append(_fault(setting.name, str(text), place, error))
    return values, faults


def default_of(setting: Setting, environment: str, debug: bool = False) -> str | None:
    """The default of a setting in ``production`` or ``development``, as it would be written in the environment."""
    if setting.name == "SINCHFN_ENV" and debug:
        return "development"
    return setting.development if setting.development and environment == "development" else setting.default


def _fault(name: str, text: str, place: str, error: ValueError) -> str:
    found = "has a value that cannot be used" if is_secret(name) else f"is {masked_anyhow(text)!r}"
    return f"{name} {found} (in {place}): {error}"


def _place(origin: str, in_file: str = "") -> str:
    """Where a value is, for a message.

    :param in_file: the variable whose value is in a file.
    """
    place = "the environment" if origin == ENVIRONMENT else origin
    return f"the file of {in_file}{SUFFIX} in {place}" if in_file else place
