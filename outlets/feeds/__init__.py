"""How entries reach a SIEM: chosen, written for it, sent in order. No Django in here."""
