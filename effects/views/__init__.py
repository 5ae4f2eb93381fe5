"""The pages about proposals, connections and effects."""
