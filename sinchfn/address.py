"""How the platform reached us: the path it called, which it signed, and the base of URLs we give it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

from werkzeug.exceptions import BadRequest
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from .function import Function
from .requests import flask_request

Environ = dict[str, Any]

_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def proxy_fix(app: Any, hops: int, *, with_address: bool = True) -> ProxyFix:
    """`app` behind so many proxies whose ``X-Forwarded-*`` headers are believed.

    :param with_address: whether also those that say where we are, which a public URL says better.
    """
    address = hops if with_address else 0
    return ProxyFix(app, x_for=hops, x_proto=address, x_host=address, x_prefix=address)


def called_paths(environ: Environ, function: Function) -> tuple[str, ...]:
    """The path as the platform called it: raw, without query. More than one where it cannot be told.

    With ``SINCHFN_PUBLIC_URL`` it is that URL's path and the path below the function's mount. At the mount itself the
    platform may have called the URL with or without a slash at its end, and a proxy does not pass that on.
    """
    public = function.config["SINCHFN_PUBLIC_URL"]
    raw = _raw_path(environ)
    if public:
        below = _below_mount(raw, environ, function)
        base = urlsplit(public).path
        return (base or "/", f"{base}/") if below in ("", "/") else (base + below,)
    environ = _believed(environ, function)
    return (raw,) if _has_script_name(raw, environ) else (_quoted(environ.get("SCRIPT_NAME", "")) + raw,)


def other_paths(environ: Environ, function: Function) -> list[str]:
    """Paths that the platform may have called instead, to explain a signature that does not hold."""
    info = environ.get("PATH_INFO", "")
    return [info, environ.get("SCRIPT_NAME", "") + info, info.removeprefix(function.url_prefix) or "/"]


def public_base(environ: Environ, function: Function) -> str:
    """URL of the function's mount as the platform sees it, without a slash at its end.

    :raises BadRequest: it has to be told from the ``Host`` header, and that is no host, or none of ``TRUSTED_HOSTS``.
    """
    public: str | None = function.config["SINCHFN_PUBLIC_URL"]
    if public:
        return public
    environ = _believed(environ, function)
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    if not _HOST.fullmatch(host):
        raise BadRequest("The Host header is not the name of a host.")
    trusted = flask_request().trusted_hosts
    if trusted and not host_is_trusted(host, trusted):  # one that a proxy has passed on, which Flask does not look at
        raise BadRequest("The host that this was sent to is not one of TRUSTED_HOSTS.")
    # The platform calls nothing but https; a scheme of http only says that a proxy in front ended the TLS.
    return f"https://{host}{_quoted(environ.get('SCRIPT_NAME', ''))}{function.url_prefix}"


def _believed(environ: Environ, function: Function) -> Environ:
    # An app of our own has ProxyFix around it; in a host's app only what we look at is fixed.
    hops: int = function.config["SINCHFN_TRUSTED_PROXIES"]
    if not hops or not function.embedded:
        return environ
    seen: list[Environ] = []

    def look(environ: Environ, _: Any) -> tuple[()]:
        seen.append(environ)
        return ()

    proxy_fix(look, hops)(environ.copy(), _no_response)
    return seen[0]


def _no_response(*_: Any) -> Any:
    """Stands in for ``start_response``: nothing is answered here."""


def _raw_path(environ: Environ) -> str:
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if not target:  # a server that does not pass the request line on
        return _quoted(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")) or "/"
    path = str(target).partition("?")[0]
    return path if path.startswith("/") else re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/]*", "", path) or "/"


def _has_script_name(raw: str, environ: Environ) -> bool:
    # A mount (DispatcherMiddleware) takes its name off PATH_INFO; a proxy's prefix was never in the request line.
    if not environ.get("SCRIPT_NAME"):
        return True
    info: str = environ.get("PATH_INFO", "")
    return unquote_to_bytes(raw.encode("latin-1", "replace")) != info.encode("latin-1", "replace")


def _below_mount(raw: str, environ: Environ, function: Function) -> str:
    script = environ.get("SCRIPT_NAME", "") if _has_script_name(raw, environ) else ""
    depth = len([segment for segment in (script + function.url_prefix).split("/") if segment])
    return re.sub(rf"^(?:/+[^/]+){{{depth}}}", "", raw) if depth else raw


def _quoted(path: str) -> str:
    return quote(path.encode("latin-1", "replace"), safe="/:@!$&'()*+,;=~")
