"""Where contrastive examples come from."""
