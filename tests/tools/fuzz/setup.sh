#!/bin/sh
# Makes the Python environment of the tool that fuzzes HTTP: setup.sh TARGET-FOLDER. Prints the
# path of the tool. Quick when nothing changed; safe to run at the same time.
set -eu

tools=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/test-tools"
venv=$(cd "$1/test-tools" && pwd)/fuzz
wanted="$tools/requirements.txt"

if ! cmp -s "$wanted" "$venv/made-for.txt"; then
    command -v python3 >/dev/null || {
        echo "the fuzzing of HTTP needs python3 (3.10 or later) with its venv module" >&2
        exit 1
    }
    fresh="$venv.$$"
    trap 'rm -rf "$fresh"' EXIT
    python3 -m venv "$fresh" >&2 || {
        echo "python3 -m venv failed: on Debian and Ubuntu install python3-venv" >&2
        exit 1
    }
    "$fresh/bin/python" -m pip install --quiet --disable-pip-version-check \
        --requirement "$wanted" >&2 || {
        echo "the packages of $wanted could not be installed (is there a network?)" >&2
        exit 1
    }
    cp "$wanted" "$fresh/made-for.txt"
    # Modules are found relative to the interpreter, so the folder may be moved as a whole; the
    # tool is started as a module of it, since scripts name the folder that they were made in.
    if ! cmp -s "$wanted" "$venv/made-for.txt"; then
        rm -rf "$venv"
        mv "$fresh" "$venv" 2>/dev/null || cmp -s "$wanted" "$venv/made-for.txt"
    fi
fi
echo "$venv/bin/python"
