"""What the model looks at."""


def extract_features(payload):
    """Return the features of one ledger summary: its operations, and whether it was processed."""
    return [float(payload["op_count"]), float(bool(payload.get("processed")))]
