"""Cutovers: sign-off, canary by steps, and the way back."""
