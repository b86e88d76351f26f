"""When somebody is there to pick up the phone."""

from datetime import datetime

from sinchfn import FunctionConfig

WEEKDAYS = range(5)


class OpeningHours:
    """Made once per process, when it is first wanted, out of the variables OPENS_AT and CLOSES_AT (hours, in UTC)."""

    def __init__(self, config: FunctionConfig) -> None:
        self.opens = int(config.require_variable("OPENS_AT"))
        self.closes = int(config.require_variable("CLOSES_AT"))

    def is_open(self, moment: datetime) -> bool:
        """Whether somebody is there, at a moment in UTC."""
        return moment.weekday() in WEEKDAYS and self.opens <= moment.hour < self.closes
