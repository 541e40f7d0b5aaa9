#!/usr/bin/env bash
# Writes what a program is made of to standard output, as CycloneDX 1.5: the crates that are linked into it, what they are linked
# with, and the file beside it. Arguments: a package, its features, the platform, and the bundle of CA certificates.
# There is no time and no number in it: the same sources give the same bytes.
set -euo pipefail

package=$1 features=$2 platform=$3 roots=$4
cd "$(dirname "$0")/.."

cargo tree --locked --package "$package" --features "$features" --target "$platform" \
    --edges normal,no-proc-macro --prefix none --format $'{p}\t{l}' |
    sed 's/ (\*)$//' | sort -u |
    jq --raw-input --null-input --sort-keys --compact-output --rawfile lock Cargo.lock --arg package "$package" --arg rust "$(rustc -V | cut -d ' ' -f 2)" \
        --arg libc "$(getconf GNU_LIBC_VERSION | cut -d ' ' -f 2)" --arg roots "$roots" --arg digest "$(sha256sum "$roots" | cut -d ' ' -f 1)" '
        def sha256: [{alg: "SHA-256", content: .}];
        def generic($name; $version): {type: "library", $name, $version, purl: "pkg:generic/\($name)@\($version)"};
        ($lock | [capture("name = \"(?<name>.*)\"\nversion = \"(?<version>.*)\"\nsource = .*\nchecksum = \"(?<sum>.*)\""; "g")]
            | map({key: "\(.name) \(.version)", value: .sum}) | from_entries) as $sums
        | [inputs | capture("^(?<name>[^ ]+) v(?<version>[^ ]+).*\t(?<license>.*)$")
            | {type: "library", name, version, purl: "pkg:cargo/\(.name)@\(.version)"}
            + (if .license == "" then {} else {licenses: [{expression: (.license | gsub("/"; " OR "))}]} end)
            + ($sums["\(.name) \(.version)"] as $sum | if $sum then {hashes: ($sum | sha256)} else {} end)
          ] as $crates
        | {
            bomFormat: "CycloneDX", specVersion: "1.5", version: 1,
            metadata: {component: ($crates[] | select(.name == $package) | .type = "application")},
            components: [
              ($crates[] | select(.name != $package)), generic("rust-std"; $rust), generic("glibc"; $libc),
              {type: "file", name: $roots, hashes: ($digest | sha256)}
            ]
          }'
