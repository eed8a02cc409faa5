"""The façade that a person holds, where store, models and analysis meet."""
