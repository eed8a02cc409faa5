"""Analysis of an analysed model: pure functions on tensors, without widgets, stores or models."""
