"""How fast an action is decided: through HTTP, by policy, on record."""
