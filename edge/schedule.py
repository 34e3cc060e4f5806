"""Which mode holds at a time of the week."""

from __future__ import annotations

from datetime import datetime

from edge.settings import Mode, ScheduleSettings, Settings

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def mode_at(settings: Settings, local: datetime) -> Mode:
    """The mode of the first `[[schedule]]` that holds at this time, or else the door's own.

    local: what a clock on the wall shows, so that a change to summer time needs no care here. An entry holds from its
    begin on, and no longer at its end; one that ends at or before its begin lasts into the next day, and its days are
    those on which it begins.
    """
    return next((entry.mode for entry in settings.schedule if holds(entry, local)), settings.door.mode)


def holds(entry: ScheduleSettings, local: datetime) -> bool:
    today, yesterday = (DAYS[local.weekday() - back] in entry.days for back in (0, 1))
    clock = f"{local:%H:%M}"
    if entry.begin < entry.end:
        return today and entry.begin <= clock < entry.end
    return (today and clock >= entry.begin) or (yesterday and clock < entry.end)
