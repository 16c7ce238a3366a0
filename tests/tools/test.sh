#!/usr/bin/env bash
# Runs every test and ends with one line, `N passed, N failed`, summed over all runners.
# KULANZ_HISTORIES names a folder with real histories; the tests that read them say so without it.
set -uo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/test-logs"
rust="$target/test-logs/cargo.log"
pages="$target/test-logs/browser.log"

tests/tools/setup.sh "$target" || exit 1

# Tests that wanted a real Kafka broker and had none note themselves here.
wanted="$target/kafka-wanted"
rm -f "$wanted"

broken=0
cargo test --workspace --locked --no-fail-fast 2>&1 | tee "$rust" || broken=1
# The same profile, so this compiles nothing that is not there already.
if cargo build --locked -p kulanz; then
    node tests/browser/run.mjs --kulanz "$target/debug/kulanz" \
        --screenshots "$target/screenshots" 2>&1 | tee "$pages" || broken=1
else
    : >"$pages"
    broken=1
fi

# Adds up column $1 of the closing lines: "test result: ok. 3 passed; 0 failed; …" of each test
# binary and "3 passed, 0 failed" of the browser's.
count() {
    grep -hoE "^(test result: [a-zA-Z]+\. |pages: )[0-9]+ passed[;,] [0-9]+ failed" "$rust" "$pages" |
        grep -oE "[0-9]+ $1" | awk '{ sum += $1 } END { print sum + 0 }'
}
passed=$(count passed)
failed=$(count failed)
# What does not compile, or dies on its way, has no line of its own.
if [ "$broken" = 1 ] && [ "$failed" = 0 ]; then
    failed=1
fi
skipped=0
if [ -s "$wanted" ]; then
    # Each ended early and counted as passed.
    skipped=$(wc -l <"$wanted")
    passed=$((passed - skipped))
    printf '\nNO REAL KAFKA BROKER: %s did not run:\n' "$skipped tests"
    sed 's/^/  /' "$wanted"
fi
echo
if [ "$skipped" -gt 0 ]; then
    echo "$passed passed, $failed failed, $skipped skipped"
else
    echo "$passed passed, $failed failed"
fi
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
