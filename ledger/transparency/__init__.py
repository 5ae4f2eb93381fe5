"""The public formats of the log: tree, tiles, notes. No Django, no database, no clock.

Everything here is bytes in and bytes out, after RFC 6962 and the C2SP specifications, so
that the sequencer, the witness, the exports and every test speak of the same thing.
"""
