"""Drift: golden probes on a schedule, and what changed behind a vendor's door."""
