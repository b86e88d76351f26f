"""The client of the calling REST API of Voice v1: VoiceClient."""

from __future__ import annotations

import math
from typing import Self

from ...config.parsers import VOICE_REGIONS, voice_api
from ...errors import Advised
from ...security.application import ApplicationScheme
from .api import Api
from .callouts import Callouts
from .calls import Calls, Conferences


class VoiceClient(Advised):
    """A client that makes calls and changes them. Threads may share it; each forked process has its own connections.

        client = VoiceClient(key, secret, api="euc1")
        made = client.callouts.tts("+46700000000", "Your taxi is here.")
        client.calls.update(made.call_id, create_ace_builder().hangup())

    Requests are signed, redirects are not followed, and TLS certificates are checked against the system's store
    (``SSL_CERT_FILE`` names another). The proxies of the environment (``HTTPS_PROXY``, ``NO_PROXY``) are used.

    A request that reached the platform is sent once. Only ``get``, which changes nothing, is tried up to three times
    when the platform is busy or the connection breaks. A request that was never sent, because no connection could be
    made, is tried up to three times too.

    :param key: the application key.
    :param secret: the application secret, Base64. Only what signing needs is kept of it.
    :param api: a region (``global``, ``use1``, ``euc1``, ``sae1``, ``apse1``, ``apse2``), or the base URL of the API.
    :param timeout: seconds that the platform may take for one whole answer. A connection may take as long, but at most
        5 seconds for each address of the host; the lookup of the host is left to the system. After 15 seconds nothing
        is tried again, so that with the default a method returns or raises within 30 seconds.
    :raises ValueError: an argument is invalid; the message shows nothing of the secret.
    """

    def __init__(self, key: str, secret: str, *, api: str = "global", timeout: float = 10) -> None:
        if not 0 < timeout < math.inf:
            raise ValueError(f"timeout takes a number of seconds above 0, found {timeout}")
        self._api = Api(ApplicationScheme(key, secret), base_url(api), timeout)
        #: Calls that the platform makes.
        self.callouts = Callouts(self._api)
        #: Calls that exist.
        self.calls = Calls(self._api)
        #: Conferences that exist.
        self.conferences = Conferences(self._api)

    def close(self) -> None:
        """Close the connections that are kept for the next request. The client can be used again."""
        self._api.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<VoiceClient of {self._api!r}>"


def base_url(api: str) -> str:
    """Return the base URL of the API in a region; a URL is returned unchanged.

    :raises ValueError: ``api`` is neither a region nor a URL.
    """
    try:
        parsed = voice_api(api)
    except ValueError as error:
        shown = repr(api.rpartition("@")[2])  # without a password
        raise ValueError(f"api cannot be {shown}: {error}") from None
    if parsed not in VOICE_REGIONS:
        return parsed
    return f"https://calling{'' if parsed == 'global' else '-' + parsed}.api.sinch.com"
