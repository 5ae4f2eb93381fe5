"""Worth: agents that do the same job, what each earns and costs, and the quarter's list."""
