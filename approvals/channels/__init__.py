"""What channels say and how: contents by what they may carry, a format for each, signatures."""
