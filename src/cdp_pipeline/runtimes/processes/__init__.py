"""Run a command of somebody else's as a process: ended with its host, its output as log lines."""
