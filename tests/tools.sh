#!/usr/bin/env bash
# Installs what the tests run beside our own binaries: clients and servers of other makes, and what runs images, from Debian and PyPI.
# What is there already is left as it is. The first argument is cargo's target directory, which holds the Python environment; the
# others are more of what is needed, in the form of the list below.
set -euo pipefail

target=$1
shift
here=$(cd "$(dirname "$0")" && pwd)

# Command and the Debian package that brings it.
needed=(python3:python3 haproxy:haproxy nginx:nginx-light java:default-jdk-headless node:nodejs npm:npm
    buildah:buildah podman:podman runc:runc jq:jq "$@")
missing=()
for pair in "${needed[@]}"; do
    command -v "${pair%%:*}" >/dev/null || [ -x "/usr/sbin/${pair%%:*}" ] || missing+=("${pair#*:}")
done
# Debian's Python comes without the module that makes environments.
python3 -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)

if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "tests/tools.sh: install these first: ${missing[*]}" >&2
        exit 1
    fi
    apt-get update -q
    # nginx is started by the tests that need it, never by its package.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -qy --no-install-recommends "${missing[@]}"
fi

venv=$target/venv
# The list of packages stands beside what was installed from it, so that an edit installs again.
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$venv/requirements.txt"
fi
