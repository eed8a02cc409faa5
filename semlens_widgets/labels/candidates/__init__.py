"""Where candidate labels come from."""
