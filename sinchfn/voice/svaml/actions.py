"""The actions that builders offer. Each method returns the finished answer, so nothing can follow it.

Options that are not given are not sent, so the platform's defaults apply. Every value is checked at once against the
schemas; a broken limit is a ``SvamlError``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack

from ...errors import SvamlError
from ...wire.faults import describe
from ...wire.schemas import merged, switched_on, wire
from .instructions import Svaml, SvamlBuilder
from .menus import MenuBuilder, run_menu_action
from .options import (
    AgentProvider,
    Amd,
    CallHeaders,
    ConferenceDtmfMode,
    ConferenceDtmfOptions,
    Indications,
    Moh,
    SampleRate,
    SipOptions,
    Transport,
    WireRecordingOptions,
)
from .schemas import CONNECT_CONF, CONNECT_MXP, CONNECT_PSTN, CONNECT_SIP, CONNECT_STREAM, CONTINUE, HANGUP, PARK

#: Provider of agents -> its SIP host, which takes TCP only.
AGENT_HOSTS: Mapping[AgentProvider, str] = {AgentProvider.ELEVENLABS: "sip.rtc.elevenlabs.io:5060"}


class Actions(SvamlBuilder):
    """Actions for the answer to any event."""

    __slots__ = ()

    def hangup(self) -> Svaml:
        """End the call."""
        return self._finish(wire(HANGUP))

    def continue_(self) -> Svaml:
        """Let the call go on; in the answer to an ICE, to the destination that the caller asked for."""
        return self._finish(wire(CONTINUE))

    def connect_conf(
        self,
        conference_id: str,
        *,
        moh: Moh | None = None,
        dtmf_mode: ConferenceDtmfMode | None = None,
        max_digits: int | None = None,
        timeout_mills: int | None = None,
        conference_dtmf_options: ConferenceDtmfOptions | None = None,
    ) -> Svaml:
        """Join a conference, which begins with its first participant.

        :param conference_id: at most 64 characters.
        :param moh: the music that a participant hears alone; the platform's default is silence.
        :param dtmf_mode: what happens to digits; the platform's default is ``ignore``. ``detect`` sends them as PIEs.
        :param max_digits: with ``detect``, the digits of one input; the platform's default is 1.
        :param timeout_mills: with ``detect``, milliseconds after which an input ends; the platform's default is 3000.
        :param conference_dtmf_options: these three in wire form.
        """
        digits = merged(conference_dtmf_options, mode=dtmf_mode, maxDigits=max_digits, timeoutMills=timeout_mills)
        action = wire(CONNECT_CONF, {"conference_id": conference_id}, conference_dtmf_options=digits, moh=moh)
        return self._finish(action)

    def run_menu(
        self,
        menu: MenuBuilder | Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        barge: bool | None = None,
        locale: str | None = None,
        main_menu: str | None = None,
        enable_voice: bool | None = None,
    ) -> Svaml:
        """Play a menu and collect digits or speech. The result arrives as a PIE.

        :param menu: a ``MenuBuilder``, the result of its ``build()``, or a list of menus in wire form.
        :param barge: let an input cut the prompt short; the platform's default is True.
        :param locale: language of the prompts; required with ``enable_voice``.
        :param main_menu: id of the menu to start with, if it is not ``main``.
        :param enable_voice: accept spoken input too.
        """
        given = {"barge": barge, "locale": locale, "mainMenu": main_menu, "enableVoice": enable_voice}
        return self._finish(run_menu_action(menu, given))


class ConnectActions(SvamlBuilder):
    """Actions for ICE and PIE that connect the caller to someone else."""

    __slots__ = ()

    def connect_pstn(
        self,
        number: str | None = None,
        *,
        locale: str | None = None,
        max_duration: int | None = None,
        dial_timeout: int | None = None,
        cli: str | None = None,
        suppress_callbacks: bool | None = None,
        dtmf: str | int | None = None,
        indications: Indications | None = None,
        amd: bool | Amd | None = None,
        amd_async: bool | None = None,
    ) -> Svaml:
        """Call a telephone number.

        :param number: in E.164 form, such as ``+46555000111``; the default is the number that the client dialled.
        :param locale: language of the platform's own announcements; the platform's default is ``en-US``.
        :param max_duration: seconds, 1 to 14400.
        :param dial_timeout: seconds of ringing.
        :param cli: the number to show: one of your own, or ``private``.
        :param suppress_callbacks: drop the ACE and DICE callbacks of the new leg.
        :param dtmf: digits to send when the call is answered: ``0-9``, ``#``, and ``w`` for a pause of 500 ms.
        :param indications: country whose ringing tones the caller hears.
        :param amd: detect answering machines: True, False, or ``{"enabled": …, "async": …}`` in wire form.
        :param amd_async: True sends the ACE at once and the verdict as a ``notify``. Given alone, it turns ``amd`` on.
        """
        detection = switched_on(
            None if isinstance(amd, bool) else amd,
            enabled=amd if isinstance(amd, bool) else None,
            **{"async": amd_async},
        )
        action = wire(
            CONNECT_PSTN,
            number=number,
            locale=locale,
            max_duration=max_duration,
            dial_timeout=dial_timeout,
            cli=cli,
            suppress_callbacks=suppress_callbacks,
            dtmf=dtmf,
            indications=indications,
            amd=detection,
        )
        return self._finish(action)

    def connect_mxp(
        self,
        endpoint: str | None = None,
        *,
        call_headers: CallHeaders | None = None,
        record: bool | None = None,
        recording_options: WireRecordingOptions | None = None,
    ) -> Svaml:
        """Call an app or browser that uses a Sinch SDK.

        :param endpoint: the id of the user; the default is the user that the client called.
        :param call_headers: a mapping, or a list of ``{key, value}`` in wire form; at most 1024 bytes of UTF-8 in all.
        :param record: record the call (the instruction ``startRecording`` cannot be used with this action).
        :param recording_options: options of the recording, in wire form.
        """
        action = wire(
            CONNECT_MXP,
            destination=None if endpoint is None else {"type": "username", "endpoint": endpoint},
            call_headers=header_list(call_headers),
            record=record,
            recording_options=recording_options,
        )
        return self._finish(action)

    def connect_sip(self, endpoint: str, *, transport: Transport | None = None, **options: Unpack[SipOptions]) -> Svaml:
        """Call a SIP address.

        :param endpoint: ``user@host``.
        :param transport: the platform's default is UDP.
        :param options: see :class:`SipOptions`; any other option is a ``TypeError``.
        """
        destination = {"type": "sip", "endpoint": endpoint}
        given: dict[str, object] = {**options, "call_headers": header_list(options.get("call_headers"))}
        return self._finish(wire(CONNECT_SIP, {"destination": destination}, transport=transport, **given))

    def connect_agent(
        self, provider: AgentProvider | Literal["elevenlabs"], agent: str, **options: Unpack[SipOptions]
    ) -> Svaml:
        """Connect the call to an AI agent over SIP.

        :param agent: the name of the agent at the provider; for ElevenLabs the number that it was imported with.
        :param options: see :class:`SipOptions`.
        """
        try:
            host = AGENT_HOSTS[AgentProvider(str(provider).lower())]
        except ValueError:
            known = ", ".join(AgentProvider)
            raise SvamlError(
                f"connect_agent: the provider must be one of {known}, found {describe(provider)}."
            ) from None
        if not isinstance(agent, str) or not re.fullmatch(r"[^\s@]+", agent):
            raise SvamlError(
                f'connect_agent: the agent must be a name without spaces and "@", found {describe(agent)}.'
            )
        return self.connect_sip(f"{agent}@{host}", transport="TCP", **options)


class IceActions(SvamlBuilder):
    """Actions for an incoming call only."""

    __slots__ = ()

    def connect_stream(
        self,
        endpoint: str,
        *,
        sample_rate: SampleRate | None = None,
        max_duration: int | None = None,
        call_headers: CallHeaders | None = None,
    ) -> Svaml:
        """Stream the caller's audio over a WebSocket. (Closed beta of the platform.)

        :param endpoint: a path of this function such as ``/stream``, or a ``wss://`` URL of another server.
        :param sample_rate: hertz: 8000, 16000, 24000, 44100, 48000 or 96000.
        :param max_duration: seconds, 1 to 14400.
        :param call_headers: a mapping, or a list of ``{key, value}`` in wire form; at most 1024 bytes of UTF-8 in all.
        """
        streaming = None if sample_rate is None else {"version": 1, "sampleRate": sample_rate}
        action = wire(
            CONNECT_STREAM,
            {"destination": {"type": "Websocket", "endpoint": endpoint}},
            streaming_options=streaming,
            max_duration=max_duration,
            call_headers=header_list(call_headers),
        )
        return self._finish(action)

    def park(
        self,
        *,
        intro_prompt: str | None = None,
        hold_prompt: str | None = None,
        locale: str | None = None,
        max_duration: int | None = None,
    ) -> Svaml:
        """Keep the caller waiting until the call is changed over the REST API.

        :param intro_prompt: played once. In wire form: ``#tts[…]``, ``#ssml[…]``, URLs or file ids, joined by ``;``.
        :param hold_prompt: played in a loop, in the same form.
        :param locale: language of the prompts.
        :param max_duration: seconds, 1 to 600.
        """
        action = wire(
            PARK, locale=locale, intro_prompt=intro_prompt, hold_prompt=hold_prompt, max_duration=max_duration
        )
        return self._finish(action)


def header_list(headers: object) -> object:
    """Return call headers as a list in wire form. A value that is not a mapping is returned for the schema to check."""
    if isinstance(headers, Mapping):
        return [{"key": key, "value": value} for key, value in headers.items()]
    return headers
