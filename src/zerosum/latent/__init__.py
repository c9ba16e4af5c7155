"""Work with a trained generator: directions in its latent space."""
