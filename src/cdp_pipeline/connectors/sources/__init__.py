"""Sources that are not of Stellar alone."""
