#!/usr/bin/env bash
# prepare.sh FOLDER: puts into it what all servers share: copies of the modules and of conf, which every user
# may read, since who begins as another one may have no way into the checkout; and in tls a certificate.
set -euo pipefail
# shellcheck source=lib/base.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/base.sh"
. "$scripts/lib/apxs.sh"
. "$scripts/lib/processes.sh"
. "$scripts/lib/folders.sh"
. "$scripts/lib/build.sh"
me=bench
folder=$1 build=build/bench-modules

clean_up() { give_back; }
end_in_order

build_module "$folder/log" "$build" "$folder/mod_hello.so" "-DAPXS=$(find_apxs)"
quietly "$folder/log" 'the build' "${as_owner[@]}" cmake --build "$checkout/$build" --target mod_quick
cp -r -- "$checkout/$build/test/mod_quick.so" "$checkout/conf" "$folder"
chmod -R u=rwX,go=rX -- "$folder"
chmod 711 -- "$folder"
quietly "$folder/log" 'making the certificate' "$scripts/make-cert" --dir "$folder/tls"
