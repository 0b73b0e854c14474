"""Input files to validated rows with row numbers.

With reports/ the only importer of polars. Importing this package imports polars: do it inside the command.
"""

import bulk_cancel.ops.polars_memory  # noqa: F401 - sets what polars reads when it is imported
from bulk_cancel.inputs.rows import AccountNames, InputOptions, InputRow, StagedInput
from bulk_cancel.inputs.snapshot import read_columns, read_rows, row_numbers
from bulk_cancel.inputs.staging import stage_input

__all__ = [
    "AccountNames",
    "InputOptions",
    "InputRow",
    "StagedInput",
    "read_columns",
    "read_rows",
    "row_numbers",
    "stage_input",
]
