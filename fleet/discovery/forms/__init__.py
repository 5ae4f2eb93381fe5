"""The forms of discovery; what may be done is the actions' to say."""
