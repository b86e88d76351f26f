"""Guesses: no answer tells the sender whether a part of the request is one of our secrets."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.harness.app import Served, serving
from tests.harness.call import Answer
from tests.harness.signer import ICE, KEY, SECRET

#: Settings and variables that hold secrets, of several forms.
SECRETS = {
    "ADMIN_PASSWORD": "sunshine99",
    "MY_TOKEN": "sun shine é",
    "MY_API_KEY": "Two Words",
    "VOICE_APPLICATION_SECRET": SECRET,
}

#: Handlers that quote the request in the errors they raise.
SOURCE = """
    from marshmallow import fields
    from sinchfn import SinchController, get, post

    def ice(context, data): return {}
    def lookup(context, request): abort(404, description=f"No user {request.query['name']}, sorry.")
    def lower(context, request): abort(404, f"No user {request.query['name'].strip().lower()}.")
    def header(context, request): abort(400, "Odd: " + request.headers["X-Name"])
    def named(context, request): abort(400, f"No {request.json['name']} and no {request.json['name']}")
    def form(context, request): abort(400, "No " + request.form["name"])
    def user(context, request): abort(403, "Not for " + flask_request.authorization.password)
    def crash(context, request): raise KeyError(request.query["name"])
    def own(context, request): abort(409, "It is " + context.env["ADMIN_PASSWORD"] + ", not " + request.query["name"])
    def fails(context, request): raise ValueError(context.env["ADMIN_PASSWORD"])
    def secret_file(context, request): return "x"

    class Notes(SinchController):
        @post("/notes", body={"n": fields.Integer()}, query={"q": fields.Integer()})
        def note(self, body, query): return body
        @post("/only/<int:number>")
        def only(self, *, number): return {}

    auth = ["secret_file"]
"""


@pytest.fixture(params=["production", "development"])
def served(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    settings: dict[str, object] = {
        "SINCHFN_ENV": request.param,
        "WEBHOOK_PROTECTION": "always",
        "VOICE_APPLICATION_KEY": KEY,
        "ADMIN_USER": "admin",
        **SECRETS,
    }
    with serving(tmp_path, SOURCE, **settings) as made:
        yield made


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def ascii_of(guess: str) -> str:
    return guess.replace("é", "e")


def posted(path: str, body: str, content_type: str = "application/json") -> tuple[str, str, dict[str, Any]]:
    return "POST", path, {"body": body.encode(), "headers": {"Content-Type": content_type}}


def quoted_all(guess: str) -> str:
    return "".join(f"%{byte:02x}" for byte in guess.encode())


def escaped_all(guess: str) -> str:
    return "".join(f"\\u{ord(one):04x}" for one in guess)


FORM = "application/x-www-form-urlencoded"

#: Name -> the request that carries a guess somewhere.
PLACES: dict[str, Any] = {
    "the path of a 404": lambda guess: ("GET", f"/{quote(guess)}", {}),
    "an escaped path": lambda guess: ("GET", f"/{quoted_all(guess)}", {}),
    "a segment of a 404": lambda guess: ("POST", f"/a/{quote(guess)}/b", {}),
    "the path of a 405": lambda guess: ("GET", f"/{quote(guess)}/ice", {}),
    "a method": lambda guess: (guess if guess.isalnum() else "GUESS", "/ice", {}),
    "the host": lambda guess: ("GET", "/", {"headers": {"Host": ascii_of(guess).replace(" ", "-")}}),
    "a field": lambda guess: posted("/notes", f'{{"{guess}": 1}}'),
    "a value": lambda guess: posted("/notes", f'{{"n": "{guess}"}}'),
    "a parameter": lambda guess: posted(f"/notes?q={quote(guess)}", "{}"),
    "no JSON": lambda guess: posted("/ice", guess),
    "a content type": lambda guess: posted("/notes", "x", ascii_of(guess)),
    "an event": lambda guess: posted("/", f'{{"event": "{guess}"}}'),
    "a key": lambda guess: ("POST", "/ice", {"headers": {"Authorization": f"application {quote(guess)}:c2ln"}}),
    "a password": lambda guess: ("GET", "/secret_file", {"headers": basic("root", guess)}),
    "what abort() quotes": lambda guess: ("GET", f"/lookup?name={quote(guess)}", {}),
    "what it changes": lambda guess: ("GET", f"/lower?name=+{quote(guess.upper())}", {}),
    "a header": lambda guess: ("GET", "/header", {"headers": {"X-Name": guess.encode().decode("latin-1")}}),
    "JSON that it quotes": lambda guess: posted("/named", f'{{"name": "{guess}"}}'),
    "escaped JSON": lambda guess: posted("/named", f'{{"name": "{escaped_all(guess)}"}}'),
    "a form that it quotes": lambda guess: posted("/form", f"name={quoted_all(guess)}", FORM),
    "a password that it quotes": lambda guess: ("GET", "/user", {"headers": basic("root", guess)}),
    "what an exception quotes": lambda guess: ("GET", f"/crash?name={quote(guess)}", {}),
}


#: Secrets of letters that are often escaped.
AWKWARD = ("abc/def+ghi=q", 'quo"te\\back', "😀smile-é", "sunshine99")


def escaped(guess: str) -> str:
    return json.dumps({"name": guess}).replace("/", "\\/")


def multipart(name: str, more: str, value: str) -> tuple[str, str, dict[str, Any]]:
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return posted(f"/{name}", f"{head}{value}\r\n--XX--\r\n", "multipart/form-data; boundary=XX")


#: Name -> a request whose handler quotes it, and that writes the guess in its own way.
WRITTEN: dict[str, Any] = {
    "escaped JSON": lambda guess: posted("/named", escaped(guess)),
    "JSON in letters": lambda guess: posted("/named", json.dumps({"name": guess}, ensure_ascii=False)),
    "JSON that is shown as Python": lambda guess: posted("/named", json.dumps({"name": [guess, {guess: 1}]})),
    "behind a hundred kilobytes": lambda guess: posted("/named", escaped(guess)[:-1] + f', "a": "{"x" * 100_000}"}}'),
    "far behind": lambda guess: posted("/named", f'{{"a": "{"x" * 100_000}", {escaped(guess)[1:]}'),
    "a verdict on a field": lambda guess: posted("/judged", escaped(guess)),
    "a form": lambda guess: posted("/form", f"form={quote(guess, '')}", FORM),
    "a form that is shown as Python": lambda guess: posted("/body", f"a={quote(guess, '')}", FORM),
    "multipart": lambda guess: multipart("form", "", guess),
    "the name of a file": lambda guess: multipart("file", f"; filename*=UTF-8''{quote(guess, '')}", "x"),
    "UTF-16": lambda guess: (
        *("POST", "/body"),
        {"body": guess.encode("utf-16"), "headers": {"Content-Type": "text/plain; charset=utf-16"}},
    ),
    "bytes": lambda guess: posted("/body", guess, "application/octet-stream"),
    "a cookie": lambda guess: (
        *("GET", "/cookie"),
        {"headers": {"Cookie": 'c="' + re.sub(r'([\\"])', r"\\\1", guess.encode().decode("latin-1")) + '"'}},
    ),
}
QUOTING = """
    from marshmallow import ValidationError, fields
    from sinchfn import SinchController, post

    def named(context, request): abort(400, f"No {request.json['name']}")
    def body(context, request): abort(400, f"No {request.body}")
    def form(context, request): abort(400, "No " + request.form["form"])
    def file(context, request): abort(400, "No " + request.files["file"].filename)
    def cookie(context, request): abort(400, "No " + request.cookies["c"])

    def _refuse(value): raise ValidationError(f"No {value}")

    class Judge(SinchController):
        @post("/judged", body={"name": fields.String(validate=_refuse)})
        def judged(self, body): return body
