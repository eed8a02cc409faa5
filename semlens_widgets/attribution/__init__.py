"""Where in an image a neuron looks, and how much it matters for an output."""
