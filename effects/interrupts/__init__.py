"""Graphs that stop and ask: LangChain's interrupts in, answers that resume them out."""
