"""A phone number that an ElevenLabs agent answers: who calls is known before, and what was said is kept after."""

import sqlite3
from typing import Any

from sinchfn import (
    CallInitiationFailure,
    ConversationInit,
    ConversationInitRequest,
    ElevenLabsController,
    FunctionContext,
    FunctionRequest,
    FunctionResponse,
    IceRequest,
    IceSvamlBuilder,
    PostCallAudio,
    PostCallTranscription,
    Svaml,
    bad_request,
    created,
)

auth = ["calls", "callers"]

TABLES = """
create table if not exists callers (number text primary key, name text not null);
create table if not exists calls (
    conversation text primary key, caller text, seconds integer, outcome text, summary text
);
"""


def ice(context: FunctionContext, data: IceRequest) -> Svaml:
    """A call comes in: the agent takes it, by the number that was imported at ElevenLabs."""
    return IceSvamlBuilder().connect_agent("elevenlabs", context.config.require_variable("AGENT_NUMBER"))


class Agent(ElevenLabsController):
    """What ElevenLabs asks before a call, and tells after it. An event that comes twice is handled once."""

    def conversation_init(self, data: ConversationInitRequest) -> ConversationInit:
        """Who is calling? The caller hears it ringing until this is answered: nothing slow belongs here."""
        row = _database(self.context).execute("select name from callers where number = ?", (_plain(data.caller_id),))
        name = next((row["name"] for row in row), None)
        # The agent needs every variable that its texts name, so an unknown caller has an empty one.
        start = ConversationInit().variable("caller_name", name or "")
        return start.first_message(f"Hello {name}, how can I help you?") if name else start

    def post_call_transcription(self, event: PostCallTranscription) -> None:
        """A call has ended: keep what came of it."""
        phone = event.metadata.phone_call if event.metadata else None
        call = (
            event.conversation_id,
            phone.external_number if phone else None,
            event.metadata.call_duration_secs if event.metadata else None,
            event.analysis.call_successful if event.analysis else None,
            event.analysis.transcript_summary if event.analysis else None,
        )
        with _database(self.context) as database:
            database.execute("insert or replace into calls values (?, ?, ?, ?, ?)", call)

    def post_call_audio(self, event: PostCallAudio) -> None:
        """The recording, megabytes of it: it goes into the storage piece by piece, and never is in memory whole."""
        self.context.storage.write(_recording(event.conversation_id), event.audio)

    def call_initiation_failure(self, event: CallInitiationFailure) -> None:
        """A call that the agent was to make did not come about."""
        self.log.warning("The agent's call %s failed: %s", event.conversation_id, event.failure_reason)


def calls(context: FunctionContext, request: FunctionRequest) -> list[dict[str, Any]]:
    """GET /calls, with the password: the latest first, and whether there is a recording."""
    rows = _database(context).execute("select * from calls order by rowid desc limit 20")
    return [{**row, "recorded": context.storage.exists(_recording(row["conversation"]))} for row in rows]


def callers(context: FunctionContext, request: FunctionRequest) -> FunctionResponse:
    """POST /callers {"number": "+46...", "name": "Ann"}, with the password: somebody the agent knows by name."""
    body = request.json
    number, name = (body.get("number"), body.get("name")) if isinstance(body, dict) else (None, None)
    if not isinstance(number, str) or not isinstance(name, str) or not _plain(number):
        return bad_request('Send {"number": "+46...", "name": "..."}')
    with _database(context) as database:
        database.execute("insert or replace into callers values (?, ?)", (_plain(number), name))
    return created({"number": number, "name": name})


def _database(context: FunctionContext) -> sqlite3.Connection:
    database = context.open_database()
    database.executescript(TABLES)
    return database


def _recording(conversation: str | None) -> str:
    return f"calls/{conversation}.mp3"


def _plain(number: str | None) -> str:
    """A number as it is stored: carriers send it with + and without."""
    return (number or "").lstrip("+")
