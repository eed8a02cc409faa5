"""The stages that turn a model and images into stored evidence, each one batched and resumable."""
