"""Messages of the Conversation API: what is built is what the official SDK sends, and what is refused says why."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sinchfn.config.config import load_config
from sinchfn.errors import ConfigError, MessageError
from sinchfn.services.clients import Clients
from sinchfn.webhooks.conversation import (
    SENDERS,
    Card,
    Choice,
    ConversationMessage,
    ListChoice,
    ListProduct,
    ListSection,
    Media,
    Template,
    create_channel_message,
    create_message,
    create_messenger,
    create_reply,
    create_sms,
    create_whatsapp,
    parse_event,
    reply,
    text_reply,
)
from sinchfn.wire import json as jsontext
from tests.harness.paths import CONVERSATION

VARIABLES = {
    "PROJECT_ID": "proj",
    "PROJECT_ID_API_KEY": "key",
    "PROJECT_ID_API_SECRET": "project-secret",
    "CONVERSATION_APP_ID": "app-1",
}
URL, PICTURE = "https://example.test/shop", "https://example.test/a.png"
START = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)

EMPTY = create_message()
BASE = EMPTY.app_id("app-1").to_channel("SMS", "+46700000000")
TO = {"app_id": "app-1", "recipient_identities": [{"channel": "SMS", "identity": "+46700000000"}]}

CHOICES = [
    "Yes",
    Choice.text("No", postback_data="no"),
    Choice.postback("Maybe", "maybe"),
    Choice.url("Shop", URL),
    Choice.call("Call us", "+46700000000", postback_data="called"),
    Choice.location("Here", 55.5, -13, label="Office"),
    Choice.share_location("Where are you?", URL),
    Choice.calendar("Save", "Visit", START, START + timedelta(hours=1), URL, event_description="Bring it"),
]
CHOICES_SENT = [
    {"text_message": {"text": "Yes"}},
    {"text_message": {"text": "No"}, "postback_data": "no"},
    {"text_message": {"text": "Maybe"}, "postback_data": "maybe"},
    {"url_message": {"title": "Shop", "url": URL}},
    {"call_message": {"title": "Call us", "phone_number": "+46700000000"}, "postback_data": "called"},
    {
        "location_message": {
            "title": "Here",
            "label": "Office",
            "coordinates": {"latitude": 55.5, "longitude": -13},
        }
    },
    {"share_location_message": {"title": "Where are you?", "fallback_url": URL}},
    {
        "calendar_message": {
            "title": "Save",
            "event_start": "2030-01-02T03:04:05Z",
            "event_end": "2030-01-02T04:04:05Z",
            "event_title": "Visit",
            "event_description": "Bring it",
            "fallback_url": URL,
        }
    },
]
CARD = Card("Parcel", "It is here", media=Media(PICTURE), choices=["Yes", "No"], height="TALL", whatsapp_header="News")
CARD_SENT = {
    "title": "Parcel",
    "description": "It is here",
    "media_message": {"url": PICTURE},
    "choices": [{"text_message": {"text": "Yes"}}, {"text_message": {"text": "No"}}],
    "height": "TALL",
    "message_properties": {"whatsapp_header": "News"},
}
SECTIONS = [
    ListSection(["Vanilla", ListChoice("Lemon", "Sour", media=PICTURE, postback_data="lemon")], "Ice cream"),
    ListSection([ListChoice("Tea")]),
]

#: Kind of content -> the message, its content on the wire, and the SDK's own method for it.
CONTENTS: dict[str, tuple[ConversationMessage, dict[str, Any], str]] = {
    "text": (BASE.text("Hello"), {"text_message": {"text": "Hello"}}, "send_text_message"),
    "media": (
        BASE.media(Media(URL, thumbnail_url=PICTURE, filename_override="a.pdf")),
        {"media_message": {"url": URL, "thumbnail_url": PICTURE, "filename_override": "a.pdf"}},
        "send_media_message",
    ),
    "media by its url": (BASE.media(URL), {"media_message": {"url": URL}}, "send_media_message"),
    "choice": (
        BASE.choice("Come?", CHOICES, whatsapp_footer="Thanks"),
        {
            "choice_message": {
                "text_message": {"text": "Come?"},
                "choices": CHOICES_SENT,
                "message_properties": {"whatsapp_footer": "Thanks"},
            }
        },
        "send_choice_message",
    ),
    "card": (BASE.card(CARD), {"card_message": CARD_SENT}, "send_card_message"),
    "carousel": (
        BASE.carousel([CARD, Card("Other")], ["More"]),
        {
            "carousel_message": {
                "cards": [CARD_SENT, {"title": "Other"}],
                "choices": [{"text_message": {"text": "More"}}],
            }
        },
        "send_carousel_message",
    ),
    "location": (
        BASE.location("Depot", 55.61294, 13, "Gate 3"),
        {
            "location_message": {
                "title": "Depot",
                "label": "Gate 3",
                "coordinates": {"latitude": 55.61294, "longitude": 13},
            }
        },
        "send_location_message",
    ),
    "template": (
        BASE.template(
            Template("T1", version="latest", language_code="en-US", parameters={"name": "Jo", "empty": ""}),
            channels={"WHATSAPP": Template("welcome", language_code="en_US")},
        ),
        {
            "template_message": {
                "omni_template": {
                    "template_id": "T1",
                    "version": "latest",
                    "language_code": "en-US",
                    "parameters": {"name": "Jo", "empty": ""},
                },
                "channel_template": {"WHATSAPP": {"template_id": "welcome", "language_code": "en_US"}},
            }
        },
        "send_template_message",
    ),
    "list of choices": (
        BASE.list(
            "Pick one", SECTIONS, description="Or two", media=PICTURE, menu="Flavours", whatsapp_header="Ice cream"
        ),
        {
            "list_message": {
                "title": "Pick one",
                "description": "Or two",
                "media": {"url": PICTURE},
                "sections": [
                    {
                        "title": "Ice cream",
                        "items": [
                            {"choice": {"title": "Vanilla"}},
                            {
                                "choice": {
                                    "title": "Lemon",
                                    "description": "Sour",
                                    "media": {"url": PICTURE},
                                    "postback_data": "lemon",
                                }
                            },
                        ],
                    },
                    {"items": [{"choice": {"title": "Tea"}}]},
                ],
                "message_properties": {"menu": "Flavours", "whatsapp_header": "Ice cream"},
            }
        },
        "send_list_message",
    ),
    "list of products": (
        BASE.list("Buy", [ListSection([ListProduct("sku-1", "FACEBOOK")])], catalog_id="cat-1"),
        {
            "list_message": {
                "title": "Buy",
                "sections": [{"items": [{"product": {"id": "sku-1", "marketplace": "FACEBOOK"}}]}],
                "message_properties": {"catalog_id": "cat-1"},
            }
        },
        "send_list_message",
    ),
}

#: One message per setting, what it adds to the body, and how the SDK's own methods take it.
SETTINGS: dict[str, tuple[ConversationMessage, dict[str, Any], dict[str, Any]]] = {
    "ttl": (BASE.ttl(10), {"ttl": "10s"}, {"ttl": 10}),
    "metadata": (BASE.metadata("order=1"), {"message_metadata": "order=1"}, {"message_metadata": "order=1"}),
    "conversation_metadata": (
        BASE.conversation_metadata({"aB": {"cD": None}, "n": None}, "MERGE_PATCH"),
        {
            "conversation_metadata": {"aB": {"cD": None}, "n": None},
            "conversation_metadata_update_strategy": "MERGE_PATCH",
        },
        {
            "conversation_metadata": {"aB": {"cD": None}, "n": None},
            "conversation_metadata_update_strategy": "MERGE_PATCH",
        },
    ),
    "correlation_id": (BASE.correlation_id("c-1"), {"correlation_id": "c-1"}, {"correlation_id": "c-1"}),
    "queue": (BASE.queue("HIGH_PRIORITY"), {"queue": "HIGH_PRIORITY"}, {"queue": "HIGH_PRIORITY"}),
    "processing_strategy": (
        BASE.processing_strategy("DISPATCH_ONLY"),
        {"processing_strategy": "DISPATCH_ONLY"},
        {"processing_strategy": "DISPATCH_ONLY"},
    ),
    "callback_url": (BASE.callback_url(URL), {"callback_url": URL}, {"event_destination_target": URL}),
    "message_content_type": (
        BASE.message_content_type("CONTENT_MARKETING"),
        {"message_content_type": "CONTENT_MARKETING"},
        {"message_content_type": "CONTENT_MARKETING"},
    ),
    "channel_priority_order": (
        BASE.channel_priority_order("SMS", "RCS"),
        {"channel_priority_order": ["SMS", "RCS"]},
        {"channel_priority_order": ["SMS", "RCS"]},
    ),
    "channel_properties": (
        BASE.sender("Shop").sender("+1", "MMS").channel_properties({"SMS_FLASH_MESSAGE": "true"}),
        {"channel_properties": {"SMS_SENDER": "Shop", "MMS_SENDER": "+1", "SMS_FLASH_MESSAGE": "true"}},
        {"channel_properties": {"SMS_SENDER": "Shop", "MMS_SENDER": "+1", "SMS_FLASH_MESSAGE": "true"}},
    ),
}

BODY = {
    "app_id": "app-1",
    "recipient": {"identified_by": {"channel_identities": [{"channel": "SMS", "identity": "+46700000000"}]}},
}


class Sinch(ThreadingHTTPServer):
    """Stands for the Conversation API: gives a token, takes messages, keeps their bodies."""

    daemon_threads = True

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Sinch

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        answer: dict[str, Any] = {"access_token": "token", "expires_in": 3599, "scope": "", "token_type": "bearer"}
        if self.path != "/oauth2/token":
            self.server.paths.append(self.path)
            self.server.bodies.append(json.loads(body))
            answer = {"message_id": "M1", "accepted_time": "2024-06-06T12:00:00Z"}
            if self.server.bodies[-1]["app_id"] == "wrong":
                answer = {"error": {"code": 404, "message": "no such app", "status": "NOT_FOUND"}}
        content = json.dumps(answer).encode()
        self.send_response(404 if "error" in answer else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def sinch() -> Iterator[Sinch]:
    server = Sinch()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def sdk(sinch: Sinch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """What handlers have as `context.conversation`, sending to the server here."""
    clients = Clients(load_config(tmp_path_factory.mktemp("function"), VARIABLES, environ={}))
    configuration = clients.conversation._sinch.configuration
    configuration.auth_origin = configuration.conversation_domain = f"http://127.0.0.1:{sinch.server_port}"
    yield clients.conversation
    clients.close()


def fixture(name: str, **changes: Any) -> dict[str, Any]:
    """The body of a webhook, with changes in what its own key holds."""
    body: dict[str, Any] = json.loads((CONVERSATION / f"{name}.json").read_text("utf-8"))
    key = parse_event(body).key
    return body | {key: body[key] | changes}


class TestOnTheWire:
    @pytest.mark.parametrize("kind", CONTENTS)
    def test_build_is_the_body_of_the_documentation(self, kind: str) -> None:
        message, content, _ = CONTENTS[kind]
        assert message.build() == {**BODY, "message": content}

    @pytest.mark.parametrize("kind", CONTENTS)
    def test_the_sdk_sends_what_was_built(self, kind: str, sdk: Any, sinch: Sinch) -> None:
        message, _, _ = CONTENTS[kind]
        assert message.send(sdk).message_id == "M1"
        assert sinch.bodies[-1] == message.build()
        assert sinch.paths[-1] == "/v1/projects/proj/messages:send"

    @pytest.mark.parametrize("kind", CONTENTS)
    def test_the_sdks_own_method_sends_the_same(self, kind: str, sdk: Any, sinch: Sinch) -> None:
        message, content, method = CONTENTS[kind]
        argument = {"text": "Hello"} if kind == "text" else content
        getattr(sdk.messages, method)(**TO, **argument)
        assert sinch.bodies[-1] == message.build()

    @pytest.mark.parametrize("setting", SETTINGS)
    def test_so_it_is_with_every_setting(self, setting: str, sdk: Any, sinch: Sinch) -> None:
        message, added, arguments = SETTINGS[setting]
        message = message.text("Hello")
        assert message.build() == {**BODY, "message": {"text_message": {"text": "Hello"}}, **added}
        message.send(sdk)
        assert sinch.bodies[-1] == message.build()
        sdk.messages.send_text_message(**TO, text="Hello", **arguments)
        assert sinch.bodies[-1] == message.build()

    def test_recipients(self, sdk: Any, sinch: Sinch) -> None:
        to_contact = EMPTY.app_id("app-1").to_contact("contact-1").text("Hello")
        assert to_contact.build()["recipient"] == {"contact_id": "contact-1"}
        both = BASE.to_channel("RCS", "+46700000000").text("Hello")
        assert both.build()["recipient"]["identified_by"]["channel_identities"] == [
            {"channel": "SMS", "identity": "+46700000000"},
            {"channel": "RCS", "identity": "+46700000000"},
        ]
        for message in (to_contact, both):
            message.send(sdk)
            assert sinch.bodies[-1] == message.build()

    def test_a_channels_own_form(self, sdk: Any, sinch: Sinch) -> None:
        message = BASE.explicit_channel_message("WHATSAPP", {"aB": 1}).explicit_channel_message("RCS", "{}").text("Hi")
        explicit = {"WHATSAPP": '{"aB":1}', "RCS": "{}"}
        assert message.build()["message"] == {
            "explicit_channel_message": explicit,
            "text_message": {"text": "Hi"},
        }
        assert BASE.explicit_channel_message("RCS", "{}").build()["message"] == {
            "explicit_channel_message": {"RCS": "{}"}
        }
        message.send(sdk)
        assert sinch.bodies[-1] == message.build()

    def test_what_the_platform_refuses_is_an_error_of_the_sdk(self, sdk: Any) -> None:
        with pytest.raises(Exception, match="no such app") as caught:
            BASE.app_id("wrong").text("Hello").send(sdk)
        assert type(caught.value).__name__ == "ConversationException"

    def test_without_a_client_the_message_names_what_is_missing(self) -> None:
        with pytest.raises(ConfigError) as caught:
            BASE.text("Hello").send(None)
        for word in (*VARIABLES, "pip install 'sinchfn[sdk]'"):
            assert word in str(caught.value)


class TestValues:
    def test_every_method_leaves_the_message_as_it_was(self) -> None:
        before = BASE.build
        with pytest.raises(MessageError):
            before()
        one, two = BASE.text("one"), BASE.text("two")
        assert one.build()["message"] == {"text_message": {"text": "one"}}
        assert two.build()["message"] == {"text_message": {"text": "two"}}
        one.to_channel("RCS", "+1").ttl(5).sender("x").conversation_metadata({"a": 1})
        assert one == BASE.text("one")
        assert one != two

    def test_what_is_built_is_the_callers(self) -> None:
        message = BASE.choice("Come?", CHOICES)
        message.build()["message"]["choice_message"]["choices"].clear()
        message.build()["recipient"].clear()
        assert message.build()["message"]["choice_message"]["choices"] == CHOICES_SENT

    def test_what_was_given_may_change_afterwards(self) -> None:
        inner: dict[str, Any] = {"a": {"b": 1}}
        properties, names = {"SMS_FLASH_MESSAGE": "true"}, ["Yes"]
        card = Card("t", choices=names)
        message = BASE.conversation_metadata(inner).channel_properties(properties).card(card)
        inner["a"]["b"] = 2
        properties.clear()
        names.append("No")
        built = message.build()
        assert built["conversation_metadata"] == {"a": {"b": 1}}
        assert built["channel_properties"] == {"SMS_FLASH_MESSAGE": "true"}
        assert len(built["message"]["card_message"]["choices"]) == 1

    def test_iterators_are_taken_once(self) -> None:
        message = BASE.carousel((Card(title) for title in "ab"), (text for text in "cd"))
        assert message.build() == message.build()
        assert len(message.build()["message"]["carousel_message"]["choices"]) == 2

    def test_a_setting_given_twice_is_the_last_one(self) -> None:
        message = (
            BASE.text("x").ttl(5).ttl(6).app_id("other").channel_properties({"A": "1"}).channel_properties({"A": ""})
        )
        built = message.build()
        assert (built["ttl"], built["app_id"], built["channel_properties"]) == ("6s", "other", {"A": ""})

    def test_equal_parts_are_equal(self) -> None:
        assert Choice.text("a") == Choice.text("a") != Choice.text("b")
        assert Media(URL) != Card("t", media=URL)
        assert BASE.text("a") != "a"

    def test_a_repr_shows_no_text_and_no_number(self) -> None:
        assert repr(BASE.text("secret")) == "<ConversationMessage: text_message>"
        assert repr(BASE) == "<ConversationMessage: nothing yet>"
        assert repr(Choice.text("secret", postback_data="p")) == "<Choice: text_message, postback_data>"
        assert repr(CARD) == "<Card: title, description, media_message, choices, height, message_properties>"

    def test_it_can_be_written_as_json(self) -> None:
        message = BASE.text("Hello")
        assert jsontext.loads(jsontext.dumps({"sent": message}).encode()) == {"sent": message.build()}

    def test_times_of_any_zone_are_sent_in_utc(self) -> None:
        east = datetime(2030, 1, 1, 1, 0, 0, 5, tzinfo=timezone(timedelta(hours=2)))
        built = Choice.calendar("t", "e", east, east, URL).build()["calendar_message"]
        assert built["event_start"] == "2029-12-31T23:00:00.000005Z"


def refused(make: Callable[[], Any], *words: str) -> None:
    with pytest.raises(MessageError) as caught:
        make()
    assert isinstance(caught.value, ValueError)
    for word in words:
        assert word in str(caught.value)


class TestRefused:
    @pytest.mark.parametrize(
        ("message", "words"),
        [
            (EMPTY, ["app_id(...)", "to_channel(channel, identity) or to_contact(contact_id)", 'text("Hello")']),
            (BASE, ["needs a content"]),
            (EMPTY.app_id("a").text("x"), ["needs a recipient"]),
            (EMPTY.to_contact("c").text("x"), ["needs an app"]),
            (
                EMPTY.app_id("a").to_contact("c").text("x").processing_strategy("DISPATCH_ONLY"),
                ["there are no contacts", "to_channel(channel, identity)"],
            ),
        ],
    )
    def test_a_message_that_lacks_something_is_not_built(self, message: ConversationMessage, words: list[str]) -> None:
        refused(message.build, *words)
        refused(lambda: message.send(None), *words)

    def test_one_content_and_one_kind_of_recipient(self) -> None:
        refused(lambda: BASE.text("a").media(URL), "one content", "text_message", "media_message")
        refused(lambda: BASE.text("a").text("b"), "one content")
        refused(lambda: BASE.explicit_channel_message("RCS", "{}").text("a").text("b"), "one content")
        refused(lambda: BASE.to_contact("c"), "to a contact or to identities", "found both")
        refused(lambda: EMPTY.to_contact("c").to_channel("SMS", "+1"), "found both")

    @pytest.mark.parametrize(
        ("make", "words"),
        [
            (lambda: BASE.choice("q", ["a"] * 11), ["choices: must have at most 10 items, found 11"]),
            (lambda: BASE.choice("q", []), ["choices: must have at least one item, found none"]),
            (lambda: Card("t", choices=["a"] * 11), ["choices of a card: must have at most 10 items, found 11"]),
            (lambda: Card(), ["a title, a description, media or choices, found none"]),
            (lambda: Card(whatsapp_header="h"), ["found none of them"]),
            (lambda: BASE.carousel([Card("t")] * 11), ["cards: must have at most 10 items, found 11"]),
            (lambda: BASE.carousel([]), ["cards: must have at least one item"]),
            (lambda: BASE.carousel([Card("t")], ["a"] * 4), ["choices of a carousel: must have at most 3", "found 4"]),
            (
                lambda: BASE.list("t", [ListSection(["a"] * 6), ListSection(["b"] * 5)]),
                ["at most 10 choices, all sections together, found 11"],
            ),
            (lambda: BASE.list("t", []), ["sections of a list: must have at least one item"]),
            (lambda: ListSection([]), ["items of a ListSection: must have at least one item"]),
            (lambda: BASE.list("t", [ListSection([ListProduct("i", "m")])]), ["catalog_id"]),
            (
                lambda: BASE.list("t", [ListSection(["a", ListProduct("i", "m")])], catalog_id="c"),
                ["choices or products, found both"],
            ),
            (lambda: BASE.template(), ["a template for all channels, templates by channel, or both"]),
            (lambda: BASE.template(Template("t")), ["version", "latest"]),
            (lambda: BASE.template(channels={}), ["at least one"]),
            (lambda: BASE.template(channels={"WHATSAPP": Template("t")}), ["WHATSAPP", "language_code"]),
            (lambda: BASE.metadata("x" * 1025), ["at most 1024 characters, found 1025"]),
            (lambda: BASE.correlation_id("x" * 129), ["at most 128 characters, found 129"]),
            (lambda: BASE.conversation_metadata({"a": "x" * 2041}), ["at most 2048 characters of JSON, found 2049"]),
            (lambda: BASE.channel_properties({"A": "x" * 1025}), ['channel_properties["A"]', "1024", "1025"]),
            (lambda: BASE.ttl(2), ["ttl: must be from 3 to 315576000000, found 2"]),
            (lambda: BASE.ttl(315_576_000_001), ["found 315576000001"]),
            (lambda: BASE.location("t", 90.5, 0), ["latitude: must be from -90 to 90, found 90.5"]),
            (lambda: BASE.location("t", 0, -181), ["longitude: must be from -180 to 180, found -181"]),
            (lambda: Choice.location("t", float("nan"), 0), ["latitude", "found nan"]),
            (lambda: BASE.text(""), ["text: must not be empty"]),
            (lambda: BASE.text("\ud800"), ["half of a surrogate pair"]),
            (lambda: BASE.media("a.png"), ["url of the media", "https://", 'found "a.png"']),
            (lambda: BASE.callback_url("ftp://x.y"), ["callback_url", "https://", 'found "ftp://x.y"']),
            (lambda: Choice.url("t", "example"), ["url of Choice.url", 'found "example"']),
            (lambda: Choice.call("t", "46700000000"), ["+46700000000", 'found "46700000000"']),
            (lambda: Choice.postback("t", ""), ["postback_data: must not be empty"]),
            (lambda: Choice.calendar("t", "e", datetime(2030, 1, 1), START, URL), ["without a time zone"]),
            (lambda: BASE.to_channel("sms", "+1"), ['found "sms"', 'Did you mean "SMS"?']),
            (lambda: BASE.channel_priority_order(), ["channel_priority_order: must have at least one item"]),
            (lambda: BASE.sender("x", "WHATSAPP"), ["SMS and MMS", 'found "WHATSAPP"', "settings of the app"]),
        ],
    )  # fmt: skip
    def test_a_broken_limit_says_what_is_allowed(self, make: Callable[[], Any], words: list[str]) -> None:
        refused(make, *words)

    @pytest.mark.parametrize(
        ("at_the_limit"),
        [
            BASE.choice("q", ["a"] * 10),
            BASE.carousel([Card("t")] * 10, ["a"] * 3),
            BASE.list("t", [ListSection(["a"] * 5), ListSection(["b"] * 5)]),
            BASE.list("t", [ListSection([ListProduct("i", "m")] * 11)], catalog_id="c"),
            BASE.text("x" * 100_000).metadata("x" * 1024).correlation_id("x" * 128).ttl(3),
            BASE.text("x").conversation_metadata({"a": "x" * 2040}).channel_properties({"A": "x" * 1024}),
            BASE.location("t", -90, 180).ttl(315_576_000_000).metadata("é" * 1024),
            BASE.text("x").to_channel("BRAND_NEW_CHANNEL2", "x"),
        ],
    )
    def test_at_the_limit_the_sdk_takes_it(self, at_the_limit: ConversationMessage, sdk: Any, sinch: Sinch) -> None:
        at_the_limit.send(sdk)
        assert sinch.bodies[-1] == at_the_limit.build()

    @pytest.mark.parametrize("wrong", [None, 5, True, b"x", ["x"], object()])
    def test_wrong_types_are_named(self, wrong: Any) -> None:
        for make in (
            lambda: BASE.text(wrong),
            lambda: BASE.media(wrong),
            lambda: BASE.card(wrong),
            lambda: BASE.choice("q", [wrong]),
            lambda: BASE.carousel([wrong]),
            lambda: BASE.list("t", [wrong]),
            lambda: ListSection([wrong]),
            lambda: BASE.template(channels={"SMS": wrong}),
            lambda: BASE.to_channel(wrong, "+1"),
            lambda: BASE.to_contact(wrong),
            lambda: BASE.app_id(wrong),
            lambda: BASE.queue(wrong),
            lambda: BASE.processing_strategy(wrong),
            lambda: BASE.channel_properties({"A": wrong}),
            lambda: BASE.conversation_metadata(wrong),
            lambda: BASE.ttl(wrong if wrong != 5 else "5"),
            lambda: Choice.location("t", wrong if wrong != 5 else "5", 0),
            lambda: Choice.calendar("t", "e", wrong, START, URL),
        ):
            refused(make, "must be", "found")

    def test_words_are_checked_with_a_hint(self) -> None:
        queue: Any = "HIGH_PRIORTY"
        refused(lambda: BASE.queue(queue), "one of NORMAL_PRIORITY, HIGH_PRIORITY", 'Did you mean "HIGH_PRIORITY"?')

    def test_a_text_is_no_list_of_choices(self) -> None:
        refused(lambda: BASE.choice("q", "abc"), "choices: must be a list")

    @pytest.mark.parametrize("wrong", [{"a": float("nan")}, {"a": object()}, {"a": "\ud800"}, {1: 2}])
    def test_metadata_must_be_json(self, wrong: Any) -> None:
        refused(lambda: BASE.conversation_metadata(wrong), "conversation_metadata: ")

    def test_metadata_that_contains_itself(self) -> None:
        loop: dict[str, Any] = {}
        loop["a"] = loop
        refused(lambda: BASE.conversation_metadata(loop), "conversation_metadata: cannot be written")
        refused(lambda: BASE.explicit_channel_message("RCS", loop), "payload: cannot be written")


class TestReplies:
    def test_in_conversation_mode_it_goes_to_the_contact_on_the_same_channel(self, sdk: Any, sinch: Sinch) -> None:
        message = reply(fixture("message_inbound.text"), "Soon")
        assert message.build() == {
            "app_id": "01HQ3Z5APP0000000000000001",
            "recipient": {"contact_id": "01HQ3Z6CONTACT000000000100"},
            "channel_priority_order": ["SMS"],
            "channel_properties": {"SMS_SENDER": "15557654321"},
            "message": {"text_message": {"text": "Soon"}},
        }
        message.send(sdk)
        assert sinch.bodies[-1] == message.build()

    def test_in_dispatch_mode_it_goes_to_the_identity(self, sdk: Any, sinch: Sinch) -> None:
        body = fixture("message_inbound.text", contact_id="", conversation_id="", processing_mode="DISPATCH")
        message = reply(body, "Soon")
        assert message.build() == {
            "app_id": "01HQ3Z5APP0000000000000001",
            "recipient": {"identified_by": {"channel_identities": [{"channel": "SMS", "identity": "15551234567"}]}},
            "channel_properties": {"SMS_SENDER": "15557654321"},
            "message": {"text_message": {"text": "Soon"}},
        }
        message.send(sdk)
        assert sinch.bodies[-1] == message.build()

    @pytest.mark.parametrize("changes", [{"contact_id": ""}, {"contact_id": None}, {"processing_mode": "dispatch"}])
    def test_without_a_contact_it_goes_to_the_identity(self, changes: dict[str, Any]) -> None:
        recipient = reply(fixture("message_inbound.text", **changes), "Soon").build()["recipient"]
        assert list(recipient) == ["identified_by"]

    def test_on_other_channels_the_app_says_who_sends(self) -> None:
        built = reply(fixture("message_inbound.choice_response"), "Soon").build()
        assert built["channel_priority_order"] == ["RCS"]
        assert "channel_properties" not in built
        no_sender = fixture("message_inbound.text", sender_id="")
        assert "channel_properties" not in reply(no_sender, "Soon").build()

    def test_an_event_can_be_replied_to_and_be_parsed_before(self) -> None:
        body = fixture("event_inbound.comment")
        message = create_reply(parse_event(body)).choice("Do you like it?", ["Yes", "No"])
        assert message.build()["recipient"] == {"contact_id": "01HQ3Z6CONTACT000000000100"}
        assert create_reply(body) == create_reply(parse_event(body))
        assert create_reply(fixture("message_inbound_redaction")).text("x").build()["channel_priority_order"] == ["SMS"]

    @pytest.mark.parametrize(
        ("event", "words"),
        [
            (fixture("message_delivery.failed"), ["MESSAGE_DELIVERY", "it is not from a contact", "MESSAGE_INBOUND"]),
            (fixture("contact_create"), ["CONTACT_CREATE"]),
            ({"something": {}}, ["UNKNOWN"]),
            (fixture("message_inbound.text") | {"app_id": ""}, ["MESSAGE_INBOUND", "app_id"]),
            ({"app_id": "A", "message": "hidden"}, ["who it came from", "channel_identity"]),
            (fixture("message_inbound.text", contact_id="", channel_identity=None), ["who it came from"]),
            (fixture("message_inbound.text", channel_identity={"channel": "S M S"}, contact_id="c"), ["channel"]),
            (None, ["takes an event"]),
            ("text", ["takes an event"]),
        ],
    )
    def test_what_cannot_be_replied_to_says_why(self, event: Any, words: list[str]) -> None:
        refused(lambda: create_reply(event), *words)
        refused(lambda: text_reply(event, "x", "me"), *words)

    def test_a_text_reply_may_have_a_sender_of_its_own(self) -> None:
        body = fixture("message_inbound.text")
        assert text_reply(body, "Soon") == reply(body, "Soon")
        assert text_reply(body, "Soon", "Shop").build()["channel_properties"] == {"SMS_SENDER": "Shop"}
        refused(lambda: text_reply(fixture("message_inbound.location"), "x", "me"), "SMS and MMS", 'found "RCS"')

    def test_texts_on_one_channel(self) -> None:
        sms = create_sms("app-1", "+46700000000", "Hello", "Shop")
        assert sms == BASE.text("Hello").sender("Shop")
        assert create_sms("app-1", "+46700000000", "Hello") == BASE.text("Hello")
        for make, channel in ((create_whatsapp, "WHATSAPP"), (create_messenger, "MESSENGER")):
            assert make("app-1", "123", "Hello") == EMPTY.app_id("app-1").to_channel(channel, "123").text("Hello")
            assert make("app-1", "123", "Hello") == create_channel_message("app-1", channel, "123", "Hello")

    def test_the_table_of_senders(self) -> None:
        assert dict(SENDERS) == {"SMS": "SMS_SENDER", "MMS": "MMS_SENDER"}


TEXTS = st.text() | st.text(st.characters()) | st.sampled_from(["", "\ud800", "SMS", "+46700000000", URL, "x" * 1025])
ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary() | st.just(10**400)
NESTED = st.recursive(
    ANYTHING, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
)
#: What one method or another takes, so that not everything is refused.
USEFUL: list[Any] = [None, 5, 12.5, URL, "+46700000000", "SMS", "REPLACE", "HIGH_PRIORITY", {"A": "b"}, ["Yes", "No"]]
GIVEN = st.sampled_from(USEFUL) | st.sampled_from(USEFUL) | TEXTS | NESTED
STEPS: list[Callable[[ConversationMessage, Any, Any, Any], ConversationMessage]] = [
    lambda message, a, b, c: message.text(a),
    lambda message, a, b, c: message.media(Media(a, thumbnail_url=b, filename_override=c)),
    lambda message, a, b, c: message.choice(a, [Choice.text(b, postback_data=c)]),
    lambda message, a, b, c: message.choice(a, b, whatsapp_footer=c),
    lambda message, a, b, c: message.choice(a, [Choice.url(a, b, postback_data=c), Choice.call(a, b)]),
    lambda message, a, b, c: message.choice("q", [Choice.location(a, b, c), Choice.share_location(a, b)]),
    lambda message, a, b, c: message.card(Card(a, b, choices=c)),
    lambda message, a, b, c: message.carousel([Card(a, media=b)], c),
    lambda message, a, b, c: message.location(a, b, c),
    lambda message, a, b, c: message.template(Template(a, version=b, parameters=c)),
    lambda message, a, b, c: message.template(channels={a if isinstance(a, str) else 5: Template(b, language_code=c)}),
    lambda message, a, b, c: message.list(a, [ListSection([ListChoice(b, postback_data=c)])]),
    lambda message, a, b, c: message.list(a, [ListSection([ListProduct(a, b)])], catalog_id=c),
    lambda message, a, b, c: message.explicit_channel_message(a, b),
    lambda message, a, b, c: message.media(a),
    lambda message, a, b, c: message.choice("q", [Choice.url("t", a)]),
    lambda message, a, b, c: message.choice("q", [Choice.call("t", a)]),
    lambda message, a, b, c: message.location("t", a, b),
    lambda message, a, b, c: message.carousel([Card(a)]),
    lambda message, a, b, c: message.to_channel(a, b),
    lambda message, a, b, c: message.app_id(a),
    lambda message, a, b, c: message.metadata(a),
    lambda message, a, b, c: message.correlation_id(a),
    lambda message, a, b, c: message.ttl(a),
    lambda message, a, b, c: message.conversation_metadata(a, None),
    lambda message, a, b, c: message.conversation_metadata({"a": a}, b),
    lambda message, a, b, c: message.queue(a),
    lambda message, a, b, c: message.channel_properties(a),
    lambda message, a, b, c: message.sender(a, b),
    lambda message, a, b, c: message.callback_url(a),
    lambda message, a, b, c: message.channel_priority_order(a, "RCS"),
]


class TestWhateverIsGiven:
    @settings(max_examples=500)
    @given(st.sampled_from(STEPS), GIVEN, GIVEN, GIVEN)
    def test_a_message_is_refused_or_sent_as_it_was_built(self, sdk: Any, step: Any, a: Any, b: Any, c: Any) -> None:
        try:
            message = step(BASE, a, b, c)
        except MessageError:
            return
        if "message" not in message._request:
            message = message.text("Hello")
        assert sent_by(sdk, message) == message.build()

    @given(st.dictionaries(st.sampled_from(["app_id", "message", "event", "message_redaction"]), NESTED))
    def test_a_reply_to_any_json_is_refused_or_can_be_built(self, body: dict[str, Any]) -> None:
        with_identity = body | {"message": {"channel_identity": body.get("message"), "contact_id": body.get("event")}}
        for event in (body, with_identity):
            try:
                message = reply(event, "Hello")
            except MessageError:
                continue
            json.dumps(message.build(), allow_nan=False).encode()


def sent_by(sdk: Any, message: ConversationMessage) -> Any:
    """The body that the SDK makes of a message, without sending it."""
    seen: list[Any] = []

    class Messages(type(sdk.messages)):  # type: ignore[misc] # the SDK's own class, known only when it runs
        def _request(self, endpoint: Any, request_data: Any) -> None:
            seen.append(json.loads(endpoint(project_id="proj", request_data=request_data).request_body()))

    class Conversation:
        messages = Messages(sdk._sinch)

    message.send(Conversation())
    return seen[0]
