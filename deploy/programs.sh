#!/usr/bin/env bash
# Builds what is deployed: static binaries with the AWS SDK in them, each in what becomes its image's file system, with the list of
# what it is made of. Arguments: cargo's target directory, where everything is put, and which of `postern` and `crl-tool`.
set -euo pipefail

mkdir -p "$1" "$2"
target=$(cd "$1" && pwd)
out=$(cd "$2" && pwd)
shift 2
cd "$(dirname "$0")/.."

declare -A features=([postern]=postern/aws [crl-tool]=crl-tool/lambda)
platform=$(rustc -vV | sed -n 's/^host: //p')
# Of public CAs: AWS's endpoints have certificates by them.
roots=/etc/ssl/certs/ca-certificates.crt
[ -s "$roots" ] || { echo "deploy/programs.sh: $roots is needed: install ca-certificates" >&2; exit 1; }

build=()
for program in "$@"; do
    build+=(--package "$program" --features "${features[$program]}")
done
# --target keeps the flags from build scripts and macros, which have to be loaded.
RUSTFLAGS='-C target-feature=+crt-static -C link-arg=-Wl,-z,pack-relative-relocs' CARGO_TARGET_DIR=$target \
    cargo build --release --locked --target "$platform" --bins "${build[@]}"

for program in "$@"; do
    rm -rf "${out:?}/$program"
    rootfs=$out/$program/rootfs
    install -D "$target/$platform/release/$program" "$rootfs/$program"
    install -D -m 644 "$roots" "$rootfs$roots"
    mkdir -p "$rootfs/usr/share/sbom" "$rootfs/var/lib" "$out/$program/state"
    deploy/sbom.sh "$program" "${features[$program]}" "$platform" "$roots" >"$rootfs/usr/share/sbom/$program.cdx.json"
done
