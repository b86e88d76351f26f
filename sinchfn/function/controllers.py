"""The four base classes of controllers. Methods you override become endpoints; the others do not."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import Advised

if TYPE_CHECKING:
    from ..config.config import FunctionConfig
    from ..logs.handlers import RequestLogger
    from ..voice import callbacks
    from ..webhooks import agents
    from ..webhooks import conversation as messages
    from .context import FunctionContext
    from .request import FunctionRequest


class Called(Protocol):
    """The call that a controller is made for."""

    @property
    def context(self) -> FunctionContext: ...
    @property
    def request(self) -> FunctionRequest: ...


class SinchController(Advised):
    """The base class of all controllers, and of those with routes of their own::

        @route("/api")
        class Users(SinchController):
            def __init__(self, users: UserRepository) -> None:
                self.users = users

            @get("/users/<int:id>")
            def user(self, *, id):
                return self.users.find(id)

    Every request gets a new instance. The arguments of ``__init__`` are injected by their annotations: services that
    the function has registered (see :class:`~sinchfn.SinchFunctionInit`), :class:`~sinchfn.FunctionContext`,
    :class:`~sinchfn.FunctionConfig`, :class:`~sinchfn.FunctionRequest`, ``logging.Logger``, and the services of the
    context: ``Cache``, ``Storage``, ``Assets``. A missing service is a start-up error. ``context``, ``request``,
    ``config`` and ``log`` are there before ``__init__`` runs. Methods may be async.
    """

    #: the call that this instance was made for
    _invocation: Called

    def __init__(self, *given: object) -> None:
        """Accept and ignore arguments, because constructors in C# pass theirs on to the base class."""

    @cached_property
    def context(self) -> FunctionContext:
        """The context of the call, as plain handlers get it."""
        return self._invocation.context

    @cached_property
    def request(self) -> FunctionRequest:
        """The HTTP request, also if the method gets another payload."""
        return self._invocation.request

    @cached_property
    def config(self) -> FunctionConfig:
        """The settings and variables of the function."""
        return self._invocation.context.config

    @cached_property
    def log(self) -> RequestLogger:
        """A logger bound to this request."""
        return self._invocation.context.log


class SinchVoiceController(SinchController):
    """Callbacks of a Voice application, as methods: ``def ice(self, data)``. They return the same values as handlers.

    They are served at ``POST /ice`` and so on, and at the root by the ``event`` of the body, like plain exports of
    these names. Plain exports for other callbacks may stand beside a controller.
    """

    def ice(self, data: callbacks.IceRequest) -> Any:
        """Answer an incoming call, with SVAML."""

    def ace(self, data: callbacks.AceRequest) -> Any:
        """Continue when the other side has picked up, with SVAML."""

    def pie(self, data: callbacks.PieRequest) -> Any:
        """Continue with the result of a menu, with SVAML."""

    def dice(self, data: callbacks.DiceRequest) -> Any:
        """Handle the end of a call. The returned value is ignored."""

    def notify(self, data: callbacks.NotifyRequest) -> Any:
        """Handle a notification about a call. The returned value is ignored."""


