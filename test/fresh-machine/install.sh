# shellcheck shell=bash
# fresh-machine.sh does this on a machine, in a checkout: scripts/install and scripts/uninstall.

scripts/install
[ "$(curl -s --cacert /etc/apache2/hello/server.crt https://127.0.0.1/)" = "Hello World!" ]
[ "$(curl -s http://localhost/)" = "Hello World!" ]
[ "$(as_root stat -c "%U %a" /etc/apache2/hello/server.key)" = "root 600" ]
scripts/uninstall
dpkg --verify apache2
# -k: what answers there has no certificate any more that curl could know.
gone() {
    for _ in $(seq 100); do
        curl -sk -o /dev/null https://127.0.0.1/ || return 0
        sleep 0.1
    done
    echo "https://127.0.0.1/ still answers"
    return 1
}
gone
[[ $(curl -s http://127.0.0.1/) == *"It works"* ]]
listing >/tmp/before
scripts/install >/dev/null
scripts/uninstall
listing | diff /tmp/before -
