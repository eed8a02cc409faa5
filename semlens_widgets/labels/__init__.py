"""Labels for neurons: scorers, what they know of a neuron, words. Pure functions on tensors."""
