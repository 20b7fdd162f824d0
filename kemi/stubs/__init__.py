"""What stands in for Kamailio when code is written and tested; nothing here runs inside it."""
