"""The five voice callbacks as they come in: `IceRequest`, `AceRequest`, `PieRequest`, `DiceRequest`, `NotifyRequest`.

A callback is a read-only mapping over the JSON object that came, plus one snake_case attribute per known field. The
fields are those of the Voice API v1 schema, and what its official SDKs are seen to parse beyond it.

Where the documents list the values of a field, its type has them, so that a type checker finds ``== "retrun"``. What
comes is never refused: at run time another word may be there.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from marshmallow import fields

from ..payloads import Amount, Flag, Instant, Items, Known, Pairs, Part, Whole, Wire, WireObject

#: What each enumeration holds, by the schema, the SDKs and the samples; a word is compared without case.
Event = Literal["ice", "ace", "pie", "dice", "notify"]
DestinationType = Literal["did", "number", "username", "sip", "conference", "email", "Did", "Number", "Username", "Sip"]
Domain = Literal["pstn", "mxp", "PSTN", "MXP"]
OriginationType = Literal["pstn", "mxp", "server", "sip", "PSTN", "MXP"]
AmdStatus = Literal["machine", "human", "notsure", "hangup", "inprogress"]
AmdReason = Literal["longgreeting", "initialsilence", "beep", "greeting", "n/a"]
MenuResultType = Literal["return", "sequence", "timeout", "hangup", "invalidinput", "error"]
InputMethod = Literal["dtmf", "voice"]
CallResult = Literal["ANSWERED", "BUSY", "NOANSWER", "FAILED", "N/A"]
CallReason = Literal[
    "N/A",
    "ESTABLISHED",
    "OTHERPEERANSWERED",
    "TIMEOUT",
    "CALLERHANGUP",
    "CALLEEHANGUP",
    "BLOCKED",
    "MANAGERHANGUP",
    "NOCREDITPARTNER",
    "CLIENTNETWORK",
    "CONGESTION",
    "GENERALERROR",
    "CANCEL",
    "USERNOTFOUND",
    "CALLBACKERROR",
    "BUSY",
    "NOANSWER",
    "INVALIDSVAMLACTION",
]
NotifyType = Literal[
    "recording_finished", "recording_available", "transcription_available", "amd", "amd_beep", "callingerror"
]


class Price(WireObject):
    """An amount of money."""

    _shown = "amount"

    #: ISO 4217 code such as `USD`; the schema lets it be null.
    currency_id = Wire("currencyId", fields.String())
    #: Exact decimal, in units of the currency (not cents).
    amount = Wire("amount", Amount())


class Destination(WireObject):
    """Where a call goes: the `to` of ICE and DICE."""

    _shown = "type"

    #: `did`, `number`, `username`, `sip`; also seen: `conference`, `email`.
    type = Wire("type", Known[DestinationType]())
    #: Phone number (DICE often leaves out the `+`), user name, SIP address or conference id.
    endpoint = Wire("endpoint", fields.String())


class AmdResult(WireObject):
    """What answering machine detection found."""

    _shown = "status"

    #: `machine`, `human`, `notsure`, `hangup`; asynchronous detection also `inprogress`.
    status = Wire("status", Known[AmdStatus]())
    #: `longgreeting`, `initialsilence`, `beep`, `n/a`; one SDK adds `greeting`.
    reason = Wire("reason", Known[AmdReason]())
    #: Length of what was listened to. The sources disagree on the unit: samples look like seconds.
    duration = Wire("duration", Whole())


class MenuResult(WireObject):
    """What a caller did in a menu."""

    _shown = "type"

    #: Id of the menu; for keys pressed in a conference, id of the conference.
    menu_id = Wire("menuId", fields.String())
    #: `return`, `sequence`, `timeout`, `hangup`, `invalidinput`, `error`.
    type = Wire("type", Known[MenuResultType]())
    #: The `x` of `return(x)`, or the digits or text of a `sequence`; for the other types undocumented, mostly empty.
    value = Wire("value", fields.String())
    #: `dtmf` or `voice`.
    input_method = Wire("inputMethod", Known[InputMethod]())
    #: Undocumented; an empty array in the samples.
    add_to_context = Wire("addToContext", Items())


class CallbackRequest(WireObject):
    """What every voice callback carries. The platform requires only `event`: anything else may be `None`."""

    _shown = "call_id"

    #: `ice`, `ace`, `pie`, `dice` or `notify`.
    event = Wire("event", Known[Event]())
    #: Opaque id of the call; a UUID today, other forms before. On the wire `callid` or `callId`.
    call_id = Wire("callid", fields.String())
    #: Id of the conference, while the call is in one.
    conference_id = Wire("conferenceId", fields.String())
    #: Version of the callback format: 1.
    version = Wire("version", Whole())
    #: When it happened, aware, in UTC. Notify has none.
    timestamp = Wire("timestamp", Instant())
    #: The text given when the call was made, up to 1024 bytes; often JSON, but always a string here.
    custom = Wire("custom", fields.String())
    #: Key of the Voice application. Notify has none.
    application_key = Wire("applicationKey", fields.String())
    #: Undocumented: read by an older official SDK.
    reference = Wire("reference", fields.String())
    #: User name of an in-app caller.
    user = Wire("user", fields.String())
    #: Cookies set with `set_cookie` earlier in this call. Their wire form is in no schema: both known forms are read.
    cookies = Wire("cookies", Pairs())
    #: Undocumented: read by an older official SDK, where what is absent counts as false.
    delayed = Wire("delayed", Flag())
    #: Of `callingerror`: 40001 is illegal SVAML, 50000 an internal error of the platform.
    error_code = Wire("errorCode", Whole())
    #: Of `callingerror`: the error in words.
    error_msg = Wire("errorMsg", fields.String())

    def __str__(self) -> str:
        """The event and the id of the call, for a log line: ``ice 1ce0ffee-...``."""
        named = type(self).__name__.removesuffix("Request").lower()
        return " ".join(repr(part[:64])[1:-1] for part in (self.event or named, self.call_id) if part)


class IceRequest(CallbackRequest):
    """Incoming call: what shall happen to it? Answered with SVAML."""

    #: URL of the call in the REST API, on the host of its region.
    call_resource_url = Wire("callResourceUrl", fields.String())
    #: Price per minute.
    user_rate = Wire("userRate", Part(Price))
    #: The caller's number, often without `+`; `private` when withheld.
    cli = Wire("cli", fields.String())
    #: What was dialled.
    to = Wire("to", Part(Destination))
    #: `pstn` or `mxp` (in-app). Known defect: `pstn` for calls to a conference, where `to.type` is right.
    domain = Wire("domain", Known[Domain]())
    #: `pstn` or `mxp`; also seen: `server`, `sip`.
    origination_type = Wire("originationType", Known[OriginationType]())
    #: Seconds; 0 in the only sample.
    duration = Wire("duration", Whole())
    #: The number that redirected the call; empty when none did.
    rdnis = Wire("rdnis", fields.String())
    #: Headers of the SDK client or private headers of SIP, together up to 1024 bytes.
    call_headers = Wire("callHeaders", Pairs())


class AceRequest(CallbackRequest):
    """Answered call: what shall happen now? Answered with SVAML."""

    #: Only if answering machine detection was asked for and its result is known.
    amd = Wire("amd", Part(AmdResult))


class PieRequest(CallbackRequest):
    """Input at a prompt: a menu returned. Answered with SVAML.

    Keys pressed in a conference come as this event too (`menu_result.type` is `sequence`); there the answer is dropped.
    """

    #: What the caller did.
    menu_result = Wire("menuResult", Part(MenuResult))


class DiceRequest(CallbackRequest):
    """Disconnected call. The answer is dropped."""

    #: Why: `CALLERHANGUP`, `CALLEEHANGUP`, `MANAGERHANGUP`, `TIMEOUT`, `NOCREDITPARTNER`, `GENERALERROR`, ...;
    #: `CALLBACKERROR` means that the platform could not use this function's answer.
    reason = Wire("reason", Known[CallReason]())
    #: `ANSWERED`, `BUSY`, `NOANSWER`, `FAILED`, `N/A`.
    result = Wire("result", Known[CallResult]())
    #: Price of the whole call.
    debit = Wire("debit", Part(Price))
    #: Price per minute.
    user_rate = Wire("userRate", Part(Price))
    #: What was dialled.
    to = Wire("to", Part(Destination))
    #: Who called, `from` on the wire; can be `private`.
    from_ = Wire("from", fields.String())
    #: Seconds. Absent when the call was not answered.
    duration = Wire("duration", Whole())
    #: Headers of the SDK client or private headers of SIP.
    call_headers = Wire("callHeaders", Pairs())


class NotifyRequest(CallbackRequest):
    """Something happened beside the call. The answer is dropped. It carries no timestamp and no application key."""

    #: `recording_finished`, `recording_available`, `transcription_available`, `amd`, `amd_beep`, `callingerror`, ...
    type = Wire("type", Known[NotifyType]())
    #: Where the recording or transcription was stored: a URL such as `azure://...`.
    destination = Wire("destination", fields.String())
    #: Of `amd` and `amd_beep`: what answering machine detection found.
    amd = Wire("amd", Part(AmdResult))


#: Event name -> what its payload is read as.
EVENTS: Mapping[str, type[CallbackRequest]] = MappingProxyType(
    {"ice": IceRequest, "ace": AceRequest, "pie": PieRequest, "dice": DiceRequest, "notify": NotifyRequest}
)
