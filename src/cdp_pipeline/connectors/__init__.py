"""What is built in: sources, processors and consumers that see the contract and nothing of the host."""
