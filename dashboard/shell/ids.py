"""Every component id, once: pages, callbacks, the browser's scripts and its tests agree here."""

from __future__ import annotations

# Frame
LOCATION = "location"
PAGE = "page"  # store: which screen this is; its arrival starts the screen's script
STARTED = "started"  # store: written when the script runs
CONTENT = "content"
DISTRICT_NAME = "district-name"

# Map
MAP = "map"
MAP_OUTLINE = "map-outline"
MAP_STREETS = "map-streets"
MAP_PIPES = "map-pipes"

# Headline figures, filled in the browser
KPI_OPEN = "kpi-open"
KPI_OPEN_NOTE = "kpi-open-note"
KPI_OVERDUE = "kpi-overdue"
KPI_OVERDUE_NOTE = "kpi-overdue-note"
KPI_DISPATCHING = "kpi-dispatching"
KPI_DISPATCHING_NOTE = "kpi-dispatching-note"
KPI_ACKNOWLEDGING = "kpi-acknowledging"
KPI_ACKNOWLEDGING_NOTE = "kpi-acknowledging-note"
KPI_IN_TIME = "kpi-in-time"
KPI_IN_TIME_NOTE = "kpi-in-time-note"
KPI_DEVICES = "kpi-devices"
KPI_DEVICES_NOTE = "kpi-devices-note"

# Wall
WALL_INCIDENTS = "wall-incidents"
WALL_INCIDENT_COUNT = "wall-incident-count"
WALL_ALARMS = "wall-alarms"
WALL_ALARM_COUNT = "wall-alarm-count"
WALL_CRITICAL = "wall-critical"
WALL_CLOCK = "wall-clock"
WALL_DATE = "wall-date"
LATENCY = "latency"
LINK = "link-state"
STALE_PICTURE = "stale-picture"
DEMO_MARK = "demo-mark"

# Console
QUEUE = "queue"
QUEUE_FILTER = "queue-filter"
QUEUE_FAMILY = "queue-family"
QUEUE_SEARCH = "queue-search"
QUEUE_TOGETHER = "queue-together"
QUEUE_COUNT = "queue-count"
SELECTED = "selected"  # store: {"id", "at"}: the incident in the detail panel
DETAIL = "detail"
VIDEO_TICK = "video-tick"  # store: changes when the list of video events should be read again
VIDEO_LIST = "video-list"
VIDEO_COUNT = "video-count"

# KPI
KPI_PERIOD = "kpi-period"
KPI_DATES = "kpi-dates"
KPI_DATES_BOX = "kpi-dates-box"
KPI_BY = "kpi-by"
KPI_BODY = "kpi-body"
KPI_TREND = "kpi-trend"

# Operations
OPERATIONS_BODY = "operations-body"
OPERATIONS_REST = "operations-rest"
OPERATIONS_GATEWAYS = "operations-gateways"
GATEWAYS_FOLD = "gateways-fold"
GATEWAYS_SUMMARY = "gateways-summary"
GATEWAYS_HEARD = "gateways-heard"
GATEWAYS_MORE = "gateways-more"
OPERATIONS_TICK = "operations-tick"  # store: changes when the figures should be read again

# Quarantine
QUARANTINE_GAS = "quarantine-gas"
QUARANTINE_BY = "quarantine-by"
QUARANTINE_GROUPS = "quarantine-groups"
QUARANTINE_GROUP = "quarantine-group"  # store: {"format", "device", "reason"}, each if chosen
QUARANTINE_LIST = "quarantine-list"
QUARANTINE_SELECTED = "quarantine-selected"  # store: id of the message that is looked at
QUARANTINE_DETAIL = "quarantine-detail"
QUARANTINE_TICK = "quarantine-tick"  # store: changes when everything should be read again

# Devices
DEVICES_TICK = "devices-tick"  # store: changes when the lists should be read again
DEVICES_REFRESH = "devices-refresh"
DEVICES_COUNT = "devices-count"  # with the name of a tab behind it
DEVICES_SEARCH = "devices-search"
DEVICES_KIND = "devices-kind"
DEVICES_STATE = "devices-state"
DEVICES_TOTAL = "devices-total"
DEVICES_TABLE = "devices-table"
DEVICES_PAGE = "devices-page"
DEVICES_STRANGERS = "devices-strangers"
DEVICES_WAITING = "devices-waiting"
DEVICES_OUT = "devices-out"
DEVICES_IMPORT = "devices-import"  # filled in the browser

# Messages, filled in the browser
NOTIFY_OWN = "notify-own"
NOTIFY_CHANNELS = "notify-channels"
NOTIFY_LIST = "notify-list"

# People and tokens
PEOPLE_BODY = "people-body"
PEOPLE_TICK = "people-tick"  # store: changes when the lists should be read again

# Settings
SETTINGS_PARTS = "settings-parts"  # filled in the browser
SETTINGS_BODY = "settings-body"  # filled in the browser

# Alarms
ALARMS_BODY = "alarms-body"  # filled in the browser
ALARMS_DETAIL = "alarms-detail"
ALARMS_FLOOD = "alarms-flood"
CONSOLE_FLOOD = "console-flood"
SILENCE = "silence"

# Approvals
APPROVALS_BODY = "approvals-body"  # filled in the browser

# Cases
CASES_QUERY = "cases-query"
CASES_NOTE = "cases-note"
CASES_LIST = "cases-list"
CASES_MORE = "cases-more"
# Lighting: filled in the browser
LIGHTING_TOOLS = "lighting-tools"
LIGHTING_NOW = "lighting-now"
LIGHTING_ORDERS = "lighting-orders"
LIGHTING_NIGHTS = "lighting-nights"
LIGHTING_PROGRAMMES = "lighting-programmes"
# Review
REVIEW_PICTURE = "review-picture"  # these are filled in the browser
REVIEW_FACTS = "review-facts"
REVIEW_BUTTONS = "review-buttons"
REVIEW_MORE = "review-more"
# Rules and work permits
RULES_BODY = "rules-body"  # filled in the browser
PERMITS_BODY = "permits-body"  # filled in the browser

# Rosters
ROSTER_BODY = "roster-body"  # filled in the browser
# Calls, tasks of collectors, handing over: filled in the browser
INTAKE_BODY = "intake-body"
INTAKE_OWED = "intake-owed"
TASKS_BODY = "tasks-body"
HANDOVER_BODY = "handover-body"

# Registers
REGISTERS_BODY = "registers-body"  # filled in the browser

# Messages to the person: live regions for screen readers too
NOTICE = "notice"
