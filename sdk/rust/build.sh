#!/bin/sh
# Builds the plugin in this folder: build.sh FILE.wasm [flags of cargo build ...]
#
# It takes the compiler on PATH, and where that one has no target for WebAssembly, the system's
# (Debian: apt-get install cargo lld libstd-rust-dev-wasm32).
set -eu
target=wasm32-unknown-unknown
module=$1
shift
for bin in "$(dirname "$(command -v cargo || echo /usr/bin/cargo)")" /usr/bin; do
    [ -x "$bin/rustc" ] && [ -d "$("$bin/rustc" --print sysroot)/lib/rustlib/$target" ] || continue
    # Copies of memory as one instruction: new compilers do that by themselves.
    RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+bulk-memory" RUSTC="$bin/rustc" \
        "$bin/cargo" build --quiet --release --target "$target" --target-dir target "$@"
    cp target/"$target"/release/*.wasm "$module"
    exit 0
done
echo "no compiler here has the target $target: run \`rustup target add $target\`," >&2
echo "or install cargo, lld and libstd-rust-dev-wasm32 (Debian)" >&2
exit 127
