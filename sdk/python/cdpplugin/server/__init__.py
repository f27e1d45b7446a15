"""Serve a plugin over gRPC, in a process of its own. Needs `cdpplugin[grpc]`."""

from cdpplugin.server.run import run

__all__ = ["run"]
