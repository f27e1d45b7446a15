"""What operators see: log lines and the names of their fields."""
