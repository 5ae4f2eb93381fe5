"""How well an agent's actions were judged by people: what leads to live, and back from it."""
