#!/usr/bin/env bash
# The same 100,000 decisions by our own function, by Cedar and by regorus. Prints a table; fails when any two disagree.
set -euo pipefail
cd "$(dirname "$0")"

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fairshare/target}"
cargo run --release --locked --quiet
