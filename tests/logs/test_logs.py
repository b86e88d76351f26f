"""The log: one form for all that writes into it, the request in every line, and no secret in any."""

from __future__ import annotations

import base64
import html
import http.client
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import quote, quote_plus, unquote

import markupsafe
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from sinchfn import FunctionError, SinchFunctions, create_app
from sinchfn.logs.handlers import RequestFilter, make_formatter
from sinchfn.logs.redaction import MASK, Redaction
from tests.harness.app import Served, clean_environment, own_logging, serving, write_function
from tests.harness.call import environ_of, send
from tests.harness.server import DEV, PATIENCE, Server, gunicorn, launched, on_free_port, until
from tests.harness.signer import ICE

HEAD = re.compile(r"\d\d:\d\d:\d\d (DEBUG|INFO|WARNING|ERROR|CRITICAL) +")

# --- canaries ---------------------------------------------------------------------------------------------------------

#: Secrets, by the name of their variable.
CANARIES = {
    "MY_TOKEN": "canary-token-aa11bb22",
    "MY_QUOTED_SECRET": "canary\"quoted'back\\slash",
    "MY_WIDE_PASSWORD": "canary-pässwörd-€-🐤",
    "MY_PRIVATE_KEY": "-----BEGIN CANARY-----\nMIICANARYcanary+canary/canary==\n-----END CANARY-----",
    "MY_URL_SECRET": "canary/with?all&of=it+100%",
    "MY_CREDENTIAL": "Q2FuYXJ5Q2FuYXJ5Q2FuYXJ5",
    "SESAME": "open-canary-sesame",  # the manifest says it
    "PIN": "wren7",  # so does it of this, which is short
}
#: Variables with a secret in a URL: the variable, its value, the secret.
URLS = {
    "SHOP_DATABASE": ("postgres://shop:finch%2Fcanary@db.example.com/shop", "finch%2Fcanary"),
    "QUEUE": ("amqps://:linnet-canary@queue.example.com", "linnet-canary"),
    "BLOBS": ("DefaultEndpointsProtocol=https;AccountKey=Y2FuYXJ5LWJsb2Jz;EndpointSuffix=x", "Y2FuYXJ5LWJsb2Jz"),
}
MANIFEST = {"secrets": ["SESAME", "PIN"]}
ENVIRONMENT = CANARIES | {name: value for name, (value, _) in URLS.items()}
#: What must not be seen. Of a secret of several lines, the line that matters.
HIDDEN = {
    **CANARIES,
    "MY_PRIVATE_KEY": "MIICANARYcanary+canary/canary==",
    **{name: secret for name, (_, secret) in URLS.items()},
    "decoded": "finch/canary",
}

_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")


def spilled(text: str) -> list[str]:
    """Names of the secrets that can be found in a text, by means that the code under test knows nothing of."""
    readings = [text, unquote(text), html.unescape(text), _unescaped(text), _unescaped(_unescaped(text))]
    readings += [reading.encode("latin-1", "ignore").decode("utf-8", "replace") for reading in readings]
    for found in _BASE64.findall(text):
        for start in range(4):
            padded = found.rstrip("=")[start:]
            with suppress(ValueError):
                decoded = base64.urlsafe_b64decode(
                    padded.replace("+", "-").replace("/", "_") + "=" * (-len(padded) % 4)
                )
                readings.append(decoded.decode("utf-8", "replace"))
    return sorted({name for reading in readings for name, secret in HIDDEN.items() if secret in reading})


def _unescaped(text: str) -> str:
    """`text` with escapes of JSON or Python read."""
    read = re.sub(
        r"\\(U[0-9a-fA-F]{8}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|['\"\\/])",
        lambda found: found[1] if len(found[1]) == 1 else chr(int(found[1][1:], 16)),
        text,
    )
    return read.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_the_search_for_canaries_finds_what_is_there() -> None:
    for name, secret in HIDDEN.items():
        pair = base64.b64encode(f"somebody:{secret}".encode()).decode()
        for written in (secret, json.dumps(secret), repr({"a": secret}), quote(secret, safe=""), f"Basic {pair}"):
            assert name in spilled(f"before {written} after"), written
    assert spilled("nothing of it") == []


SPILLS = """
import base64, html, pprint, threading, traceback, urllib.parse, warnings

def ice(context, data): return None

def _values(context, request):
    return [value for name, value in context.env.items() if name in request.args]

def message(context, request):
    for value in _values(context, request):
        context.log.error(f"the value is {value}")
        context.log.error("as an argument: %s, %r, %s", value, value, {"in": [value]})
        context.log.error({"message": value})
        context.log.error("%d", value)
        logging.getLogger("other").error("elsewhere %s", value)
        flask.current_app.logger.error("in Flask's %s", value)

def written(context, request):
    for value in _values(context, request):
        for text in (json.dumps(value), json.dumps(json.dumps({"a": value})), json.dumps(value, ensure_ascii=False),
                     repr(value), repr(repr(value)), ascii(value), repr(value.encode()), html.escape(value),
                     urllib.parse.quote(value), urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value),
                     urllib.parse.urlencode({"q": value}), pprint.pformat({"a": value})):
            context.log.error(text)
            context.log.error("%r", text)

def encoded(context, request):
    for value in _values(context, request):
        for user in ("", "a", "ab", "abc"):
            for after in ("", "x", "xy"):
                pair = base64.b64encode(f"{user}:{value}{after}".encode()).decode()
                context.log.error("Authorization: Basic %s", pair)
                context.log.error("%s", {"Authorization": f"Basic {pair}"})
                context.log.error(base64.urlsafe_b64encode(f"{user}:{value}{after}".encode()).decode())

def extra(context, request):
    for value in _values(context, request):
        context.log.error("fields", extra={"field": value, "deep": {"er": [value, {value: 1}]}, "object": Odd(value)})
        logging.getLogger("other").error("fields", extra={"field": (value,)})
        logging.getLogger(f"named.{value}").error("a name")

class Odd:
    def __init__(self, value): self.value = value
    def __repr__(self): return f"<Odd {self.value}>"

class Unprintable:
    def __init__(self, value): self.value = value
    def __repr__(self): raise ValueError(self.value)

def objects(context, request):
    for value in _values(context, request):
        context.log.error("%s", Unprintable(value))
        context.log.error(Unprintable(value))
        context.log.error("it is %s", Odd(value), extra={"odd": Unprintable(value)})

def raises(context, request):
    raise ValueError(_values(context, request))

def chained(context, request):
    [value] = _values(context, request)
    try:
        try:
            {}[value]
        except KeyError as error:
            raise RuntimeError(f"bad value {value!r}") from error
    except RuntimeError as error:
        error.add_note(f"note: {value}")
        raise ExceptionGroup(f"group of {value}", [error, OSError(5, value, value)])

def stack(context, request):
    [value] = _values(context, request)
    context.log.error("with a stack", stack_info=True)
    eval(compile("log.error('in source', stack_info=True)", f"<{value}>", "exec"), {"log": context.log})
    try:
        eval(compile(f"1 / 0 # {'x'}", value, "exec"))
    except ZeroDivisionError:
        context.log.exception("a file of this name")

def threads(context, request):
    [value] = _values(context, request)
    def fail(): raise ValueError(value)
    for target in (fail, lambda: context.log.error("from %s", threading.current_thread())):
        thread = threading.Thread(target=target, name=f"thread {value}")
        thread.start()
        thread.join()

def warned(context, request):
    for value in _values(context, request):
        warnings.warn(f"old: {value}", stacklevel=1)

def ignored(context, request):
    [value] = _values(context, request)
    class Dies:
        def __del__(self): raise ValueError(value)
    Dies()

def aborts(context, request):
    abort(409, str(_values(context, request)))

def streams(context, request):
    yield "begin"
    raise ValueError(_values(context, request))

def reprs(context, request):
    shown = [context, context.config, context.env, context.config.settings, context.config.variables, context.log,
             request, context.cache, context.storage, context.voice, flask.current_app.extensions["sinchfn"],
             flask.current_app.extensions["sinchfn"][0].redact, flask.current_app.config, vars(context.config)]
    for thing in shown:
        context.log.error("%r", thing)
    return repr(shown) + str(shown) + pprint.pformat(shown)
"""


