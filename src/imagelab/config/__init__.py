"""What a config may hold: schema, menu, help, the check; needs no torch."""
