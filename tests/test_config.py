"""Where a setting comes from, what it takes, and what is said about a wrong one."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from sinchfn import ConfigError, FunctionConfig, SinchFunctions, StartupError, create_app

MakeFunction = Callable[..., Path]

SHOW = """\
    def show(context, request):
        return {name: context.config.get_variable(name) for name in request.args}

    def env(context, request):
        return {name: context.env.get(name) for name in request.args}
"""
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="


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
    """An app for which `name` is set at each of these levels to this value."""
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
    "SINCHFN_WEBHOOK_TOLERANCE": (300, 300),
    "PROJECT_ID": (None, None),
    "PROJECT_ID_API_KEY": (None, None),
    "PROJECT_ID_API_SECRET": (None, None),
    "ADMIN_USER": (None, None),
    "ADMIN_PASSWORD": (None, None),
    "SINCHFN_USAGE": ("data/usage.jsonl", "off"),
    "SINCHFN_MAX_BODY": (1 << 20, 1 << 20),
    "SINCHFN_SVAML": ("warn", "strict"),
    "SINCHFN_VOICE_ERROR_MESSAGE": (None, None),
    "SINCHFN_STREAM_SECRET": (None, None),
    "SINCHFN_LOG_FORMAT": ("json", "text"),
    "SINCHFN_LOG_LEVEL": (logging.INFO, logging.INFO),
}


@pytest.mark.parametrize("name", DEFAULTS)
@pytest.mark.parametrize("environment", ["production", "development"])
def test_default(make_function: MakeFunction, name: str, environment: str):
    config = config_of(create_app(make_function(SHOW), config={"SINCHFN_ENV": environment}))
    assert config[name] == DEFAULTS[name][environment == "development"]


def test_the_environment_is_production_unless_flask_debugs(
    make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch
):
    folder = make_function(SHOW)
    assert config_of(create_app(folder)).environment == "production"
    monkeypatch.setenv("FLASK_DEBUG", "1")
    assert config_of(create_app(folder)).environment == "development"
    assert config_of(create_app(folder, config={"SINCHFN_ENV": "production"})).environment == "production"
    monkeypatch.setenv("FLASK_DEBUG", "0")
    assert config_of(create_app(folder)).environment == "production"


def test_in_a_host_that_debugs_the_environment_is_development(make_function: MakeFunction):
    for debug, environment in ((True, "development"), (False, "production")):
        host = Flask("host")
        host.debug = debug
        SinchFunctions(make_function(SHOW)).init_app(host, url_prefix="/fn")
        assert config_of(host).environment == environment


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


#: Every variable of ours.
OURS = (
    "SINCHFN_FUNCTION",
    "SINCHFN_ENV",
    "SINCHFN_PUBLIC_URL",
    "SINCHFN_TRUSTED_PROXIES",
    "SINCHFN_WEBHOOK_TOLERANCE",
    "SINCHFN_USAGE",
    "SINCHFN_MAX_BODY",
    "SINCHFN_SVAML",
    "SINCHFN_VOICE_ERROR_MESSAGE",
    "SINCHFN_STREAM_SECRET",
    "SINCHFN_LOG_FORMAT",
    "SINCHFN_LOG_LEVEL",
)


@pytest.mark.parametrize("name", OURS)
def test_a_setting_of_the_contract_is_known(
    start: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
):
    values = {
        "SINCHFN_ENV": "development",
        "SINCHFN_PUBLIC_URL": "https://example.com",
        "SINCHFN_TRUSTED_PROXIES": "1",
        "SINCHFN_WEBHOOK_TOLERANCE": "10",
        "SINCHFN_CACHE_URL": "memory:",
        "SINCHFN_STORAGE_URL": "memory:",
        "SINCHFN_MAX_BODY": "10",
        "SINCHFN_SVAML": "warn",
        "SINCHFN_WS_ORIGINS": "https://example.com",
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
    seen += [repr(value) for value in app.config.values()]
    seen += [repr(function.schemes), caplog.text]
    leaked = [name for name, value in HUSH.items() if name != "VOICE_APPLICATION_KEY" and value in "\n".join(seen)]
    assert leaked == []


def test_a_wrong_value_of_a_secret_is_not_shown(start: Callable[..., Flask]):
    with pytest.raises(ConfigError) as caught:
        start(VOICE, VOICE_APPLICATION_SECRET="almost*secret", VOICE_APPLICATION_KEY="k")
    assert not re.search("almost|secret\\*", str(caught.value))
