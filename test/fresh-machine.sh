#!/usr/bin/env bash
set -euo pipefail
# shellcheck source=../scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib.sh"

usage() {
    cat <<'END'
Usage: fresh-machine.sh [OPTION]... [STEP]...
Makes a bare Debian 12 with debootstrap, puts the last commit of this repository
into it and nothing else, and does there, as root, what the README says. It has
the network for fetching packages alone; servers on ports 80 and 443 run in a
network of their own, which nobody else reaches. Nothing of it is left at the end.

  run       scripts/run, from Ready to the end
  test      scripts/test
  install   scripts/install and scripts/uninstall
  package   cpack and lintian; the package installed, upgraded over a running
            server, removed and purged, while a client asks all the time
            (default: all four, in this order)

  --mirror URL   where debootstrap fetches Debian from
                 (default: where this machine's apt does)
  --help         print this and exit

It needs root, debootstrap, unshare and ip, 5 GB in TMPDIR, and for all steps a
quarter of an hour or more.

Exit status: 0 when every step went well; 1 when one did not; 2 on wrong usage;
129, 130, 143 after SIGHUP, SIGINT, SIGTERM.

Example: fresh-machine.sh install package
END
}

steps=()
mirror=
while (($# > 0)); do
    case $1 in
        --mirror=*)
            set -- --mirror "${1#*=}" "${@:2}"
            continue
            ;;
        --mirror)
            need_value "$1" $# "${2-}"
            mirror=$2
            shift
            ;;
        run | test | install | package) steps+=("$1") ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) usage_error "unknown argument $(quote "$1"); expected run, test, install, package, --mirror URL or --help" ;;
    esac
    shift
