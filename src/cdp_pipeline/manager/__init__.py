"""Who is running: the life of every plugin, its health, its limits, its replacement."""
