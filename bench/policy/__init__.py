"""How long the policy takes to answer."""
