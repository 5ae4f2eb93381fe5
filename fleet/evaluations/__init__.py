"""Evaluations: recorded runs asked again of a candidate, golden cases, and what came of it."""
