"""Checking the log where it lies: chains, tree, signatures, keys, in one snapshot of the database."""  # noqa: E501
