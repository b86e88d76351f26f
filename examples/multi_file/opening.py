"""When the office is open."""

from datetime import datetime

WEEKDAYS = range(5)
HOURS = range(9, 17)


def is_open(moment: datetime) -> bool:
    """Whether somebody is in the office, in UTC."""
    return moment.weekday() in WEEKDAYS and moment.hour in HOURS
