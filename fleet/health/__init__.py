"""Health: what is known of each agent from calls, heartbeats and probes, and its incidents."""
