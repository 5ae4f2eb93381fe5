"""The fleet keeps no rows of its own yet: its pages read what the packages to its right own."""

from __future__ import annotations
