"""bulk-cancel: cancel many meetergo appointments, safely."""
