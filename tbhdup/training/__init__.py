"""Training of the TBH-VAE: never imported by the commands that find duplicates."""
