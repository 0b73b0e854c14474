"""Plan files, which are approved and then carried out. docs/plan-file.md describes them."""

from bulk_cancel.plan_files.fields import READ_AS
from bulk_cancel.plan_files.format import PlanHeader, PlannedLine, options_digest
from bulk_cancel.plan_files.reading import PlanFile, holds_plan, is_plan, open_plan, zone_of_plan
from bulk_cancel.plan_files.writing import PlanDraft, writing_plan

__all__ = [
    "READ_AS",
    "PlanDraft",
    "PlanFile",
    "PlanHeader",
    "PlannedLine",
    "holds_plan",
    "is_plan",
    "open_plan",
    "options_digest",
    "writing_plan",
    "zone_of_plan",
]
