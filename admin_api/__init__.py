"""What people and programs see of Portgate over HTTP: parse, ask, render; it decides nothing."""
