#!/usr/bin/env bash
# Synthesizes every example, and puts the templates where the tests look for them. The argument is cargo's target directory.
# It needs no account, no credentials and no Docker; after the first time, no network either.
set -euo pipefail

mkdir -p "$1"
target=$(cd "$1" && pwd)
cd "$(dirname "$0")"

# The lock file stands beside what was installed from it, so that an edit installs again.
if ! cmp -s package-lock.json node_modules/package-lock.json; then
    npm ci --no-fund --no-audit --loglevel error
    cp package-lock.json node_modules/
fi
node_modules/.bin/tsc --build
rm -rf "$target/cdk"
node build/bin/synth.js "$target/cdk" >"$target/cdk.log" 2>&1 || { cat "$target/cdk.log" >&2; exit 1; }
grep '^deploy:' "$target/cdk.log"
