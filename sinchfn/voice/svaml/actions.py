"""The actions that builders offer. Each method returns the finished answer, so nothing can follow it.

Options that were not given are not sent: the platform's defaults hold. Every limit is checked at once against the
schemas; a broken one is a `SvamlError`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Unpack

from ...errors import SvamlError
from .document import Svaml, SvamlBuilder
from .faults import describe
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
from .schemas import (
    CONNECT_CONF,
    CONNECT_MXP,
    CONNECT_PSTN,
    CONNECT_SIP,
    CONNECT_STREAM,
    CONTINUE,
    HANGUP,
    PARK,
)
from .wire import merged, switched_on, wire

#: Where the agents of a provider are reached by SIP, over TCP only.
AGENT_HOSTS: Mapping[AgentProvider, str] = {AgentProvider.ELEVENLABS: "sip.rtc.elevenlabs.io:5060"}


class Actions(SvamlBuilder):
    """Actions that every event may be answered with."""

    __slots__ = ()

    def hangup(self) -> Svaml:
        """End the call."""
        return self._finish(wire(HANGUP))

    def continue_(self) -> Svaml:
        """Let the call go on as it would have; in an ICE, as the one who called asked for."""
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

        :param conference_id: 64 characters at most.
        :param moh: what a participant hears alone; platform's default: silence.
        :param dtmf_mode: what happens to digits; platform's default `ignore`. `detect` makes PIEs of them.
        :param max_digits: with `detect`, how many digits make an input; platform's default 1.
        :param timeout_mills: with `detect`, milliseconds after which it ends; platform's default 3000.
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
        """Play a menu and collect digits or speech; what comes of it arrives as a PIE.

        :param menu: a `MenuBuilder`, what its `build()` returned, or a list of menus in wire form.
        :param barge: whether an input cuts the prompt short; platform's default: true.
        :param locale: language of the prompts; required with `enable_voice`.
        :param main_menu: id of the menu to start with, if not `main`.
        :param enable_voice: take spoken input too.
        """
        given = {"barge": barge, "locale": locale, "mainMenu": main_menu, "enableVoice": enable_voice}
        return self._finish(run_menu_action(menu, given))


class ConnectActions(SvamlBuilder):
    """Actions that connect the caller to someone else, from ICE and PIE."""

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

        :param number: in E.164 form, such as `+46555000111`; if not given, what the client dialled.
        :param locale: language of the platform's own announcements; platform's default `en-US`.
        :param max_duration: seconds, 1 to 14400.
        :param dial_timeout: seconds that it may ring.
        :param cli: number to show: one of your own, or `private`.
        :param suppress_callbacks: drop the ACE and DICE callbacks of the new leg.
        :param dtmf: digits to send once answered: `0-9`, `#`, and `w` for a pause of 500 ms.
        :param indications: country whose ringing tones the caller hears.
        :param amd: detect answering machines: True, False, or the wire's `{"enabled": …, "async": …}`.
        :param amd_async: True: ACE comes at once and the verdict as a `notify`; given alone it also turns `amd` on.
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

        :param endpoint: the user's id; if not given, whom the client called.
        :param call_headers: a mapping, or the wire's list of `{key, value}`; 1024 bytes of UTF-8 in all.
        :param record: record the call (the instruction `startRecording` cannot be used with this action).
        :param recording_options: where and how, in wire form.
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

        :param endpoint: `user@host`.
        :param transport: platform's default UDP.
        :param options: see `SipOptions`; any other is a `TypeError`.
        """
        destination = {"type": "sip", "endpoint": endpoint}
        given: dict[str, object] = {**options, "call_headers": header_list(options.get("call_headers"))}
        return self._finish(wire(CONNECT_SIP, {"destination": destination}, transport=transport, **given))

    def connect_agent(
        self, provider: AgentProvider | Literal["elevenlabs"], agent: str, **options: Unpack[SipOptions]
    ) -> Svaml:
        """Hand the call to an AI agent, over SIP.

        :param agent: the name under which the provider reaches it: for ElevenLabs the number it was imported with.
        :param options: see `SipOptions`.
        """
        host = AGENT_HOSTS[_provider(provider)]
        if not isinstance(agent, str) or not re.fullmatch(r"[^\s@]+", agent):
            raise SvamlError(f'connect_agent: the agent needs a name without spaces and "@", found {describe(agent)}.')
        return self.connect_sip(f"{agent}@{host}", transport="TCP", **options)


class IceActions(SvamlBuilder):
    """Actions of an incoming call alone."""

    __slots__ = ()

    def connect_stream(
        self,
        endpoint: str,
        *,
        sample_rate: SampleRate | None = None,
        max_duration: int | None = None,
        call_headers: CallHeaders | None = None,
    ) -> Svaml:
        """Carry the caller's audio over a WebSocket. (Closed beta of the platform.)

        :param endpoint: a path of this function such as `/stream`, or a `wss://` URL elsewhere.
        :param sample_rate: hertz: 8000, 16000, 24000, 44100, 48000 or 96000.
        :param max_duration: seconds, 1 to 14400.
        :param call_headers: a mapping, or the wire's list of `{key, value}`; 1024 bytes of UTF-8 in all.
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

        :param intro_prompt: played once, as the wire has it: `#tts[…]`, `#ssml[…]`, a URL or a file id, joined by `;`.
        :param hold_prompt: played again and again, written likewise.
        :param locale: language of the prompts.
        :param max_duration: seconds, 1 to 600.
        """
        action = wire(
            PARK, locale=locale, intro_prompt=intro_prompt, hold_prompt=hold_prompt, max_duration=max_duration
        )
        return self._finish(action)


def header_list(headers: object) -> object:
    """Call headers as the wire's list; what is no mapping comes back as it is, for the schema to judge."""
    if isinstance(headers, Mapping):
        return [{"key": key, "value": value} for key, value in headers.items()]
    return headers


def _provider(name: str) -> AgentProvider:
    try:
        return AgentProvider(str(name).lower())
    except ValueError:
        known = ", ".join(AgentProvider)
        raise SvamlError(f"connect_agent: the provider is one of {known}, found {describe(name)}.") from None