class SinchConversationController(SinchController):
    """Events of the Conversation API, with one method per trigger. Served at ``POST /webhook/conversation``.

    A trigger whose method is not overridden is answered 200. A trigger that this version does not know goes to
    :meth:`unknown_event`. The platform reads only the status of the answer: after a failure it delivers again.
    """

    def message_inbound(self, event: messages.MessageInboundEvent) -> Any:
        """Handle a message of a contact."""

    def message_inbound_smart_conversation_redaction(
        self, event: messages.MessageInboundSmartConversationRedactionEvent
    ) -> Any:
        """Handle a message of a contact in which personal data is masked."""

    def message_submit(self, event: messages.MessageSubmitEvent) -> Any:
        """Handle the acceptance of a message of the app for delivery."""

    def message_delivery(self, event: messages.MessageDeliveryEvent) -> Any:
        """Handle the delivery status of a message of the app."""

    def event_inbound(self, event: messages.EventInboundEvent) -> Any:
        """Handle an event of a contact: composing, a comment, a reaction, a payment."""

    def event_delivery(self, event: messages.EventDeliveryEvent) -> Any:
        """Handle the delivery status of an event of the app."""

    def conversation_start(self, event: messages.ConversationStartEvent) -> Any:
        """Handle the start of a conversation."""

    def conversation_stop(self, event: messages.ConversationStopEvent) -> Any:
        """Handle the end of a conversation."""

    def conversation_delete(self, event: messages.ConversationDeleteEvent) -> Any:
        """Handle the deletion of a conversation."""

    def contact_create(self, event: messages.ContactCreateEvent) -> Any:
        """Handle a new contact."""

    def contact_update(self, event: messages.ContactUpdateEvent) -> Any:
        """Handle a change of a contact."""

    def contact_delete(self, event: messages.ContactDeleteEvent) -> Any:
        """Handle the deletion of a contact."""

    def contact_merge(self, event: messages.ContactMergeEvent) -> Any:
        """Handle the merge of two contacts into one."""

    def contact_identities_duplication(self, event: messages.ContactIdentitiesDuplicationEvent) -> Any:
        """Handle an identity that several contacts share."""

    def capability(self, event: messages.CapabilityEvent) -> Any:
        """Handle the result of a capability lookup for a contact's channel."""

    def opt_in(self, event: messages.OptInEvent) -> Any:
        """Handle a contact's consent to receive messages."""

    def opt_out(self, event: messages.OptOutEvent) -> Any:
        """Handle a contact's refusal to receive messages."""

    def channel_event(self, event: messages.ChannelEvent) -> Any:
        """Handle an event of a channel itself."""

    def unsupported(self, event: messages.UnsupportedEvent) -> Any:
        """Handle a callback of a channel that the platform has no format for."""

    def smart_conversations(self, event: messages.SmartConversationsEvent) -> Any:
        """Handle the results of the analysis of a message."""

    def record_notification(self, event: messages.RecordNotificationEvent) -> Any:
        """Handle a notification that a message or event was recorded."""

    def batch_status_update(self, event: messages.BatchStatusUpdateEvent) -> Any:
        """Handle the status of a batch of messages."""

    def unknown_event(self, event: messages.ConversationEvent) -> Any:
        """Handle a trigger that this version has no method for; ``event.raw`` is the whole event."""

    @property
    def conversation(self) -> Any:
        """The Conversation API of the official SDK; None without credentials. See ``context.conversation``."""
        return self._invocation.context.conversation

    def create_message(self, event: messages.ConversationEvent | None = None) -> messages.ConversationMessage:
        """Return a new message of the app in ``CONVERSATION_APP_ID``; with ``event``, an empty reply to it."""
        from ..webhooks.conversation import create_message

        if event is not None:
            return self.create_reply(event)
        message = create_message()
        app_id = self._invocation.context.config["CONVERSATION_APP_ID"]
        return message.app_id(app_id) if app_id else message

    def create_reply(self, event: messages.ConversationEvent) -> messages.ConversationMessage:
        """Return an empty message to the sender of ``event``, on the same channel. See :func:`sinchfn.create_reply`."""
        from ..webhooks.conversation import create_reply

        return create_reply(event)

    def reply(self, event: messages.ConversationEvent, text: str) -> messages.ConversationMessage:
        """Return a text message to the sender of ``event``; ``.send(self.context.conversation)`` sends it.

        See :func:`sinchfn.reply`.
        """
        from ..webhooks.conversation import reply

        return reply(event, text)


class AgentController(SinchController):
    """Webhooks of an ElevenLabs agent: the events after a call, and the personalisation before it.

    Events are served at ``POST /webhook/elevenlabs``. An event that is delivered again is answered, but not handled
    again.
    """

    def conversation_init(self, data: agents.ConversationInitRequest) -> Any:
        """Personalise a call that is about to begin, by returning a :class:`~sinchfn.ConversationInit`.

        Served at ``POST /webhook/elevenlabs-init``; the caller hears the phone ring meanwhile. This request is not
        signed: it has ``ELEVENLABS_INIT_SECRET`` in its header ``X-Init-Secret``.
        """

    def post_call_transcription(self, event: agents.PostCallTranscription) -> Any:
        """Handle the transcript of a call that has ended, and its analysis."""

    def post_call_audio(self, event: agents.PostCallAudio) -> Any:
        """Handle the audio of a call that has ended: ``self.context.storage.write(key, event.audio)``."""

    def call_initiation_failure(self, event: agents.CallInitiationFailure) -> Any:
        """Handle an outgoing call that could not be started."""

    def unknown_event(self, event: agents.AgentEvent) -> Any:
        """Handle an event of another type; ``event.raw`` is the whole event."""


#: Its name in the platform's first documentation.
ElevenLabsController = AgentController

#: The base classes for signed calls. A controller is built on one of them, or on ``SinchController`` alone.
BASES = (SinchVoiceController, SinchConversationController, AgentController)
