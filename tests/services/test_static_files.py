"""Static files, the built-in /health and the landing page: what is served, what comes first, what stays closed."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from flask import Flask

from sinchfn import FunctionError, SinchFunctions, create_app
from tests.harness.app import Call, MakeApp, MakeFunction

FILES = {
    "function.py": "def users(context, request):\n    return 'export'\n",
    "secret.txt": "outside",
    "public/page.html": "<p>page</p>",
    "public/data.bin": "0123456789",
    "public/users": "the file",
    "public/health": "the file health",
    "public/sub/deep.txt": "deep",
    "public/sub/index.html": "index of sub",
    "public/grüße.txt": "umlaut",
    "public/with space.txt": "space",
    "public/.hidden": "hidden",
    "public/.git/config": "hidden",
    "public/sub/.env": "hidden",
    "assets/private.txt": "private",
    ".env": "ADMIN_USER=admin\nADMIN_PASSWORD=pa55word\n",
}
BASIC = {"Authorization": "Basic " + base64.b64encode(b"admin:pa55word").decode()}


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    return make_app(FILES)


# -------------------------------------------------------------------------------- what is served


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/page.html", "<p>page</p>"),
        ("/sub/deep.txt", "deep"),
        ("//sub///deep.txt", "deep"),
        ("/gr%C3%BC%C3%9Fe.txt", "umlaut"),
        ("/with%20space.txt", "space"),
        ("/p%61ge.html", "<p>page</p>"),
        ("/sub/index.html", "index of sub"),
        ("/page.html?v=2", "<p>page</p>"),
    ],
)
def test_a_file_is_served_at_its_path(app: Flask, call: Call, path: str, text: str):
    answer = call(app, "GET", path)
    assert (answer.status, answer.text) == (200, text)


def test_a_file_has_its_type_length_date_and_request_id(app: Flask, call: Call):
    headers = call(app, "GET", "/page.html", headers={"X-Request-ID": "id-1"}).headers
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Content-Length"] == "11"
    assert headers["ETag"]
    assert headers["Last-Modified"]
    assert headers["X-Request-ID"] == "id-1"


def test_a_file_the_client_has_already_is_a_304_without_a_body(app: Flask, call: Call):
    etag = call(app, "GET", "/page.html").headers["ETag"]
    for method in ("GET", "HEAD"):
        answer = call(app, method, "/page.html", headers={"If-None-Match": etag})
        assert (answer.status, answer.body) == (304, b"")
    assert call(app, "GET", "/page.html", headers={"If-None-Match": '"another"'}).status == 200


def test_an_edited_file_is_sent_again(make_app: MakeApp, call: Call, tmp_path: Path):
    app = make_app(FILES)
    etag = call(app, "GET", "/page.html").headers["ETag"]
    (tmp_path / "fn/public/page.html").write_text("<p>another page</p>")
    answer = call(app, "GET", "/page.html", headers={"If-None-Match": etag})
    assert (answer.status, answer.text) == (200, "<p>another page</p>")


@pytest.mark.parametrize(
    ("asked", "text", "sent"),
    [
        ("bytes=0-3", "0123", "bytes 0-3/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=-2", "89", "bytes 8-9/10"),
        ("bytes=8-100", "89", "bytes 8-9/10"),
        ("bytes=-10", "0123456789", "bytes 0-9/10"),
        ("bytes=-11", "0123456789", "bytes 0-9/10"),
        ("bytes=-1000000", "0123456789", "bytes 0-9/10"),
        ("bytes=0-" + "9" * 4000, "0123456789", "bytes 0-9/10"),
        ("Bytes = 1-1", "1", "bytes 1-1/10"),
    ],
)
def test_a_range_is_a_206(app: Flask, call: Call, asked: str, text: str, sent: str):
    answer = call(app, "GET", "/data.bin", headers={"Range": asked})
    assert (answer.status, answer.text, answer.headers["Content-Range"]) == (206, text, sent)


@pytest.mark.parametrize("asked", ["bytes=50-60", "bytes=10-", "bytes=-0", "bytes=" + "9" * 4000 + "-"])
def test_a_range_beyond_the_end_is_a_416_as_json(app: Flask, call: Call, asked: str):
    answer = call(app, "GET", "/data.bin", headers={"Range": asked})
    assert answer.status == 416
    assert answer.headers["Content-Range"] == "bytes */10"
    assert set(answer.json) >= {"error", "requestId"}


@pytest.mark.parametrize(
    "asked",
    [
        *("lines=1-2", "seconds=-5", "byte=0-1", "bytes", "bytes=", "bytes=-", "0-1"),  # another unit, or none
        *("bytes=a-b", "bytes=3-1", "bytes=--1", "bytes=1.5-2", "bytes=+1-2", "bytes=\u0661-2", "\xff", ""),
        *("bytes=0-1,3-4", "bytes=0-1,", "bytes=-1,-2", "bytes=0-0," * 1000),  # several
        "bytes=0-" + "9" * 5000,
    ],
)
def test_a_range_that_is_no_single_range_of_bytes_is_ignored(app: Flask, call: Call, asked: str):
    answer = call(app, "GET", "/data.bin", headers={"Range": asked})
    assert (answer.status, answer.text) == (200, "0123456789")
    assert "Content-Range" not in answer.headers


def test_a_range_counts_for_get_alone(app: Flask, call: Call):
    answer = call(app, "HEAD", "/data.bin", headers={"Range": "bytes=0-3"})
    assert (answer.status, answer.headers["Content-Length"]) == (200, "10")


def test_a_range_of_another_version_of_the_file_is_the_whole_file(app: Flask, call: Call):
    etag = call(app, "GET", "/data.bin").headers["ETag"]
    for known, status in ((etag, 206), ('"another"', 200), ("Thu, 01 Jan 1970 00:00:00 GMT", 200)):
        for asked in ("bytes=0-3", "bytes=-20"):
            answer = call(app, "GET", "/data.bin", headers={"Range": asked, "If-Range": known})
            assert answer.status == status, (known, asked)


def test_any_range_of_an_empty_file_is_the_empty_file(make_app: MakeApp, call: Call):
    app = make_app({"function.py": "x = 1\n", "public/empty.txt": ""})
    for asked in ("bytes=-5", "bytes=0-", "lines=1-2"):
        answer = call(app, "GET", "/empty.txt", headers={"Range": asked})
        assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/.well-known/security.txt", 200),
        ("/.well-known/acme-challenge/token", 200),
        ("/.well-known/.secret", 404),
        ("/.well-known/.git/config", 404),
        ("/.well-known/../.hidden", 404),
        ("/.well-known/outside", 404),
        ("/.well-known", 404),
        ("/sub/.well-known/security.txt", 404),
        ("/.Well-Known/security.txt", 404),
        ("/.hidden", 404),
    ],
)
@pytest.mark.parametrize("prefix", ["", "/fn"])
def test_of_all_names_with_a_dot_well_known_alone_is_served(
    make_function: MakeFunction, call: Call, prefix: str, path: str, status: int
):
    texts = ("security.txt", "acme-challenge/token", ".secret", ".git/config")
    folder = make_function(
        {
            "function.py": "x = 1\n",
            "public/.hidden": "no",
            "public/sub/.well-known/security.txt": "no",
            **{f"public/.well-known/{name}": "yes" for name in texts},
        }
    )
    (folder / "public/.well-known/outside").symlink_to("../.hidden")
    app = Flask("host") if prefix else create_app(folder)
    if prefix:
        SinchFunctions(folder).init_app(app, url_prefix=prefix)
    assert call(app, "GET", prefix + path).status == status


# ------------------------------------------------------------------------- a route without the method leaves the path

ROUTES = """
from sinchfn import SinchController, post, put

