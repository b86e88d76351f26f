"""VoiceClient: the way in to the calling REST API of Voice v1."""

from __future__ import annotations

import math
from typing import Self

from ...config.settings import VOICE_REGIONS, parse_voice_api
from ...errors import Advised
from ...signatures import ApplicationScheme
from .api import Api
from .callouts import Callouts
from .calls import Calls
from .conferences import Conferences


class VoiceClient(Advised):
    """Makes calls and changes them. Safe for several threads; after a fork each process has connections of its own.

        client = VoiceClient(key, secret, api="euc1")
        made = client.callouts.tts("+46700000000", "Your taxi is here.")
        client.calls.update(made.call_id, create_ace_builder().hangup())

    Requests are signed, redirects are not followed, and TLS certificates are checked against the system's store
    (`SSL_CERT_FILE` names another). Proxies set in the environment are not used. A request to a reachable platform is
    sent once, but for `get`: it changes nothing and is tried up to three times when the platform is busy or the
    connection breaks. A request that never left, because no connection could be made, is tried up to three times too.

    :param key: the application key.
    :param secret: the application secret, Base64. It is not kept: only what signing needs is.
    :param api: a region (`global`, `use1`, `euc1`, `sae1`, `apse1`, `apse2`), or the base URL of the API.
    :param timeout: seconds that the platform may take for one whole answer. A connection gets as long, but 5 seconds
        at most (for each address of the host; looking the host up is the system's affair). After 15 seconds nothing
        is tried again, so that a method returns or raises within 30 with the default.
    :raises ValueError: one of these cannot be used; the message holds nothing of the secret.
    """

    def __init__(self, key: str, secret: str, *, api: str = "global", timeout: float = 10) -> None:
        if not 0 < timeout < math.inf:
            raise ValueError(f"timeout takes a number of seconds above 0, found {timeout}")
        self._api = Api(ApplicationScheme(key, secret), base_url(api), timeout)
        #: Calls that the platform makes.
        self.callouts = Callouts(self._api)
        #: Calls that there are.
        self.calls = Calls(self._api)
        #: Conferences that there are.
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
    """Where a region's API is; a URL stays as it is.

    :raises ValueError: it is neither.
    """
    try:
        parsed = parse_voice_api(api)
    except ValueError as error:
        shown = repr(api.rpartition("@")[2])  # without a password
        raise ValueError(f"api cannot be {shown}: {error}") from None
    if parsed not in VOICE_REGIONS:
        return parsed
    return f"https://calling{'' if parsed == 'global' else '-' + parsed}.api.sinch.com"
