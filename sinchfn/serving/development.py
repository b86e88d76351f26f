"""The guard of development, where calls need no signature: only this machine may call, and no page of another site.

Pages in the developer's browser can send requests to ``localhost``; a page whose host name resolves to it (DNS
rebinding) can read the answers. Browsers reveal both: by ``Host``, and by ``Sec-Fetch-Site`` or ``Origin``.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from urllib.parse import urlsplit

import click
from flask import Request
from werkzeug.exceptions import BadRequest, Forbidden, HTTPException
from werkzeug.sansio.utils import host_is_trusted

from ..config.config import FunctionConfig
from ..function.invocation import LOGGED_KEY
from ..function.request import request_id_of
from ..logs.redaction import brief

_log = logging.getLogger("sinchfn")

#: The ``Sec-Fetch-Site`` of the function's own pages, and of a typed address.
OWN_SITE = ("same-origin", "none")

NO_HOST = "The Host header is not a valid host name."
FOREIGN_HOST = (
    "In development the Host header has to name this machine: call it as localhost, or set SINCHFN_PUBLIC_URL to the "
    "URL that is called, such as the URL of a tunnel."
)
FOREIGN_PAGE = (
    "In development pages of other origins may not call the function: open the URL in the address bar, or list the "
    "page's origin in SINCHFN_WS_ORIGINS."
)

_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


class DevelopmentGuard:
    """Tells the developer's own requests from those of other pages in the browser."""

    def __init__(self, config: FunctionConfig) -> None:
        public: str | None = config["SINCHFN_PUBLIC_URL"]
        origins: str | None = config["SINCHFN_WS_ORIGINS"]
        names = (urlsplit(public).hostname if public else None, given_host())
        self._names = frozenset(name.lower() for name in names if name)
        self._origins = frozenset(origins.split(",") if origins else ()) - {"*"}

    def refusal(self, request: Request, *, is_handshake: bool = False) -> HTTPException | None:
        """Return the error to refuse this request with, or None. The log says more than the sender is told.

        :param is_handshake: True for the handshake of a socket, which checks the origin itself.
        """
        # As sent, and as before ProxyFix, because any page can send X-Forwarded-Host. Browsers always send a Host.
        seen = (request.environ, request.environ.get("werkzeug.proxy_fix.orig", {}))
        for host in (one["HTTP_HOST"] for one in seen if one.get("HTTP_HOST") is not None):
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
        except ValueError:  # brackets without an IP address
            return False
        return page.netloc == request.environ.get("HTTP_HOST", "").lower() or page.hostname in self._names


def _is_own_address(name: str, bound: str) -> bool:
    """Return True for an IP address of this machine, which DNS rebinding cannot use.

    :param bound: the address that the server listens on.
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
    """Return the ``--host`` of ``sinchfn dev`` or ``flask run``; None in any other server."""
    command = click.get_current_context(silent=True)
    host = None if command is None else command.params.get("host")
    return host if isinstance(host, str) else None


def open_to_network(config: FunctionConfig) -> list[str]:
    """Return a warning if a development server listens on more than this machine."""
    host = given_host()
    if not config.is_development or host is None or host == "localhost" or _is_own_address(host, ""):
        return []
    return [
        f"--host {host} is open to the network: every machine in it can call the function, and development does not "
        "verify signatures unless WEBHOOK_PROTECTION=always. Without --host only this machine can."
    ]
