"""The files of a run: results, rows to correct, summary.

Only this room and inputs/ import polars; `summary` and `next_step` do not.
"""

import bulk_cancel.ops.polars_memory  # noqa: F401 - sets what polars reads when it is imported
