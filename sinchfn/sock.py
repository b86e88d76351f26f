"""flask-sock's way to register routes, over sockets of our own. Imported with the first of them."""

from __future__ import annotations

from typing import Any

from flask_sock import Sock  # type: ignore[import-untyped]  # it has no types


class FunctionSock(Sock):  # type: ignore[misc]  # for the same reason
    """Registers views that take handshakes themselves: its own route() would run simple_websocket's server."""

    def route(self, path: str, bp: Any = None, **options: Any) -> Any:
        """Let a view of ours take the handshakes at `path`."""
        target: Any = bp or self.app

        def register(f: Any) -> None:
            target.add_url_rule(path, view_func=f, websocket=True, provide_automatic_options=False, **options)

        return register
