"""The five voice callbacks: ``IceRequest``, ``AceRequest``, ``PieRequest``, ``DiceRequest``, ``NotifyRequest``.

A callback is a read-only mapping over the received JSON object, with a snake_case attribute for each known field. The
fields are those of the Voice API v1 schema, and those that only its official SDKs parse.

Where the documents list the values of a field, its type has them, so that a type checker reports ``== "retrun"``. At
run time other values may occur, because callbacks with them are accepted.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from ..wire.objects import Amount, Flag, Instant, Items, Known, Pairs, Part, Text, Whole, Wire, WireObject

#: The values of each enumeration by the schema, the SDKs and the samples. Comparisons ignore case.
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
    "N/A", "ESTABLISHED", "OTHERPEERANSWERED", "TIMEOUT", "CALLERHANGUP", "CALLEEHANGUP", "BLOCKED", "MANAGERHANGUP",
    "NOCREDITPARTNER", "CLIENTNETWORK", "CONGESTION", "GENERALERROR", "CANCEL", "USERNOTFOUND", "CALLBACKERROR", "BUSY",
    "NOANSWER", "INVALIDSVAMLACTION",
]  # fmt: skip
NotifyType = Literal[
    "recording_finished", "recording_available", "transcription_available", "amd", "amd_beep", "callingerror"
]


class Price(WireObject):
    """An amount of money."""

    _shown = "amount"

    #: ISO 4217 code such as ``USD``; the schema allows null.
    currency_id = Wire(Text(), "currencyId")
    #: Exact decimal, in units of the currency (not cents).
    amount = Wire(Amount())


class Destination(WireObject):
    """The destination of a call: the ``to`` of ICE and DICE."""

    _shown = "type"

    #: ``did``, ``number``, ``username``, ``sip``; also seen: ``conference``, ``email``.
    type = Wire(Known[DestinationType]())
    #: Phone number (DICE often leaves out the ``+``), user name, SIP address or conference id.
    endpoint = Wire(Text())


class AmdResult(WireObject):
    """The result of answering machine detection."""

    _shown = "status"

    #: ``machine``, ``human``, ``notsure``, ``hangup``; asynchronous detection also ``inprogress``.
    status = Wire(Known[AmdStatus]())
    #: ``longgreeting``, ``initialsilence``, ``beep``, ``n/a``; one SDK adds ``greeting``.
    reason = Wire(Known[AmdReason]())
    #: Length of the analysed audio. The sources disagree on the unit; the samples look like seconds.
    duration = Wire(Whole())


class MenuResult(WireObject):
    """The input of a caller in a menu."""

    _shown = "type"

    #: Id of the menu; for keys pressed in a conference, the id of the conference.
    menu_id = Wire(Text(), "menuId")
    #: ``return``, ``sequence``, ``timeout``, ``hangup``, ``invalidinput``, ``error``.
    type = Wire(Known[MenuResultType]())
    #: The ``x`` of ``return(x)``, or the digits or text of a ``sequence``. Undocumented, mostly empty, for other types.
    value = Wire(Text())
    #: ``dtmf`` or ``voice``.
    input_method = Wire(Known[InputMethod](), "inputMethod")
    #: Undocumented; an empty array in the samples.
    add_to_context = Wire(Items(), "addToContext")


class CallbackRequest(WireObject):
    """The fields of all voice callbacks. The platform requires only ``event``: any other may be None."""

    _shown = "call_id"

    #: ``ice``, ``ace``, ``pie``, ``dice`` or ``notify``.
    event = Wire(Known[Event]())
    #: Opaque id of the call; a UUID today, other forms before. In JSON ``callid`` or ``callId``.
    call_id = Wire(Text(), "callid")
    #: Id of the conference, while the call is in one.
    conference_id = Wire(Text(), "conferenceId")
    #: Version of the callback format: 1.
    version = Wire(Whole())
    #: Time of the event, aware, in UTC. Notify has none.
    timestamp = Wire(Instant())
    #: The text given when the call was made, up to 1024 bytes; always a string here, also if it is JSON.
    custom = Wire(Text())
    #: Key of the Voice application. Notify has none.
    application_key = Wire(Text(), "applicationKey")
    #: Undocumented; an older official SDK reads it.
    reference = Wire(Text())
    #: User name of an in-app caller.
    user = Wire(Text())
    #: Cookies set with ``set_cookie`` earlier in this call. No schema has their form; both known forms are read.
    cookies = Wire(Pairs())
    #: Undocumented; an older official SDK reads it, with false as the default.
    delayed = Wire(Flag())
    #: For ``callingerror``: 40001 is illegal SVAML, 50000 an internal error of the platform.
    error_code = Wire(Whole(), "errorCode")
    #: For ``callingerror``: the error in words.
    error_msg = Wire(Text(), "errorMsg")

    def __str__(self) -> str:
        """Return the event and the id of the call, for a log line: ``ice 1ce0ffee-...``."""
        named = type(self).__name__.removesuffix("Request").lower()
        return " ".join(repr(part[:64])[1:-1] for part in (self.event or named, self.call_id) if part)


class DialledCall(CallbackRequest):
    """The common fields of the beginning and the end of a call."""

    #: Price per minute.
    user_rate = Wire(Part(Price), "userRate")
    #: The dialled destination.
    to = Wire(Part(Destination))
    #: Seconds. Absent from DICE if the call was not answered; 0 in the only sample of ICE.
    duration = Wire(Whole())
    #: Headers of the SDK client or private SIP headers, together up to 1024 bytes.
    call_headers = Wire(Pairs(), "callHeaders")


class IceRequest(DialledCall):
    """An incoming call, before it is answered. The answer is SVAML."""

    #: URL of the call in the REST API, on the host of its region.
    call_resource_url = Wire(Text(), "callResourceUrl")
    #: The number of the caller, often without ``+``; ``private`` if it is withheld.
    cli = Wire(Text())
    #: ``pstn`` or ``mxp`` (in-app). Known defect: ``pstn`` for calls to a conference, where ``to.type`` is correct.
    domain = Wire(Known[Domain]())
    #: ``pstn`` or ``mxp``; also seen: ``server``, ``sip``.
    origination_type = Wire(Known[OriginationType](), "originationType")
    #: The number that redirected the call; empty if it was not redirected.
    rdnis = Wire(Text())


class AceRequest(CallbackRequest):
    """A call that was answered. The answer is SVAML."""

    #: Only if answering machine detection was requested and its result is known.
    amd = Wire(Part(AmdResult))


class PieRequest(CallbackRequest):
    """An input in a menu. The answer is SVAML.

    Keys pressed in a conference are sent as this event too (``menu_result.type`` is ``sequence``); then the answer is
    ignored.
    """

    menu_result = Wire(Part(MenuResult), "menuResult")


class DiceRequest(DialledCall):
    """A call that has ended. The answer is ignored."""

    #: The reason: ``CALLERHANGUP``, ``CALLEEHANGUP``, ``MANAGERHANGUP``, ``TIMEOUT``, ``NOCREDITPARTNER``,
    #: ``GENERALERROR``, ...; ``CALLBACKERROR`` means that the platform could not use this function's answer.
    reason = Wire(Known[CallReason]())
    #: ``ANSWERED``, ``BUSY``, ``NOANSWER``, ``FAILED``, ``N/A``.
    result = Wire(Known[CallResult]())
    #: Price of the whole call.
    debit = Wire(Part(Price))
    #: The caller, ``from`` in JSON; it can be ``private``.
    from_ = Wire(Text(), "from")


class NotifyRequest(CallbackRequest):
    """An event beside the call, without a timestamp and an application key. The answer is ignored."""

    #: ``recording_finished``, ``recording_available``, ``transcription_available``, ``amd``, ``amd_beep``,
    #: ``callingerror``, ...
    type = Wire(Known[NotifyType]())
    #: The place of the recording or transcription: a URL such as ``azure://...``.
    destination = Wire(Text())
    #: For ``amd`` and ``amd_beep``: the result of answering machine detection.
    amd = Wire(Part(AmdResult))


#: Name of the event -> class of its callback.
EVENTS: Mapping[str, type[CallbackRequest]] = MappingProxyType(
    {"ice": IceRequest, "ace": AceRequest, "pie": PieRequest, "dice": DiceRequest, "notify": NotifyRequest}
)
