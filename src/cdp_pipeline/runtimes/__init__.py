"""How a plugin is executed; each runtime gives handles that satisfy the contract's protocols."""
