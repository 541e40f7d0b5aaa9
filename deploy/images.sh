#!/usr/bin/env bash
# Builds the images and the zip file that deploy/ refers to, for the processor of this machine, by the last stage of each Containerfile:
# the first one would need another image, and build the same. The argument is cargo's target directory; all comes into image/ there.
set -euo pipefail

mkdir -p "$1/image"
target=$(cd "$1" && pwd)
image=$target/image
cd "$(dirname "$0")/.."

deploy/programs.sh "$target" "$image" postern crl-tool
version=$(cargo metadata --format-version 1 --no-deps --locked | jq --raw-output '.packages[] | select(.name == "postern") | .version')

# A store of their own: nothing of this machine's is touched, and `rm -r` removes it.
rm -rf "$image/store"
build() {
    local name=$1 folder=$2
    # HEALTHCHECK is Docker's: OCI's format has no place for it.
    buildah --storage-driver vfs --root "$image/store" --runroot "$image/run" bud --quiet --isolation chroot --format docker \
        --build-context build="$image" --file "$folder/Containerfile" --tag "postern/$name:$version" "$image"
    rm -f "$image/$name.tar"
    buildah --storage-driver vfs --root "$image/store" --runroot "$image/run" push --quiet \
        "postern/$name:$version" "docker-archive:$image/$name.tar:postern/$name:$version"
}
build proxy proxy
build crl-tool crl-tool

# What provided.al2023 starts is called bootstrap.
ln -sf crl-tool/rootfs/crl-tool "$image/bootstrap"
rm -f "$image/crl-tool.zip"
(cd "$image" && python3 -m zipfile --create crl-tool.zip bootstrap)
rm "$image/bootstrap"
ls -l --block-size=kB "$image"/*.tar "$image"/*.zip | awk '{ print "image: " $9 " " $5 }'
