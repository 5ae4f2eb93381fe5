"""The MCP server at /mcp: agents propose, ask how things stand, and look around, with their key."""
