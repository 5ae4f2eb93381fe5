"""What the inbox of reviews costs while ten thousand questions wait."""
