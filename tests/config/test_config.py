"""The sources of settings, the values that they take, and the messages about wrong ones."""

from __future__ import annotations

import dataclasses
import json
import logging
import pprint
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from sinchfn import ConfigError, FunctionConfig, SinchFunctions, StartupError, create_app
from sinchfn.config.config import ORIGINS, load_config, read_config
from sinchfn.config.settings import SETTINGS
from sinchfn.logs.redaction import masked, secrets_within
from tests.harness.app import MakeFunction

SHOW = """\
    def show(context, request):
        return {name: context.config.get_variable(name) for name in request.args}

    def env(context, request):
        return {name: context.env.get(name) for name in request.args}
"""
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
APPLICATION = {
    "VOICE_APPLICATION_KEY": "a-key",
    "VOICE_APPLICATION_SECRET": SECRET,
    "SINCHFN_CACHE_URL": "sqlite:cache.db",
}


@pytest.fixture
def start(make_function: MakeFunction) -> Callable[..., Flask]:
    """``start(files, **config)``: an app of SHOW with these files beside it."""

    def make(files: dict[str, str | bytes] | None = None, **config: object) -> Flask:
        folder = make_function({"function.py": SHOW} | (files or {}))
        return create_app(folder, config={"SINCHFN_USAGE": "off"} | config)

    return make


def config_of(app: Flask) -> FunctionConfig:
    config: FunctionConfig = app.extensions["sinchfn"][0].config
    return config


def shown(app: Flask, name: str) -> Any:
    return app.test_client().get(f"/show?{name}").json[name]


# ------------------------------------------------------------------------------------ precedence

LEVELS = ("sinch.json", ".env", "environ", "config")


def at_levels(start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, name: str, values: dict[str, str]) -> Flask:
    """Return an app for which ``name`` has this value at each of these levels."""
    files: dict[str, str | bytes] = {}
    if "sinch.json" in values:
        files["sinch.json"] = json.dumps({"variables": {name: values["sinch.json"]}})
    if ".env" in values:
        files[".env"] = f"{name}={values['.env']}\n"
    if "environ" in values:
        monkeypatch.setenv(name, values["environ"])
    return start(files, **({name: values["config"]} if "config" in values else {}))


@pytest.mark.parametrize("highest", range(4))
@pytest.mark.parametrize("name", ["GREETING", "ADMIN_USER"])
def test_config_goes_before_environ_before_dotenv_before_the_manifest(
    start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, name: str, highest: int
):
    values = {level: f"from {level}" for level in LEVELS[: highest + 1]}
    assert shown(at_levels(start, monkeypatch, name, values), name) == f"from {LEVELS[highest]}"


@pytest.mark.parametrize("level", LEVELS)
def test_a_setting_is_read_at_every_level(start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, level: str):
    app = at_levels(start, monkeypatch, "SINCHFN_MAX_BODY", {level: "10"})
    assert app.test_client().post("/show", data=b"x" * 10).status_code == 200
    assert app.test_client().post("/show", data=b"x" * 11).status_code == 413


@pytest.mark.parametrize("empty_at", range(1, 4))
def test_an_empty_value_counts_as_not_set(start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, empty_at: int):
    values = dict.fromkeys(LEVELS[:empty_at], "set") | {LEVELS[empty_at]: ""}
    assert shown(at_levels(start, monkeypatch, "GREETING", values), "GREETING") == "set"


def test_an_empty_setting_has_its_default(start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch):
    for name in ("SINCHFN_ENV", "SINCHFN_MAX_BODY", "WEBHOOK_PROTECTION", "SINCHFN_PUBLIC_URL", "SINCHFN_LOG_LEVEL"):
        monkeypatch.setenv(name, "")
    config = config_of(start())
    assert config.environment == "production"
    assert config["SINCHFN_MAX_BODY"] == 1 << 20
    assert config["WEBHOOK_PROTECTION"] == "deploy"
    assert config["SINCHFN_PUBLIC_URL"] is None


def test_a_value_in_config_may_be_a_number_or_a_bool(start: Callable[..., Flask]):
    app = start(GREETING=5, ENABLED=True, DISABLED=False, SINCHFN_MAX_BODY=10, SINCHFN_TRUSTED_PROXIES=0, NOTHING=None)
    assert [shown(app, name) for name in ("GREETING", "ENABLED", "DISABLED")] == ["5", "true", "false"]
    assert shown(app, "NOTHING") is None
    assert app.test_client().post("/show", data=b"x" * 11).status_code == 413


@pytest.mark.parametrize("config", [["ADMIN_USER"], "ADMIN_USER=ann", 5])
def test_config_that_is_not_a_dict_is_an_error(
    make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch, config: Any
):
    monkeypatch.chdir(make_function(SHOW))
    for start in (create_app, lambda **given: SinchFunctions(**given).init_app(Flask("host"))):
        with pytest.raises(ConfigError, match="config= is a"):
            start(config=config)


@pytest.mark.parametrize("value", [b"bytes", ["a"], {"a": 1}, object()])
def test_a_value_in_config_of_another_type_is_an_error_that_names_it(start: Callable[..., Flask], value: object):
    with pytest.raises(ConfigError, match="ADMIN_PASSWORD"):
        start(ADMIN_PASSWORD=value)


def test_a_number_in_the_manifest_is_the_text_that_it_is(start: Callable[..., Flask]):
    app = start({"sinch.json": '{"variables": {"PORT": 8080, "ON": true, "RATE": 0.5}}'})
    assert [shown(app, name) for name in ("PORT", "ON", "RATE")] == ["8080", "true", "0.5"]


def test_the_environment_is_not_changed(start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch):
    import os

    before = dict(os.environ)
    start({".env": "GREETING=hello\nSINCHFN_MAX_BODY=5\n", "sinch.json": '{"variables": {"A": "b"}}'})
    assert dict(os.environ) == before


def test_the_environment_is_read_when_the_app_is_made(start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GREETING", "first")
    app = start()
    monkeypatch.setenv("GREETING", "second")
    assert shown(app, "GREETING") == "first"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("V=plain", "plain"),
        ("V='single quoted'", "single quoted"),
        ('V="with # hash"', "with # hash"),
        ("V=value # comment", "value"),
        ("export V=exported", "exported"),
        ("V=a=b=c", "a=b=c"),
        ("V = spaced ", "spaced"),
        ("V='pa$word'", "pa$word"),
        ("V=grüße", "grüße"),
        ("V=", None),
        ("V", None),
    ],
)
def test_lines_of_dotenv(start: Callable[..., Flask], line: str, value: str | None):
    assert shown(start({".env": f"# a comment\n{line}\n"}), "V") == value


