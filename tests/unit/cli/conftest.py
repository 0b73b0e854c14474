"""A plan file with a line of each kind."""

from __future__ import annotations

from support.plans import path as path
from support.plans import plan as plan
from support.plans import small as small
