"""Checks that a proposed action passes before anybody is asked; one that does not pass denies."""