def test_dotenv_and_manifest_are_those_beside_the_function(
    start: Callable[..., Flask], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / ".env").write_text("GREETING=of the working directory\n")
    monkeypatch.chdir(tmp_path)
    assert shown(start({".env": "OTHER=x\n"}), "GREETING") is None


def test_a_dotenv_that_is_not_text_is_an_error_that_names_the_file(start: Callable[..., Flask]):
    with pytest.raises(ConfigError, match=r"\.env"):
        start({".env": b"A=\xff\xfe\n"})


# ------------------------------------------------------------------------------------ defaults and values

DEFAULTS = {
    "SINCHFN_PUBLIC_URL": (None, None),
    "SINCHFN_TRUSTED_PROXIES": (0, 0),
    "WEBHOOK_PROTECTION": ("deploy", "deploy"),
    "VOICE_APPLICATION_KEY": (None, None),
    "VOICE_APPLICATION_SECRET": (None, None),
    "CONVERSATION_WEBHOOK_SECRET": (None, None),
    "SMS_WEBHOOK_SECRET": (None, None),
    "ELEVENLABS_WEBHOOK_SECRET": (None, None),
    "ELEVENLABS_INIT_SECRET": (None, None),
    "SINCHFN_WEBHOOK_TOLERANCE": (300, 300),
    "PROJECT_ID": (None, None),
    "PROJECT_ID_API_KEY": (None, None),
    "PROJECT_ID_API_SECRET": (None, None),
    "ADMIN_USER": (None, None),
    "ADMIN_PASSWORD": (None, None),
    "CONVERSATION_APP_ID": (None, None),
    "CONVERSATION_REGION": ("us", "us"),
    "SMS_SERVICE_PLAN_ID": (None, None),
    "SMS_REGION": ("us", "us"),
    "ENABLE_NUMBERS_API": (False, False),
    "SINCHFN_VOICE_API": ("global", "global"),
    "SINCHFN_CACHE_URL": ("sqlite:data/cache.db", "memory:"),
    "SINCHFN_STORAGE_URL": ("file:storage", "file:storage"),
    "SINCHFN_DATABASE": ("data/function.db", "data/function.db"),
    "SINCHFN_USAGE": ("data/usage.jsonl", "off"),
    "SINCHFN_MAX_BODY": (1 << 20, 1 << 20),
    "SINCHFN_SVAML": ("warn", "strict"),
    "SINCHFN_VOICE_ERROR_MESSAGE": (None, None),
    "SINCHFN_STREAM_SECRET": (None, None),
    "SINCHFN_WS_ORIGINS": (None, None),
    "SINCHFN_WS_MAX_SOCKETS": (400, 400),
    "SINCHFN_WS_MAX_MESSAGE": (1 << 20, 1 << 20),
    "SINCHFN_WS_PING": (20, 20),
    "SINCHFN_LOG_FORMAT": ("json", "text"),
    "SINCHFN_LOG_LEVEL": (logging.INFO, logging.INFO),
}


def test_there_is_a_default_here_for_every_setting():
    assert {setting.name for setting in SETTINGS} == {"SINCHFN_ENV", *DEFAULTS}


@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("environment", ["production", "development"])
def test_default(make_function: MakeFunction, name: str, environment: str):
    config = config_of(create_app(make_function(SHOW), config={"SINCHFN_ENV": environment}))
    assert config[name] == DEFAULTS[name][environment == "development"]


# ---------------------------------------------------------------------------------------------- the environment


def warnings_in(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)


ICE = "def ice(context, data): ...\n"


@pytest.mark.parametrize("set_by", ["FLASK_DEBUG", "app.debug", "app.config", "FLASK_RUN_FROM_CLI", "FLASK_ENV"])
@pytest.mark.parametrize("embedded", [True, False])
def test_debug_mode_does_not_make_a_server_one_for_development(
    make_function: MakeFunction,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    set_by: str,
    embedded: bool,
):
    for name, value in (("FLASK_DEBUG", "1"), ("FLASK_RUN_FROM_CLI", "true"), ("FLASK_ENV", "development")):
        if name == set_by or (set_by == "FLASK_RUN_FROM_CLI" and name == "FLASK_DEBUG"):
            monkeypatch.setenv(name, value)
    if not embedded and set_by.startswith("app."):
        return
    folder = make_function(ICE)
    if embedded:
        app = Flask("host")
        if set_by == "app.debug":
            app.debug = True
        elif set_by == "app.config":
            app.config["DEBUG"] = True
        SinchFunctions(folder, config=APPLICATION).init_app(app)
    else:
        app = create_app(folder, config=APPLICATION)
    assert config_of(app).environment == "production"
    assert app.test_client().post("/ice", json={"event": "ice", "callid": "1"}).status_code == 401
    if set_by != "FLASK_ENV":
        assert "SINCHFN_ENV=development" in warnings_in(caplog)


