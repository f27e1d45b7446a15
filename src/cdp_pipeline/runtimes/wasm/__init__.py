"""Run plugins as WebAssembly in the host's process: sandboxed, limited, many at once.

Source of the ABI: `spec/wasm-abi.md`.
"""
