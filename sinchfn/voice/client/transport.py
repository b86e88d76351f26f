"""HTTP for the client: the pool of connections of one process. Imported with the first request only."""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import Any
from urllib.parse import unquote
from urllib.request import getproxies_environment, proxy_bypass

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager, Timeout
from urllib3 import exceptions as urllib3_errors
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import Url, make_headers, parse_url

from ...errors import ConfigError
from .failures import Kind, Outcome

#: The largest answer that is read, in bytes. A conference of a thousand participants takes some 100 kB.
MAX_BODY = 1 << 20

#: Seconds that a connection may take, where an answer may take longer.
CONNECT_SECONDS = 5.0

#: Connections that are kept between requests. More may be open at a time.
KEPT = 64

#: Exception of urllib3 -> kind of outcome; the first that fits.
KINDS: tuple[tuple[type[Exception], Kind], ...] = (
    (urllib3_errors.NewConnectionError, "unreached"),
    (urllib3_errors.ProxyError, "unreached"),  # only while a proxy is asked for a connection
    (urllib3_errors.ConnectTimeoutError, "unreached"),
    (urllib3_errors.LocationValueError, "unreached"),
    (urllib3_errors.SSLError, "untrusted"),
    (urllib3_errors.ReadTimeoutError, "slow"),
    (urllib3_errors.HTTPError, "broken"),
    (ValueError, "broken"),  # a chunk with an invalid size
)


class Transport:
    """Connections to one base URL, through the proxy that the environment names: see :func:`proxy_for`.

    It must not be used in a process forked from the one that made it.

    :param base: the URL, already checked.
    :param timeout: seconds for a whole answer.
    :raises ConfigError: the URL of the proxy is invalid.
    """

    def __init__(self, base: str, timeout: float) -> None:
        url = parse_url(base)
        #: The path of the base URL as it is sent: urllib3 normalises a URL, and the path that is sent has to be signed.
        self.prefix = (url.path or "").rstrip("/")
        self._origin = f"{url.scheme}://{url.netloc}"
        self._proxy = proxy_for(url)
        # ``retries=False``: urllib3 neither repeats a request nor follows a redirect.
        options: dict[str, Any] = {
            "timeout": Timeout(connect=min(timeout, CONNECT_SECONDS), read=timeout),
            "maxsize": KEPT,
            "retries": False,
        }
        if self._proxy is None:
            self._pools = PoolManager(**options)
        else:
            auth = make_headers(proxy_basic_auth=unquote(self._proxy.auth)) if self._proxy.auth else None
            self._pools = ProxyManager(self._proxy.url, proxy_headers=auth, **options)
        self._pools.pool_classes_by_scheme = {"http": TimedPool, "https": TimedTlsPool}

    def attempt(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send a request once."""
        try:
            response = self._pools.urlopen(
                method,
                self._origin + target,
                redirect=False,
                body=body or None,
                headers=dict(headers),
                preload_content=False,
                decode_content=False,
            )
            return _read(response)
        except (urllib3_errors.HTTPError, ValueError) as error:
            kind: Kind = next(kind for raised, kind in KINDS if isinstance(error, raised))
            # The cause has no names of urllib3's own objects in it.
            reason = str(error.__cause__ or (error.args[-1] if error.args else error))
            if self._proxy is not None and isinstance(error, urllib3_errors.ProxyError):
                reason = f"the proxy {self._proxy._replace(auth=None).url} of the environment: {reason}"
            return Outcome(kind, reason)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pools.clear()


def proxy_for(url: Url) -> Url | None:
    """Return the proxy that the process environment names for ``url``, or None.

    It is ``HTTPS_PROXY`` for ``https://``, ``HTTP_PROXY`` for ``http://``, else ``ALL_PROXY``, unless ``NO_PROXY`` has
    the host. The rules are those of :mod:`urllib.request`; lower case names come before upper case ones.

    :raises ConfigError: the URL of the proxy is invalid.
    """
    proxies = getproxies_environment()
    named = proxies.get(url.scheme or "") or proxies.get("all")
    if not named or proxy_bypass(url.netloc or ""):
        return None
    try:
        proxy = parse_url(named if "://" in named else f"http://{named}")
    except ValueError:
        proxy = Url()
    if proxy.scheme not in ("http", "https") or not proxy.host:
        raise ConfigError(
            f"The URL of the proxy for {url.scheme}:// in the environment ({url.scheme}_proxy or all_proxy) cannot be "
            f"used: it takes http://host:port or https://host:port. With NO_PROXY={url.host} no proxy is used."
        )
    return proxy


def _read(response: BaseHTTPResponse) -> Outcome:
    body = bytearray()
    while chunk := response.read(1 << 16):
        body += chunk
        if len(body) > MAX_BODY:
            response.close()
            response.release_conn()
            return Outcome("oversized", f"the answer has more than {MAX_BODY} bytes")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Outcome("answer", status=response.status, headers=headers, body=bytes(body))


class _Reader(io.RawIOBase):
    """A reader of a socket that times out at the deadline."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: float) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()  # the socket counts its readers: it is closed with the last of them
        super().close()


class _Answer(HTTPResponse):
    """An answer whose head and body together may take as long as the timeout of the socket at its beginning."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        seconds = sock.gettimeout()
        if seconds is not None:
            self.fp = io.BufferedReader(_Reader(self.fp.detach(), sock, time.monotonic() + seconds))


class _TimedConnection(HTTPConnection):
    response_class = _Answer


class _TimedTlsConnection(HTTPSConnection):
    response_class = _Answer


class TimedPool(HTTPConnectionPool):
    """Connections to a host, in plain text."""

    # To basedpyright, urllib3's own classes do not fulfil the protocol of this attribute either.
    ConnectionCls = _TimedConnection  # pyright: ignore[reportAssignmentType]


class TimedTlsPool(HTTPSConnectionPool):
    """Connections to a host, over TLS. urllib3 checks the certificate by default."""

    ConnectionCls = _TimedTlsConnection  # pyright: ignore[reportAssignmentType]
