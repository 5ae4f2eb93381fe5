"""Reading what people are told."""
