"""The contract on the wire: generated from `proto/cdpplugin/v1/plugin.proto`."""
