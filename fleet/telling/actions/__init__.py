"""Every change of what people are told."""
