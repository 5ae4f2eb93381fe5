"""Reading how agents are, and the incidents."""
