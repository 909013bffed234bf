#!/usr/bin/env bash
# http.sh HELLO UPLOAD PROXY: the HTTP examples, asked by curl and by Node: hello; files that are put
# and got, also in part; both through the reverse proxy.
set -euo pipefail
hello=$1 upload=$2 proxy=$3
command -v curl >/dev/null || { echo "curl is absent"; exit 77; }
dir=$(mktemp -d)
pids=()
finish() {
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT

die() { echo "$*" >&2; exit 1; }

# start NAME PROGRAM...: sets url to where it listens
start() {
    local line
    mkfifo "$dir/$1.fifo"
    "${@:2}" >"$dir/$1.fifo" &
    pids+=($!)
    exec {out}<"$dir/$1.fifo"
    read -r -t 60 line <&"$out" || die "$1 does not listen"
    url=http://${line#listening at tcp://}
    cat <&"$out" >"$dir/$1.out" &
    pids+=($!)
}

ask() { curl -sS --max-time 60 --noproxy '*' "$@"; }

start hello "$hello" tcp://127.0.0.1:0
hello_url=$url
[ "$(ask "$hello_url/")" = "Hello, HTTP!" ] || die "hello"
[ "$(ask -o /dev/null -w '%{http_code}' "$hello_url/none")" = 404 ] || die "404"
[ "$(ask -o /dev/null -o /dev/null -w '%{num_connects} ' "$hello_url/" "$hello_url/")" = "1 0 " ] ||
    die "a connection is not used again"
[ "$(ask -0 "$hello_url/")" = "Hello, HTTP!" ] || die "HTTP/1.0"
ask -I "$hello_url/" | grep -qi '^content-length: 13' || die "HEAD"

mkdir "$dir/files"
start upload "$upload" "$dir/files"
upload_url=$url
start proxy "$proxy" "$upload_url"
proxy_url=$url
head -c 3000000 /dev/urandom >"$dir/file"

for at in "$upload_url" "$proxy_url"; do
    [ "$(ask -T "$dir/file" -o /dev/null -w '%{http_code}' "$at/a.bin")" = 201 ] || die "put $at"
    cmp "$dir/file" "$dir/files/a.bin"
    ask "$at/a.bin" | cmp - "$dir/file" || die "get $at"
    ask -r 1000000-1999999 "$at/a.bin" | cmp - <(tail -c +1000001 "$dir/file" | head -c 1000000) ||
        die "range $at"
    cat "$dir/file" | ask -T - -o /dev/null "$at/b.bin" # in chunks
    cmp "$dir/file" "$dir/files/b.bin"
    [ "$(ask -T "$dir/file" -o /dev/null -w '%{http_code}' "$at/..%2fx")" = 400 ] || die "name $at"
    [ "$(ask --path-as-is -o /dev/null -w '%{http_code}' "$at/../x")" = 403 ] || die "path $at"
    [ "$(ask -o /dev/null -w '%{http_code}' "$at/none")" = 404 ] || die "none $at"
    etag=$(ask -I "$at/a.bin" | tr -d '\r' | sed -n 's/^etag: //ip')
    [ "$(ask -H "If-None-Match: $etag" -o /dev/null -w '%{http_code}' "$at/a.bin")" = 304 ] ||
        die "etag $at"
    ask -D "$dir/head" -H 'Expect: 100-continue' -T "$dir/file" -o /dev/null "$at/c.bin"
    grep -q '^HTTP/1.1 100' "$dir/head" || die "100-continue $at"
done

if command -v node >/dev/null; then
    node - "$proxy_url" "$dir/file" <<'JS' || die "Node"
const http = require('node:http'), fs = require('node:fs'), assert = require('node:assert');
const [base, file] = process.argv.slice(2);
const bytes = fs.readFileSync(file), agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
function ask(method, path, body) {
    return new Promise((resolve, reject) => {
        const request = http.request(base + path, { method, agent }, (response) => {
            const parts = [];
            response.on('data', (part) => parts.push(part));
            response.on('end', () => resolve([response.statusCode, Buffer.concat(parts)]));
            response.on('error', reject);
        });
        request.on('error', reject);
        request.end(body);
    });
}
(async () => {
    for (let i = 0; i < 5; i++) {
        const all = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(async (n) => {
            const part = bytes.subarray(n * 1000, n * 300000);
            const [put] = await ask('PUT', `/n${n}.bin`, part);
            const [got, back] = await ask('GET', `/n${n}.bin`);
            return put === 201 && got === 200 && back.equals(part);
        }));
        assert(all.every(Boolean));
    }
    agent.destroy();
})().catch((error) => { console.error(error); process.exit(1); });
JS
else
    echo "node is absent: not tried with it"
fi
kill "${pids[0]}" "${pids[2]}" "${pids[4]}"
