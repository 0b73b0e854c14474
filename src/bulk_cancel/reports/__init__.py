"""The files of a run: results, rows to correct, summary.

With inputs/ the only importer of polars; `summary` and `next_step` do without it.
"""

from bulk_cancel.ops import polars_memory as frugal
