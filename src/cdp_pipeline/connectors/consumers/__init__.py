"""Consumers: where messages become durable."""
