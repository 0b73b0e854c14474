"""The files of a run: results, rows to correct, summary.

With inputs/ the only importer of polars; `summary` and `next_step` do without it.
"""

import bulk_cancel.ops.polars_memory  # noqa: F401 - sets what polars reads when it is imported
