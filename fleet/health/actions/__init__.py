"""Every change of what is known of agents, of incidents and of mutes."""
