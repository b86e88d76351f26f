"""Answers messages: what people write on SMS, WhatsApp and the like comes to /webhook/conversation."""

from sinchfn import (
    Choice,
    ConversationEvent,
    ConversationMessage,
    MessageDeliveryEvent,
    MessageInboundEvent,
    OptInEvent,
    OptOutEvent,
    SinchConversationController,
    get_channel,
    get_identity,
    get_postback_data,
    get_text,
)

ANSWERS = {
    "hours": "We are open from nine to five, Monday to Friday.",
    "address": "Main Street 1, Springfield.",
}
QUESTION = "What would you like to know?"

#: Channels that show choices as buttons. Others make a long text of them, so they get a short one from here.
WITH_BUTTONS = ("WHATSAPP", "RCS")

#: Seconds. What is in the cache has an end, and whoever opted out wants no message for good.
TEN_YEARS = 10 * 365 * 24 * 3600


class Responder(SinchConversationController):
    """One method per trigger. Events without a method are answered with 200, and nothing else happens."""

    def message_inbound(self, event: MessageInboundEvent) -> None:
        """Somebody wrote, or pressed a button. What is returned here reaches nobody: an answer has to be sent."""
        if self.context.cache.has(_opted_out(event)):
            self.log.info("Not answered: whoever wrote has opted out")
            return
        # A button sends back what it carries, and not the text that is on it.
        topic = get_postback_data(event) or (get_text(event) or "").strip().lower()
        self._send(self.reply(event, ANSWERS[topic]) if topic in ANSWERS else self._offer(event))

    def message_delivery(self, event: MessageDeliveryEvent) -> None:
        """How far a message has come. That one was accepted by the API does not mean that it arrived."""
        report = event.message_delivery_report
        if report and report.status == "FAILED":
            code, why = (report.reason.code, report.reason.description) if report.reason else (None, None)
            self.log.warning("Message %s was not delivered: %s (%s)", report.message_id, code, why)

    def opt_out(self, event: OptOutEvent) -> None:
        """Somebody wants no messages. That counts also if the channel failed to note it (OPT_OUT_FAILED)."""
        self.context.cache.set(_opted_out(event), True, ttl=TEN_YEARS)

    def opt_in(self, event: OptInEvent) -> None:
        """Somebody wants messages again. Here it has to have succeeded: without consent nothing is sent."""
        if event.opt_in_notification and event.opt_in_notification.status == "OPT_IN_SUCCEEDED":
            self.context.cache.delete(_opted_out(event))

    def _offer(self, event: MessageInboundEvent) -> ConversationMessage:
        if get_channel(event) in WITH_BUTTONS:
            choices = [Choice.postback(topic.title(), topic) for topic in ANSWERS]
            return self.create_reply(event).choice(QUESTION, choices)
        return self.reply(event, f"{QUESTION} Write one of: {', '.join(ANSWERS)}.")

    def _send(self, message: ConversationMessage) -> None:
        client = self.context.conversation
        if client is None and self.config.is_development:
            self.log.info("Without credentials nothing is sent. It would be: %s", message.build())
            return
        # In production a missing client is an error here, and a failure of any kind has the platform deliver again.
        sent = message.send(client)
        self.log.info("Message %s sent", sent.message_id)


def _opted_out(event: ConversationEvent) -> str:
    """Where it is kept. Consent is given per channel; a number may come with + or without."""
    return f"opted-out:{(get_channel(event) or '').upper()}:{(get_identity(event) or '').lstrip('+')}"
