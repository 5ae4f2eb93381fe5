"""Leases: a credential lent for one agent's action, recorded before it exists, ended after."""
