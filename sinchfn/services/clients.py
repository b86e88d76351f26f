"""Clients of Sinch's APIs: our own of Voice v1, and those of the official `sinch` package for everything else.

Each is made when it is first asked for, and shared by all threads of a process.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from ..config import FunctionConfig
from ..errors import Advised
from ..voice.client import VoiceClient
from .extras import import_extra

_PROJECT = ("PROJECT_ID", "PROJECT_ID_API_KEY", "PROJECT_ID_API_SECRET")

#: Client -> the variables without which it is None.
NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "voice.v1": ("VOICE_APPLICATION_KEY", "VOICE_APPLICATION_SECRET"),
        "voice.v2": _PROJECT,
        "conversation": (*_PROJECT, "CONVERSATION_APP_ID"),
        "sms": (*_PROJECT, "SMS_SERVICE_PLAN_ID"),
        "numbers": (*_PROJECT, "ENABLE_NUMBERS_API"),
    }
)


class Clients:
    """The clients of one function; those whose variables are not set are None. Safe for several threads.

    After a fork the child makes its own: neither a connection nor a token is shared with the parent.

    :raises ExtraError: (all but ``voice.v1``) the package ``sinch`` is not installed: ``pip install 'sinchfn[sdk]'``.
    """

    def __init__(self, config: FunctionConfig) -> None:
        self._config = config
        self._by_process: dict[int, _Made] = {}

    @property
    def voice(self) -> Voice:
        """``voice.v1`` and ``voice.v2``."""
        return Voice(self)

    @property
    def voice_client(self) -> VoiceClient | None:
        """The client of the Voice application."""
        return self._mine.get("v1", lambda: make_voice_client(self._config)) if self.has("voice.v1") else None

    @property
    def voice_v2(self) -> Any:
        """The Voice API v2."""
        return self._sdk.voice.v2 if self.has("voice.v2") else None

    @property
    def conversation(self) -> Any:
        """The Conversation API, in the region ``CONVERSATION_REGION``.

        ``CONVERSATION_APP_ID`` is not sent by itself: give it as ``app_id`` where a method asks for one.
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
        """Close what was opened. The clients can be asked for again."""
        mine = self._by_process.pop(os.getpid(), None)
        if mine is not None:
            mine.close()

    def has(self, client: str) -> bool:
        """Return True if the variables of this client are set; it is not made."""
        return all(self._config[variable] for variable in NEEDED[client])

    @property
    def _sdk(self) -> Any:
        return self._mine.get("sdk", lambda: make_sinch_client(self._config))

    @property
    def _mine(self) -> _Made:
        """What this process has made."""
        process = os.getpid()
        mine = self._by_process.get(process)
        if mine is None:
            mine = self._by_process.setdefault(process, _Made())
            for other in self._by_process.keys() - {process}:
                self._by_process.pop(other, None)
        return mine

    def __repr__(self) -> str:
        there = [client for client in NEEDED if self.has(client)]
        return f"<Clients of {self._config.function_name}: {', '.join(there) or 'none'}>"


class VoiceClients(Protocol):
    """Where the two clients of the Voice API come from."""

    @property
    def voice_client(self) -> VoiceClient | None: ...
    @property
    def voice_v2(self) -> Any: ...


class Voice(Advised):
    """The two versions of the Voice API. ``context.voice`` in a handler."""

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


class _Made:
    """What one process has made, by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_name: dict[str, Any] = {}

    def get(self, name: str, make: Any) -> Any:
        found = self._by_name.get(name)
        if found is None:
            with self._lock:
                if name not in self._by_name:
                    self._by_name[name] = make()
                found = self._by_name[name]
        return found

    def close(self) -> None:
        with self._lock:
            for name, client in self._by_name.items():
                (client if name == "v1" else client.configuration.transport.http_session).close()
            self._by_name.clear()


def make_voice_client(config: FunctionConfig) -> VoiceClient:
    """The client of the Voice application."""
    return VoiceClient(
        config["VOICE_APPLICATION_KEY"], config["VOICE_APPLICATION_SECRET"], api=config["SINCHFN_VOICE_API"]
    )


def make_sinch_client(config: FunctionConfig) -> Any:
    """The official client with the credentials of the project.

    One serves all threads: its token is fetched under a lock, its headers belong to the request, and its
    ``requests.Session`` is only read.

    :raises ExtraError: it is not installed.
    """
    sinch = import_extra("sinch", "The client of an API other than Voice v1")
    return sinch.SinchClient(
        key_id=config["PROJECT_ID_API_KEY"],
        key_secret=config["PROJECT_ID_API_SECRET"],
        project_id=config["PROJECT_ID"],
        service_plan_id=config["SMS_SERVICE_PLAN_ID"],
        sms_region=config["SMS_REGION"],
        conversation_region=config["CONVERSATION_REGION"],
        logger=_quiet_logger(),
    )


def _quiet_logger() -> logging.Logger:
    logger = logging.getLogger("sinchfn.sdk")
    logger.addFilter(_without_contents)
    return logger


def _without_contents(record: logging.LogRecord) -> bool:
    """Leave method, or status, and URL of a log line; the package logs headers and bodies too, its token among them."""
    if isinstance(record.args, tuple) and len(record.args) == 4:
        record.msg, record.args = "sinch: %s %s", (record.args[0], record.args[3])
        return True
    return record.levelno > logging.DEBUG
