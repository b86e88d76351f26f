"""The exports of a function module, and the errors and warnings about names that are not served."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from sinchfn import FunctionError, SinchFunctions, create_app
from tests.harness.app import MakeApp, MakeFunction

CALL = {"event": "ice", "callid": "c1"}

HELPERS = """\
    import functools

    def imported(context, request):
        return "imported"

    ice = notify = home = default = conversation_webhook = imported

    class Callable_:
        def __call__(self, context, request):
            return "instance"

    def plain(fn):
        def inner(context, request):
            return fn(context, request)
        return inner

    def wrapping(fn):
        @functools.wraps(fn)
        def inner(*args, **kwargs):
            return fn(*args, **kwargs)
        return inner
"""


@pytest.fixture
def exported(make_app: MakeApp) -> Callable[..., list[str]]:
    """Return the handlers of a function, as its 404 lists them."""

    def names(source: str, folder: str = "fn") -> list[str]:
        app = make_app({"function.py": source, "helpers.py": HELPERS}, folder)
        listed: list[str] = app.test_client().get("/there/is/no-such").json["handlers"]
        return listed

    return names


@pytest.fixture
def warned(make_function: MakeFunction, caplog: pytest.LogCaptureFixture) -> Callable[[str], str]:
    """Return the warnings of the start-up log."""

    def warnings(source: str) -> str:
        folder = make_function({"function.py": source, "helpers.py": HELPERS, "public/a.txt": "something to serve"})
        caplog.clear()
        create_app(folder, config={"SINCHFN_ENV": "development"})
        return "\n".join(r.getMessage() for r in caplog.records if r.levelno == logging.WARNING)

    return warnings


@pytest.fixture
def refused(make_function: MakeFunction) -> Callable[[str], str]:
    """Return the start-up error of a function."""

    def message(source: str) -> str:
        folder = make_function({"function.py": source, "helpers.py": HELPERS})
        with pytest.raises(FunctionError) as caught:
            create_app(folder, config={"SINCHFN_USAGE": "off"})
        assert str(folder / "function.py") in str(caught.value)
        return str(caught.value)

    return message


# ------------------------------------------------------------------------------------------------ what is an endpoint


EXPORTED = {
    "a function": ("def users(context, request): ...", ["users"]),
    "an async function": ("async def users(context, request): ...", ["users"]),
    "a lambda": ("users = lambda context, request: 1", ["users"]),
    "one decorated with functools.wraps": (
        "from helpers import wrapping\n@wrapping\ndef users(context, request): ...",
        ["users"],
    ),
    "one whose decorator passes on one argument more": (
        "import functools\ndef _with_db(fn):\n    @functools.wraps(fn)\n    def inner(*args, **kwargs):\n"
        "        return fn('db', *args, **kwargs)\n    return inner\n@_with_db\ndef users(db, context, request): ...",
        ["users"],
    ),
    "one decorated by a decorator of the module itself": (
        "def _own(fn):\n    def inner(c, r): return fn(c, r)\n    return inner\n@_own\ndef users(c, r): ...",
        ["users"],
    ),
    "one under two names": ("def users(context, request): ...\npeople = users", ["users", "people"]),
    "a helper with two arguments": ("def ice(c, d): ...\ndef add(a, b): ...", ["ice", "add"]),
    "one that takes whatever comes": ("def users(*args): ...", ["users"]),
    "one with more arguments that have defaults": ("def users(context, request, page=1, *, size=2): ...", ["users"]),
    "in the order in which they are written": (
        "def zeta(c, r): ...\ndef alpha(c, r): ...\ndef ice(c, d): ...",
        ["zeta", "alpha", "ice"],
    ),
    "not what begins with an underscore": ("def _users(c, r): ...\ndef __all(c, r): ...\ndef ok(c, r): ...", ["ok"]),
    "not what is imported": ("from helpers import imported\ndef ok(c, r): ...", ["ok"]),
    "not what is imported under a name with a meaning": ("from helpers import ice\ndef ok(c, r): ...", ["ok"]),
    "not a decorated function that belongs elsewhere": (
        "from helpers import plain\n@plain\ndef users(c, r): ...\ndef ok(c, r): ...",
        ["ok"],
    ),
    "not a callable instance": ("from helpers import Callable_\nusers = Callable_()\ndef ok(c, r): ...", ["ok"]),
    "not a class": ("class Users:\n    def __init__(self, c, r): ...\ndef ok(c, r): ...", ["ok"]),
    "not a built-in function": ("import operator\nadd = operator.add\nmaximum = max\ndef ok(c, r): ...", ["ok"]),
    "not a partial": (
        "import functools\ndef _h(a, c, r): ...\nusers = functools.partial(_h, 1)\ndef ok(c, r): ...",
        ["ok"],
    ),
    "not a module": ("import json, helpers\ndef ok(c, r): ...", ["ok"]),
    "not a constant": ("LIMIT = 5\nusers = ['a']\ndef ok(c, r): ...", ["ok"]),
    "not setup and auth": ("auth = ['ok']\ndef setup(runtime): ...\ndef ok(c, r): ...", ["ok"]),
    "only what __all__ names": ("__all__ = ['b']\ndef a(c, r): ...\ndef b(c, r): ...", ["b"]),
    "what __all__ names, in its order": ("__all__ = ('b', 'a')\ndef a(c, r): ...\ndef b(c, r): ...", ["b", "a"]),
    "an imported function that __all__ names": ("from helpers import imported\n__all__ = ['imported']", ["imported"]),
    "a callable instance that __all__ names": (
        "from helpers import Callable_\n__all__ = ['ice', 'users']\nusers = Callable_()\ndef ice(c, d): ...",
        ["ice", "users"],
    ),
    "a partial that __all__ names": (
        "import functools\ndef _h(a, c, r): ...\n__all__ = ['users']\nusers = functools.partial(_h, 1)",
        ["users"],
    ),
    "not a reserved or private name, though __all__ names it": (
        "__all__ = ['setup', 'auth', '_p', 'ok']\nauth = []\ndef setup(runtime): ...\ndef _p(c, r): ...\n"
        "def ok(c, r): ...",
        ["ok"],
    ),
    "a name that __all__ has twice is one": ("__all__ = ['a', 'a']\ndef a(c, r): ...", ["a"]),
}

#: Functions with nothing to serve, and what the message says besides.
EMPTY = {
    "an empty file": ("", ["no public names"]),
    "an empty __all__": ("__all__ = []\ndef status(c, r): ...", ["Found in it: status"]),
    "only imports": ("import json\nfrom helpers import imported", ["Found in it: json, imported"]),
    "a callback that is only imported": ("from helpers import ice", ['"ice" in', "not served", "__all__"]),
    "only private names": ("def _ice(c, d): ...", ["no public names"]),
    "only start-up functions": ("def setup(runtime): runtime.on_startup(lambda: None)", ["setup"]),
    "an init class without routes": (
        "from sinchfn import SinchFunctionInit\nclass Init(SinchFunctionInit):\n"
        "    def configure_app(self, app): app.use(lambda invocation, call_next: call_next(invocation))",
        ["Init"],
    ),
    "a controller without methods": (
        "from sinchfn import SinchVoiceController\nclass Ivr(SinchVoiceController): ...",
        ["serves nothing: override one of ice"],
    ),
}


@pytest.mark.parametrize(("source", "names"), EXPORTED.values(), ids=EXPORTED)
def test_endpoints_are(exported: Callable[[str], list[str]], source: str, names: list[str]):
    assert exported(source + "\n") == names


@pytest.mark.parametrize(("source", "parts"), EMPTY.values(), ids=EMPTY)
@pytest.mark.parametrize("files", [{}, {"public/.hidden": "x"}, {"public/sub/.keep": ""}])
def test_a_function_with_nothing_to_serve_is_a_start_up_error(
    make_function: MakeFunction, source: str, parts: list[str], files: dict[str, str]
):
    folder = make_function({"function.py": source + "\n", "helpers.py": HELPERS, **files})
    for start in (create_app, lambda path: SinchFunctions(path).init_app(Flask("host"), url_prefix="/fn")):
        with pytest.raises(FunctionError) as caught:
            start(folder)
        for part in (str(folder / "function.py"), "has nothing to serve", "def ice(context, data)", *parts):
            assert part in caught.value.message


@pytest.mark.parametrize(
    "files",
    [
        {"function.py": "", "public/a.txt": "a"},
        {"function.py": "", "public/.well-known/security.txt": "a"},
        {"function.py": "def setup(runtime): runtime.on_websocket('/s', lambda ws, request: None, protected=False)\n"},
        {
            "function.py": "from sinchfn import SinchFunctionInit\nclass Init(SinchFunctionInit):\n"
            "    def configure_app(self, app): app.map_get('/a', lambda context, request: 'a')\n"
        },
    ],
    ids=["a file", "a well-known file", "a socket", "a mapped route"],
)
def test_a_function_with_one_thing_of_any_kind_is_served(make_app: MakeApp, files: dict[str, str]):
    assert make_app(files).test_client().get("/health").status_code == 200


def test_a_callable_instance_that_is_named_answers(make_app: MakeApp):
    source = "from helpers import Callable_\n__all__ = ['users']\nusers = Callable_()\n"
    assert make_app({"function.py": source, "helpers.py": HELPERS}).test_client().get("/users").text == "instance"


def test_an_async_callable_instance_that_is_named_answers(make_app: MakeApp):
    source = """\
        __all__ = ["users"]
        class _Users:
            async def __call__(self, context, request):
                return "async"
        users = _Users()
    """
    assert make_app(source).test_client().get("/users").text == "async"


def test_auth_is_read_though_all_does_not_name_it(make_app: MakeApp):
    source = "__all__ = ['admin']\nauth = ['admin']\ndef admin(context, request): ...\n"
    assert make_app(source).test_client().get("/admin").status_code == 401


@pytest.mark.parametrize("path", ["/setup", "/auth", "/_private", "/__doc__", "/__init__", "/helpers", "/json"])
def test_other_names_are_not_found(make_app: MakeApp, path: str):
    source = "import json, helpers\nauth = []\ndef setup(runtime): ...\ndef _private(c, r): ...\ndef ok(c, r): ...\n"
    assert make_app({"function.py": source, "helpers.py": HELPERS}).test_client().get(path).status_code == 404


SPELLED = {
    "user_profile": ["/user_profile", "/userProfile", "/user-profile"],
    "userProfile": ["/user_profile", "/userProfile", "/user-profile"],
    "conversation_webhook": [
        "/webhook/conversation",
        "/conversation_webhook",
        "/conversationWebhook",
        "/conversation-webhook",
        "/v1/webhook/conversation",
    ],
    "conversationWebhook": ["/webhook/conversation", "/conversationWebhook", "/conversation_webhook"],
    "eleven_labs_webhook": [
        "/webhook/eleven-labs",
        "/webhook/elevenLabs",
        "/webhook/eleven_labs",
        "/elevenLabsWebhook",
    ],
    "elevenLabsWebhook": ["/webhook/eleven-labs", "/webhook/elevenLabs", "/webhook/eleven_labs", "/elevenLabsWebhook"],
    "getURL": ["/getURL", "/get_url", "/get-url"],
    "v2_users": ["/v2_users", "/v2-users", "/v2Users"],
    "x": ["/x"],
    "größe": ["/größe", "/gr%C3%B6%C3%9Fe"],
}


@pytest.mark.parametrize(("name", "path"), [(name, path) for name, paths in SPELLED.items() for path in paths])
def test_python_and_wire_spelling_reach_the_same(make_app: MakeApp, call: Any, name: str, path: str):
    app = make_app(f"def {name}(context, request):\n    return 'reached'\n")
    assert call(app, "POST", path).text == "reached"


@pytest.mark.parametrize("name", ["ok", "conversation_webhook", "conversationWebhook"])
def test_a_webhook_that_returns_nothing_answers_an_empty_object_and_others_204(make_app: MakeApp, call: Any, name: str):
    answer = call(make_app(f"def {name}(context, request): ...\n"), "POST", f"/{name}")
    assert (answer.status, answer.body) == ((200, b"{}") if "ebhook" in name else (204, b""))


# --------------------------------------------------------------------------------------------- what cannot be served

ARITIES = {
    "one argument": ("def users(request): ...", "def users(context, request)"),
    "no argument": ("def users(): ...", "def users(context, request)"),
    "three arguments": ("def users(a, b, c): ...", "def users(context, request)"),
    "keyword arguments only": ("def users(*, context, request): ...", "def users(context, request)"),
    "one argument too many that is a keyword": ("def users(context, request, *, page): ...", "users(context, request)"),
    "a callback with one argument": ("def ice(data): ...", "def ice(context, data)"),
    "a callback with three": ("async def pie(call, builder, context): ...", "def pie(context, data)"),
    "a lambda": ("users = lambda request: 1", "users(context, request)"),
    "a webhook": ("def conversation_webhook(event): ...", "def conversation_webhook(context, request)"),
    "a callable instance": (
        "class C:\n    def __call__(self, a): ...\nusers = C()\n__all__ = ['users']",
        "users(context, request)",
    ),
}


@pytest.mark.parametrize(("source", "shown"), ARITIES.values(), ids=ARITIES)
def test_another_arity_is_an_error_that_shows_the_right_signature(
    refused: Callable[[str], str], source: str, shown: str
):
    message = refused(source + "\n")
    assert shown in message
    assert ("line 1" in message) or "class C" in source


def test_the_arity_error_names_the_place_and_how_to_hide_a_helper(refused: Callable[[str], str]):
    message = refused("import os\n\n\ndef helper(one): ...\n")
    assert "line 4" in message
    assert "(one)" in message
    assert "_helper" in message


DOUBLES = {
    "python and wire spelling": (
        "def user_profile(c, r): ...\ndef userProfile(c, r): ...",
        "user_profile",
        "userProfile",
    ),
    "of a webhook": (
        "def conversation_webhook(c, r): ...\ndef conversationWebhook(c, r): ...",
        "conversation_webhook",
        "conversationWebhook",
    ),
    "default and home": ("def default(c, r): ...\ndef home(c, r): ...", "default", "home"),
    "also when __all__ names them": (
        "__all__ = ['home', 'default']\ndef default(c, r): ...\ndef home(c, r): ...",
        "default",
        "home",
    ),
    "also capital letters": ("def GetUser(c, r): ...\ndef get_user(c, r): ...", "GetUser", "get_user"),
}


@pytest.mark.parametrize(("source", "one", "other"), DOUBLES.values(), ids=DOUBLES)
def test_two_exports_with_one_meaning_are_an_error_that_names_both(
    refused: Callable[[str], str], source: str, one: str, other: str
):
    message = refused(source + "\n")
    assert f'"{one}"' in message
    assert f'"{other}"' in message


BAD_ALL = {
    "a name that does not exist": ("__all__ = ['icee']\ndef ice(c, d): ...", ['"icee"', 'Did you mean "ice"?']),
    "a constant": ("__all__ = ['LIMIT']\nLIMIT = 5", ['"LIMIT"', "int"]),
    "a class": ("__all__ = ['Users']\nclass Users: ...", ['"Users"']),
    "a module": ("__all__ = ['json']\nimport json", ['"json"', "module"]),
    "None": ("__all__ = ['users']\nusers = None", ['"users"']),
    "it is a text": ("__all__ = 'ice'\ndef ice(c, d): ...", ["__all__", "list"]),
    "it holds functions instead of names": ("def ice(c, d): ...\n__all__ = [ice]", ["__all__", "list"]),
}


@pytest.mark.parametrize(("source", "words"), BAD_ALL.values(), ids=BAD_ALL)
def test_all_that_names_what_cannot_be_a_handler_is_an_error(
    refused: Callable[[str], str], source: str, words: list[str]
):
    message = refused(source + "\n")
    for word in words:
        assert word in message


@pytest.mark.parametrize("name", ["Ice", "ICE", "Pie", "DICE", "Notify"])
def test_a_callback_in_other_case_is_an_error_that_gives_the_right_name(refused: Callable[[str], str], name: str):
    message = refused(f"def {name}(context, data): ...\n")
    assert f'"{name}"' in message
    assert f'"{name.lower()}"' in message


# ------------------------------------------------------------------------------------------------ what is overlooked

OVERLOOKED = {
    "an imported callback": ("from helpers import ice", ['"ice"', "helpers", "__all__"]),
    "an imported root": ("from helpers import home", ['"home"', "helpers"]),
    "an imported webhook": ("from helpers import conversation_webhook", ['"conversation_webhook"', "helpers"]),
    "a callable instance": (
        "from helpers import Callable_\nice = Callable_()",
        ['"ice"', "Callable_", "def ice(context, data)"],
    ),
    "a partial": (
        "import functools\nfrom helpers import imported\npie = functools.partial(imported)",
        ['"pie"', "partial"],
    ),
    "a callback decorated without wraps": (
        "from helpers import plain\n@plain\ndef dice(context, data): ...",
        ['"dice"', "functools.wraps"],
    ),
    "a webhook decorated without wraps": (
        "from helpers import plain\n@plain\ndef smsWebhook(context, data): ...",
        ['"smsWebhook"', "functools.wraps"],
    ),
    "what __all__ leaves out": ("__all__ = ['ice']\ndef ice(c, d): ...\ndef pie(c, d): ...", ['"pie"', "__all__"]),
}


@pytest.mark.parametrize(("source", "words"), OVERLOOKED.values(), ids=OVERLOOKED)
def test_a_name_with_a_meaning_that_is_not_served_is_warned_about(
    warned: Callable[[str], str], source: str, words: list[str]
):
    shown = warned(source + "\n")
    for word in words:
        assert word in shown
    assert "@" not in shown


@pytest.mark.parametrize(
    "source",
    [
        "from helpers import imported, plain, wrapping, Callable_",
        "from sinchfn import IceRequest, SinchFunctions, create_ice_builder, ok",
        "import json\nfrom pathlib import Path\nimport functools",
        "def ice(c, d): ...\ndef pie(c, d): ...\ndef home(c, r): ...\ndef conversation_webhook(c, r): ...",
        "from helpers import wrapping\n@wrapping\ndef ice(c, d): ...",
        "_ice = 5\nLIMIT = 5",
    ],
)
def test_nothing_else_is_warned_about(warned: Callable[[str], str], source: str):
    shown = warned(source + "\n")
    assert "not served" not in shown
    assert shown == ""


# -------------------------------------------------------------------------------------------------------- start-up log


def test_the_start_up_log_lists_the_handlers_aligned_with_the_shortest_path(
    make_function: MakeFunction, caplog: pytest.LogCaptureFixture
):
    folder = make_function(
        "def conversationWebhook(c, r): ...\ndef health(c, r): ...\ndef ice(c, d): ...\ndef add(a, b): ...\n"
        "def home(c, r): ...\n"
    )
    caplog.set_level(logging.INFO)
    create_app(folder, config={"SINCHFN_USAGE": "off", "WEBHOOK_PROTECTION": "never"})
    block = next(r.getMessage() for r in caplog.records if "Detected" in r.getMessage())
    assert block.splitlines() == [
        "Detected functions:",
        "  POST /                      → voice callbacks (by event), not verified: WEBHOOK_PROTECTION is never",
        "  POST /webhook/conversation  → conversationWebhook, not verified: WEBHOOK_PROTECTION is never",
        "  ANY  /health                → health",
        "  POST /ice                   → ice (voice), not verified: WEBHOOK_PROTECTION is never",
        "  ANY  /add                   → add",
        "  ANY  /                      → home",
        "  Environment: production (the default)",
    ]
