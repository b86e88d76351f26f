"""Clients of Sinch's APIs: our own for Voice v1, and those of the official ``sinch`` package for the others.

Each is made on first use and shared by all threads of a process.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from ..config.config import FunctionConfig
from ..errors import Advised
from ..forks import Forkable, across_forks
from ..voice.client import VoiceClient
from .extras import import_extra


class ConversationClient(Protocol):
    """The Conversation API: ``context.conversation``."""

    apps: Any
    contacts: Any
    messages: Any


class SmsClient(Protocol):
    """The SMS API: ``context.sms``."""

    batches: Any
    delivery_reports: Any
    groups: Any
    inbounds: Any


class NumbersClient(Protocol):
    """The Numbers API: ``context.numbers``."""

    def list(self, *args: Any, **options: Any) -> Any: ...
    def get(self, *args: Any, **options: Any) -> Any: ...
    def update(self, *args: Any, **options: Any) -> Any: ...
    def release(self, *args: Any, **options: Any) -> Any: ...
    def rent(self, *args: Any, **options: Any) -> Any: ...
    def rent_any(self, *args: Any, **options: Any) -> Any: ...
    def check_availability(self, *args: Any, **options: Any) -> Any: ...
    def search_for_available_numbers(self, *args: Any, **options: Any) -> Any: ...


class VoiceV2Client(Protocol):
    """The Voice API v2: ``context.voice.v2``."""

    batches: Any
    calls: Any
    services: Any
    sessions: Any
    svaml: Any


_PROJECT = ("PROJECT_ID", "PROJECT_ID_API_KEY", "PROJECT_ID_API_SECRET")

#: Client -> the variables that must be set; without them it is None.
NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "voice.v1": ("VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET"),
        "voice.v2": _PROJECT,
        "conversation": (*_PROJECT, "CONVERSATION_APP_ID"),
        "sms": (*_PROJECT, "SMS_SERVICE_PLAN_ID"),
        "numbers": (*_PROJECT, "ENABLE_NUMBERS_API"),
    }
)


class Clients(Forkable):
    """The clients of one function; those whose variables are not set are None. Safe for several threads.

    A forked child makes its own: neither a connection nor a token is shared with the parent.

    :raises ExtraError: (all but ``voice.v1``) the package ``sinch`` is not installed: ``pip install 'sinchfn[sdk]'``.
    """

    def __init__(self, config: FunctionConfig) -> None:
        self._config = config
        self.after_fork_in_child()
        across_forks(self)

    def after_fork_in_child(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, Any] = {}

    @property
    def voice(self) -> Voice:
        """``voice.v1`` and ``voice.v2``."""
        return Voice(self)

    @property
    def voice_client(self) -> VoiceClient | None:
        """The client of the Voice application."""
        return self._shared("v1", make_voice_client) if self.has("voice.v1") else None

    @property
    def voice_v2(self) -> Any:
        """The Voice API v2."""
        return self._sdk.voice.v2 if self.has("voice.v2") else None

    @property
    def conversation(self) -> Any:
        """The Conversation API, in the region ``CONVERSATION_REGION``.

        ``CONVERSATION_APP_ID`` is not sent automatically: pass it as ``app_id`` where a method needs one.
        """
        return self._sdk.conversation if self.has("conversation") else None

    @property
    def sms(self) -> Any:
        """The SMS API, in the region ``SMS_REGION`` (default ``us``)."""
        return self._sdk.sms if self.has("sms") else None

    @property
    def numbers(self) -> Any:
        """The Numbers API."""
        return self._sdk.numbers if self.has("numbers") else None

    def close(self) -> None:
        """Close the clients that were made. They can be used again, and are made again then."""
        with self._lock:
            for name, client in self._made.items():
                (client if name == "v1" else client.configuration.transport.http_session).close()
            self._made.clear()

    def has(self, client: str) -> bool:
        """Return True if the variables of this client are set. It is not made."""
        return all(self._config[variable] for variable in NEEDED[client])

    @property
    def _sdk(self) -> Any:
        return self._shared("sdk", make_sinch_client)

    def _shared(self, name: str, make: Callable[[FunctionConfig], Any]) -> Any:
        found = self._made.get(name)
        if found is None:
            with self._lock:
                found = self._made.get(name) or self._made.setdefault(name, make(self._config))
        return found

    def __repr__(self) -> str:
        there = [client for client in NEEDED if self.has(client)]
        return f"<Clients of {self._config.function_name}: {', '.join(there) or 'none'}>"


class VoiceClients(Protocol):
    """An object that has the clients of both versions of the Voice API."""

    @property
    def voice_client(self) -> VoiceClient | None: ...
    @property
    def voice_v2(self) -> Any: ...


class Voice(Advised):
    """The two versions of the Voice API: ``context.voice`` in a handler."""

    __slots__ = ("_clients",)

    _called = "context.voice"
    _elsewhere: ClassVar[Mapping[str, str]] = {
        "callouts": "v1.callouts",
        "calls": "v1.calls",
        "conferences": "v1.conferences",
    }

    def __init__(self, clients: VoiceClients) -> None:
        self._clients = clients

    @property
    def v1(self) -> VoiceClient | None:
        """Callouts, calls and conferences of the Voice application; None unless its key and secret are set."""
        return self._clients.voice_client

    @property
    def v2(self) -> Any:
        """Voice v2 of the official package; None unless ``PROJECT_ID`` and its key and secret are set."""
        return self._clients.voice_v2

    def __repr__(self) -> str:
        return f"<Voice of {self._clients!r}>"


def make_voice_client(config: FunctionConfig) -> VoiceClient:
    """Make the client of the Voice application."""
    return VoiceClient(
        config["VOICE_APPLICATION_KEY"], config["VOICE_APPLICATION_SECRET"], api=config["SINCHFN_VOICE_API"]
    )


def make_sinch_client(config: FunctionConfig) -> Any:
    """Make the official client with the credentials of the project.

    One client serves all threads: it fetches its token under a lock, its headers belong to the request, and its
    ``requests.Session`` is only read.

    :raises ExtraError: the package is not installed.
    """
    sinch = import_extra("sinch", "The client of an API other than Voice v1")
    logger = logging.getLogger("sinchfn.sdk")
    logger.addFilter(leave_out_contents)
    return sinch.SinchClient(
        key_id=config["PROJECT_ID_API_KEY"],
        key_secret=config["PROJECT_ID_API_SECRET"],
        project_id=config["PROJECT_ID"],
        service_plan_id=config["SMS_SERVICE_PLAN_ID"],
        sms_region=config["SMS_REGION"],
        conversation_region=config["CONVERSATION_REGION"],
        logger=logger,
    )


def leave_out_contents(record: logging.LogRecord) -> bool:
    """Reduce a log line of the package to method, or status, and URL. It also logs headers, its token, and bodies."""
    if isinstance(record.args, tuple) and len(record.args) == 4:
        record.msg, record.args = "sinch: %s %s", (record.args[0], record.args[3])
        return True
    return record.levelno > logging.DEBUG
