"""Readers of what other systems write: bytes in, sightings out. No Django, nothing is stored.

Each module reads one format in bounded memory. What it does not know it leaves alone; what
it cannot read it counts, and says where.
"""
