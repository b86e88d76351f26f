"""What a socket opens in its Flask app is given back after each callback, and each turn of a handler that loops."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

from sinchfn import SinchFunctions, signals
from sinchfn.testing import MemorySocket, open_socket
from tests.harness.app import write_function
from tests.harness.server import Server, gunicorn, until
from tests.harness.socket_peer import opened

SOURCE = """
from flask import current_app, g, request as flask_request

__all__ = ["setup"]

def count():
    db = current_app.extensions["sqlalchemy"]
    return db.session.execute(db.text("select 1")).scalar()

def _remember(what):
    seen = getattr(g, "seen", []) + [what]
    g.seen = seen
    return seen

def setup(runtime):
    @runtime.on_websocket("/callback", protected=False)
    def callback(ws, request):
        count(), _remember("handler")
        @ws.on_message
        def heard(data):
            if data == "raise":
                count()
                raise ValueError("after a query")
            if data == "later":
                ws.call_later(0, lambda: ws.send(json.dumps([count(), _remember("timer")])))
            else:
                ws.send(json.dumps([count(), _remember(data), flask_request.path]))
        @ws.on_error
        def failed(error):
            count()
        @ws.on_close
        def closed(code, reason):
            current_app.config["CLOSED"].append([count(), _remember(code)])

    @runtime.on_websocket("/blocking", protected=False)
    def blocking(ws, request):
        count(), _remember("handler")
        for data in ws:
            ws.send(json.dumps([count(), _remember(data), flask_request.path]))

    @runtime.on_websocket("/async", protected=False)
    async def in_a_loop(ws, request):
        count(), _remember("handler")
        for data in ws:
            await asyncio.sleep(0)
            ws.send(json.dumps([count(), _remember(data), flask_request.path]))

    @runtime.on_websocket("/own", protected=False)
    def own(ws, request):
        with current_app.app_context():
            _remember("own")
            for data in ws:
                ws.send(json.dumps(_remember(data)))
"""

STYLES = ("callback", "blocking", "async")


class Host:
    """A Flask app with Flask-SQLAlchemy, and our function in it."""

    def __init__(self, folder: Path) -> None:
        write_function(folder / "fn", SOURCE)
        self.app = Flask(__name__)
        self.app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{folder}/host.db"
        self.app.config["CLOSED"] = self.closed = list[Any]()
        self.torn_down = list[BaseException | None]()
        self.app.teardown_appcontext(self.torn_down.append)
        self.db = SQLAlchemy(self.app)
        SinchFunctions(folder / "fn", config={"SINCHFN_USAGE": "off"}).init_app(self.app)
        for signal in (signals.websocket_opened, signals.websocket_closed):
            signal.connect(self.query, sender=self.app)

    def query(self, app: Flask, **_: Any) -> None:
        self.db.session.execute(self.db.text("select 1"))

    @property
    def taken(self) -> int:
        """Connections of the pool that somebody holds."""
        with self.app.app_context():
            pool: Any = self.db.engine.pool
            return int(pool.checkedout())


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    with host.app.app_context():
        host.db.engine.dispose()


def ask(peer: MemorySocket, what: str) -> Any:
    peer.send(what)
    return json.loads(peer.receive(30) or "null")


@pytest.mark.parametrize("style", STYLES)
def test_between_two_messages_nothing_of_the_pool_is_held(host: Host, style: str) -> None:
    with open_socket(host.app, f"/{style}", timeout=30) as peer:
        for _ in range(3):
            assert ask(peer, "x")[0] == 1
            until(lambda: host.taken == 0)
    assert host.taken == 0


@pytest.mark.parametrize("style", STYLES)
def test_more_sockets_than_the_pool_has_connections(host: Host, style: str) -> None:
    with ExitStack() as stack:
        peers = [stack.enter_context(open_socket(host.app, f"/{style}", timeout=30)) for _ in range(24)]
        for _ in range(2):
            assert [ask(peer, "x")[0] for peer in peers] == [1] * 24
        until(lambda: host.taken == 0)


@pytest.mark.parametrize("style", STYLES)
def test_g_is_that_of_one_turn_and_the_request_that_of_the_handshake(host: Host, style: str) -> None:
    with open_socket(host.app, f"/{style}", timeout=30) as peer:
        assert ask(peer, "one") == [1, ["one"], f"/{style}"]
        assert ask(peer, "two") == [1, ["two"], f"/{style}"]
        if style == "callback":
            assert ask(peer, "later") == [1, ["timer"]]
    if style == "callback":
        assert host.closed == [[1, [1000]]]


def test_what_fails_is_given_back_too_and_the_teardown_sees_the_error(host: Host) -> None:
    with pytest.raises(ValueError, match="after a query"), open_socket(host.app, "/callback", timeout=30) as peer:
        list(iter(partial(ask, peer, "raise"), None))
    assert host.taken == 0
    assert [str(error) for error in host.torn_down if error is not None] == ["after a query"]


def test_an_app_context_that_the_handler_has_pushed_itself_is_left_alone(host: Host) -> None:
    with open_socket(host.app, "/own", timeout=30) as peer:
        assert ask(peer, "one") == ["own", "one"]
        assert ask(peer, "two") == ["own", "one", "two"]


# --- through gunicorn -------------------------------------------------------------------------------------------------

SERVED = """
from flask import Flask, g
from flask_sqlalchemy import SQLAlchemy
from sinchfn import SinchFunctions

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///{folder}/host.db"
app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {{"pool_timeout": 5}}
app.config["CLOSED"] = []
db = SQLAlchemy(app)

@app.before_request
def know_the_user():
    db.session.execute(db.text("select 1"))

@app.get("/taken")
def taken():
    db.session.remove()
    return str(db.engine.pool.checkedout())

SinchFunctions("fn", config={{"WEBHOOK_PROTECTION": "never"}}).init_app(app)
"""


@contextmanager
def served(folder: Path, worker: str) -> Iterator[Server]:
    write_function(folder / "fn", SOURCE)
    (folder / "host.py").write_text(SERVED.format(folder=folder))
    with gunicorn(folder, None, "-k", worker, target="host:app", health="/taken") as server:
        yield server


@pytest.mark.parametrize("worker", ["gthread", "gevent"])
def test_more_sockets_than_connections_in_a_server(tmp_path: Path, worker: str) -> None:
    if worker == "gevent":
        pytest.importorskip("gevent")
    with served(tmp_path, worker) as server, ExitStack() as stack:
        peers = [stack.enter_context(opened(server.port, f"/{style}")) for style in STYLES[:2] * 12]
        for peer in peers:
            assert json.loads(peer.ask_for("x"))[0] == 1
        until(lambda: server.request("GET", "/taken")[2] == b"0")
