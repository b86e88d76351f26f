"""What a type checker must refuse in events and messages of the Conversation API. Only type-checked, never run."""

from __future__ import annotations

from sinchfn.webhooks.conversation import (
    Card,
    Choice,
    ConversationEvent,
    ListSection,
    MessageInboundEvent,
    Template,
    create_message,
    create_sms,
    get_text,
    reply,
)

new = create_message()

# Events: attributes are spelt right, and may be None.
_ = MessageInboundEvent({}).mesage  # refuse: mesage
_ = MessageInboundEvent({}).message.id  # refuse: None
_ = ConversationEvent({}).message  # refuse: message
get_text("Hello")  # refuse: str
reply({}, 5)  # refuse: str

# Methods and options are spelt right.
new.txt("Hello")  # refuse: txt
new.choice("q", ["a"], footer="f")  # refuse: footer
new.card("title")  # refuse: Card
Choice.phone("t", "+1")  # refuse: phone
Card("t", image="https://example.com")  # refuse: image
create_sms("a", "+1", "Hello", form="Shop")  # refuse: form

# Values are of the right kind.
new.text(5)  # refuse: text
new.ttl("10s")  # refuse: ttl
new.queue("HIGH")  # refuse: queue
new.processing_strategy("DISPATCH")  # refuse: processing_strategy
new.conversation_metadata({}, "MERGE")  # refuse: MERGE
new.choice("q", [5])  # refuse: int
new.carousel(["a"])  # refuse: Card
new.list("t", ["a"])  # refuse: ListSection
new.template("id")  # refuse: template
new.template(channels=[Template("t")])  # refuse: channels
new.location("t", "1", 2)  # refuse: location
new.channel_properties({"A": True})  # refuse: bool
Card("t", height="HUGE")  # refuse: height
ListSection([5])  # refuse: int
