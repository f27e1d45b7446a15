"""What is built in: components that see the contract and nothing of the host."""
