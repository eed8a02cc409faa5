"""A drawn world of skin lesions: a teaching world, of which nothing follows for real skin."""
