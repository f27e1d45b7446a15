"""What is on disk: manifests first of all."""
