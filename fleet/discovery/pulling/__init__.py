"""Fetching inventories with an admin key, page after page, over the guarded client."""