def test_an_environment_that_is_set_is_not_warned_about(
    make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("FLASK_DEBUG", "1")
    create_app(make_function(ICE), config={**APPLICATION, "SINCHFN_ENV": "production"})
    assert warnings_in(caplog) == ""


@pytest.mark.parametrize("embedded", [True, False])
@pytest.mark.parametrize("debug", [True, False])
def test_the_environment_is_development_under_flask_run_in_debug_mode(
    make_function: MakeFunction, tmp_path: Path, embedded: bool, debug: bool
):
    made = f"create_app({str(make_function(SHOW))!r})"
    hosted = f"app = Flask('host'); SinchFunctions({str(make_function(SHOW, 'two'))!r}).init_app(app)"
    (tmp_path / "wsgi.py").write_text(
        f"from flask import Flask\nfrom sinchfn import SinchFunctions, create_app\n"
        f"{hosted if embedded else f'app = {made}'}\n"
        "@app.cli.command('told')\ndef told(): print('it is', app.extensions['sinchfn'][0].config.environment)\n"
    )
    command = [sys.executable, "-m", "flask", "--app", "wsgi", *(["--debug"] if debug else []), "told"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == f"it is {'development' if debug else 'production'}\n", done.stderr
    assert "WARNING" not in done.stderr


@pytest.mark.parametrize("level", LEVELS[:3])
def test_development_in_a_public_server_is_warned_about(
    make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, level: str
):
    def start(files: dict[str, str | bytes]) -> Flask:
        return create_app(make_function({"function.py": ICE} | files), config=APPLICATION)

    caplog.set_level(logging.INFO)
    at_levels(start, monkeypatch, "SINCHFN_ENV", {level: "development"})
    where = {"environ": "the environment"}.get(level, level)
    assert f"The environment is development (SINCHFN_ENV in {where}): signatures are not verified" in warnings_in(
        caplog
    )
    assert f"Environment: development (SINCHFN_ENV in {where})" in caplog.text
    assert "ice (voice), not verified: development" in caplog.text


@pytest.mark.parametrize("embedded", [True, False])
def test_protection_that_is_never_is_warned_about_at_every_start(
    make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, embedded: bool
):
    monkeypatch.setenv("WEBHOOK_PROTECTION", "never")
    for number in (1, 2):
        folder = make_function(ICE, f"fn{number}")
        if embedded:
            SinchFunctions(folder, config=APPLICATION).init_app(Flask("host"))
        else:
            create_app(folder, config=APPLICATION)
    assert warnings_in(caplog).count("WEBHOOK_PROTECTION is never (in the environment)") == 2


@pytest.mark.parametrize("setting", [{"SINCHFN_ENV": "development"}, {"WEBHOOK_PROTECTION": "never"}])
def test_a_public_server_warns_about_settings_in_config(
    make_function: MakeFunction, setting: dict[str, str], caplog: pytest.LogCaptureFixture
):
    folder = make_function({"function.py": ICE})
    made = f"import sinchfn; sinchfn.create_app({str(folder)!r}, config={ {**APPLICATION, **setting}!r})"
    done = subprocess.run([sys.executable, "-c", made], capture_output=True, text=True, timeout=60)
    assert "WARNING" in done.stderr
    assert "in config=" in done.stderr
    create_app(folder, config={**APPLICATION, **setting})
    assert warnings_in(caplog) == "", "a test is not a server"


def test_the_start_says_how_each_export_is_protected(make_function: MakeFunction, caplog: pytest.LogCaptureFixture):
    source = (
        "auth = ['reports']\n" + ICE + "def conversation_webhook(c, r): ...\ndef elevenlabs_init_webhook(c, r): ...\n"
        "def reports(c, r): ...\ndef status(c, r): ...\ndef sms_webhook(c, r): ...\n"
    )
    caplog.set_level(logging.INFO)
    settings = {**APPLICATION, "ELEVENLABS_INIT_SECRET": "the-init-secret", "SINCHFN_USAGE": "off"}
    create_app(make_function(source), config=settings)
    block = next(r.getMessage() for r in caplog.records if "Detected functions" in r.getMessage())
    said = dict(line.split("→ ")[1].partition(", ")[::2] for line in block.splitlines() if "→" in line)
    assert said == {
        "voice callbacks (by event)": "signature verified",
        "ice (voice)": "signature verified",
        "conversation_webhook": "not verified: CONVERSATION_WEBHOOK_SECRET is not set",
        "elevenlabs_init_webhook": "secret verified",
        "sms_webhook": "not verified: SMS_WEBHOOK_SECRET is not set",
        "reports": "password",
        "status": "",
    }
    assert block.splitlines()[-1] == "  Environment: production (the default)"


#: name -> values that it refuses, and what the message says it takes.
WRONG: dict[str, tuple[list[str], list[str]]] = {
    "SINCHFN_ENV": (["prod", "dev", "test", "1"], ["production", "development"]),
    "SINCHFN_PUBLIC_URL": (
        [
            "voice.example.com",
            "/fn",
            "ftp://example.com",
            "https://",
            "https:///fn",
            "https://example.com/?x=1",
            "https://example.com/#a",
            "https://[",
            "https://example.com:port",
            "https://exa mple.com",
            "wss://example.com",
        ],
        ["it takes a URL", "https://"],
    ),
    "SINCHFN_TRUSTED_PROXIES": (["-1", "one", "1.5", "true", "yes", "٣"], ["it takes a whole number"]),
    "WEBHOOK_PROTECTION": (["true", "on", "off", "yes", "production"], ["never", "deploy", "always"]),
    "SINCHFN_WEBHOOK_TOLERANCE": (["0", "-5", "5m", "300s", "nan", "inf", "1e3"], ["it takes a whole number"]),
    "SINCHFN_MAX_BODY": (["0", "-1", "1MB", "1 MiB", "big", "1_000"], ["it takes a whole number"]),
    "CONVERSATION_REGION": (["europe", "us-east-1"], ["us", "eu", "br"]),
    "ENABLE_NUMBERS_API": (["yes", "on", "2"], ["true or false"]),
    "SINCHFN_VOICE_API": (
        ["us", "http//localhost", "ftp://example.com", "calling.api.sinch.com"],
        ["it takes global, use1", "or a URL such as https://calling.api.sinch.com"],
    ),
    "SINCHFN_CACHE_URL": (["here", "file:cache", "mysql://host/db", "redi://host"], ["memory:", "sqlite:", "redis:"]),
    "SINCHFN_STORAGE_URL": (["storage", "ftp://host/a", "s4://bucket"], ["file:", "s3:", "memory:"]),
    "SINCHFN_DATABASE": (
        ["postgres://h/db", "postgresql+psycopg://h/db", "sqlite:data/x.db", "mysql:db", ":memory:", "data/"],
        ["the path of a SQLite file, such as data/function.db; for another database open a connection of your own"],
    ),
    "SINCHFN_SVAML": (["on", "error", "off", "loose"], ["strict", "warn"]),
    "SINCHFN_LOG_FORMAT": (["xml", "plain"], ["text", "json"]),
    "SINCHFN_LOG_LEVEL": (["LOUD", "10x", "trace"], ["DEBUG", "INFO", "WARNING", "ERROR"]),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, (values, _) in WRONG.items() for value in values])
@pytest.mark.parametrize("through", ["environ", "config"])
def test_a_wrong_value_is_an_error_that_names_the_variable_and_what_it_takes(
    start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, name: str, value: str, through: str
):
    with pytest.raises(ConfigError) as caught:
        at_levels(start, monkeypatch, name, {through: value})
    message = str(caught.value)
    assert name in message
    assert repr(value) in message or value in message
    for word in WRONG[name][1]:
        assert word in message
    assert isinstance(caught.value, StartupError)


@pytest.mark.parametrize(
    ("name", "value", "parsed"),
    [
        ("SINCHFN_ENV", "Development", "development"),
        ("WEBHOOK_PROTECTION", "NEVER", "never"),
        ("SINCHFN_SVAML", "Strict", "strict"),
        ("SINCHFN_LOG_LEVEL", "debug", logging.DEBUG),
        ("SINCHFN_PUBLIC_URL", "https://example.com/fn/", "https://example.com/fn"),
        ("SINCHFN_PUBLIC_URL", "https://example.com", "https://example.com"),
        ("SINCHFN_PUBLIC_URL", "http://localhost:8000/", "http://localhost:8000"),
        ("SINCHFN_TRUSTED_PROXIES", "2", 2),
        ("SINCHFN_MAX_BODY", "0010", 10),
    ],
)
def test_a_right_value_is_taken(start: Callable[..., Flask], name: str, value: str, parsed: object):
    assert config_of(start(**{name: value}))[name] == parsed


@pytest.mark.parametrize(
    "value",
    ["true", "usage/", "on", "yes", "1", "True", "no", "0", "postgres://h/db", "file:usage.jsonl", "s3://bucket/usage"],
)
def test_a_ledger_that_is_not_a_file_is_an_error(tmp_path: Path, value: str):
    with pytest.raises(ConfigError, match=r"SINCHFN_USAGE.*the path of a file, or off"):
        load_config(tmp_path, environ={"SINCHFN_USAGE": value})


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("SINCHFN_DATABASE", "sqlite:data/x.db", "write data/x.db"),
        ("SINCHFN_DATABASE", "sqlite:/var/x.db", "write /var/x.db"),
        ("SINCHFN_DATABASE", "sqlite:///data/x.db", "write data/x.db"),
        ("SINCHFN_DATABASE", "sqlite:////var/x.db", "write /var/x.db"),
        ("SINCHFN_DATABASE", "file:x.db", "write x.db"),
        ("SINCHFN_USAGE", "file:usage.jsonl", "write usage.jsonl"),
        ("SINCHFN_STORAGE_URL", "./files", "write file:./files"),
        ("SINCHFN_STORAGE_URL", "/var/files", "write file:/var/files"),
        ("SINCHFN_STORAGE_URL", "memory", 'Did you mean "memory:"?'),
        ("SINCHFN_STORAGE_URL", "flie:storage", 'Did you mean "file:"?'),
        ("SINCHFN_CACHE_URL", "data/cache.db", "write sqlite:data/cache.db"),
        ("SINCHFN_CACHE_URL", "cache.db", "write sqlite:cache.db"),
        ("SINCHFN_CACHE_URL", "sqlite", 'Did you mean "sqlite:"?'),
        ("SINCHFN_CACHE_URL", "redi://host", 'Did you mean "redis:"?'),
        ("SINCHFN_MAX_BODY", "30MB", "write 30000000"),
        ("SINCHFN_MAX_BODY", "30m", "write 30000000"),
        ("SINCHFN_MAX_BODY", "1 MiB", "write 1048576"),
        ("SINCHFN_MAX_BODY", "512k", "write 512000"),
        ("SINCHFN_VOICE_API", "euc", 'Did you mean "euc1"?'),
    ],
)
def test_the_message_says_what_to_write_instead(tmp_path: Path, name: str, value: str, remedy: str):
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path, environ={name: value})
    assert str(caught.value).endswith(remedy)


