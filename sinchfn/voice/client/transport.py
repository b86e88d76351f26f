"""The HTTP below the client: one pool of connections for one process. Imported with the first request only."""

from __future__ import annotations

from collections.abc import Mapping

from urllib3 import BaseHTTPResponse, Timeout
from urllib3 import exceptions as urllib3_errors
from urllib3.util import parse_url

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
    (urllib3_errors.ConnectTimeoutError, "unreached"),
    (urllib3_errors.LocationValueError, "unreached"),
    (urllib3_errors.SSLError, "untrusted"),
    (urllib3_errors.ReadTimeoutError, "slow"),
    (urllib3_errors.HTTPError, "broken"),
    (ValueError, "broken"),  # of a chunk whose size is no size
)


class Transport:
    """Connections to one base URL. Not to be used in a process forked from the one that made it.

    :param base: the URL, checked.
    :param timeout: seconds for a whole answer.
    """

    def __init__(self, base: str, timeout: float) -> None:
        url = parse_url(base)
        #: Path of the base URL as it will be sent: urllib3 normalises a URL, and what is sent is what must be signed.
        self.prefix = (url.path or "").rstrip("/")
        pool = TimedTlsPool if url.scheme == "https" else TimedPool
        # `retries=False`: urllib3 neither repeats a request nor follows a redirect.
        self._pool = pool(
            url.host or "",
            url.port,
            timeout=Timeout(connect=min(timeout, CONNECT_SECONDS), read=timeout),
            maxsize=KEPT,
            retries=False,
        )

    def attempt(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send a request once."""
        try:
            response = self._pool.urlopen(
                method, target, body or None, dict(headers), preload_content=False, decode_content=False
            )
            return _read(response)
        except (urllib3_errors.HTTPError, ValueError) as error:
            return Outcome(next(kind for raised, kind in KINDS if isinstance(error, raised)), _cause(error))

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.close()


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
