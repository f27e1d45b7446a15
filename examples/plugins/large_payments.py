"""Pass on the transfers that move at least `least_amount` whole units."""

from cdpplugin import Message, processor


@processor("large-payments", "1.0.0", input_types=["token_transfers"])
def large_payments(message: Message) -> Message | None:
    """Return *message* with a mark, or nothing for a small one."""
    if message.payload["amount"] < large_payments.config.get("least_amount", 1_000_000):
        return None
    message.metadata["large"] = True
    return message
