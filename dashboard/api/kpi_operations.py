"""What OpenAPI says of the key figures."""

from __future__ import annotations

from city.forecast import Calibration
from city.requests import PublishRequest, RestateRequest
from dashboard.api.operation import PERIOD, Operation, as_text
from dashboard.screens.kpi.key_figures import CountedCase, EditionItem, KpiAnswer
from dashboard.screens.kpi.report import FORMATS
from dashboard.screens.kpi.trend import TrendAnswer
from db.kpi import FIGURES
from db.kpi import GROUPINGS as COUNTED_BY
from db.tallies import GROUPINGS

KPI_OPERATIONS = (
    Operation("get", "/kpi/trend", "The last 400 days by week, and when and where cases come up",
              TrendAnswer),
    Operation("get", "/kpi", "Key figures with the counts behind every ratio; of a published "
              "month, quarter or year those that were published", KpiAnswer,
              query={**PERIOD, "by": as_text("grouping", enum=list(GROUPINGS)),
                     "edition": {"description": "an earlier edition of a published period",
                                 "schema": {"type": "integer", "minimum": 1}}}),
    Operation("get", "/kpi/cases", "The cases behind a figure, newest first, 500 at most; counted "
              "from the log as it is now", CountedCase, listed=True,
              query={**PERIOD, "by": as_text("grouping", enum=list(COUNTED_BY)),
                     "key": as_text("the group; without it all of them"),
                     "figure": as_text("what is counted", enum=list(FIGURES),
                                       default="opened")}),
    Operation("get", "/kpi/report", "The figures of a period as a file",
              query={**PERIOD, "by": as_text("grouping", enum=list(GROUPINGS)),
                     "format": as_text("kind of file", enum=list(FORMATS), default="xlsx"),
                     "lang": as_text("language", enum=["zh", "en"], default="zh")},
              answer_types=tuple(FORMATS.values())),
    Operation("get", "/kpi/calibration", "Of the attempts of 90 days: how many were expected to be "
              "late when they began, by bands, and how many were", Calibration, listed=True),
    Operation("get", "/kpi/publications", "Every edition of every published period", EditionItem,
              listed=True),
    Operation("post", "/kpi/publications", "Freeze the key figures of a period that is over",
              EditionItem, body=PublishRequest, status="201"),
    Operation("post", "/kpi/publications/{period}/restate",
              "Publish a period anew, with the reason; the earlier edition stays beside it",
              EditionItem, body=RestateRequest, status="201"),
)  # fmt: skip
