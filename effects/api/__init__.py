"""Proposals, connections and effects over REST."""
