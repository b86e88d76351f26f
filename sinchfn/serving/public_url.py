"""The URL that the platform called: its path, which the platform signs, and the base of the URLs it is sent."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

from werkzeug.exceptions import BadRequest
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

from ..function.function import Function
from .views import flask_request

Environ = dict[str, Any]

#: The scheme and host of an absolute request target.
_ORIGIN = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/]*")
_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")


def proxy_fix(app: Any, hops: int, *, with_address: bool = True) -> ProxyFix:
    """Wrap a WSGI app so that it believes the ``X-Forwarded-*`` headers of ``hops`` proxies.

    :param with_address: believe those with the host, scheme and prefix too. A public URL makes them unnecessary.
    """
    address = hops if with_address else 0
    return ProxyFix(app, x_for=hops, x_proto=address, x_host=address, x_prefix=address)


def called_paths(environ: Environ, function: Function) -> tuple[str, ...]:
    """Return the path that the platform called: raw, without query. Several if that is ambiguous.

    With ``SINCHFN_PUBLIC_URL`` it is the path of that URL and the path below the mount of the function. At the mount
    itself the platform may have called the URL with or without a slash at its end, which a proxy does not pass on.
    """
    target = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if target:
        path = str(target).partition("?")[0]
        raw = path if path.startswith("/") else _ORIGIN.sub("", path) or "/"
    else:  # a server that does not pass the request line on
        raw = _quoted(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")) or "/"
    public = function.config["SINCHFN_PUBLIC_URL"]
    if function.embedded and not public:
        environ = _behind_proxies(environ, function)
    script, info = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
    # A mount by DispatcherMiddleware moves its name from PATH_INFO to SCRIPT_NAME, but the request line still has it. A
    # proxy that strips its prefix takes it off the request line too.
    is_stripped = script and unquote_to_bytes(raw.encode("latin-1", "replace")) == info.encode("latin-1", "replace")
    if not public:
        return (_quoted(script) + raw if is_stripped else raw,)
    script = "" if is_stripped else script
    depth = len([segment for segment in f"{script}{function.url_prefix}".split("/") if segment])
    below = re.sub(rf"^(?:/+[^/]+){{{depth}}}", "", raw) if depth else raw
    base = urlsplit(public).path
    return (base or "/", f"{base}/") if below in ("", "/") else (base + below,)


def other_paths(environ: Environ, function: Function) -> list[str]:
    """Return paths that the platform may have called instead, to explain a signature that is not valid."""
    info = environ.get("PATH_INFO", "")
    return [info, environ.get("SCRIPT_NAME", "") + info, info.removeprefix(function.url_prefix) or "/"]


def public_base(environ: Environ, function: Function) -> str:
    """Return the URL of the function's mount as the platform sees it, without a slash at its end.

    :raises BadRequest: it depends on the ``Host`` header, which is malformed or not in ``TRUSTED_HOSTS``.
    """
    public: str | None = function.config["SINCHFN_PUBLIC_URL"]
    if public:
        return public
    environ = _behind_proxies(environ, function)
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    if not _HOST.fullmatch(host):
        raise BadRequest("The Host header is not the name of a host.")
    trusted = flask_request().trusted_hosts
    if trusted and not host_is_trusted(host, trusted):  # one that a proxy has passed on, which Flask does not look at
        raise BadRequest("The host that this was sent to is not one of TRUSTED_HOSTS.")
    # The platform calls nothing but https; a scheme of http only says that a proxy in front ended the TLS.
    return f"https://{host}{_quoted(environ.get('SCRIPT_NAME', ''))}{function.url_prefix}"


def _behind_proxies(environ: Environ, function: Function) -> Environ:
    """Return the environ as ProxyFix leaves it. (Only an app of our own has ProxyFix around it.)"""
    hops: int = function.config["SINCHFN_TRUSTED_PROXIES"]
    if not hops or not function.embedded:
        return environ
    fixed = environ.copy()
    proxy_fix(lambda *_: (), hops)(fixed, lambda *_: lambda _: None)  # it changes the environ that it is given
    return fixed


def _quoted(path: str) -> str:
    return quote(path.encode("latin-1", "replace"), safe="/:@!$&'()*+,;=~")
