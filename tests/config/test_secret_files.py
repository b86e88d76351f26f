"""Secrets in files (``<VARIABLE>_FILE``), and settings in the ``app.config`` of a host."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from sinchfn import ConfigError, FunctionConfig, SinchFunctions, create_app
from sinchfn.cli.commands import main
from tests.harness.app import MakeFunction

SOURCE = "def ice(context, data): ...\ndef status(context, request): ...\n"
KEY = "the-application-key"
SECRET = "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
OTHER = "b3RoZXItc2VjcmV0LW90aGVyLXNlY3JldA=="

#: Where a variable can be set, lowest first.
LEVELS = ("sinch.json", ".env", "environment", "app.config", "config=")


def config_of(app: Flask) -> FunctionConfig:
    config: FunctionConfig = app.extensions["sinchfn"][0].config
    return config


@pytest.fixture
def start(make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Flask]:
    """``start({level: {name: value}}, {file: text})``: a host with a function that is set up at these levels."""

    def make(levels: dict[str, dict[str, Any]], files: dict[str, str | bytes] | None = None) -> Flask:
        beside: dict[str, str | bytes] = {"function.py": SOURCE, **(files or {})}
        if "sinch.json" in levels:
            beside["sinch.json"] = json.dumps({"variables": levels["sinch.json"]})
        if ".env" in levels:
            beside[".env"] = "".join(f"{name}='{value}'\n" for name, value in levels[".env"].items())
        for name, value in levels.get("environment", {}).items():
            monkeypatch.setenv(name, value)
        host = Flask("host")
        host.config.from_mapping(levels.get("app.config", {}))
        config = {"SINCHFN_USAGE": "off", **levels.get("config=", {})}
        SinchFunctions(make_function(beside), config=config).init_app(host, url_prefix="/fn")
        return host

    return make


Start = Callable[..., Flask]

# ------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("text", [SECRET, f"{SECRET}\n", f"{SECRET}\r\n", f"\ufeff{SECRET}\n"])
def test_a_secret_is_read_from_the_file_that_is_named(start: Start, level: str, text: str):
    given = {level: {"VOICE_APPLICATION_KEY": KEY, "VOICE_APPLICATION_SECRET_FILE": "run/secrets/voice"}}
    app = start(given, {"run/secrets/voice": text.encode()})
    config = config_of(app)
    assert config["VOICE_APPLICATION_SECRET"] == config.require_secret("VOICE_APPLICATION_SECRET") == SECRET
    assert config.origin("VOICE_APPLICATION_SECRET") == level
    assert app.test_client().post("/fn/ice", json={"event": "ice", "callid": "1"}).status_code == 401
    assert SECRET in config.secrets()
    assert "run/secrets/voice" not in config.secrets()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("VOICE_APPLICATION_KEY", KEY),
        ("CONVERSATION_WEBHOOK_SECRET", "a conversation secret"),
        ("SMS_WEBHOOK_SECRET", "an sms secret"),
        ("ELEVENLABS_WEBHOOK_SECRET", "wsec_0123456789"),
        ("ELEVENLABS_INIT_SECRET", "init-secret"),
        ("PROJECT_ID", "the-project"),
        ("PROJECT_ID_API_KEY", "api-key-0123"),
        ("PROJECT_ID_API_SECRET", "api-secret-0123"),
        ("ADMIN_USER", "ann"),
        ("ADMIN_PASSWORD", "correct horse battery"),
        ("SINCHFN_STREAM_SECRET", "a-long-enough-stream-secret"),
        ("SINCHFN_CACHE_URL", "redis://:password@127.0.0.1:1/0"),
        ("SINCHFN_STORAGE_URL", "memory:"),
    ],
)
def test_every_secret_may_be_in_a_file(start: Start, tmp_path: Path, name: str, value: str):
    (tmp_path / "mounted").write_text(value + "\n")
    assert config_of(start({"environment": {f"{name}_FILE": str(tmp_path / "mounted")}})).env[name] == value


def test_a_variable_that_the_function_declares_as_a_secret_may_be_in_a_file(start: Start):
    manifest = json.dumps({"secrets": ["ORDERS_PIN"], "variables": {"SHOP_TOKEN": ""}})
    given = {"environment": {"ORDERS_PIN_FILE": "pin", "SHOP_TOKEN_FILE": "token", "TLS_KEY_FILE": "no/such/key.pem"}}
    config = config_of(start(given, {"sinch.json": manifest, "pin": "8231\n", "token": "a token\n"}))
    assert (config.env["ORDERS_PIN"], config.env["SHOP_TOKEN"]) == ("8231", "a token")
    assert config.env["TLS_KEY_FILE"] == "no/such/key.pem", "somebody else's"
    assert "ORDERS_PIN_FILE" not in config.env


@pytest.mark.parametrize("low", range(5))
@pytest.mark.parametrize("high", range(5))
@pytest.mark.parametrize("file_is_high", [True, False])
def test_the_higher_source_wins_whichever_of_the_two_it_has(start: Start, low: int, high: int, file_is_high: bool):
    if low >= high:
        return
    named, plain = {"ADMIN_PASSWORD_FILE": "password"}, {"ADMIN_PASSWORD": "the plain one"}
    given = {LEVELS[low]: plain if file_is_high else named, LEVELS[high]: named if file_is_high else plain}
    files = {"password": "the one in the file"} if file_is_high else {}  # the other is not even opened
    expected = "the one in the file" if file_is_high else "the plain one"
    assert config_of(start(given, files)).env["ADMIN_PASSWORD"] == expected


@pytest.mark.parametrize("level", LEVELS)
def test_both_in_one_source_are_an_error(start: Start, level: str):
    with pytest.raises(ConfigError, match="ADMIN_PASSWORD and ADMIN_PASSWORD_FILE are both set"):
        start(
            {level: {"ADMIN_PASSWORD": "the plain one", "ADMIN_PASSWORD_FILE": "password"}}, {"password": "in a file"}
        )


def test_an_empty_one_counts_as_not_set(start: Start):
    both = {"ADMIN_PASSWORD": "", "ADMIN_PASSWORD_FILE": "password"}
    assert config_of(start({".env": both}, {"password": "in a file"})).env["ADMIN_PASSWORD"] == "in a file"
    config = config_of(start({"environment": {"ADMIN_PASSWORD": "plain", "ADMIN_PASSWORD_FILE": ""}}))
    assert config.env["ADMIN_PASSWORD"] == "plain"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("/no/such/secret", "does not exist"),
        ("secrets/none", "does not exist"),
        ("none.txt", "does not exist"),
        ("secrets", "is not a regular file"),
        ("secrets/empty", "is empty"),
        ("secrets/blank", "is empty"),
        ("secrets/large", "is larger than"),
        ("secrets/bytes", "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_start_up_error(start: Start, level: str, file: str, says: str):
    files: dict[str, str | bytes] = {
        "secrets/empty": "",
        "secrets/blank": " \n",
        "secrets/large": "x" * 100_000,
        "secrets/bytes": b"\xff\xfe\xff",
    }
    with pytest.raises(ConfigError) as caught:
        start({level: {"VOICE_APPLICATION_KEY": KEY, "VOICE_APPLICATION_SECRET_FILE": file}}, files)
    for part in ("VOICE_APPLICATION_SECRET_FILE", level, says, *([file] if "/" in file or "." in file else [])):
        assert part in caught.value.message


def test_a_secret_in_the_place_of_its_file_is_not_shown(start: Start):
    with pytest.raises(ConfigError) as caught:
        start({"environment": {"VOICE_APPLICATION_SECRET_FILE": SECRET}})
    assert "VOICE_APPLICATION_SECRET_FILE" in caught.value.message
    assert SECRET not in caught.value.message


def test_a_wrong_value_in_a_file_is_an_error_that_names_the_variable_of_the_file(start: Start):
    with pytest.raises(ConfigError) as caught:
        start({"environment": {"VOICE_APPLICATION_SECRET_FILE": "voice"}}, {"voice": "not base64!"})
    assert "VOICE_APPLICATION_SECRET_FILE" in caught.value.message
    assert "not base64!" not in caught.value.message


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("VOICE_APPLICATION_SECERT_FILE", 'mean "VOICE_APPLICATION_SECRET_FILE"'),
        ("SINCHFN_ENV_FILE", "only secrets are read from a file: set SINCHFN_ENV"),
        ("WEBHOOK_PROTECTION_FILE", "only secrets are read from a file: set WEBHOOK_PROTECTION"),
    ],
)
def test_a_name_that_nothing_reads_is_pointed_out(start: Start, caplog: pytest.LogCaptureFixture, name: str, says: str):
    start({"environment": {name: "/run/secrets/x"}})
    assert says in caplog.text


def test_the_command_shows_that_a_value_came_from_a_file(
    make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    folder = make_function({"function.py": SOURCE, ".env": "ADMIN_PASSWORD_FILE=password\n", "password": "in a file\n"})
    with pytest.raises(SystemExit) as ended:
        main(["config", str(folder), "--json"])
    assert ended.value.code in (0, None)
    shown = json.loads(capsys.readouterr().out)
    [row] = [row for row in shown["settings"] if row["name"] == "ADMIN_PASSWORD"]
    assert (row["value"], row["from"]) == ("***", ".env, file")
    assert shown["variables"] == []


# ---------------------------------------------------------------------------------------------- app.config of a host


@pytest.mark.parametrize("level", range(5))
def test_app_config_goes_between_config_and_the_environment(start: Start, level: int):
    levels = LEVELS[: level + 1]
    config = config_of(start({at: {"SINCHFN_MAX_BODY": str(100 + LEVELS.index(at))} for at in levels}))
    assert config["SINCHFN_MAX_BODY"] == 100 + level
    assert config.origin("SINCHFN_MAX_BODY") == LEVELS[level]


def test_settings_in_app_config_are_in_force(start: Start):
    given = {"VOICE_APPLICATION_KEY": KEY, "VOICE_APPLICATION_SECRET": SECRET, "SINCHFN_MAX_BODY": 100}
    client = start({"app.config": given}).test_client()
    assert client.post("/fn/ice", json={"event": "ice", "callid": "1"}).status_code == 401
    assert client.post("/fn/status", data=b"x" * 101).status_code == 413


def test_a_value_in_app_config_may_be_a_number_a_bool_or_none(start: Start):
    config = config_of(start({"app.config": {"SINCHFN_MAX_BODY": 7, "ENABLE_NUMBERS_API": True, "ADMIN_USER": None}}))
    assert (config["SINCHFN_MAX_BODY"], config["ENABLE_NUMBERS_API"], config["ADMIN_USER"]) == (7, True, None)


@pytest.mark.parametrize("value", [["a"], {"a": 1}, b"bytes", 1.5, object()])
def test_a_value_in_app_config_of_another_type_is_an_error_that_names_it(start: Start, value: object):
    with pytest.raises(ConfigError, match=r"ADMIN_PASSWORD in app\.config is a"):
        start({"app.config": {"ADMIN_PASSWORD": value}})


def test_a_wrong_value_in_app_config_is_an_error_that_says_where(start: Start):
    with pytest.raises(ConfigError, match=r"SINCHFN_ENV is 'prod' \(in app\.config\)"):
        start({"app.config": {"SINCHFN_ENV": "prod"}})


def test_what_is_the_hosts_own_is_left_alone(start: Start):
    own = {"SECRET_KEY": b"bytes", "SESSION_COOKIE_NAME": "s", "SQLALCHEMY_BINDS": {}, "ENV": "x", "PROJECT": ["a"]}
    assert not {"SECRET_KEY", "SESSION_COOKIE_NAME", "ENV", "PROJECT", "DEBUG"} & set(
        config_of(start({"app.config": own})).env
    )


def test_a_misspelt_name_in_app_config_is_pointed_out(start: Start, caplog: pytest.LogCaptureFixture):
    start({"app.config": {"VOICE_APPLICATION_SECERT": "a-secret-that-nothing-reads", "SINCHFN_MAX_BODI": 5}})
    assert 'Did you mean "VOICE_APPLICATION_SECRET"' in caplog.text
    assert "SINCHFN_MAX_BODI is set, but there is no such setting" in caplog.text


def test_a_secret_in_app_config_is_struck_out_of_the_log(start: Start, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    start({"app.config": {"ADMIN_PASSWORD": "correct horse battery"}})
    logging.getLogger("sinchfn.function.fn").warning("It is correct horse battery.")
    assert "correct horse battery" not in caplog.text


def test_the_function_itself_may_be_named_in_app_config(make_function: MakeFunction, monkeypatch: pytest.MonkeyPatch):
    for name in ("one", "two"):
        make_function(f"def status(context, request): return {name!r}\n", f"project/{name}")
    project = make_function({"x": ""}, "project")
    monkeypatch.setenv("SINCHFN_FUNCTION", str(project / "one"))
    host = Flask("host", root_path=str(project))
    host.config["SINCHFN_FUNCTION"] = "two"
    SinchFunctions(config={"SINCHFN_USAGE": "off"}).init_app(host)
    assert host.test_client().get("/status").text == "two"


def test_an_app_of_its_own_has_no_host(make_function: MakeFunction):
    app = create_app(make_function(SOURCE), config={"SINCHFN_USAGE": "off"})
    assert config_of(app).origin("VOICE_APPLICATION_KEY") == "default"
