"""Input files to validated rows with row numbers.

Only this room and reports/ import polars. Import this package inside the command that needs it: polars takes long.
"""

import bulk_cancel.ops.polars_memory  # noqa: F401 - sets what polars reads when it is imported
from bulk_cancel.inputs.rows import AccountNames, InputOptions, StagedInput
from bulk_cancel.inputs.snapshot import read_columns, read_rows, repeated_rows, row_numbers
from bulk_cancel.inputs.staging import stage_input

__all__ = [
    "AccountNames",
    "InputOptions",
    "StagedInput",
    "read_columns",
    "read_rows",
    "repeated_rows",
    "row_numbers",
    "stage_input",
]
