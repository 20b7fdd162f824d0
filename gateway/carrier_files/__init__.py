"""From a carrier's file to calls: checked, put to work in the running gateway, shown."""
