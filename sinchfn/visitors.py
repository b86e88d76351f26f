"""The guard of development, where calls need no signature: only this machine may call, and no page of another site.

A page in the developer's browser can send requests to ``localhost``, and one whose name is made to lead there (DNS
rebinding) can read the answers. The browser gives both away: by ``Host``, and by ``Sec-Fetch-Site`` or ``Origin``.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import click
from flask import Request
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException
from werkzeug.sansio.utils import host_is_trusted

from .config import FunctionConfig
from .invocation import LOGGED_KEY
from .redaction import brief
from .requests import request_id_of

_log = logging.getLogger("sinchfn")

#: ``Sec-Fetch-Site`` of a page of our own, and of an address that was typed.
OWN_SITE = ("same-origin", "none")

NO_HOST = "The Host header is not the name of a host."
FOREIGN_HOST = (
    "In development the Host header has to name this machine: call it as localhost, or set SINCHFN_PUBLIC_URL to the "
    "URL that is called, such as that of a tunnel."
)
FOREIGN_PAGE = (
    "In development no page of another origin may call the function: open the URL in the address bar, or list the "
    "page's origin in SINCHFN_WS_ORIGINS."
)

_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


class Visitors:
    """Tells the developer's own requests from those of pages that happen to be open in the browser."""

    def __init__(self, config: FunctionConfig) -> None:
        public: str | None = config["SINCHFN_PUBLIC_URL"]
        origins: str | None = config["SINCHFN_WS_ORIGINS"]
        names = (urlsplit(public).hostname if public else None, given_host())
        self._names = frozenset(name.lower() for name in names if name)
        self._origins = frozenset(origins.split(",") if origins else ()) - {"*"}

    def refusal(self, request: Request, *, is_handshake: bool = False) -> HTTPException | None:
        """The error that this request is refused with, or None. The log says more than its sender is told.

        :param is_handshake: of a socket, which looks at the origin itself.
        """
        for host in _hosts(request.environ):
            found = _HOST.fullmatch(host.lower())
            if found is None:
                return BadRequest(NO_HOST)
            if not self._is_own_host(found[1].strip("[]").removesuffix("."), request):
                _tell(request, f'its Host header is "{brief(host)}". {FOREIGN_HOST}')
                return Forbidden(FOREIGN_HOST)
        if not is_handshake and not self._is_own_page(request):
            page = brief(request.environ.get("HTTP_ORIGIN") or request.environ.get("HTTP_REFERER") or "another site")
            _tell(request, f"it comes from a page of {page}. {FOREIGN_PAGE}")
            return Forbidden(FOREIGN_PAGE)
        return None

    def _is_own_host(self, name: str, request: Request) -> bool:
        if name == "localhost" or name.endswith(".localhost") or name in self._names:
            return True
        if request.trusted_hosts and host_is_trusted(request.environ["HTTP_HOST"], request.trusted_hosts):
            return True
        return _is_own_address(name, request.environ.get("SERVER_NAME", ""))

    def _is_own_page(self, request: Request) -> bool:
        origin: str | None = request.environ.get("HTTP_ORIGIN")
        if origin is not None and origin.strip().lower() in self._origins:
            return True
        site = request.environ.get("HTTP_SEC_FETCH_SITE")
        if site is not None:
            return site.strip().lower() in OWN_SITE
        if origin is None:
            return True
        try:
            page = urlsplit(origin.lower())
        except ValueError:  # brackets that hold no address
            return False
        return page.netloc == request.environ.get("HTTP_HOST", "").lower() or page.hostname in self._names


def _hosts(environ: Mapping[str, Any]) -> Iterator[str]:
    """The host that was called, and the one that it was before a proxy said otherwise, as any page can pretend.

    None of a request without the header, which is no browser's.
    """
    seen = (environ, environ.get("werkzeug.proxy_fix.orig", {}))
    return (one["HTTP_HOST"] for one in seen if one.get("HTTP_HOST") is not None)


def _is_own_address(name: str, bound: str) -> bool:
    """Return True for an address of this machine, which no DNS entry of somebody else's can be.

    :param bound: what the server listens on.
    """
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or bound.strip("[]") in (name, "0.0.0.0", "::")  # noqa: S104 - compared, not listened on


def _tell(request: Request, why: str) -> None:
    method, path = brief(request.method), brief(request.path)
    fields = {"request_id": request_id_of(request.environ)}
    _log.warning("%s %s was refused: %s", method, path, why, extra={"sinchfn": fields})
    request.environ[LOGGED_KEY] = True


def given_host() -> str | None:
    """The ``--host`` of the command that runs, ``sinchfn dev`` or ``flask run``; None for any other server."""
    command = click.get_current_context(silent=True)
    host = None if command is None else command.params.get("host")
    return host if isinstance(host, str) else None


def open_to_network(config: FunctionConfig) -> list[str]:
    """A warning in development if the server listens on more than this machine."""
    host = given_host()
    if not config.is_development or host is None or host == "localhost" or _is_own_address(host, ""):
        return []
    return [
        f"--host {host} is open to the network: every machine in it can call the function, and development checks no "
        "signatures unless WEBHOOK_PROTECTION=always. Without --host only this machine can."
    ]
