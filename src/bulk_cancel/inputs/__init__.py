"""Input files to validated rows with row numbers.

With reports/ the only importer of polars. Importing this package imports polars: do it inside the command.
"""

from bulk_cancel.inputs.rows import InputOptions, InputRow, StagedInput
from bulk_cancel.inputs.snapshot import open_staged, read_columns, read_rows
from bulk_cancel.inputs.staging import stage_input

__all__ = ["InputOptions", "InputRow", "StagedInput", "open_staged", "read_columns", "read_rows", "stage_input"]