"""


@pytest.mark.parametrize("place", WRITTEN)
@pytest.mark.parametrize("environment", ["production", "development"])
def test_no_way_of_writing_a_guess_gets_it_struck_out(tmp_path: Path, environment: str, place: str) -> None:
    secrets = {f"MY_{number}_SECRET": secret for number, secret in enumerate(AWKWARD)}
    with serving(tmp_path, QUOTING, SINCHFN_ENV=environment, **secrets) as made:
        for secret in AWKWARD:
            method, path, options = WRITTEN[place](secret)
            answer = made.request(method, path, **options)
            assert answer.status in (400, 422)
            assert "No " in answer.text
            assert "***" not in answer.text, secret


def told(served: Served, place: str, guess: str) -> tuple[int, str, list[str]]:
    method, path, options = PLACES[place](guess)
    headers = {**options.pop("headers", {}), "X-Request-ID": "same"}
    answer: Answer = served.request(method, path, headers=headers, **options)
    text = answer.body.decode()
    for way in forms_of(guess):
        text = text.replace(way, "<guess>")
    return answer.status, text, [name for name, _ in answer.headers if name != "Content-Length"]


def forms_of(guess: str) -> list[str]:
    """How the guess may be quoted in an answer."""
    forms = {guess, ascii_of(guess), quote(guess), ascii_of(guess).replace(" ", "-"), guess.replace("é", "\\u00e9")}
    forms |= {form.lower() for form in forms} | {guess.replace("é", "\\u00c3\\u00a9")}
    return sorted(forms, key=len, reverse=True)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("secret", SECRETS.values(), ids=list(SECRETS))
def test_a_right_guess_is_answered_as_a_wrong_one(served: Served, place: str, secret: str) -> None:
    wrong = secret[:2] + "q" + secret[3:]
    right = told(served, place, secret)
    assert right == told(served, place, wrong)
    assert "***" not in right[1]


@pytest.mark.parametrize("secret", SECRETS.values(), ids=list(SECRETS))
def test_what_was_guessed_is_struck_out_of_log_and_ledger_all_the_same(served: Served, secret: str) -> None:
    for place in PLACES:
        told(served, place, secret)
    assert secret not in served.log
    assert not served.ledger_file.exists() or secret not in served.ledger_file.read_text()


def test_a_secret_that_the_function_puts_into_an_error_by_itself_is_struck_out(served: Served) -> None:
    assert served.get("/own?name=nobody").json["error"] == "It is ***, not nobody"
    assert "sunshine99" not in served.get("/fails").text


def test_the_callback_url_on_the_landing_page_is_that_of_the_request_or_of_the_setting(tmp_path: Path) -> None:
    with serving(tmp_path / "a", "def ice(context, data): return {}", MY_TOKEN="token-of-mine") as made:
        assert "https://token-of-mine<" in made.get("/", headers={"Host": "token-of-mine"}).text
    setting = {"MY_TOKEN": "token-of-mine", "SINCHFN_PUBLIC_URL": "https://example.com/token-of-mine"}
    with serving(tmp_path / "b", "def ice(context, data): return {}", **setting) as made:
        page = made.get("/", headers={"Host": "token-of-mine"}).text
        assert "token-of-mine" not in page
        assert "https://example.com/***" in page


def test_a_callback_that_is_refused_says_nothing_of_its_key(served: Served) -> None:
    answers = {
        served.post("/ice", ICE, headers={"Authorization": f"application {key}:c2ln"}).json["error"]
        for key in (KEY, "x")
    }
    assert len(answers) == 1
