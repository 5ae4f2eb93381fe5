"""Reading proposals, connections and effects: what a viewer may see of them."""
