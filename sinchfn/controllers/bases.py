"""The four base classes of controllers. What a subclass overrides becomes an endpoint; what it does not is none."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..errors import Advised

if TYPE_CHECKING:
    from .. import agents
    from .. import conversation as messages
    from ..config import FunctionConfig
    from ..function_context import FunctionContext
    from ..invocation import Invocation
    from ..requests import FunctionRequest
    from ..services.logs import RequestLogger
    from ..voice import callbacks


class SinchController(Advised):
    """Endpoints of one's own, and the base of all controllers::

        @route("/api")
        class Users(SinchController):
            def __init__(self, users: UserRepository) -> None:
                self.users = users

            @get("/users/<int:id>")
            def user(self, *, id):
                return self.users.find(id)

    A new instance is made for every request. What its ``__init__`` takes is found by the annotations: services that
    the function has registered (see :class:`~sinchfn.SinchFunctionInit`), :class:`~sinchfn.FunctionContext`,
    :class:`~sinchfn.FunctionConfig`, :class:`~sinchfn.FunctionRequest`, ``logging.Logger``, and what the context
    offers: ``Cache``, ``Storage``, ``Assets``. A service that is missing is a start-up error. ``context``, ``request``,
    ``config`` and ``log`` are there before ``__init__`` runs. Methods may be async.
    """

    _invocation: Invocation

    def __init__(self, *given: object) -> None:
        """Nothing to be done: what a subclass would pass on, as constructors in C# do, is there already."""

    @cached_property
    def context(self) -> FunctionContext:
        """What a plain handler gets as its first argument."""
        return self._invocation.context

    @cached_property
    def request(self) -> FunctionRequest:
        """The HTTP request, whatever the method gets as its argument."""
        return self._invocation.request

    @cached_property
    def config(self) -> FunctionConfig:
        """The function's settings and variables."""
        return self._invocation.function.config

    @cached_property
    def log(self) -> RequestLogger:
        """A logger bound to this request."""
        return self._invocation.context.log


class SinchVoiceController(SinchController):
    """Callbacks of a Voice application, as methods: ``def ice(self, data)``. They return what the handlers return.

    Served at ``POST /ice`` and so on, and at the root by the ``event`` of the body, like plain exports of these names,
    beside which they can stand.
    """

    def ice(self, data: callbacks.IceRequest) -> Any:
        """A call comes in. Returns SVAML."""

    def ace(self, data: callbacks.AceRequest) -> Any:
        """The other side picked up. Returns SVAML."""

    def pie(self, data: callbacks.PieRequest) -> Any:
        """What came of a menu. Returns SVAML."""

    def dice(self, data: callbacks.DiceRequest) -> Any:
        """The call has ended. What is returned is dropped."""

    def notify(self, data: callbacks.NotifyRequest) -> Any:
        """Something happened beside the call. What is returned is dropped."""


