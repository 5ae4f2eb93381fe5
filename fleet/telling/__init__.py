"""Telling people: one message to those who answer for something, once, where they read it."""
