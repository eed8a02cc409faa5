"""What an analysis is made of: the model, the images, the foundation model."""
