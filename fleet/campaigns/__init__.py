"""Campaigns: what touches a model that ends, and the move of each agent."""
