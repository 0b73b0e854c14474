"""The files of a run: results, rows to correct, summary.

With inputs/ the only importer of polars; `summary` and `next_step` do without it.
"""

from bulk_cancel import frugal  # noqa: F401 - before polars is loaded
