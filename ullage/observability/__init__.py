"""What the services say of themselves: log lines."""