class SinchConversationController(SinchController):
    """What the Conversation API tells, as one method per trigger. Served at ``POST /webhook/conversation``.

    A trigger whose method is not overridden is answered with 200 and nothing else, one that this version does not know
    goes to :meth:`unknown_event`. The platform ignores what is answered, but for its status: after a failure it
    delivers again.
    """

    def message_inbound(self, event: messages.MessageInboundEvent) -> Any:
        """A contact wrote."""

    def message_inbound_smart_conversation_redaction(
        self, event: messages.MessageInboundSmartConversationRedactionEvent
    ) -> Any:
        """A contact wrote; with what is personal masked."""

    def message_submit(self, event: messages.MessageSubmitEvent) -> Any:
        """A message of the app was taken for delivery."""

    def message_delivery(self, event: messages.MessageDeliveryEvent) -> Any:
        """What became of a message of the app."""

    def event_inbound(self, event: messages.EventInboundEvent) -> Any:
        """A contact did something else: is composing, commented, reacted, paid."""

    def event_delivery(self, event: messages.EventDeliveryEvent) -> Any:
        """What became of an event of the app."""

    def conversation_start(self, event: messages.ConversationStartEvent) -> Any:
        """A conversation began."""

    def conversation_stop(self, event: messages.ConversationStopEvent) -> Any:
        """A conversation ended."""

    def conversation_delete(self, event: messages.ConversationDeleteEvent) -> Any:
        """A conversation was deleted."""

    def contact_create(self, event: messages.ContactCreateEvent) -> Any:
        """A contact was created."""

    def contact_update(self, event: messages.ContactUpdateEvent) -> Any:
        """A contact was changed."""

    def contact_delete(self, event: messages.ContactDeleteEvent) -> Any:
        """A contact was deleted."""

    def contact_merge(self, event: messages.ContactMergeEvent) -> Any:
        """Two contacts became one."""

    def contact_identities_duplication(self, event: messages.ContactIdentitiesDuplicationEvent) -> Any:
        """Several contacts have one identity."""

    def capability(self, event: messages.CapabilityEvent) -> Any:
        """What a contact's channel can do."""

    def opt_in(self, event: messages.OptInEvent) -> Any:
        """A contact agreed to be written to."""

    def opt_out(self, event: messages.OptOutEvent) -> Any:
        """A contact does not want to be written to."""

    def channel_event(self, event: messages.ChannelEvent) -> Any:
        """Something happened to a channel itself."""

    def unsupported(self, event: messages.UnsupportedEvent) -> Any:
        """A channel told something that the platform has no form for."""

    def smart_conversations(self, event: messages.SmartConversationsEvent) -> Any:
        """What the analysis of a message found."""

    def record_notification(self, event: messages.RecordNotificationEvent) -> Any:
        """A message or event was put on record."""

    def batch_status_update(self, event: messages.BatchStatusUpdateEvent) -> Any:
        """What became of a batch of messages."""

    def unknown_event(self, event: messages.ConversationEvent) -> Any:
        """A trigger that this version has no method for; ``event.raw`` has it all."""

    @property
    def conversation(self) -> Any:
        """The Conversation API of the official SDK; None without credentials. See ``context.conversation``."""
        return self._invocation.context.conversation

    def create_message(self, event: messages.ConversationEvent | None = None) -> messages.ConversationMessage:
        """A new message of the app in ``CONVERSATION_APP_ID``; with `event` a reply to it, without content yet."""
        from ..conversation import create_message

        if event is not None:
            return self.create_reply(event)
        message = create_message()
        # Not self.config, in the place of which a subclass may have put something else.
        app_id = self._invocation.function.config["CONVERSATION_APP_ID"]
        return message.app_id(app_id) if app_id else message

    def create_reply(self, event: messages.ConversationEvent) -> messages.ConversationMessage:
        """A message to whom `event` came from, by the way it came. See :func:`sinchfn.create_reply`."""
        from ..conversation import create_reply

        return create_reply(event)

    def reply(self, event: messages.ConversationEvent, text: str) -> messages.ConversationMessage:
        """The same with its text; ``.send(self.context.conversation)`` sends it. See :func:`sinchfn.reply`."""
        from ..conversation import reply

        return reply(event, text)


class AgentController(SinchController):
    """Webhooks of an ElevenLabs agent: the events after a call, and the personalisation before it.

    Events come to ``POST /webhook/elevenlabs``. One that is delivered again is answered, and not handled again.
    """

    def conversation_init(self, data: agents.ConversationInitRequest) -> Any:
        """A call is about to begin, at ``POST /webhook/elevenlabs-init``. Returns a :class:`~sinchfn.ConversationInit`.

        The caller hears it ringing meanwhile. This request is not signed: it carries ``ELEVENLABS_INIT_SECRET`` in its
        header ``X-Init-Secret``.
        """

    def post_call_transcription(self, event: agents.PostCallTranscription) -> Any:
        """A call has ended; what was said, and its analysis."""

    def post_call_audio(self, event: agents.PostCallAudio) -> Any:
        """A call has ended; its audio: ``self.context.storage.write(key, event.audio)``."""

    def call_initiation_failure(self, event: agents.CallInitiationFailure) -> Any:
        """A call out did not come about."""

    def unknown_event(self, event: agents.AgentEvent) -> Any:
        """An event of another type; ``event.raw`` has it all."""


#: The name that the platform's first documentation gave it.
ElevenLabsController = AgentController

#: The four, each with the methods that a subclass may override.
BASES = (SinchVoiceController, SinchConversationController, AgentController, SinchController)