def users(context, request): return "export"

class Anything(SinchController):
    @post("/<name>")
    def one(self, *, name): return "posted " + name
    @post("/<path:rest>")
    def any(self, *, rest): return "posted " + rest
    @put("/health")
    def health(self): return "put"
    @post("/")
    def root(self): return "posted"

def setup(runtime):
    runtime.on_websocket("/stream", lambda ws, request: None, protected=False)
"""


@pytest.mark.parametrize("prefix", ["", "/fn"])
@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/health", 200, '{"status":"ok"}'),
        ("HEAD", "/health", 200, ""),
        ("GET", "/page.html", 200, "<p>page</p>"),
        ("GET", "/sub/deep.txt", 200, "deep"),
        ("GET", "/users", 200, "export"),
        ("GET", "/", 200, "This function is up"),
        ("GET", "/stream", 426, "WebSocket"),
        ("POST", "/page.html", 200, "posted page.html"),
        ("POST", "/", 200, "posted"),
        ("PUT", "/health", 200, "put"),
        ("GET", "/none", 405, "POST"),
        ("GET", "/none/at/all", 405, "POST"),
        ("DELETE", "/page.html", 405, "GET, HEAD, OPTIONS, POST"),
        ("DELETE", "/health", 405, "GET, HEAD"),
    ],
)
def test_a_route_that_does_not_take_the_method_leaves_the_path(
    make_function: MakeFunction, call: Call, prefix: str, method: str, path: str, status: int, text: str
):
    folder = make_function({"function.py": ROUTES, "public/page.html": "<p>page</p>", "public/sub/deep.txt": "deep"})
    app = Flask("host") if prefix else create_app(folder)
    if prefix:
        SinchFunctions(folder).init_app(app, url_prefix=prefix)
    answer = call(app, method, prefix + path)
    assert answer.status == status
    assert text in answer.text


def test_head_has_the_headers_of_get_and_no_body(app: Flask, call: Call):
    answer = call(app, "HEAD", "/data.bin")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "10")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/page.html", "/health", "/"])
def test_what_is_only_read_says_so_to_other_methods(make_app: MakeApp, call: Call, method: str, path: str):
    app = make_app({"function.py": "x = 1\n", "public/page.html": "x"})
    answer = call(app, method, path)
    assert answer.status == 405
    assert sorted(answer.headers["Allow"].split(", ")) == ["GET", "HEAD"]
    assert set(answer.json) >= {"error", "requestId"}


# -------------------------------------------------------------------------------- what is not


@pytest.mark.parametrize(
    "path",
    [
        "/.hidden",
        "/.git/config",
        "/sub/.env",
        "/.env",
        "/../secret.txt",
        "/../.env",
        "/../function.py",
        "/sub/../../secret.txt",
        "/sub/../page.html",
        "/sub/./deep.txt",
        "/%2e%2e/secret.txt",
        "/%2e%2e%2fsecret.txt",
        "/..%2fsecret.txt",
        "/sub/%2e%2e/%2e%2e/secret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/sub\\deep.txt",
        "/%252e%252e/secret.txt",
        "/page.html%00",
        "/page.html%00.txt",
        "/%00",
        "/public/page.html",
        "/function.py",
        "/assets/private.txt",
        "/secret.txt",
        "/sinch.json",
        "/sub",
        "/sub/",
        "/page",
        "/PAGE.HTML",
        "/%ff%fe",
        "/\udc80/page.html",
        "/C:/page.html",
        "/" + "a" * 300,
        "/" + "a" * 100_000,
        "/" + "a/" * 5_000,
        "/page.html/x",
    ],
    ids=lambda path: path[:40].encode("ascii", "backslashreplace").decode(),
)
def test_nothing_else_can_be_had(app: Flask, call: Call, path: str):
    for method in ("GET", "HEAD", "POST"):
        assert call(app, method, path).status == 404
    host = Flask("host")
    SinchFunctions(app.root_path, config={"SINCHFN_USAGE": "off"}).init_app(host, url_prefix="/fn")
    assert call(host, "GET", f"/fn{path}").status == 404
    assert call(host, "GET", f"/fn/{path}").status == 404


def test_an_absolute_path_in_the_url_is_no_path_of_the_disk(app: Flask, call: Call):
    outside = Path(app.root_path) / "secret.txt"
    for path in (f"/{outside}", f"//{outside}", f"/sub/{outside}"):
        assert call(app, "GET", path).status == 404


def test_a_link_that_leaves_the_folder_is_not_followed_and_one_inside_is(make_function: MakeFunction, call: Call):
    folder = make_function(FILES)
    (folder / "public/out.txt").symlink_to(folder / "secret.txt")
    (folder / "public/outdir").symlink_to(folder / "assets")
    (folder / "public/dots.txt").symlink_to("../secret.txt")
    (folder / "public/tohidden.txt").symlink_to(folder / "public/.hidden")
    (folder / "public/loop").symlink_to(folder / "public/loop")
    (folder / "public/in.txt").symlink_to(folder / "public/sub/deep.txt")
    app = create_app(folder, config={"SINCHFN_USAGE": "off"})
    for path in ("/out.txt", "/outdir/private.txt", "/dots.txt", "/tohidden.txt", "/loop"):
        assert call(app, "GET", path).status == 404
    assert call(app, "GET", "/in.txt").text == "deep"


def test_a_folder_with_a_name_that_begins_like_public_is_outside(make_function: MakeFunction, call: Call):
    folder = make_function(FILES | {"public2/x.txt": "outside"})
    (folder / "public/x.txt").symlink_to(folder / "public2/x.txt")
    assert call(create_app(folder, config={"SINCHFN_USAGE": "off"}), "GET", "/x.txt").status == 404


def test_without_a_public_folder_nothing_is_served(make_app: MakeApp, call: Call):
    assert call(make_app("def x(c, r): ...\n"), "GET", "/function.py").status == 404


# -------------------------------------------------------------------------------- what comes before what


def test_an_export_comes_before_a_file_and_a_file_before_health(app: Flask, call: Call):
    assert call(app, "GET", "/users").text == "export"
    assert call(app, "GET", "/sub/users").text == "export"
    assert call(app, "GET", "/health").text == "the file health"


def test_an_own_health_comes_first_and_is_reached_below_any_path(make_app: MakeApp, call: Call):
    app = make_app({"function.py": "def health(c, r):\n    return 'own'\n", "public/health": "file"})
    assert call(app, "GET", "/health").text == "own"
    assert call(app, "GET", "/api/health").text == "own"


def test_the_built_in_health_is_at_exactly_its_path(make_app: MakeApp, call: Call):
    app = make_app("def users(c, r): ...\n")
    answer = call(app, "GET", "/health")
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    assert answer.headers["Content-Type"] == "application/json"
    assert call(app, "HEAD", "/health").body == b""
    for path in ("/api/health", "/healthz", "/Health", "/webhook/health"):
        assert call(app, "GET", path).status == 404


def test_health_and_files_are_not_gated_by_a_star(make_app: MakeApp, call: Call):
    app = make_app(FILES | {"function.py": "auth = '*'\ndef users(c, r): ...\n", "public/index.html": "index"})
    assert call(app, "GET", "/users").status == 401
    for path in ("/health", "/page.html", "/"):
        assert call(app, "GET", path).status == 200
    app = make_app("auth = '*'\ndef health(c, r):\n    return 'own'\n", "second")
    assert call(app, "GET", "/health").text == "own"


def test_health_files_and_404_leave_no_usage_record(make_function: MakeFunction, call: Call):
    folder = make_function(FILES)
    (folder / "public/health").unlink()
    app = create_app(folder)
    for path in ("/health", "/page.html", "/nothing", "/"):
        call(app, "GET", path)
    assert not (folder / "data").exists()
    call(app, "GET", "/users")
    assert len((folder / "data/usage.jsonl").read_text().splitlines()) == 1


def test_at_the_root_home_comes_first_then_index_html_then_the_landing_page(make_app: MakeApp, call: Call):
    home = make_app({"function.py": "def home(c, r):\n    return 'home'\n", "public/index.html": "index"}, "a")
    index = make_app({"function.py": "def users(c, r): ...\n", "public/index.html": "index"}, "b")
    landing = make_app({"function.py": "def users(c, r): ...\n", "public/other.html": "x"}, "c")
    assert call(home, "GET", "/").text == "home"
    for path in ("/", "//", "/index.html"):
        assert call(index, "GET", path).text == "index"
    assert call(index, "HEAD", "/").body == b""
    assert "/users" in call(landing, "GET", "/").text


# -------------------------------------------------------------------------------- landing page


def test_the_landing_page_lists_the_handlers(make_app: MakeApp, call: Call):
    app = make_app("def users(c, r): ...\ndef conversation_webhook(c, r): ...\ndef ice(c, d): ...\n")
    answer = call(app, "GET", "/", headers={"X-Request-ID": "id-1"})
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Request-ID"] == "id-1"
    for word in ("/users", "/webhook/conversation", "/ice", "ice (voice)", "voice callbacks (by event)", "ANY"):
        assert word in answer.text
    assert "GET" not in answer.text
    assert call(app, "HEAD", "/").body == b""


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a & b", "{rows}", "{0.__class__}", '"><img src=x>'])
def test_the_name_on_the_landing_page_is_escaped(make_app: MakeApp, call: Call, name: str):
    app = make_app({"function.py": "def users(c, r): ...\n", "sinch.json": json.dumps({"name": name})})
    answer = call(app, "GET", "/")
    assert answer.status == 200
    assert "<script>" not in answer.text
    assert "<img" not in answer.text
    assert "a & b" not in answer.text
    assert "/users" in answer.text


def test_the_landing_page_of_a_mount_shows_whole_paths(make_function: MakeFunction, call: Call):
    host = Flask("host")
    folder = make_function("def users(c, r): ...\n")
    SinchFunctions(folder, config={"SINCHFN_USAGE": "off"}).init_app(host, url_prefix="/fn")
    assert "/fn/users" in call(host, "GET", "/fn").text


# -------------------------------------------------------------------------------- protected files

PROTECTED = FILES | {"function.py": "auth = ['public/page.html', 'public/sub']\ndef users(c, r): ...\n"}


@pytest.mark.parametrize(
    "path",
    [
        "/page.html",
        "//page.html",
        "/page.html/",
        "/p%61ge.html",
        "/linked.html",
        "/sub/deep.txt",
        "/sub//deep.txt",
        "/d/deep.txt",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_protected_file_is_closed_by_whatever_path_it_is_reached(
    make_function: MakeFunction, call: Call, path: str, method: str
):
    folder = make_function(PROTECTED)
    (folder / "public/linked.html").symlink_to(folder / "public/page.html")
    (folder / "public/d").symlink_to(folder / "public/sub")
    app = create_app(folder, config={"SINCHFN_USAGE": "off"})
    refused = call(app, method, path)
    assert refused.status == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    assert refused.headers["Content-Type"] == "application/json"
    assert "ETag" not in refused.headers
    assert call(app, method, path, headers=BASIC).status == 200


def test_conditions_and_ranges_do_not_open_a_protected_file(make_app: MakeApp, call: Call):
    app = make_app(PROTECTED)
    etag = call(app, "GET", "/page.html", headers=BASIC).headers["ETag"]
    assert call(app, "GET", "/page.html", headers={"If-None-Match": etag}).status == 401
    assert call(app, "GET", "/page.html", headers={"Range": "bytes=0-1"}).status == 401


def test_a_file_that_is_not_named_stays_open(make_app: MakeApp, call: Call):
    assert call(make_app(PROTECTED), "GET", "/data.bin").status == 200


def test_a_protected_index_is_closed_at_the_root_too(make_app: MakeApp, call: Call):
    app = make_app({"function.py": "auth = ['public/index.html']\n", "public/index.html": "x", ".env": FILES[".env"]})
    for path in ("/", "//", "/index.html", "/index.html/"):
        assert call(app, "GET", path).status == 401
        assert call(app, "GET", path, headers=BASIC).status == 200


def test_a_protected_file_below_a_mount_is_closed(make_function: MakeFunction, call: Call):
    host = Flask("host")
    SinchFunctions(make_function(PROTECTED), config={"SINCHFN_USAGE": "off"}).init_app(host, url_prefix="/fn")
    for path in ("/fn/page.html", "/fn//page.html", "//fn/page.html"):
        assert call(host, "GET", path).status == 401
        assert call(host, "GET", path, headers=BASIC).status == 200


def test_a_protected_file_is_closed_to_everyone_when_no_user_is_set(make_app: MakeApp, call: Call):
    app = make_app({"function.py": "auth = ['public/a.txt']\n", "public/a.txt": "x"})
    for headers in ({}, BASIC, {"Authorization": "Basic Og=="}):
        assert call(app, "GET", "/a.txt", headers=headers).status == 401


@pytest.mark.parametrize(
    "entry", ["public/pgae.html", "public/../secret.txt", "public/", "public//", "public/nothing/x"]
)
def test_an_entry_for_a_file_that_is_not_there_is_a_start_up_error(make_function: MakeFunction, entry: str):
    folder = make_function(FILES | {"function.py": f"auth = ['users', {entry!r}]\ndef users(c, r): ...\n"})
    with pytest.raises(FunctionError) as caught:
        create_app(folder, config={"SINCHFN_USAGE": "off"})
    assert "public/" in str(caught.value)


def test_a_misspelt_file_in_auth_is_told_what_was_meant(make_function: MakeFunction):
    folder = make_function(FILES | {"function.py": "auth = ['public/pgae.html']\n"})
    with pytest.raises(FunctionError, match=r'Did you mean "public/page\.html"'):
        create_app(folder, config={"SINCHFN_USAGE": "off"})
