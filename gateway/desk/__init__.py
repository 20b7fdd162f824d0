"""What people ask of live calls: transfer, ring; asked through the daemon's socket."""
