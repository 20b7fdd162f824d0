"""Plans, starts, watches and stops the services of one machine; it never touches a call."""