@pytest.mark.parametrize("name", ["SINCHFN_DATABASE", "SINCHFN_USAGE"])
@pytest.mark.parametrize("value", ["x.db", "data/x y.db", "/var/x.db", "C:/data/x.db", "C:\\x.db", "./a:b", "12:30.db"])
def test_a_path_is_taken_as_it_is(tmp_path: Path, name: str, value: str):
    assert load_config(tmp_path, environ={name: value})[name] == value


@pytest.mark.parametrize("name", ["SINCHFN_DATABASE", "SINCHFN_USAGE", "SINCHFN_CACHE_URL", "SINCHFN_STORAGE_URL"])
@pytest.mark.parametrize("value", ["sqlite://u:canary-pw@h/x", "file://u:canary-pw@h/x", "u:canary-pw@h/x"])
def test_what_to_write_instead_holds_no_password(tmp_path: Path, name: str, value: str):
    _, faults = read_config(tmp_path, environ={name: value})
    assert "canary" not in "".join(faults)


def test_all_wrong_values_are_reported_together(start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SINCHFN_MAX_BODY", "lots")
    files: dict[str, str | bytes] = {
        "sinch.json": '{"name": 5, "variables": {"PORT": [], "SINCHFN_SVAML": "loose"}, "secrets": [1]}',
        ".env": "SINCHFN_ENV=prod\nBROKEN='never closed\n",
    }
    with pytest.raises(ConfigError) as caught:
        start(files, VOICE_APPLICATION_SECRET="no base64!", GREETING=["a"])
    told = str(caught.value)
    names = ("name", "variables.PORT", "secrets.0", ".env, line 2", "GREETING", "SINCHFN_ENV")
    for name in (*names, "VOICE_APPLICATION_SECRET", "SINCHFN_MAX_BODY", "SINCHFN_SVAML"):
        assert re.search(rf"\n  - .*{re.escape(name)} (is|has|in|cannot) ", told), name
    assert told.count("\n") == 9
    for place in ("in sinch.json", "in .env", "in the environment", "in config="):
        assert place in told
    assert "never closed" not in told
    assert "no base64" not in told


PLACES = ("sinch.json", ".env", "the environment", "config=")


@pytest.mark.parametrize(("level", "place"), list(zip(LEVELS, PLACES, strict=True)))
def test_a_wrong_value_says_where_it_came_from(
    start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, level: str, place: str
):
    with pytest.raises(ConfigError) as caught:
        at_levels(start, monkeypatch, "SINCHFN_MAX_BODY", {level: "lots"})
    assert f"SINCHFN_MAX_BODY is 'lots' (in {place})" in str(caught.value)


@pytest.mark.parametrize("origin", [origin for origin in ORIGINS if origin != "app.config"])
@pytest.mark.parametrize("name", ["SINCHFN_MAX_BODY", "GREETING"])
def test_where_a_value_came_from_is_known(
    start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, name: str, origin: str
):
    level = {"config=": "config", "environment": "environ"}.get(origin, origin)
    below = {"config": ["environ", ".env"], "environ": [".env", "sinch.json"], ".env": ["sinch.json"]}.get(level, [])
    values = {} if level == "default" else dict.fromkeys([level, *below], "10")
    assert config_of(at_levels(start, monkeypatch, name, values)).origin(name) == origin


def test_a_faulty_setting_has_its_default_in_read_config(tmp_path: Path):
    config, faults = read_config(tmp_path, {"SINCHFN_MAX_BODY": "lots", "SINCHFN_ENV": "development"}, environ={})
    assert config["SINCHFN_MAX_BODY"] == 1 << 20
    assert config.is_development
    assert len(faults) == 1


VOICE = {"function.py": "def ice(context, data): ...\n"}
BAD_SECRETS = {
    "VOICE_APPLICATION_SECRET": ["zebra-base64!", "zeb", "AAAA=AAA", "zébra===", "   ", "emVicmE\nemVicmE="],
    "VOICE_APPLICATION_KEY": ["zebra crossing", "zebra:crossing", "zébra", "   ", "zebra\ncrossing"],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD_SECRETS.items() for value in values])
def test_a_bad_secret_is_an_error_that_names_the_variable_and_keeps_the_value(
    start: Callable[..., Flask], name: str, value: str
):
    good = {"VOICE_APPLICATION_KEY": "key-1", "VOICE_APPLICATION_SECRET": SECRET}
    with pytest.raises(ConfigError) as caught:
        start(VOICE, **(good | {name: value}))
    assert name in str(caught.value)
    assert value.strip() == "" or value not in str(caught.value)


