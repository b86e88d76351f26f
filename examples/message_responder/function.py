"""Answers messages: the Conversation API posts what people write to /webhook/conversation."""

from typing import Any

from sinchfn import FunctionContext, FunctionRequest

REPLIES = {
    "hours": "We are open from nine to five, Monday to Friday.",
    "address": "Main Street 1, Springfield.",
}
HELP = f"Write one of: {', '.join(REPLIES)}."


def conversation_webhook(context: FunctionContext, request: FunctionRequest) -> dict[str, Any]:
    """A message came in: find the reply it deserves."""
    text = _text_of(request.json)
    if text is None:
        return {"handled": False}
    reply = REPLIES.get(text.strip().lower(), HELP)
    context.log.info("Reply: %s", reply)
    return {"handled": True, "reply": reply}


def _text_of(event: Any) -> str | None:
    for name in ("message", "contact_message", "text_message", "text"):
        event = event.get(name) if isinstance(event, dict) else None
    return event if isinstance(event, str) else None
