"""Guesses: no answer tells the sender whether a part of the request is one of our secrets."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from serving import ICE, KEY, SECRET, Answer, Served, serving

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