def test_the_secret_is_checked_also_where_nothing_is_verified(start: Callable[..., Flask]):
    with pytest.raises(ConfigError, match="VOICE_APPLICATION_SECRET"):
        start(VOICE, VOICE_APPLICATION_SECRET="not-base64!", WEBHOOK_PROTECTION="never")


def test_a_command_shows_the_message_and_no_traceback(start: Callable[..., Flask]):
    with pytest.raises(ConfigError) as caught:
        start(SINCHFN_ENV="prod")
    assert caught.value.format_message() == str(caught.value)


# ------------------------------------------------------------------------------------ protection


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({}, ["VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET"]),
        ({"VOICE_APPLICATION_KEY": "k"}, ["VOICE_APPLICATION_SECRET"]),
        ({"VOICE_APPLICATION_SECRET": SECRET}, ["VOICE_APPLICATION_KEY"]),
        ({"VOICE_APPLICATION_KEY": "k", "VOICE_APPLICATION_SECRET": ""}, ["VOICE_APPLICATION_SECRET"]),
    ],
)
def test_a_callback_without_a_secret_is_served_with_one_warning_or_refuses_to_start(
    start: Callable[..., Flask], caplog: pytest.LogCaptureFixture, settings: dict[str, str], missing: list[str]
):
    app = start(VOICE, **settings)
    for _ in range(2):
        assert app.test_client().post("/ice", json={}).status_code == 200
    warnings = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(warnings) == 1
    assert all(name in warnings[0] for name in missing)
    for environment in ("production", "development"):
        with pytest.raises(ConfigError) as caught:
            start(VOICE, WEBHOOK_PROTECTION="always", SINCHFN_ENV=environment, **settings)
        assert all(name in str(caught.value) for name in ["WEBHOOK_PROTECTION", *missing])


def test_without_a_guarded_export_always_starts_without_secrets(
    start: Callable[..., Flask], caplog: pytest.LogCaptureFixture
):
    start(WEBHOOK_PROTECTION="always")
    start()
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("mode", "environment", "verified"),
    [
        ("never", "production", False),
        ("never", "development", False),
        ("deploy", "production", True),
        ("deploy", "development", False),
        ("always", "production", True),
        ("always", "development", True),
    ],
)
def test_when_signatures_are_checked(
    start: Callable[..., Flask], signed: Any, mode: str, environment: str, verified: bool
):
    app = start(VOICE, WEBHOOK_PROTECTION=mode, SINCHFN_ENV=environment, **signed.config)
    assert app.test_client().post("/ice", json={}).status_code == (401 if verified else 200)
    assert app.test_client().post("/ice", **signed("/ice")).status_code == 200


# ------------------------------------------------------------------------------------ typos


@pytest.mark.parametrize("level", LEVELS)
def test_a_misspelt_setting_is_warned_about(
    start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, level: str
):
    at_levels(start, monkeypatch, "SINCHFN_PUBLIC_URI", {level: "https://example.com"})
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "SINCHFN_PUBLIC_URI" in warnings[0]
    assert 'Did you mean "SINCHFN_PUBLIC_URL"?' in warnings[0]


NEAR_MISSES = {
    "SINCHFN_LOGFORMAT": "SINCHFN_LOG_FORMAT",
    "SINCHFN_CACHE": "SINCHFN_CACHE_URL",
    "SINCH_PUBLIC_URL": "SINCHFN_PUBLIC_URL",
    "VOICE_APPLICATION_SECRT": "VOICE_APPLICATION_SECRET",
    "VOICE_APLICATION_KEY": "VOICE_APPLICATION_KEY",
    "WEBHOOK_PROTECTON": "WEBHOOK_PROTECTION",
    "PROJECT_ID_APIKEY": "PROJECT_ID_API_KEY",
    "ADMIN_PASWORD": "ADMIN_PASSWORD",
    "sinchfn_env": "SINCHFN_ENV",
    "Webhook_Protection": "WEBHOOK_PROTECTION",
    "sinchfn_evn": "SINCHFN_ENV",
}


@pytest.mark.parametrize(("name", "meant"), list(NEAR_MISSES.items()))
def test_a_near_miss_of_any_setting_is_pointed_out(tmp_path: Path, name: str, meant: str):
    [warning] = load_config(tmp_path, environ={name: "x"}).warnings()
    assert name in warning
    assert meant in warning


@pytest.mark.parametrize(
    "name",
    [
        *(
            "PATH",
            "HOME",
            "KEY",
            "TOKEN",
            "PROJECT",
            "PROJECT_DIR",
            "VOICE_SERVICE_ID",
            "VOICE_SERVICE_SECRET",
            "DEBUG",
        ),
        *(
            "FUNCTION_ID",
            "FROM_NUMBER",
            "ELEVENLABS_API_KEY",
            "GOOGLE_PROJECT_ID",
            "SINCH",
        ),
        *("SINCH_PROJECT_ID", "ADMIN_EMAIL", "WEBHOOK_URL", "VERIFICATION_APPLICATION_SECRET", ""),
    ],
)
def test_a_variable_of_another_program_is_not_warned_about(tmp_path: Path, name: str):
    assert load_config(tmp_path, environ={name: "x"}).warnings() == []


def test_a_near_miss_is_left_alone_where_the_setting_is_there(tmp_path: Path):
    assert load_config(tmp_path, environ={"PROJECT_ID": "a", "PROJECT_IDS": "a,b"}).warnings() == []


@pytest.mark.parametrize("level", [".env", "sinch.json"])
def test_a_function_cannot_say_where_it_is_itself(
    start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, level: str
):
    [warning] = config_of(at_levels(start, monkeypatch, "SINCHFN_FUNCTION", {level: "elsewhere"})).warnings()
    assert "SINCHFN_FUNCTION" in warning
    assert "environment" in warning


#: Every variable of ours.
OURS = (
    "SINCHFN_FUNCTION",
    "SINCHFN_ENV",
    "SINCHFN_PUBLIC_URL",
    "SINCHFN_TRUSTED_PROXIES",
    "SINCHFN_WEBHOOK_TOLERANCE",
    "SINCHFN_VOICE_API",
    "SINCHFN_CACHE_URL",
    "SINCHFN_STORAGE_URL",
    "SINCHFN_DATABASE",
    "SINCHFN_USAGE",
    "SINCHFN_MAX_BODY",
    "SINCHFN_SVAML",
    "SINCHFN_VOICE_ERROR_MESSAGE",
    "SINCHFN_STREAM_SECRET",
    "SINCHFN_WS_ORIGINS",
    "SINCHFN_WS_MAX_SOCKETS",
    "SINCHFN_WS_MAX_MESSAGE",
    "SINCHFN_WS_PING",
    "SINCHFN_LOG_FORMAT",
    "SINCHFN_LOG_LEVEL",
)


