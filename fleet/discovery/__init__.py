"""Finding what is not registered: importers, the repository scanner, findings and their claims."""
