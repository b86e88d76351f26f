"""The HTTP below the client: one pool of connections for one process. Imported with the first request only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote
from urllib.request import getproxies_environment, proxy_bypass

from urllib3 import BaseHTTPResponse, ProxyManager, Timeout, make_headers
from urllib3 import exceptions as urllib3_errors
from urllib3.util import Url, parse_url

from ...errors import ConfigError
from .deadlines import TimedPool, TimedTlsPool
from .outcomes import Kind, Outcome

#: Largest answer that is read, in bytes. A conference of a thousand takes some 100 kB.
MAX_BODY = 1 << 20

#: Seconds that a connection may take, where an answer may take longer.
CONNECT_SECONDS = 5.0

#: Connections that are kept between requests. More may be open at a time.
KEPT = 64

#: What urllib3 raises -> what it means, the first that fits.
KINDS: tuple[tuple[type[Exception], Kind], ...] = (
    (urllib3_errors.NewConnectionError, "unreached"),
    (urllib3_errors.ProxyError, "unreached"),  # only while a proxy is asked for a connection
    (urllib3_errors.ConnectTimeoutError, "unreached"),
    (urllib3_errors.LocationValueError, "unreached"),
    (urllib3_errors.SSLError, "untrusted"),
    (urllib3_errors.ReadTimeoutError, "slow"),
    (urllib3_errors.HTTPError, "broken"),
    (ValueError, "broken"),  # of a chunk whose size is no size
)


class Transport:
    """Connections to one base URL. Not to be used in a process forked from the one that made it.

    They go through the proxy that the process environment names: see :func:`proxy_for`.

    :param base: the URL, checked.
    :param timeout: seconds for a whole answer.
    :raises ConfigError: the proxy's URL cannot be used.
    """

    def __init__(self, base: str, timeout: float) -> None:
        url = parse_url(base)
        #: Path of the base URL as it will be sent: urllib3 normalises a URL, and what is sent is what must be signed.
        self.prefix = (url.path or "").rstrip("/")
        seconds = Timeout(connect=min(timeout, CONNECT_SECONDS), read=timeout)
        self._proxy = proxy_for(url)
        #: What stands before the path of a request: through a proxy, the host.
        self._origin = ""
        self._pool: TimedPool | TimedTlsPool | _Proxy
        # `retries=False`: urllib3 neither repeats a request nor follows a redirect.
        if self._proxy is None:
            pool = TimedTlsPool if url.scheme == "https" else TimedPool
            self._pool = pool(url.host or "", url.port, timeout=seconds, maxsize=KEPT, retries=False)
        else:
            self._origin = f"{url.scheme}://{url.netloc}"
            self._pool = _Proxy(self._proxy, timeout=seconds, maxsize=KEPT, retries=False)

    def attempt(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send a request once."""
        try:
            response = self._pool.urlopen(
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
            return Outcome(next(kind for raised, kind in KINDS if isinstance(error, raised)), self._reason(error))

    def _reason(self, error: Exception) -> str:
        if self._proxy is None or not isinstance(error, urllib3_errors.ProxyError):
            return _cause(error)
        return f"the proxy {_shown(self._proxy)} of the environment: {_cause(error)}"

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.close()


class _Proxy(ProxyManager):
    """The same through a proxy: HTTPS through a tunnel (CONNECT), plain HTTP as requests of the proxy.

    :param proxy: its URL, with the user and the password that it wants.
    """

    def __init__(self, proxy: Url, **options: Any) -> None:
        headers = make_headers(proxy_basic_auth=unquote(proxy.auth)) if proxy.auth else None
        super().__init__(proxy.url, proxy_headers=headers, **options)
        self.pool_classes_by_scheme = {"http": TimedPool, "https": TimedTlsPool}

    def close(self) -> None:
        """Close the connections that are kept."""
        self.clear()


def proxy_for(url: Url) -> Url | None:
    """The proxy for requests to `url`, as the process environment has it; None if there is none.

    ``HTTPS_PROXY`` for ``https://``, ``HTTP_PROXY`` for ``http://``, else ``ALL_PROXY``, unless ``NO_PROXY`` has the
    host. The rules are those of :mod:`urllib.request`; a name in small letters counts before one in capitals.

    :raises ConfigError: its URL cannot be used.
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
            f"used: it takes http://host:port or https://host:port. NO_PROXY={url.host} goes without a proxy."
        )
    return proxy


def _shown(proxy: Url) -> str:
    """The URL of a proxy without user and password."""
    return proxy._replace(auth=None).url


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


def _cause(error: Exception) -> str:
    """What happened, without the names of urllib3's own objects."""
    return str(error.__cause__ or (error.args[-1] if error.args else error))