@contextmanager
def spilling(folder: Path, **config: object) -> Iterator[Served]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "sinch.json").write_text(json.dumps(MANIFEST))
    with serving(folder, SPILLS, **ENVIRONMENT | config) as served:
        yield served


@contextmanager
def pythons_own_hooks() -> Iterator[None]:
    """What Python calls for an exception that nobody catches is its own, as outside of pytest."""
    with (
        mock.patch.object(threading, "excepthook", threading.__excepthook__),
        mock.patch.object(sys, "unraisablehook", sys.__unraisablehook__),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        try:
            yield
        finally:
            logging.captureWarnings(False)


WAYS = re.findall(r"^def ([a-z]\w+)\(context", SPILLS, re.M)


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("environment", ["production", "development"])
@pytest.mark.parametrize("way", WAYS)
def test_no_secret_gets_into_a_line_or_an_answer(tmp_path: Path, way: str, environment: str, form: str) -> None:
    with pythons_own_hooks(), spilling(tmp_path, SINCHFN_ENV=environment, SINCHFN_LOG_FORMAT=form) as served:
        for name in ENVIRONMENT:
            answer = served.get(f"/{way}?{name}=1")
            assert spilled(answer.text) == []
            assert spilled(str(answer.headers)) == []
        assert spilled(served.log) == []
        assert len(served.log) > 200
        if form == "json":
            assert served.log_lines
    for file in tmp_path.rglob("usage.jsonl"):
        assert spilled(file.read_text()) == []


def test_a_secret_that_a_caller_sends_is_struck_out_of_log_and_ledger(tmp_path: Path) -> None:
    """A path, a header or a body may carry a secret to us, such as the token in the URL of a webhook.

    The answer, to the one who sent it, is another matter: see test_guesses.py.
    """
    with spilling(
        tmp_path, WEBHOOK_PROTECTION="always", VOICE_APPLICATION_KEY="k1", VOICE_APPLICATION_SECRET="QUJDRA=="
    ) as served:
        for secret in HIDDEN.values():
            headers = {"User-Agent": secret, "Content-Type": secret, "Host": secret, "X-Timestamp": secret}
            headers = {header: value for header, value in headers.items() if value.isascii() and value.isprintable()}
            for path in (f"/{quote(secret, safe='')}", f"/{quote(secret)}/message", f"/message/{quote(secret)}"):
                for method in ("GET", "POST", "PATCH"):
                    served.request(method, path, headers=headers, query=f"q={quote_plus(secret)}")
        assert spilled(served.log) == []
        assert spilled(served.ledger_file.read_text()) == []


def test_no_secret_is_on_the_landing_page(tmp_path: Path) -> None:
    with spilling(tmp_path, SINCHFN_PUBLIC_URL="https://example.com/canary-token-aa11bb22") as served:
        page = served.get("/", headers={"Host": "canary-token-aa11bb22"}).text
        assert "/reprs" in page
        assert spilled(page) == []


def test_no_secret_is_in_a_usage_record_that_a_signal_carries(tmp_path: Path) -> None:
    from sinchfn import signals

    records: list[str] = []

    def listen(app: Flask, invocation: Any, record: Any) -> None:
        records.extend((repr(record), record.to_json(), repr(invocation)))

    with spilling(tmp_path) as served, signals.usage_recorded.connected_to(listen, served.app):
        for secret in HIDDEN.values():
            served.get(f"/{quote(secret, safe='')}/message")
    assert len(records) == 3 * len(HIDDEN)
    assert spilled("\n".join(records)) == []


# --- start-up ---------------------------------------------------------------------------------------------------------

BROKEN = {
    "raised": "raise ValueError(os.environ['MY_TOKEN'])",
    "in a cause": """
        try:
            int(os.environ["MY_TOKEN"])
        except ValueError as error:
            raise RuntimeError("no luck") from error
        """,
    "in a note": """
        error = RuntimeError("no luck")
        error.add_note(os.environ["MY_TOKEN"])
        raise error
        """,
    "in the source": "raise ValueError('canary-token-aa11bb22')",
    "in bad syntax": "def hello(context request): return 'canary-token-aa11bb22'",
    "in exports": "__all__ = [os.environ['MY_TOKEN']]",
    "in auth": "auth = [os.environ['MY_TOKEN']]",
}


@pytest.mark.parametrize("source", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("embedded", [False, True])
def test_no_secret_is_in_the_error_of_a_function_that_cannot_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, embedded: bool
) -> None:
    monkeypatch.setenv("MY_TOKEN", CANARIES["MY_TOKEN"])
    write_function(tmp_path, source)
    start = (
        partial(SinchFunctions(tmp_path).init_app, Flask("host"), "/fn") if embedded else partial(create_app, tmp_path)
    )
    with own_logging() as written, pytest.raises(FunctionError) as caught:
        start()
    assert spilled("".join(traceback.format_exception(caught.value))) == []
    assert spilled(written.getvalue()) == []
    assert str(tmp_path) in str(caught.value), "what is left of the message is still of use"


def test_an_error_without_a_secret_keeps_its_cause(tmp_path: Path) -> None:
    write_function(tmp_path, "raise ValueError('the reason')")
    with own_logging(), pytest.raises(FunctionError) as caught:
        create_app(tmp_path)
    assert isinstance(caught.value.__cause__, ValueError)


COMMANDS = [("routes",), ("config",), ("config", "--json"), ("run",), ("sign", "no-such-file")]


@pytest.mark.parametrize("arguments", COMMANDS)
def test_no_command_prints_a_secret(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "sinch.json").write_text(json.dumps(MANIFEST))
    folder = write_function(tmp_path, "raise ValueError(repr(dict(os.environ)))")
    done = subprocess.run(
        [sys.executable, "-m", "sinchfn", *arguments],
        cwd=folder,
        env=clean_environment() | ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stdout + done.stderr
    assert spilled(done.stdout + done.stderr) == []


def test_the_development_server_shows_no_secret_of_a_function_that_cannot_start(tmp_path: Path) -> None:
    (tmp_path / "fn").mkdir()
    (tmp_path / "fn" / "sinch.json").write_text(json.dumps(MANIFEST))
    folder = write_function(tmp_path / "fn", "raise ValueError(repr(dict(os.environ)))")
    with on_free_port(DEV, folder, **ENVIRONMENT) as server:
        server.answering()
        status, _, body = server.request("GET", "/any")
        assert status == 500
        assert b"Cannot load the function" in body
        assert "Cannot load the function" in server.log
        assert spilled(body.decode() + server.log) == []


# --- secrets of any kind ----------------------------------------------------------------------------------------------


def record_of(message: str, *, name: str = "a.logger", **extra: Any) -> logging.LogRecord:
    record = logging.LogRecord(name, logging.INFO, __file__, 1, message, None, None)
    vars(record).update(extra)
    return record


@given(st.text(min_size=8), st.text(), st.text())
def test_any_long_secret_is_struck_out_wherever_it_stands(secret: str, before: str, after: str) -> None:
    redact = Redaction([secret])
    for write in (str, json.dumps, repr, ascii, lambda text: quote(text, safe=""), html.escape):
        with suppress(UnicodeEncodeError):
            written = write(secret)
            assert written not in redact(f"{before}{written}{after}").replace(MASK, "\0")


AWKWARD = "a'b\"c/d é+\\<&>\n\x1b\t€🐤%=end"


@pytest.mark.parametrize(
    "write",
    [
        lambda text: json.dumps(json.dumps(text)),
        lambda text: json.dumps(text).replace("/", "\\/"),
        lambda text: repr(repr(text.encode())),
        lambda text: repr(json.dumps(text)),
        lambda text: json.dumps(html.escape(text)),
        lambda text: str(markupsafe.escape(text)),
        lambda text: json.dumps(quote_plus(text)),
        lambda text: quote(text, safe=";,/?:@&=+$!'()*#"),
        lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
        lambda text: text.encode("unicode_escape").decode(),
    ],
)
def test_each_character_of_a_secret_may_be_escaped_in_its_own_way(write: Callable[[str], str]) -> None:
    assert Redaction([AWKWARD])(f"before {write(AWKWARD)} after") in (
        *(f"before {MASK} after", f"before '{MASK}' after"),
        *(f'before "{MASK}" after', f"before '\"{MASK}\"' after", f'before "\\"{MASK}\\"" after'),
        f"before 'b\\'{MASK}\\'' after",
    )


@pytest.mark.parametrize("end", ["%", "&"])
def test_no_rest_of_an_escape_is_left_behind_a_secret(end: str) -> None:
    secret = f"correct horse {end}"
    redact = Redaction({secret})
    for written in (quote(secret, safe=""), quote_plus(secret), html.escape(secret), secret):
        assert redact(f"<{written}>") == f"<{MASK}>"


def test_a_long_text_that_could_begin_a_secret_takes_no_long_time() -> None:
    redact = Redaction(["\\'\"\\\\' tail", "\\\\\\\\ \\\\"])
    begin = time.monotonic()
    assert redact("\\" * 100_000 + " tail") == "\\" * 100_000 + " tail"
    assert time.monotonic() - begin < 5  # a safety net: quadratic time would be minutes


@given(st.binary(), st.text(st.characters(codec="utf-8"), min_size=8), st.binary())
def test_any_long_secret_is_struck_out_of_base64(before: bytes, secret: str, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        clean = Redaction([secret])(encode(before + secret.encode() + after).decode())
        with suppress(ValueError):
            assert secret.encode() not in base64.b64decode(
                clean, altchars=b"-_" if "-" in clean or "_" in clean else None
            )


@given(
    st.text(min_size=1) | st.integers().map(str) | st.sampled_from(["level", "INFO", "message", "time", '"', "{", ":"])
)
def test_a_line_stays_json_with_its_fields_whatever_the_secret_is(secret: str) -> None:
    formatter = make_formatter("json", Redaction([secret]), None)
    for record in (
        record_of(f"it is {secret}", order=12345678, deep={"a": [1.5, secret, None, True]}),
        record_of(
            "a request",
            name="sinchfn.request",
            as_json='{"started":"2026-01-01T00:00:00.000Z","path":"/ice","status":200,"size":12345678}',
        ),
    ):
        line = json.loads(formatter.format(record))
        assert {"time", "level", "logger", "message"} <= set(line)
        assert line["level"] == "INFO"


PLAIN = ["", "a", "abc", "true", "False", "none", "1234", "4096", "86400", "1234567", "default"]


@pytest.mark.parametrize("value", PLAIN)
def test_what_is_too_plain_for_a_secret_is_left_in_the_lines(value: str) -> None:
    text = f"abc a {value} true 4096 86400 1234567"
    assert Redaction([value])(text) == text


@pytest.mark.parametrize(
    "text", ["wren7", " wren7.", "(wren7)", "pin=wren7,", '"wren7"', "'wren7'", "a/wren7/b", "u:wren7@h"]
)
def test_a_short_secret_is_struck_out_where_it_stands_by_itself(text: str) -> None:
    assert Redaction(["wren7"])(text) == text.replace("wren7", MASK)


@pytest.mark.parametrize("text", ["wren77", "awren7", "wren7_", "_wren7", "1wren7"])
def test_a_short_secret_is_not_struck_out_within_a_word(text: str) -> None:
    assert Redaction(["wren7"])(text) == text


def test_each_line_of_a_secret_of_several_lines_is_struck_out() -> None:
    redact = Redaction([CANARIES["MY_PRIVATE_KEY"]])
    for line in CANARIES["MY_PRIVATE_KEY"].splitlines():
        assert redact(f"x {line} y") == f"x {MASK} y"


# --- what the lines say -----------------------------------------------------------------------------------------------


def lines_with(served: Served, word: str) -> list[dict[str, Any]]:
    return [line for line in served.log_lines if word in line["message"]]


def test_every_line_of_a_request_names_request_handler_kind_and_call(tmp_path: Path) -> None:
    source = """
    def ice(context, data):
        context.log.info("said by context")
        logging.getLogger("shop").info("said by shop")
        flask.current_app.logger.info("said by flask")
        warnings.warn("said by warnings", stacklevel=1)
    import warnings
    """
    with pythons_own_hooks(), serving(tmp_path, source) as served:
        served.post("/ice", ICE, headers={"Content-Type": "application/json", "X-Request-ID": "r-1"})
        said = lines_with(served, "said by")
        assert len(said) == 4
        for line in [*said, *served.request_lines]:
            fields = {name: line[name] for name in ("request_id", "handler", "kind", "call_id")}
            assert fields == {"request_id": "r-1", "handler": "ice", "kind": "voice", "call_id": ICE["callid"]}


def test_a_line_outside_of_a_request_names_none(tmp_path: Path) -> None:
    with serving(tmp_path, "logging.getLogger('mine').warning('at import')\ndef hello(c, r): pass") as served:
        served.get("/hello")
        logging.getLogger("mine").warning("afterwards")
        for word in ("at import", "afterwards"):
            [line] = lines_with(served, word)
            assert set(line) == {"time", "level", "logger", "message"}


THREADS = """
from concurrent.futures import ThreadPoolExecutor
import threading

def in_thread(context, request, target):
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
in_thread.__module__ = "elsewhere"

def by_context(context, request):
    in_thread(context, request, lambda: context.log.info("said"))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(context.log.info, ["said"] * 4))

def by_copy(context, request):
    log = logging.getLogger("plain")
    in_thread(context, request, lambda: log.info("unsaid"))
    in_thread(context, request, functools.partial(contextvars.copy_context().run, log.info, "said"))
    with ThreadPoolExecutor(2) as pool:
        for _ in range(4):
            pool.submit(contextvars.copy_context().run, log.info, "said").result()

async def by_task(context, request):
    log = logging.getLogger("plain")
    async def say(how): how("said")
    await asyncio.gather(say(context.log.info), say(log.info), asyncio.to_thread(log.info, "said"),
                         asyncio.to_thread(context.log.info, "said"))
    await asyncio.get_running_loop().run_in_executor(None, context.log.info, "said")

def by_stream(context, request):
    log = logging.getLogger("plain")
    for _ in range(2):
        context.log.info("said")
        log.info("said")
        yield "x"
    log.info("said")
import functools
"""


@pytest.mark.parametrize(("handler", "count"), [("by_context", 5), ("by_copy", 5), ("by_task", 5), ("by_stream", 5)])
def test_lines_carry_their_request_where_the_handler_goes_on_elsewhere(
    tmp_path: Path, handler: str, count: int
) -> None:
    with serving(tmp_path, THREADS) as served:
        for number in range(2):
            served.get(f"/{handler}", headers={"X-Request-ID": f"r-{number}"})
        said = lines_with(served, "said")
        found = Counter(line.get("request_id") for line in said if line["message"] == "said")
        assert found == {"r-0": count, "r-1": count}
        assert all(line["handler"] == handler and line["kind"] == "http" for line in said if "handler" in line)
        assert all("request_id" not in line for line in said if line["message"] == "unsaid")


def test_a_thread_that_outlives_its_request_still_names_it(tmp_path: Path) -> None:
    source = """
    import threading
    go = threading.Event()
    threads = []
    def begin(context, request):
        threads.append(threading.Thread(target=lambda: (go.wait(60), context.log.info("said late"))))
        threads[-1].start()
    def finish(context, request):
        go.set()
        for thread in threads: thread.join()
    """
    with serving(tmp_path, source) as served:
        served.get("/begin", headers={"X-Request-ID": "r-1"})
        served.get("/finish", headers={"X-Request-ID": "r-2"})
        [line] = lines_with(served, "said late")
        assert (line["request_id"], line["handler"]) == ("r-1", "begin")


def test_fields_of_ones_own_are_in_the_line(tmp_path: Path) -> None:
    source = """
    class Money:
        def __str__(self): return "5 EUR"
    def hello(context, request):
        loop = []
        loop.append(loop)
        context.log.info("with fields", extra={
            "order": 5, "paid": True, "price": Money(), "rate": float("nan"), "loop": loop, "both": {"a": (1, None)},
            "request_id": "mine", "level": "mine", "process_name": "mine"})
    """
    with serving(tmp_path, source) as served:
        served.get("/hello", headers={"X-Request-ID": "r-1"})
        [line] = lines_with(served, "with fields")
        assert (line["order"], line["paid"], line["price"], line["rate"]) == (5, True, "5 EUR", "nan")
        assert line["both"] == {"a": [1, None]}
        assert (line["request_id"], line["level"], line["level_"]) == ("r-1", "INFO", "mine")
    with serving(tmp_path, source, SINCHFN_LOG_FORMAT="text") as served:
        served.get("/hello")
        assert 'order=5 paid=true price="5 EUR"' in served.log


RESERVED = [*vars(record_of("")), "taskName", "message", "asctime", "sinchfn", "as_json", "is_block", "is_start"]
RESERVED += ["request_id", "handler", "kind", "call_id", "time", "level", "logger", "traceback"]


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize("name", sorted(set(RESERVED)))
def test_a_field_whose_name_is_taken_is_in_the_line_with_a_dash_behind_it(tmp_path: Path, name: str, form: str) -> None:
    source = f"""
    def hello(context, request):
        context.log.info("booked", extra={{"{name}": "Ada"}})
        return "hi"
    """
    with serving(tmp_path, source, SINCHFN_LOG_FORMAT=form) as served:
        assert served.get("/hello", headers={"X-Request-ID": "r-1"}).status == 200
        if form == "text":
            assert f'booked {name}_="Ada"' in served.log
            return
        [line] = lines_with(served, "booked")
        assert line[f"{name}_"] == "Ada"
        assert (line["message"], line["request_id"]) == ("booked", "r-1")


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    "extra",
    [
        "{'name': 1, 'name_': 2, 'name__': 3}",
        "{1: 2, None: 3, (): 4, 'a': 5}",
        "'no mapping'",
        "[1, 2]",
        "7",
        "None",
        "contextvars.copy_context()",
        "os.environ",
    ],
)
def test_no_extra_ends_a_call(tmp_path: Path, extra: str, form: str) -> None:
    source = f"""
    def hello(context, request):
        context.log.info("booked", extra={extra})
        return "hi"
    """
    with serving(tmp_path, source, SINCHFN_LOG_FORMAT=form) as served:
        assert served.get("/hello").status == 200
        assert served.log.count("booked") == 1
        if extra.startswith("{'name'"):
            assert len(re.findall(r"\bname_+\b", served.log)) == 3


def test_what_marks_our_own_records_is_nothing_on_the_users(tmp_path: Path) -> None:
    source = """
    def hello(context, request):
        extra = {"as_json": '{"request_id":"forged"}', "sinchfn": {"request_id": "forged"}, "is_block": True}
        logging.getLogger("shop").info("booked\\n12:00:00 INFO forged", extra=extra)
    """
    with serving(tmp_path, source) as served:
        served.get("/hello", headers={"X-Request-ID": "r-1"})
        [line] = lines_with(served, "booked")
        assert line["request_id"] == "r-1"
    with serving(tmp_path, source, SINCHFN_LOG_FORMAT="text") as served:
        served.get("/hello")
        assert "\n12:00:00 INFO forged" not in served.log


def test_no_secret_is_in_the_name_of_a_field(tmp_path: Path) -> None:
    source = """
    def hello(context, request): context.log.info("booked", extra={context.env["MY_TOKEN"]: 1})
    """
    for form in ("json", "text"):
        with serving(tmp_path, source, SINCHFN_LOG_FORMAT=form, MY_TOKEN=CANARIES["MY_TOKEN"]) as served:
            served.get("/hello")
            assert "booked" in served.log
            assert spilled(served.log) == []


@pytest.mark.parametrize("form", ["json", "text"])
def test_the_logger_of_a_module_of_the_function_has_the_name_that_its_author_knows(tmp_path: Path, form: str) -> None:
    source = """
    import menu
    def hello(context, request):
        logging.getLogger(__name__).info("said here")
        logging.getLogger("who@1.example").info("said by another")
        logging.getLogger("mail.to@12").info("said by a third")
        menu.say()
    """
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "menu.py").write_text("import logging\ndef say(): logging.getLogger(__name__).info('said there')\n")
    with serving(folder, source, SINCHFN_LOG_FORMAT=form) as served:
        served.get("/hello")
        if form == "json":
            names = [line["logger"] for line in lines_with(served, "said")]
        else:
            names = re.findall(r"INFO +(\S+): said", served.log)
        assert (names[0], names[-1]) == ("docs.function", "docs.menu")
        assert "mail.to@12" in names


def test_a_line_names_the_place_that_wrote_it(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append((record.filename, record.funcName or ""))

    source = """
    def hello(context, request):
        context.log.info("one")
        context.log.log(30, "two")
        context.log.warning("three", stacklevel=1)
        try: 1 / 0
        except ZeroDivisionError: context.log.exception("four")
    """
    with serving(tmp_path, source) as served:
        listener = Listener()
        logging.getLogger("sinchfn.function").addHandler(listener)
        try:
            served.get("/hello")
        finally:
            logging.getLogger("sinchfn.function").removeHandler(listener)
    assert seen == [("function.py", "hello")] * 4


def test_a_traceback_begins_in_the_function(tmp_path: Path) -> None:
    source = "def hello(context, request): return _inner()\ndef _inner(): raise ValueError('midway')"
    with serving(tmp_path, source) as served:
        served.get("/hello")
        [trace] = [line["traceback"] for line in served.log_lines if "traceback" in line]
        files = re.findall(r'File "(.*?)"', trace)
        assert [Path(file).name for file in files] == ["function.py", "function.py"]
        assert trace.endswith("ValueError: midway")


def test_what_python_would_print_by_itself_is_in_the_log(tmp_path: Path) -> None:
    source = """
    import threading, warnings
    class Dies:
        def __del__(self): raise ValueError("in its end")
    def hello(context, request):
        warnings.warn("old\\nnews", DeprecationWarning, stacklevel=1)
        def fail(): raise ValueError("in a thread")
        thread = threading.Thread(target=fail, name="helper")
        thread.start()
        thread.join()
        Dies()
        quiet = threading.Thread(target=sys.exit)
        quiet.start()
        quiet.join()
    """
    with pythons_own_hooks(), serving(tmp_path, source) as served:
        served.get("/hello")
        [warning] = lines_with(served, "DeprecationWarning")
        assert warning["level"] == "WARNING"
        assert warning["message"].endswith("DeprecationWarning: old\nnews")
        [thread] = lines_with(served, "The thread helper failed")
        assert "ValueError: in a thread" in thread["traceback"]
        [end] = [line for line in served.log_lines if "in its end" in line.get("traceback", "")]
        assert end["level"] == "ERROR"


def test_a_log_call_that_does_not_fit_disturbs_nothing(tmp_path: Path) -> None:
    source = """
    class Broken:
        def __str__(self): raise ValueError("no text")
        __repr__ = __str__
    def hello(context, request):
        context.log.info("%s %s", 1)
        context.log.info("%d", "x")
        context.log.info(Broken())
        context.log.info("%s", Broken())
        context.log.info("fields", extra={"broken": Broken(), "keys": {Broken(): 1}})
        return "hi"
    """
    for form in ("json", "text"):
        with serving(tmp_path, source, SINCHFN_LOG_FORMAT=form) as served:
            assert served.get("/hello").text == "hi"
            assert len(served.log.splitlines()) == (7 if form == "json" else 9)  # the list of handlers is a block
            assert "Logging error" not in served.log


def test_a_log_that_cannot_be_written_fails_no_call(tmp_path: Path) -> None:
    class Full(StringIO):
        def write(self, text: str) -> int:
            raise OSError(28, "No space left on device")

    with serving(tmp_path, "def hello(context, request): return 'hi'") as served:
        [handler] = logging.getLogger().handlers
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(Full())
        assert served.get("/hello").text == "hi"


def test_a_line_that_cannot_be_made_is_told_of_without_what_was_in_it(tmp_path: Path) -> None:
    source = "def hello(context, request): context.log.info('canary-token-aa11bb22', extra={'number': 10 ** 5000})"
    for form in ("json", "text"):
        with serving(tmp_path, source, SINCHFN_LOG_FORMAT=form) as served:
            served.get("/hello")
            assert "A line of the logger sinchfn.function" in served.log
            assert "was lost: ValueError" in served.log
            assert "canary" not in served.log


def test_a_handler_that_the_function_sets_up_shows_no_secret(tmp_path: Path) -> None:
    source = """
    handler = logging.FileHandler(__file__ + ".log")
    logging.getLogger("mine").addHandler(handler)
    def hello(context, request): logging.getLogger("mine").error("it is %s", context.env["MY_TOKEN"])
    """
    with serving(tmp_path, source, MY_TOKEN=CANARIES["MY_TOKEN"]) as served:
        served.get("/hello")
        [handler] = logging.getLogger("mine").handlers
        logging.getLogger("mine").removeHandler(handler)
        handler.close()
    assert (tmp_path / "function.py.log").read_text() == "it is ***\n"


def test_a_function_that_sets_up_logging_does_not_take_the_form_away(tmp_path: Path) -> None:
    source = "logging.basicConfig(format='mine %(message)s')\ndef hello(c, r): logging.getLogger('mine').error('said')"
    with serving(tmp_path, source) as served:
        served.get("/hello")
        assert len(lines_with(served, "said")) == 1


# --- text for people --------------------------------------------------------------------------------------------------


def test_the_line_of_a_request_says_all_there_is_to_say(tmp_path: Path) -> None:
    with serving(tmp_path, "def ice(context, data): pass", SINCHFN_LOG_FORMAT="text") as served:
        served.post("/ice", ICE, headers={"Content-Type": "application/json", "X-Request-ID": "r-1"})
        line = served.log.splitlines()[-1]
        assert re.fullmatch(
            rf"\d\d:\d\d:\d\d INFO    POST /ice 200 \d+\.\d ms  \[voice ice, call {ICE['callid']}, request r-1\]", line
        )


def test_the_logger_is_named_where_it_is_not_ours(tmp_path: Path) -> None:
    source = """
    def hello(context, request):
        context.log.warning("ours")
        logging.getLogger("shop.orders").warning("theirs")
        logging.warning("nobody's")
    """
    with serving(tmp_path, source, SINCHFN_LOG_FORMAT="text") as served:
        served.get("/hello")
        assert "WARNING ours  [" in served.log
        assert "WARNING shop.orders: theirs  [" in served.log
        assert "WARNING nobody's  [" in served.log


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "environ", "coloured"),
    [
        (Terminal(), {"TERM": "xterm"}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (StringIO(), {"TERM": "xterm"}, False),
        (None, {"TERM": "xterm"}, False),
    ],
)
def test_there_are_colours_on_a_terminal_only(stream: Any, environ: dict[str, str], coloured: bool) -> None:
    with mock.patch.dict(os.environ, environ, clear=True):
        formatter = make_formatter("text", Redaction(), stream)
        failure = record_of("it failed", sinchfn={"request_id": "r-1"})
        failure.levelno, failure.levelname = logging.ERROR, "ERROR"
        line = formatter.format(failure)
    assert ("\x1b[" in line) == coloured
    assert HEAD.match(re.sub(r"\x1b\[[0-9;]*m", "", line))
    assert "\x1b" not in make_formatter("json", Redaction(), Terminal()).format(failure)


# --- in somebody else's app -------------------------------------------------------------------------------------------

EMBEDDED = """
def hello(context, request):
    context.log.warning("said %s", context.env["MY_TOKEN"])
    context.log.warning("%d", context.env["MY_TOKEN"])
    logging.getLogger("shop").warning("elsewhere %s", context.env["MY_TOKEN"], extra={"field": context.env["MY_TOKEN"]})
    context.log.warning("stack", stack_info=True)
    eval(compile("log.warning('stack', stack_info=True)", f"<{context.env['MY_TOKEN']}>", "exec"), {"log": context.log})
def fails(context, request):
    raise ValueError(context.env["MY_TOKEN"])
def fine(context, request):
    context.log.info("nothing to hide")
    raise ValueError("nothing either")
"""


class Everything(logging.StreamHandler[StringIO]):
    """A host's handler that writes all of a record there is."""

    def __init__(self) -> None:
        super().__init__(StringIO())
        self.records: list[logging.LogRecord] = []
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(threadName)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        super().emit(record)
        self.records.append(record)
        self.stream.write(repr(vars(record)))

    @property
    def text(self) -> str:
        return self.stream.getvalue()


@contextmanager
def hosted(folder: Path, before: tuple[Any, ...] = (), after: tuple[Any, ...] = ()) -> Iterator[Any]:
    """A host with handlers that are there before the function is mounted, and others that come later."""
    write_function(folder, EMBEDDED)
    with own_logging() as written:
        root = logging.getLogger()
        root.setLevel(logging.INFO)
        try:
            for logger, handler in before:
                logging.getLogger(logger).addHandler(handler)
            host = Flask("host")
            config = {"SINCHFN_USAGE": "off", "MY_TOKEN": CANARIES["MY_TOKEN"]}
            SinchFunctions(folder, config=config).init_app(host, "/fn")
            for logger, handler in after:
                logging.getLogger(logger).addHandler(handler)
            yield host
        finally:
            for logger, handler in (*before, *after):
                logging.getLogger(logger).removeHandler(handler)
    assert spilled(written.getvalue()) == []


def visit(host: Any) -> None:
    for path in ("/fn/hello", "/fn/fails", "/fn/fine"):
        send(host, environ_of(path=path, headers={"X-Request-ID": "r-1"}))


@pytest.mark.parametrize("logger", [None, "shop", "sinchfn", "sinchfn.function.fn"])
def test_a_handler_that_a_host_has_shows_no_secret(tmp_path: Path, logger: str | None) -> None:
    handler, root = Everything(), Everything()
    with hosted(tmp_path / "fn", before=((logger, handler), (None, root))) as host:
        visit(host)
    assert handler.records
    assert spilled(handler.text + root.text) == []


def test_a_handler_that_comes_later_shows_no_secret_of_what_we_log(tmp_path: Path) -> None:
    early, late = Everything(), Everything()
    with hosted(tmp_path / "unknown_before", before=((None, early),), after=(("sinchfn", late),)) as host:
        visit(host)
    assert any("said ***" in record.getMessage() for record in late.records)
    assert spilled(late.text) == []


def test_what_has_no_secret_reaches_a_host_as_it_was_logged(tmp_path: Path) -> None:
    handler = Everything()
    with hosted(tmp_path / "fn", before=((None, handler),)) as host:
        visit(host)
    [said] = [record for record in handler.records if record.msg == "nothing to hide"]
    [failed] = [record for record in handler.records if record.exc_info and "nothing either" in str(record.exc_info[1])]
    assert not said.args
    assert failed.exc_info is not None
    assert isinstance(failed.exc_info[1], ValueError)


def test_a_hosts_format_can_name_the_request_and_its_filter_strikes_out_secrets(tmp_path: Path) -> None:
    late = Everything()
    late.setFormatter(logging.Formatter("%(request_id)s|%(handler)s|%(kind)s|%(call_id)s|%(message)s"))
    late.addFilter(RequestFilter())
    with hosted(tmp_path / "fn", before=((None, Everything()),), after=((None, late),)) as host:
        visit(host)
        logging.getLogger("shop").warning("outside")
        logging.getLogger("shop").warning("taken", extra={"request_id": "the host's own"})
    assert "r-1|hello|http|-|elsewhere ***" in late.text
    assert "r-1|hello|http|-|GET /fn/hello" in late.text
    assert "-|-|-|-|outside" in late.text
    assert "the host's own|-|-|-|taken" in late.text
    assert spilled(late.text) == []


def test_the_request_filter_knows_the_request_in_threads_by_context_log(tmp_path: Path) -> None:
    late = Everything()
    late.setFormatter(logging.Formatter("%(request_id)s|%(message)s"))
    late.addFilter(RequestFilter())
    with own_logging(), serving(tmp_path, THREADS) as served:
        logging.getLogger().addHandler(late)
        served.get("/by_context", headers={"X-Request-ID": "r-1"})
        logging.getLogger().removeHandler(late)
    assert late.text.count("r-1|said") == 5


# --- gunicorn ---------------------------------------------------------------------------------------------------------

SERVED = """
import warnings
logging.getLogger("shop").warning("at import")
def hello(context, request):
    context.log.info("said by context")
    logging.getLogger("shop").warning("said by shop")
    flask.current_app.logger.warning("said by flask")
    warnings.warn("said by warnings", stacklevel=1)
    return "hi"
def fails(context, request): raise ValueError(context.env["MY_TOKEN"])
def spills(context, request):
    yield "begin"
    raise ValueError(context.env["MY_TOKEN"])
"""


def visited(folder: Path, **env: str) -> Server:
    """A server that was started, visited, and ended."""
    with gunicorn(folder, SERVED, **env) as server:
        for path in ("/hello", "/fails", "/spills"):
            with suppress(OSError, http.client.HTTPException):
                server.request("GET", path, headers={"X-Request-ID": f"r{path.replace('/', '-')}"})
        until(lambda: "GET /spills" in server.log)
        server.end()
    return server


def test_under_gunicorn_every_line_is_json_from_the_first_to_the_last_and_there_once(tmp_path: Path) -> None:
    server = visited(tmp_path, MY_TOKEN=CANARIES["MY_TOKEN"], GUNICORN_CMD_ARGS="--access-logfile -")
    lines = [json.loads(line) for line in server.log.splitlines()]
    assert lines[0]["message"].startswith("Starting gunicorn")
    assert lines[-1]["message"].startswith("Shutting down")
    assert {"gunicorn.error", "gunicorn.access", "sinchfn", "shop", "py.warnings"} <= {line["logger"] for line in lines}
    said = [line for line in lines if "said by" in line["message"]]
    assert len(said) == 4
    assert {line["request_id"] for line in said} == {"r-hello"}
    access = [line for line in lines if line["logger"] == "gunicorn.access"]
    assert {line.get("request_id") for line in access if "/hello" in line["message"]} == {"r-hello"}
    assert all(isinstance(line["process"], int) for line in lines if line["logger"] == "gunicorn.error")
    messages = Counter((line["logger"], line["message"], line.get("request_id")) for line in lines)
    assert {key: count for key, count in messages.items() if count > 1 and "/health" not in key[1]} == {}
    assert "the streamed answer broke off" in server.log, "gunicorn's own line about an exception"
    assert spilled(server.log) == []


@pytest.mark.parametrize(
    ("env", "dotenv"),
    [
        ({"SINCHFN_ENV": "development"}, ""),
        ({"SINCHFN_LOG_FORMAT": "text"}, ""),
        ({}, "SINCHFN_ENV=development\n"),
        ({"GUNICORN_CMD_ARGS": "--env SINCHFN_LOG_FORMAT=text"}, ""),
    ],
)
def test_under_gunicorn_every_line_is_text_where_the_settings_say_so(
    tmp_path: Path, env: dict[str, str], dotenv: str
) -> None:
    (tmp_path / ".env").write_text(dotenv)
    server = visited(tmp_path, MY_TOKEN=CANARIES["MY_TOKEN"], **env)
    heads = [line for line in server.log.splitlines() if not line.startswith(("    ", "  ANY", "  Environment"))]
    assert "gunicorn: Starting gunicorn" in heads[0]
    assert [line for line in heads if not HEAD.match(line)] == []
    assert spilled(server.log) == []


def test_gunicorns_own_form_of_the_log_shows_no_secret_either(tmp_path: Path) -> None:
    write_function(tmp_path, SERVED)
    conf = tmp_path / "plain.conf.py"
    conf.write_text("worker_class = 'gthread'\ncontrol_socket_disable = True\n")
    with gunicorn(tmp_path, conf=conf, MY_TOKEN=CANARIES["MY_TOKEN"]) as server:
        for path in ("/fails", "/spills"):
            with suppress(OSError, http.client.HTTPException):
                server.request("GET", path)
        until(lambda: "the streamed answer broke off" in server.log)
        assert spilled(server.log) == []


LOADS = {
    "a broken function": (
        "raise ValueError(os.environ['MY_TOKEN'])",
        "sinchfn:create_app()",
        3,
        "Cannot load the function",
    ),
    "a wrong setting": ("SINCHFN_ENV", "sinchfn:create_app()", 3, "SINCHFN_ENV is 'prod'"),
    "a broken wsgi.py": ("def hello(c, r): pass", "wsgi:app", 3, "cannot be loaded: RuntimeError"),
    "no such name": ("def hello(c, r): pass", "sinchfn:nothing", 4, "nothing"),
}


@pytest.mark.parametrize(("source", "target", "status", "words"), LOADS.values(), ids=LOADS)
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_worker_that_cannot_start_says_why_once(
    tmp_path: Path, source: str, target: str, status: int, words: str, form: str
) -> None:
    env = {"MY_TOKEN": CANARIES["MY_TOKEN"], "SINCHFN_LOG_FORMAT": form}
    env |= {"SINCHFN_ENV": "prod"} if source == "SINCHFN_ENV" else {}
    write_function(tmp_path, "def hello(c, r): pass" if source == "SINCHFN_ENV" else source)
    (tmp_path / "wsgi.py").write_text("import os\nraise RuntimeError(os.environ['MY_TOKEN'])\n")
    with launched(tmp_path, target=target, **env) as server:
        assert server.process.wait(PATIENCE) == status
    log = server.log
    assert spilled(log) == []
    if form == "json":
        lines = [json.loads(line) for line in log.splitlines()]
        assert len([line for line in lines if words in line["message"]]) == 1
    else:
        assert log.count(words) - log.count(f"\n    {words}") == 1


def test_a_setting_of_the_log_can_be_wrong_and_is_still_told_in_json(tmp_path: Path) -> None:
    write_function(tmp_path, "def hello(c, r): pass")
    (tmp_path / "sinch.json").write_text("[]")
    (tmp_path / ".env").write_text("A='never closed")
    with launched(tmp_path, SINCHFN_LOG_FORMAT="xml") as server:
        assert server.process.wait(PATIENCE) == 3
    lines = [json.loads(line) for line in server.log.splitlines()]
    [told] = [line["message"] for line in lines if "cannot be used" in line["message"]]
    for word in ("SINCHFN_LOG_FORMAT", "sinch.json", ".env, line 1"):
        assert word in told


def log_of(folder: Path, source: str, *arguments: str, status: int, target: str = "sinchfn:create_app()") -> str:
    """What gunicorn wrote until it ended by itself."""
    write_function(folder, source)
    env = {"SINCHFN_LOG_FORMAT": "json", "MY_TOKEN": CANARIES["MY_TOKEN"]}
    with launched(folder, *arguments, target=target, **env) as server:
        assert server.process.wait(PATIENCE) == status
    return server.log


def test_what_all_workers_would_say_at_start_is_said_by_one(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    env = {"WEB_CONCURRENCY": "4", "SINCHFN_USAGE": "data", "SINCHFN_LOG_FORMAT": "json"}
    source = "logging.getLogger('mine').warning('here I am')\ndef pid(c, r): return str(os.getpid())"
    with gunicorn(tmp_path, source, **env) as server:

        def said(words: str) -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in server.log.splitlines()]
            return [line for line in lines if words in line["message"]]

        until(lambda: len(said("here I am")) == 4)
        os.kill(int(server.request("GET", "/pid")[2]), signal.SIGTERM)
        until(lambda: len(said("here I am")) == 5)  # another took its place
        server.request("GET", "/pid")
        assert len(said("Detected functions")) == 1
        assert [line["level"] for line in said("usage ledger")].count("WARNING") == 1, "the rest is about the requests"
        server.process.send_signal(signal.SIGHUP)
        until(lambda: len(said("here I am")) == 9)
        until(lambda: len(said("Detected functions")) == 2)
        server.end()
        assert len(said("Detected functions")) == 2


def test_at_debug_each_worker_says_what_it_found(tmp_path: Path) -> None:
    env = {"WEB_CONCURRENCY": "2", "SINCHFN_LOG_LEVEL": "DEBUG", "SINCHFN_LOG_FORMAT": "json"}
    with gunicorn(tmp_path, "def hello(c, r): pass", **env) as server:
        until(lambda: server.log.count("Detected functions") == 2)
        lines = [json.loads(line) for line in server.log.splitlines()]
        assert sorted(line["level"] for line in lines if "Detected" in line["message"]) == ["DEBUG", "INFO"]


def test_of_several_workers_that_cannot_start_one_says_why(tmp_path: Path) -> None:
    log = log_of(tmp_path, "raise ValueError('the reason')", "--workers", "4", status=3)
    told = [line for line in map(json.loads, log.splitlines()) if "the reason" in line["message"]]
    assert [line["level"] for line in told] == ["ERROR"]
    assert "HaltServer" not in log


@pytest.mark.parametrize(
    ("source", "target", "words"),
    [
        ("raise ValueError(os.environ['MY_TOKEN'])", "sinchfn:create_app()", "Cannot load the function"),
        ("def hello(c, r): pass", "sinchfn:nothing", "nothing"),
        ("def hello(c, r): pass", "wsgi:app", "cannot be loaded: KeyError"),
    ],
)
def test_an_app_that_cannot_be_preloaded_is_one_line_of_the_log(
    tmp_path: Path, source: str, target: str, words: str
) -> None:
    (tmp_path / "wsgi.py").write_text("import os\nraise KeyError(os.environ['MY_TOKEN'])\n")
    log = log_of(tmp_path, source, "--preload", status=1, target=target)
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["level"] for line in lines if words in line["message"]] == ["ERROR"]
    assert spilled(log) == []