done
((${#steps[@]} > 0)) || steps=(run test install package)

((EUID == 0)) || fail 'only root can make a machine of its own' 'run this as root'
for tool in debootstrap unshare ip git; do
    command -v "$tool" >/dev/null || fail "$tool is not on PATH" 'install the packages debootstrap, util-linux, iproute2 and git'
done
sources=$(apt-get indextargets --format "deb \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' 2>/dev/null |
    grep -E ' bookworm(-updates|-security)? main$' | sort -u || true)
if [[ -n $mirror ]]; then
    sources="deb $mirror bookworm main"
else
    mirror=$(sed -n 's/^deb \(.*\) bookworm main$/\1/p' <<<"$sources" | head -n 1)
    [[ -n $mirror ]] || fail "this machine's apt knows no mirror of Debian 12" 'name one: --mirror URL'
fi

work=
clean_up() {
    local status=$?
    trap '' HUP INT TERM
    trap - EXIT
    stop_child
    [[ -z $work ]] || rm -rf --one-file-system -- "$work"
    exit "$status"
}
exit_on_signals
trap clean_up EXIT
temporary_folder work
chmod 755 -- "$work"
tree=$work/tree

# inside SCRIPT [--net]: runs SCRIPT in the tree, with mounts and processes that end with it, and for
# --net with a network that has loopback alone.
inside() {
    local status=0
    # shellcheck disable=SC2016
    "${own_session[@]}" unshare --mount --pid --fork --kill-child ${2+"$2"} sh -euc '
        if [ -n "$3" ]; then ip link set lo up; fi
        mount -t proc proc "$1/proc"
        mount --rbind /dev "$1/dev"
        exec env -i HOME=/root LANG=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            DEBIAN_FRONTEND=noninteractive chroot "$1" bash -euo pipefail -c "$2"
    ' sh "$tree" "cd /root/mod_hello; $1" "${2-}" </dev/null &
    child=$!
    wait "$child" || status=$?
    child=
    ((status == 0)) || fail "the step $(quote "$step") failed (exit status $status)" 'read the output above'
}

begun=$SECONDS
took() {
    printf '== %s: %d s\n' "$1" "$((SECONDS - begun))"
    begun=$SECONDS
}

quietly "$work/log" debootstrap debootstrap --variant=minbase bookworm "$tree" "$mirror"
printf '%s\n' "$sources" >"$tree/etc/apt/sources.list"
# A machine whose clock is not that of its mirror says so here.
apt-config dump | grep -E '^Acquire::Check-(Date|Valid-Until) ' >"$tree/etc/apt/apt.conf.d/99clock" || true
# On a machine with an init, packages start and reload services; in a tree they ask this first.
printf '#!/bin/sh\nexit 0\n' >"$tree/usr/sbin/policy-rc.d"
chmod 755 -- "$tree/usr/sbin/policy-rc.d"
mkdir -- "$tree/root/mod_hello"
git -C "$checkout" archive HEAD | tar -x -C "$tree/root/mod_hello"
took 'a bare Debian 12'

# shellcheck disable=SC2016
run='
scripts/run >/tmp/run.out &
server=$!
until grep -q "^Ctrl-C" /tmp/run.out; do
    kill -0 "$server" || { cat /tmp/run.out; exit 1; }
    sleep 1
done
cat /tmp/run.out
[ "$(sh -c "$(grep -o "curl .*" /tmp/run.out) --silent")" = "Hello World!" ]
kill "$server"
wait "$server"
'

# What a2enmod and its like have made is compared too.
# shellcheck disable=SC2016
listing='
listing() {
    find /etc/apache2 /var/lib/apache2 /usr/lib/apache2 ! -type d -printf "%p %y %m %u %l " \( -type f -exec sha256sum {} \; -o -printf "\n" \)
}
'
# shellcheck disable=SC2016
install=$listing'
scripts/install
[ "$(curl -s --cacert /etc/apache2/hello/server.crt https://127.0.0.1/)" = "Hello World!" ]
[ "$(curl -s http://localhost/)" = "Hello World!" ]
[ "$(stat -c "%U %a" /etc/apache2/hello/server.key)" = "root 600" ]
scripts/uninstall
dpkg --verify apache2
# -k: what answers there has no certificate any more that curl could know.
gone() {
    for try in $(seq 100); do
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
'

# shellcheck disable=SC2016
build_packages='
scripts/setup --run
for release in 1 2; do
    optimize=$((4 - release))
    cmake --preset release -B "/tmp/deb$release" -DBUILD_TESTING=OFF -DHELLO_DEB_RELEASE="$release" \
        "-DCMAKE_CXX_FLAGS_RELEASE=-O$optimize -DNDEBUG" >/dev/null
    cmake --build "/tmp/deb$release" >/dev/null
    (cd "/tmp/deb$release" && cpack -G DEB >/dev/null)
done
apt-get -qq install --no-install-recommends lintian >/dev/null 2>&1
# The one that CMakeLists.txt explains.
lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs /tmp/deb1/*.deb
lintian --allow-root --fail-on error,warning /tmp/deb2/*.deb
'
# shellcheck disable=SC2016
package=$listing'
apachectl start 2>/dev/null || true
cat >/etc/apache2/conf-available/mine.conf <<END
ServerName localhost
<IfModule hello_module>
    <Location "/mine">
        SetHandler hello
        Require all granted
    </Location>
</IfModule>
END
printf "a file" >/var/www/html/mine
a2enconf -q mine
apachectl graceful
server=$(cat /var/run/apache2/apache2.pid)
listing >/tmp/before

# Each answer is one of the two, at every moment.
while [ ! -e /tmp/enough ]; do
    answer=$(curl -sS --max-time 5 http://127.0.0.1/mine 2>&1) || true
    echo "$answer"
done >/tmp/answers &
client=$!

answers() {
    for try in $(seq 100); do
        [ "$(curl -s http://127.0.0.1/mine)" != "$1" ] || return 0
        sleep 0.1
    done
    echo "expected: $1; got: $(curl -s http://127.0.0.1/mine)"
    return 1
}
module=/usr/lib/apache2/modules/mod_hello.so
uses_what_is_installed() {
    for try in $(seq 100); do
        old=0
        for child in $(cat "/proc/$server/task/$server/children"); do
            if grep -q "$module (deleted)" "/proc/$child/maps"; then old=1; fi
        done
        if [ "$old" = 0 ] && grep -q "$module$" "/proc/$server/maps"; then return 0; fi
        sleep 0.1
    done
    echo "a child still has the module of before, or the server has not the new one"
    return 1
}
say() { echo "$1: $(curl -s http://127.0.0.1/mine)"; }

answers "a file"
dpkg -i /tmp/deb1/*.deb
answers "Hello World!"
say installed
one=$(sha256sum <$module)
dpkg -i /tmp/deb2/*.deb
answers "Hello World!"
uses_what_is_installed
[ "$one" != "$(sha256sum <$module)" ]
say upgraded
dpkg -r libapache2-mod-hello
answers "a file"
[ -e /etc/apache2/mods-available/hello.load ]
say removed
dpkg -i /tmp/deb2/*.deb >/dev/null
answers "Hello World!"
dpkg -P libapache2-mod-hello
answers "a file"
say purged
touch /tmp/enough
wait "$client"
listing | diff /tmp/before -
[ "$server" = "$(cat /var/run/apache2/apache2.pid)" ]
sort /tmp/answers | uniq -c
# errexit passes over what "!" stands before.
if grep -vxE "a file|Hello World!" /tmp/answers; then exit 1; fi
if grep -E ":(emerg|alert|crit|error|warn)\]" /var/log/apache2/error.log; then exit 1; fi
'
# Debian starts it as soon as it is installed, which is to be in a network of its own.
fetch_apache2='apt-get -qq update; apt-get -qq install --no-install-recommends --download-only apache2 >/dev/null'

for step in "${steps[@]}"; do
    case $step in
        run) inside "$run" ;;
        test) inside 'scripts/test' ;;
        install)
            inside "scripts/setup --run; $fetch_apache2"
            inside "$install" --net
            ;;
        package)
            inside "$build_packages $fetch_apache2"
            # The server of the step before has ended with its network.
            inside "rm -f /var/run/apache2/apache2.pid; apt-get -qq install --no-install-recommends apache2 >/dev/null; $package" --net
            ;;
    esac
    took "$step"
done
printf 'Passed: %s\n' "${steps[*]}"
