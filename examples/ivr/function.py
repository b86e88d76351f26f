"""A voice menu: greet the caller, offer sales, support and opening hours, and connect or answer."""

from sinchfn import (
    DiceRequest,
    FunctionContext,
    IceRequest,
    IceSvamlBuilder,
    PieRequest,
    PieSvamlBuilder,
    Svaml,
    create_menu,
)

NUMBERS = {"sales": "+46000000001", "support": "+46000000002"}

MENU = (
    create_menu()
    .prompt("Press 1 for sales, 2 for support, or 3 for our opening hours.")
    .repeat_prompt("Sorry, I did not get that. Press 1 for sales, 2 for support, or 3 for our opening hours.")
    .option("1", "return(sales)")
    .option("2", "return(support)")
    .option("3", "return(hours)")
)


def ice(context: FunctionContext, data: IceRequest) -> Svaml:
    """A call comes in: greet, then run the menu."""
    context.log.info("Call from %s", data.cli)
    return IceSvamlBuilder().say("Welcome to Acme.").run_menu(MENU)


def pie(context: FunctionContext, data: PieRequest) -> Svaml:
    """The caller has chosen."""
    choice = data.menu_result.value if data.menu_result else None
    if choice in NUMBERS:
        return PieSvamlBuilder().say(f"Connecting you to {choice}.").connect_pstn(NUMBERS[choice])
    if choice == "hours":
        return PieSvamlBuilder().say("We are open from nine to five, Monday to Friday. Goodbye.").hangup()
    return PieSvamlBuilder().say("Goodbye.").hangup()


def dice(context: FunctionContext, data: DiceRequest) -> None:
    """The call is over."""
    context.log.info("Call ended: %s after %s s", data.result, data.duration)
