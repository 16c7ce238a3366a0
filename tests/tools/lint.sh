#!/usr/bin/env bash
# Format, clippy, and what the dependencies may be (deny.toml). All of it runs before it fails.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
wrong=()

step() {
    local name=$1
    shift
    echo "lint: $name"
    "$@" || wrong+=("$name")
}

loudly() {
    printf '\nlint: NOT CHECKED: %s\n\n' "$1" >&2
}

step "format" cargo fmt --all -- --check
step "clippy" cargo clippy --workspace --all-targets --locked -- -D warnings
step "clippy without Kafka" cargo clippy -p kulanz --no-default-features --all-targets --locked \
    -- -D warnings

PATH="$PWD/.cache/tools/bin:$PATH"
if command -v cargo-deny >/dev/null; then
    step "licences, bans, sources" cargo deny --locked check --hide-inclusion-graph \
        licenses bans sources
    database=$(mktemp)
    if cargo deny --locked check --hide-inclusion-graph advisories >"$database" 2>&1; then
        echo "lint: advisories"
    elif grep -q "failed to fetch advisory database" "$database"; then
        loudly "security advisories: their database cannot be reached from here"
    else
        cat "$database" >&2
        wrong+=("advisories")
    fi
    rm -f "$database"
else
    loudly "bans and security advisories, since cargo-deny is not installed (some minutes:
      cargo install --locked cargo-deny --root .cache/tools). Licences are a test: make test"
fi

if [ ${#wrong[@]} -gt 0 ]; then
    echo "lint: wrong: ${wrong[*]}" >&2
    exit 1
fi
echo "lint: all right"
