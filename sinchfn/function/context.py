"""FunctionContext: the first argument of every handler."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ..config.config import FunctionConfig
from ..errors import Advised, DatabaseError
from ..logs.handlers import RequestLogger
from ..logs.records import RequestFields

if TYPE_CHECKING:
    import sqlite3

    from ..services.assets import Assets
    from ..services.cache import Cache
    from ..services.clients import Voice
    from ..services.injection.container import Scope
    from ..services.services import Services
    from ..services.storage import Storage


_log = logging.getLogger("sinchfn")


class Occasion(RequestFields, Protocol):
    """The reason for a context: a request, a socket, or the start or the end of a process."""

    @property
    def services(self) -> Services: ...
    @property
    def timestamp(self) -> datetime: ...
    @property
    def outcome(self) -> str: ...
    def new_scope(self) -> Scope: ...


class FunctionContext(Advised):
    """The services and settings for one call of a handler, one socket, or the start or the end of a process.

    Services are made on first use. They are synchronous, also in async handlers, and may be used from threads that the
    handler starts.
    """

    _called = "the context"
    _elsewhere: ClassVar[Mapping[str, str]] = {"logger": "log", "db": "open_database()", "call_id": "data.call_id"}

    __slots__ = ("_connection", "_is_over", "_lock", "_log", "_occasion", "_scope")

    def __init__(self, occasion: Occasion) -> None:
        self._occasion = occasion
        self._log: RequestLogger | None = None
        self._connection: sqlite3.Connection | None = None
        self._scope: Scope | None = None
        self._lock = threading.Lock()
        self._is_over = False

    @property
    def request_id(self) -> str:
        """The id of this request, as in the ``X-Request-ID`` of the answer and in every log line."""
        return self._occasion.request_id

    @property
    def timestamp(self) -> datetime:
        """The time of the request; aware, in UTC."""
        return self._occasion.timestamp

    @property
    def config(self) -> FunctionConfig:
        """The function's settings and variables."""
        return self._services.config

    @property
    def env(self) -> Mapping[str, str]:
        """Every variable in force, read-only: the process environment, ``.env``, ``sinch.json``, ``config=``."""
        return self._services.config.env

    @property
    def log(self) -> RequestLogger:
        """A logger bound to this request; its lines carry request id, handler and call id from any thread."""
        if self._log is None:
            name = f"sinchfn.function.{self._services.config.function_name}"
            self._log = RequestLogger(logging.getLogger(name), self._occasion)
        return self._log

    @property
    def _services(self) -> Services:
        return self._occasion.services

    @property
    def services(self) -> Scope:
        """The services that the function has registered: ``context.services.get(Orders)``.

        Controllers get services through their constructors instead. Scoped services belong to this request, and are
        closed when it ends.
        """
        if self._scope is None:
            with self._lock:
                if self._scope is None:
                    self._scope = self._occasion.new_scope()
                if self._is_over:
                    self._scope.close()
        return self._scope

    @property
    def cache(self) -> Cache:
        """Values with an expiry, shared by all workers: ``set get has delete extend keys get_many increment``."""
        return self._services.cache

    @property
    def storage(self) -> Storage:
        """Files: ``write read read_text open list exists delete``."""
        return self._services.storage

    @property
    def assets(self) -> Assets:
        """Private files of the function: ``assets(name)`` is the text of ``assets/<name>``; see :class:`Assets`."""
        return self._services.assets

    @property
    def database(self) -> str:
        """The path of the function's SQLite file. Its folder exists; the file itself may not exist yet.

        :raises DatabaseError: the folder cannot be made.
        """
        return self._services.database

    def open_database(self) -> sqlite3.Connection:
        """Return this request's connection to the SQLite file: WAL, foreign keys on, rows by name.

        The first call opens it. Commit changes with ``connection.commit()`` or ``with connection:``. At the end of the
        request, other changes are rolled back and the connection is closed.

        A test that overrides ``sqlite3.Connection`` gets its own connection here, which is not closed.

        :raises DatabaseError: the file cannot be opened, or the request has ended.
        """
        if (other := self._services.overridden_connection) is not None:
            return other
        with self._lock:
            if self._is_over:
                raise DatabaseError(
                    "The database connection is closed, because the request has ended. "
                    "Code that runs longer opens its own: sqlite3.connect(context.database)."
                )
            if self._connection is not None:
                return self._connection
        made = self._services.connect()  # may take seconds, so without the lock
        with self._lock:
            if self._connection is None and not self._is_over:
                self._connection = made
                return made
        made.close()  # another thread was faster, or the request has ended
        return self.open_database()

    @property
    def voice(self) -> Voice:
        """``voice.v1``: callouts, calls and conferences; ``voice.v2``: the official SDK. None without credentials."""
        return self._services.voice

    @property
    def conversation(self) -> Any:
        """The Conversation API of the official SDK; None unless ``PROJECT_ID*`` and ``CONVERSATION_APP_ID`` are set.

        :raises ExtraError: they are set, but the extra ``sdk`` is not installed. ``sms`` and ``numbers`` raise it too.
        """
        return self._services.conversation

    @property
    def sms(self) -> Any:
        """The SMS API of the official SDK; None unless ``PROJECT_ID*`` and ``SMS_SERVICE_PLAN_ID`` are set."""
        return self._services.sms

    @property
    def numbers(self) -> Any:
        """The Numbers API of the official SDK; None unless ``PROJECT_ID*`` are set and ``ENABLE_NUMBERS_API`` is."""
        return self._services.numbers

    def _end(self, error: BaseException | None = None) -> None:
        """Close everything that was opened for the request.

        :param error: the exception that the request failed with, for its services.
        """
        if self._is_over:
            return
        with self._lock:
            self._is_over = True
            connection, self._connection = self._connection, None
        try:
            if self._scope is not None:
                self._scope.close(error)  # first, because a service may still write to the database
        finally:
            self._close(connection)

    def _close(self, connection: sqlite3.Connection | None) -> None:
        if connection is None:
            return
        try:
            with suppress(connection.ProgrammingError):  # the handler has closed it
                self._roll_back(connection)
        except Exception:  # the changes are lost in any case
            _log.exception("The changes to the database could not be rolled back.")
        finally:
            connection.close()

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction and self._occasion.outcome == "ok":
            self.log.warning(
                "%s succeeded, but did not commit its changes to the database, and they were rolled back. "
                'Use "with context.open_database() as database:", or database.commit().',
                self._occasion.handler_name,
            )
        connection.rollback()

    def __repr__(self) -> str:
        return f"<FunctionContext of {self._occasion!r}>"
