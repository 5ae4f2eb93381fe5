"""Ten thousand agents probed a minute, a third of them hostile: how late, and at what cost."""