@pytest.mark.parametrize("name", OURS)
def test_a_setting_of_the_contract_is_known(
    start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
):
    values = {
        "SINCHFN_ENV": "production",
        "SINCHFN_PUBLIC_URL": "https://example.com",
        "SINCHFN_TRUSTED_PROXIES": "1",
        "SINCHFN_WEBHOOK_TOLERANCE": "10",
        "SINCHFN_CACHE_URL": "sqlite:data/cache.db",
        "SINCHFN_STORAGE_URL": "file:storage",
        "SINCHFN_VOICE_API": "euc1",
        "SINCHFN_STREAM_SECRET": "a-long-enough-secret",
        "SINCHFN_MAX_BODY": "10",
        "SINCHFN_SVAML": "warn",
        "SINCHFN_WS_ORIGINS": "https://example.com",
        "SINCHFN_WS_MAX_SOCKETS": "10",
        "SINCHFN_WS_MAX_MESSAGE": "10",
        "SINCHFN_WS_PING": "10",
        "SINCHFN_LOG_FORMAT": "json",
        "SINCHFN_LOG_LEVEL": "INFO",
    }
    monkeypatch.setenv(name, values.get(name, "x"))
    start()
    assert name not in "".join(r.getMessage() for r in caplog.records if r.levelno == logging.WARNING)


# ------------------------------------------------------------------------------------ in the handler

REQUIRE = """\
    from sinchfn import ConfigError
    def ask(context, request):
        read = getattr(context.config, request.query["how"])
        try:
            return read(request.query["name"])
        except ConfigError as error:
            return {"statusCode": 409, "body": str(error)}
    def fail(context, request):
        context.config.require_secret("NOT_THERE")
    def change(context, request):
        context.env["A"] = "b"
    def about(context, request):
        c = context.config
        return {"project": c.project_id, "name": c.function_name, "environment": c.environment,
                "variables": dict(c.variables)}
"""


@pytest.mark.parametrize("how", ["require_variable", "require_secret"])
def test_a_variable_that_is_required(start: Callable[..., Flask], how: str):
    client = start({"function.py": REQUIRE, ".env": "THERE=yes\nEMPTY=\n"}).test_client()
    assert client.get(f"/ask?how={how}&name=THERE").text == "yes"
    for name in ("MISSING", "EMPTY", "THER"):
        answer = client.get(f"/ask?how={how}&name={name}")
        assert answer.status_code == 409
        assert name in answer.text
        assert ".env" in answer.text
    assert client.get("/fail").status_code == 500


def test_a_missing_variable_suggests_a_near_name_but_no_value(start: Callable[..., Flask]):
    client = start({"function.py": REQUIRE, ".env": "API_TOKEN=hush-hush\n"}).test_client()
    answer = client.get("/ask?how=require_variable&name=API_TOKN")
    assert "API_TOKEN" in answer.text
    assert "hush" not in answer.text


def test_the_environment_of_a_handler_is_read_only(start: Callable[..., Flask]):
    client = start({"function.py": REQUIRE}).test_client()
    assert client.get("/change").status_code == 500


def test_what_the_config_says_of_the_function(start: Callable[..., Flask]):
    manifest = {
        "name": "my-ivr",
        "runtime": "python",
        "description": "d",
        "variables": {"A": "1", "B": "2"},
        "functionId": 5,
    }
    files = {"function.py": REQUIRE, "sinch.json": json.dumps(manifest), ".env": "B=from .env\n"}
    about = start(files, PROJECT_ID="p1", SINCHFN_ENV="development").test_client().get("/about").json
    assert about == {
        "project": "p1",
        "name": "my-ivr",
        "environment": "development",
        "variables": {"A": "1", "B": "from .env"},
    }


def test_without_a_manifest_the_function_is_named_after_its_folder(start: Callable[..., Flask]):
    assert start({"function.py": REQUIRE}).test_client().get("/about").json["name"] == "fn"


# ------------------------------------------------------------------------------------ sinch.json

BAD_MANIFESTS = {
    "no JSON": ('{"name": ', ["JSON"]),
    "empty": ("", ["JSON"]),
    "a list": ("[]", []),
    "a number": ("5", []),
    "null": ("null", []),
    "name is no text": ('{"name": 5}', ["name"]),
    "variables are a list": ('{"variables": ["A"]}', ["variables"]),
    "variables are null": ('{"variables": null}', ["variables"]),
    "a variable is an object": ('{"variables": {"A": {"b": 1}}}', ["variables.A"]),
    "a variable is a list": ('{"variables": {"A": []}}', ["variables.A"]),
    "a variable is null": ('{"variables": {"A": null}}', ["variables.A"]),
    "nested too deep": ('{"name": ' + "[" * 100_000, []),
    "not utf-8": (b'{"name": "\xff"}', []),
}


@pytest.mark.parametrize(("text", "words"), BAD_MANIFESTS.values(), ids=BAD_MANIFESTS)
def test_a_bad_manifest_is_an_error_that_names_file_and_key(
    start: Callable[..., Flask], text: str | bytes, words: list[str]
):
    with pytest.raises(ConfigError) as caught:
        start({"sinch.json": text})
    for word in ["sinch.json", *words]:
        assert word in str(caught.value)


def test_a_wrong_setting_in_the_manifest_names_the_variable(start: Callable[..., Flask]):
    with pytest.raises(ConfigError, match="SINCHFN_MAX_BODY"):
        start({"sinch.json": '{"variables": {"SINCHFN_MAX_BODY": "lots"}}'})


def test_every_key_of_the_manifest_is_checked_and_named_with_its_path(tmp_path: Path):
    manifest = {
        "name": ["a"],
        "runtime": 3,
        "description": None,
        "variables": {"PORT": {"a": 1}, "FINE": 1.5, "value": None, "A=B": "x"},
        "secrets": ["FINE", 2, "", "TWO WORDS"],
        "functionId": {"is": "not ours"},
    }
    (tmp_path / "sinch.json").write_text(json.dumps(manifest))
    config, faults = read_config(tmp_path, environ={})
    told = [fault.removeprefix(f"{tmp_path / 'sinch.json'}: ") for fault in faults]
    assert sorted(told) == [
        "description is null: it takes a text.",
        "name is a list: it takes a text.",
        "runtime is a number: it takes a text.",
        "secrets.1 is a number: it takes the name of a variable.",
        "secrets.2 is an empty text: it takes the name of a variable.",
        "secrets.3 is a text: it takes the name of a variable.",
        "variables.A=B: it takes the name of a variable before the colon.",
        "variables.PORT is an object: it takes a text, a number, true or false.",
        "variables.value is null: it takes a text, a number, true or false.",
    ]
    assert config.variables == {"FINE": "1.5"}
    assert config.is_secret("FINE")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["name", "runtime", "description", "variables", "secrets", "other"])


