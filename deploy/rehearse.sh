#!/usr/bin/env bash
# Rehearses a loss on an installation of its own: back up, go on, erase somebody, lose the folder,
# restore, erase again, rebuild. Says what it found; exit 1 where anything is not as it was.
#
# Usage: deploy/rehearse.sh PATH-OF-KULANZ CONFIG-FOLDER EVENTS.ndjson ACCOUNT-TO-ERASE
set -euo pipefail

kulanz=$(realpath "$1")
config=$(realpath "$2")
events=$(realpath "$3")
person=$4
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
data=$work/data
run() { "$kulanz" --config "$config" --data "$data" "$@"; }

step() { printf '%-9s %s\n' "$1" "$2"; }
fail() { step WRONG "$1"; exit 1; }

run import "$events" >/dev/null
before=$(run book --json)
run backup "$work/copy" >/dev/null
cp "$data/master.key" "$work/key"
step copied "$(du -sh "$work/copy" | cut -f1) and master.key, kept apart"

exported=$(run account export "$person")
case "$exported" in
*'"personal_data": {}'*) fail "nothing personal is known of $person: name another account" ;;
esac
run account erase "$person" --yes --as rehearsal >/dev/null
# What leaves the house every day, newer than the copy.
cp "$data/erasures.txt" "$work/erasures.txt"
step erased "$person, after the copy was made"

rm -rf "$data"
step lost "the data folder"

mkdir -m 700 "$data"
cp "$work/copy/kulanz.db" "$data/"
cp "$work/key" "$data/master.key"
cp "$work/erasures.txt" "$data/"
run doctor >/dev/null || fail "kulanz doctor is not content with the restored data"
after=$(run book --json)
[ "$before" = "$after" ] || fail "the book differs from the one that was copied"
step restored "the same book to the cent"

# A start erases again who was erased since.
"$kulanz" --config "$config" --data "$data" serve --listen 127.0.0.1:0 >/dev/null 2>"$work/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
for _ in $(seq 300); do
    [ -f "$data/server.json" ] && break
    kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; fail "the server does not start"; }
    sleep 0.1
done
[ -f "$data/server.json" ] || fail "the server does not start in half a minute"
kill "$server"
wait "$server" || fail "the server did not end well"
run rebuild >/dev/null || fail "the read side differs from the events"
exported=$(run account export "$person")
case "$exported" in
*'"personal_data": {}'*) ;;
*) fail "$person is back" ;;
esac
step rebuilt "the read side equals the events; $person stays erased"
step upgrade "the same: a copy first, then the new program; it refuses data of a newer release"
