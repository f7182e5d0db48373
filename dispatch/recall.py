"""What an alarm asks of the case that it lands on: somebody goes, and a clock runs. Pure."""

from __future__ import annotations

from city.incident import Action, IncidentState

# A squad is to be sent, on its way or at work: an alarm that lands here is taken along.
AT_WORK = frozenset(
    {
        IncidentState.FILED,
        IncidentState.DISPATCHED,
        IncidentState.ACKNOWLEDGED,
        IncidentState.ON_SITE,
    }
)
# Nobody goes to these any more, or not yet: how an alarm brings people back to each of them.
RECALLS: dict[IncidentState, Action] = {
    IncidentState.REPORTED: Action.FILE,  # the sensor has verified it
    IncidentState.VERIFYING: Action.FILE,
    IncidentState.HANDLED: Action.REWORK,
    IncidentState.CHECKING: Action.REWORK,
    IncidentState.SUSPENDED: Action.RESUME,
}

# Words of the log for why the system acted, translated by the screens.
ALARM_AGAIN = "alarm_again"  # an alarm of the case itself
ALARM_NEAR = "alarm_near"  # one of another device that joined it
ALARM_MERGED = "alarm_merged"  # one of an incident that was merged into it
SQUAD_OFF_DUTY = "squad_off_duty"
SUSPENSION_ENDED = "suspension_ended"