@given(JSON | st.dictionaries(KEYS, JSON))
def test_any_manifest_is_accepted_or_reported(tmp_path_factory: pytest.TempPathFactory, value: object):
    folder = tmp_path_factory.mktemp("fn", numbered=True)
    (folder / "sinch.json").write_text(json.dumps(value))
    config, faults = read_config(folder, environ={})
    assert isinstance(config.function_name, str)
    assert all(isinstance(text, str) for text in config.variables.values())
    assert all("sinch.json" in fault for fault in faults)
    assert bool(faults) or isinstance(value, dict)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_env_file_is_accepted_or_reported(tmp_path_factory: pytest.TempPathFactory, text: str):
    folder = tmp_path_factory.mktemp("fn", numbered=True)
    (folder / ".env").write_text(text, "utf-8")
    config, faults = read_config(folder, environ={})
    assert isinstance(dict(config.env), dict)
    assert all(re.search(r"\.env, line \d+", fault) for fault in faults)


def test_an_unreadable_line_of_the_env_file_is_reported_without_its_text(start: Callable[..., Flask]):
    with pytest.raises(ConfigError) as caught:
        start({".env": "GOOD=1\n\nMY_TOKEN='hush-hush\n"})
    assert ".env, line 3" in str(caught.value)
    assert "hush" not in str(caught.value)


KNOWN_KEYS = {"name": "shop", "description": "d", "runtime": "python", "variables": {}, "secrets": []}
MISSPELT_KEYS = {
    "variable": "variables",
    "Variables": "variables",
    "varaibles": "variables",
    "descripton": "description",
    "Name": "name",
    "run_time": "runtime",
}
OTHER_KEYS = ("functionId", "projectId", "tunnel", "$schema", "version", "environment", "filename", "secretNames", "")


@pytest.mark.parametrize(("key", "meant"), MISSPELT_KEYS.items())
def test_a_misspelt_key_of_the_manifest_is_warned_about(start: Callable[..., Flask], key: str, meant: str):
    config = config_of(start({"sinch.json": json.dumps({key: "x"})}))
    [warning] = config.warnings()
    assert warning == f'{config.folder}/sinch.json has "{key}", which nothing reads. Did you mean "{meant}"?'


@pytest.mark.parametrize("key", OTHER_KEYS)
def test_a_key_of_another_tool_is_left_alone(start: Callable[..., Flask], key: str):
    assert config_of(start({"sinch.json": json.dumps({key: ["x"]})})).warnings() == []


def test_a_near_miss_of_a_key_is_left_alone_where_the_key_is_there(start: Callable[..., Flask]):
    manifest = KNOWN_KEYS | {"names": 1, "variable": 2}
    assert config_of(start({"sinch.json": json.dumps(manifest)})).warnings() == []


@pytest.mark.parametrize("key", ["secret", "Secrets", "SECRETS", "secrts", "sercets"])
@pytest.mark.parametrize("names", [["SESAME"], {"SESAME": True}, "SESAME"])
def test_what_a_misspelt_list_of_secrets_names_is_secret_and_the_key_is_warned_about(
    tmp_path: Path, key: str, names: object
):
    (tmp_path / "sinch.json").write_text(json.dumps({key: names, "secrets": ["OTHER"]}))
    config = load_config(tmp_path, environ={"SESAME": "open-wide"})
    assert config.secrets() == ["open-wide"]
    assert config.is_secret("OTHER")
    assert config.warnings() == []  # another tool may have a key of that name
    (tmp_path / "sinch.json").write_text(json.dumps({key: names}))
    [warning] = load_config(tmp_path, environ={"SESAME": "open-wide"}).warnings()
    assert 'Did you mean "secrets"?' in warning


# ------------------------------------------------------------------------------------ what is a secret


@pytest.mark.parametrize("name", ["ADMIN_PASWORD", "ADMIN_PASSWRD", "admin_pasword", "SINCHFN_STREAM_SECRT"])
@pytest.mark.parametrize("others", [{}, {"ADMIN_PASSWORD": "another-one"}])
def test_a_misspelt_secret_is_a_secret(tmp_path: Path, name: str, others: dict[str, str]):
    config = load_config(tmp_path, environ={name: "hush-hush", **others})
    assert config.is_secret(name)
    assert "hush-hush" in config.secrets()


def test_a_misspelt_secret_that_is_committed_is_warned_about(start: Callable[..., Flask]):
    warnings = config_of(start({"sinch.json": '{"variables": {"ADMIN_PASWORD": "hush-hush"}}'})).warnings()
    assert [word in warnings[i] for i, word in enumerate(("Did you mean", "is committed"))] == [True, True]


SECRET_NAMES = ("DB_PASS", "DB_PWD", "db_pass", "MY_PASSWD", "PASSPHRASE", "GPG_PASSPHRASE_FILE", "MYSQL_PASSWD_RO")
PLAIN_NAMES = (
    "PWD",
    "OLDPWD",
    "BYPASS",
    "SSH_ASKPASS",
    "PASSENGERS",
    "PASSES",
    "COMPASS",
    "ADMIN_USER",
    "SINCHFN_SVML",
)


@pytest.mark.parametrize("name", [*SECRET_NAMES, *PLAIN_NAMES])
def test_a_name_says_whether_it_is_a_secret(tmp_path: Path, name: str):
    config = load_config(tmp_path, environ={name: "open-wide"})
    assert config.is_secret(name) == (config.secrets() == ["open-wide"]) == (name in SECRET_NAMES)


def test_what_the_manifest_lists_is_a_secret_whatever_its_name(start: Callable[..., Flask]):
    app = start({"sinch.json": '{"secrets": ["SESAME", "UNSET"]}', ".env": "SESAME=open-wide\n"}, ROOT="rhubarb")
    config = config_of(app)
    assert [name for name in ("SESAME", "UNSET", "ROOT", "MY_TOKEN") if config.is_secret(name)] == [
        *("SESAME", "UNSET", "MY_TOKEN")
    ]
    assert "open-wide" in config.secrets()
    assert "rhubarb" not in config.secrets()
    assert shown(app, "SESAME") == "open-wide"


@pytest.mark.parametrize("level", LEVELS)
def test_a_password_in_a_url_is_a_secret_wherever_it_is_set(
    start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, level: str
):
    for name in ("SINCHFN_CACHE_URL", "SHOP"):
        config = config_of(at_levels(start, monkeypatch, name, {level: "redis://user:p%40ss-word@host:1/0"}))
        assert {"p%40ss-word", "p@ss-word"} <= set(config.secrets())
        assert "user" not in config.secrets()


