#!/usr/bin/env bash
# Calls a running playground (`make run`) with curl, as each kind of client, and says what came of it.
#
#   POSTERN  where it listens (default 127.0.0.1:8443)
#   PKI      its certificates (default certs/dev)
set -eu

postern=${POSTERN:-127.0.0.1:8443}
pki=${PKI:-certs/dev}
failures=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -r "$pki/root.pem" ]; then
    echo "smoke: no certificates in $pki: start the playground with 'make run', or set PKI" >&2
    exit 1
fi

# call CLIENT CURL-ARGUMENT...: sets status, version, exit, error and body.
call() {
    client=$1
    shift
    if [ "$client" != none ]; then
        set -- --cert "$pki/clients/$client.pem" --key "$pki/clients/$client.key" "$@"
    fi
    exit=0
    : >"$work/body"
    status=$(curl --disable --noproxy '*' --silent --show-error --max-time 20 --cacert "$pki/root.pem" \
        --output "$work/body" --write-out '%{http_code} %{http_version}' "$@" \
        "https://$postern/orders/7?page=2" 2>"$work/error") || exit=$?
    version=${status#* }
    status=${status% *}
    error=$(cat "$work/error")
    body=$(cat "$work/body")
}

# check WHAT CONDITION...: one line, and a count of what failed.
check() {
    what=$1
    shift
    if "$@"; then
        echo "ok    $what"
    else
        echo "FAIL  $what (exit $exit, status $status, HTTP/$version) $error $body"
        failures=$((failures + 1))
    fi
}

answered() { [ "$exit" = 0 ] && [ "$status" = "$1" ] && [ "$version" = "$2" ]; }
received() { case $body in *"$1"*) true ;; *) false ;; esac; }
# curl takes the alert certificate_expired in TLS 1.2 for a finding of its own: exit 60, without the alert's name.
refused() {
    [ "$status" = 000 ] && case "$exit $error" in
    '0 '*) false ;;
    *"$1"*) true ;;
    '60 '*) [ "$1" = 'certificate expired' ] ;;
    *) false ;;
    esac
}

call good
if [ "$exit" = 7 ]; then
    echo "smoke: nothing listens on $postern: start the playground with 'make run', or set POSTERN" >&2
    exit 1
fi

for tls in 1.2 1.3; do
    for http in 1.1 2; do
        call good "--tlsv$tls" --tls-max "$tls" "--http$http"
        check "good client, TLS $tls, HTTP/$http: 200" answered 200 "$http"
    done
    for refusal in 'revoked:certificate revoked' 'none:certificate required' 'stranger:unknown ca' \
        'expired:certificate expired' 'not-yet-valid:certificate expired' 'wrong-eku:unsupported certificate'; do
        call "${refusal%%:*}" "--tlsv$tls" --tls-max "$tls" --http1.1
        check "client ${refusal%%:*}, TLS $tls: alert ${refusal#*:}" refused "${refusal#*:}"
    done
done

call good
check 'the private API sees HTTP/1.1' received '"version":"HTTP/1.1"'
check 'the private API sees the path and the query' received '"path":"/orders/7","query":"page=2"'
check 'the private API sees Client-Cert' received '["client-cert",":'
check 'the private API sees X-Client-Cert-Sub' received '["x-client-cert-sub","CN=good'

call good --header 'Client-Cert: :c3Bvb2ZlZA==:' --header 'X_Client_Cert_Sub: CN=spoofed'
check 'a spoofed Client-Cert is replaced' received '["client-cert",":MII'
if received c3Bvb2ZlZA || received spoofed; then
    echo "FAIL  a spoofed identity reached the private API: $body"
    failures=$((failures + 1))
fi

call good --data-binary 'hello'
check 'a POST carries its body' received '"text":"hello"'

if [ "$failures" -gt 0 ]; then
    echo "$failures checks failed"
    exit 1
fi
echo 'all checks passed'
