"""Stand-ins for what the town talks to outside itself."""
