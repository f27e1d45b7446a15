"""Build plugins, whatever executes them: in their folder, once, one host at a time."""
