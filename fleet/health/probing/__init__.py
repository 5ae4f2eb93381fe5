"""Asking agents whether they are there: one bounded request to a vetted address."""
