"""What a type checker must refuse in controllers. Only type-checked, never run."""

from __future__ import annotations

from typing import Any

from sinchfn import (
    MessageDeliveryEvent,
    PieRequest,
    SinchController,
    SinchConversationController,
    SinchVoiceController,
    get,
    post,
)


class Ivr(SinchVoiceController):
    def ice(self, data: PieRequest) -> Any: ...  # refuse: ice


class Messages(SinchConversationController):
    def message_inbound(self, event: MessageDeliveryEvent) -> Any: ...  # refuse: message_inbound


class Users(SinchController):
    @get(5)  # refuse: str
    def user(self) -> Any: ...

    @post("/users", body=5)  # refuse: Schema
    def create(self, user: Any) -> Any: ...

    @get("/count")
    def count(self) -> int:
        return 1


text: str = Users().count()  # refuse: int
