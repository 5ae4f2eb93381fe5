"""How an action becomes bytes for one kind of system, and what its answer means."""
