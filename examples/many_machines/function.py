"""A support line that runs on one machine or on many: nothing in here knows which."""

import json

from sinchfn import (
    FunctionContext,
    FunctionRequest,
    IceRequest,
    IceSvamlBuilder,
    PieRequest,
    PieSvamlBuilder,
    Svaml,
    create_menu,
)

auth = ["tickets", "journal"]

MENU = create_menu().prompt("Enter your order number, then press hash.").max_digits(12)

ONE_DAY = 24 * 3600


def ice(context: FunctionContext, data: IceRequest) -> Svaml:
    """A call comes in. What is known of it goes into the cache, for whichever machine gets the next callback."""
    # Whoever withholds the number is new each time.
    calls = context.cache.increment(f"calls:{data.cli}", ttl=ONE_DAY) if data.cli else 1
    context.cache.set(f"call:{data.call_id}", {"cli": data.cli, "calls": calls}, ttl=3600)
    welcome = "Welcome." if calls == 1 else "Welcome back."
    return IceSvamlBuilder().say(welcome).run_menu(MENU)


def pie(context: FunctionContext, data: PieRequest) -> Svaml:
    """The order number was entered: write a ticket."""
    call = context.cache.get(f"call:{data.call_id}")
    if call is None or data.call_id is None or data.menu_result is None:
        return PieSvamlBuilder().say("Please call again.").hangup()
    ticket = {**call, "order": data.menu_result.value}
    context.storage.write(f"tickets/{data.call_id}.json", json.dumps(ticket))
    _note(context, f"ticket for {ticket['order']}")
    return PieSvamlBuilder().say("Thank you. We call you back today.").hangup()


def tickets(context: FunctionContext, request: FunctionRequest) -> list[dict[str, object]]:
    """GET /tickets: those that any machine wrote."""
    return [json.loads(context.storage.read(key)) for key in context.storage.list("tickets/")]


def journal(context: FunctionContext, request: FunctionRequest) -> list[str]:
    """GET /journal: what this machine did. The database is a file, and belongs to one machine."""
    database = context.open_database()
    database.execute("create table if not exists journal (at text, what text)")
    return [row["what"] for row in database.execute("select what from journal order by at")]


def _note(context: FunctionContext, what: str) -> None:
    with context.open_database() as database:
        database.execute("create table if not exists journal (at text, what text)")
        database.execute("insert into journal values (?, ?)", (context.timestamp.isoformat(), what))