URLS = {
    "redis://:sesame@host": (["sesame"], "redis://:***@host"),
    "rediss://user:sesame@host:6379/0": (["sesame"], "rediss://user:***@host:6379/0"),
    "postgres://u:a%2Fb%40c@h/db": (["a%2Fb%40c", "a/b@c"], "postgres://u:***@h/db"),
    "postgres://u:with@sign@h/db": (["with@sign"], "postgres://u:***@h/db"),
    "redis://:with/slash@host/0": (["with/slash"], "redis://:***@host/0"),
    "redis://:one@a/0,redis://:two@b/0": (["one", "two"], "redis://:***@a/0,redis://:***@b/0"),
    "https://0123456789abcdef@host/x": (["0123456789abcdef"], "https://***@host/x"),
    "host=h password=sesame user=u": (["sesame"], "host=h password=*** user=u"),
    "https://h/x?a=1&api_key=sesame&b=2#c": (["sesame"], "https://h/x?a=1&api_key=***&b=2#c"),
    "Name=n;AccountKey=c2VzYW1l==;X=y": (["c2VzYW1l=="], "Name=n;AccountKey=***;X=y"),
}
NO_SECRET = [
    *("https://voice.example.com/fn", "https://host:8080/@user", "ssh://git@host/x", "me@example.com", "file:storage"),
    *("memory:", "http://[::1]:80/a@b", "https://user:@host", "a=b", "", "://", "@", "://@", "sqlite:data/cache.db"),
]


@pytest.mark.parametrize(("value", "secrets", "shown"), [(value, *rest) for value, rest in URLS.items()])
def test_the_secrets_in_a_value_are_found_and_masked(value: str, secrets: list[str], shown: str):
    assert secrets_within(value) == secrets
    assert masked(value) == shown


@pytest.mark.parametrize("value", NO_SECRET)
def test_a_value_without_a_secret_in_it_stays_as_it_is(value: str):
    assert secrets_within(value) == []
    assert masked(value) == value


@given(st.text())
def test_any_text_can_be_looked_through_for_secrets(value: str):
    for secret in secrets_within(value):
        assert isinstance(secret, str)
    assert isinstance(masked(value), str)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/?#@:&;=%"), min_size=1))
def test_any_password_in_a_url_is_found(password: str):
    assert password in secrets_within(f"scheme://user:{password}@host/path")
    assert secrets_within(f"scheme://user:{password}@host/path?x=1")[0] == password


@pytest.mark.parametrize(
    "value",
    [
        *("redi://:sesame-99@host", "redis:/:sesame-99@host", "redis//:sesame-99@host", "redis:sesame-99@host"),
        *("rediss;//u:sesame-99@host", ":sesame-99@host:6379"),
    ],
)
def test_a_wrong_url_is_reported_without_its_password(start: Callable[..., Flask], value: str):
    for name in ("SINCHFN_CACHE_URL", "SINCHFN_STORAGE_URL", "SINCHFN_PUBLIC_URL", "SINCHFN_VOICE_API"):
        if name == "SINCHFN_CACHE_URL" and value.startswith("redis:"):
            continue  # odd, but a URL of the right scheme
        with pytest.raises(ConfigError) as caught:
            start(**{name: value})
        assert name in str(caught.value)
        assert "sesame" not in str(caught.value)


def test_a_secret_put_into_the_wrong_variable_is_not_shown(start: Callable[..., Flask]):
    with pytest.raises(ConfigError) as caught:
        start(SINCHFN_LOG_LEVEL="hush-hush-hush", MY_TOKEN="hush-hush-hush")
    assert "SINCHFN_LOG_LEVEL is '***'" in str(caught.value)


COMMITTED = {
    "by its name": ({"variables": {"MY_TOKEN": "hush-hush"}}, "MY_TOKEN"),
    "by the manifest": ({"variables": {"SESAME": "hush-hush"}, "secrets": ["SESAME"]}, "SESAME"),
    "in a URL": ({"variables": {"SHOP": "postgres://u:hush-hush@h"}}, "SHOP"),
}


@pytest.mark.parametrize(("manifest", "name"), COMMITTED.values(), ids=COMMITTED)
def test_a_secret_that_is_committed_is_warned_about(
    start: Callable[..., Flask], caplog: pytest.LogCaptureFixture, manifest: dict[str, Any], name: str
):
    app = start({"sinch.json": json.dumps(manifest)}, **{name: "another"})
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "sinch.json" in warning
    assert name in warning
    assert "hush" not in warning
    assert config_of(app).warnings() == [warning]


@pytest.mark.parametrize("variables", [{"MAX_TOKENS": 4096, "KEYLESS": True}, {"MY_TOKEN": ""}, {"SHOP": "https://h"}])
def test_values_that_are_not_secret_may_be_committed(start: Callable[..., Flask], variables: dict[str, object]):
    assert config_of(start({"sinch.json": json.dumps({"variables": variables})})).warnings() == []


@pytest.mark.parametrize("value", ["abc", "123456", "true"])
def test_a_secret_too_plain_to_be_struck_out_is_warned_about(start: Callable[..., Flask], value: str):
    [warning] = config_of(start(ADMIN_PASSWORD=value, MAX_TOKENS=value)).warnings()
    assert "ADMIN_PASSWORD" in warning
    assert value not in warning


# ------------------------------------------------------------------------------------ nothing leaks

HUSH = {
    "VOICE_APPLICATION_SECRET": SECRET,
    "VOICE_APPLICATION_KEY": "voice-key-hush",
    "PROJECT_ID_API_KEY": "api-key-hush",
    "PROJECT_ID_API_SECRET": "api-secret-hush",
    "ADMIN_PASSWORD": "password-hush",
    "SINCHFN_STREAM_SECRET": "stream-hush",
    "OWN_TOKEN": "token-hush",
}


def test_no_repr_and_no_line_of_the_start_shows_a_secret(start: Callable[..., Flask], caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    app = start(VOICE, **HUSH)
    function = app.extensions["sinchfn"][0]
    seen = [repr(function), repr(function.config), str(function.config), repr(app), repr(function.basic)]
    seen += [
        repr(vars(function.config)),
        repr(dataclasses.asdict(function.config)),
        pprint.pformat(function.config.env),
    ]
    seen += [repr(value) for value in app.config.values()]
    seen += [repr(function.schemes), caplog.text]
    leaked = [name for name, value in HUSH.items() if name != "VOICE_APPLICATION_KEY" and value in "\n".join(seen)]
    assert leaked == []


def test_a_wrong_value_of_a_secret_is_not_shown(start: Callable[..., Flask]):
    with pytest.raises(ConfigError) as caught:
        start(VOICE, VOICE_APPLICATION_SECRET="almost*secret", VOICE_APPLICATION_KEY="k")
    assert not re.search("almost|secret\\*", str(caught.value))
