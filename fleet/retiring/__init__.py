"""Ending agents: a date, warned dependants, proof, a tombstone, and the way back."""
