"""What the impact of a model's end costs over a large fleet, and the opening of its campaign."""
