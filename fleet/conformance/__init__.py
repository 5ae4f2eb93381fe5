"""Conformance: the steps an agent declares beside the steps that its runs show."""
