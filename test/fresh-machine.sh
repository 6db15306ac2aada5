#!/usr/bin/env bash
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib/base.sh"
. "$scripts/lib/processes.sh"
. "$scripts/lib/folders.sh"

usage() {
    cat <<'END'
Usage: fresh-machine.sh [OPTION]... [STEP]...
Makes a bare Debian with debootstrap, puts the last commit of this repository
into it and nothing else, and does there what the README says: as root, and as
a user with sudo. Each has a machine of its own, with a network of its own: it
reaches out, and nobody reaches its servers on ports 80 and 443. Nothing of it
is left at the end.

  run       scripts/run, from Ready to the end
  test      scripts/test
  install   scripts/install and scripts/uninstall
  package   cpack and lintian; the package installed, upgraded over a running
            server, removed and purged, while a client asks all the time
            (default: these four, in this order)
  scan      test/scan.sh
  bench     scripts/bench --quick

  --suite NAME   bookworm (Debian 12), trixie (13) or sid; may be repeated
                 (default: all three)
  --as WHO       root or user; may be repeated (default: both)
  --mirror URL   where debootstrap fetches Debian from
                 (default: where this machine's apt does)
  --help         print this and exit

It needs root, debootstrap, unshare, nsenter, slirp4netns and 5 GB in TMPDIR;
"test" takes some twenty minutes on each machine, and the others a few. At the
end it prints what each step took. A step that fails ends its machine, and not
the others.

Exit status: 0 when every step went well; 1 when one did not; 2 on wrong usage;
129, 130, 143 after SIGHUP, SIGINT, SIGTERM.

Example: fresh-machine.sh --suite trixie --as user install package
END
}

steps=()
suites=()
users=()
mirror=
while (($# > 0)); do
    case $1 in
        --*=*)
            set -- "${1%%=*}" "${1#*=}" "${@:2}"
            continue
            ;;
        --suite | --as | --mirror)
            need_value "$1" $# "${2-}"
            case $1-$2 in
                --suite-bookworm | --suite-trixie | --suite-sid) suites+=("$2") ;;
                --suite-*) usage_error "--suite $(quote "$2") is unknown; expected bookworm, trixie or sid" ;;
                --as-root | --as-user) users+=("$2") ;;
                --as-*) usage_error "--as $(quote "$2") is unknown; expected root or user" ;;
                --mirror-*) mirror=$2 ;;
            esac
            shift
            ;;
        run | test | install | package | scan | bench) steps+=("$1") ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) usage_error "unknown argument $(quote "$1"); expected run, test, install, package, scan, bench, --suite NAME, --as WHO, --mirror URL or --help" ;;
    esac
    shift
done
((${#steps[@]} > 0)) || steps=(run test install package)
((${#suites[@]} > 0)) || suites=(bookworm trixie sid)
((${#users[@]} > 0)) || users=(root user)

((EUID == 0)) || fail 'only root can make a machine of its own' 'run this as root'
for tool in debootstrap unshare nsenter slirp4netns git; do
    command -v "$tool" >/dev/null || fail "$tool is not on PATH" 'install the packages debootstrap, util-linux, slirp4netns and git'
done
# archive LABEL: the first address that this machine's apt has of it.
archive() {
    apt-get indextargets --format "\$(LABEL) \$(REPO_URI)" 'Created-By: Packages' 2>/dev/null | sed -n "s/^$1 //p" | head -n 1 || true
}
security=
if [[ -z $mirror ]]; then
    mirror=$(archive Debian)
    security=$(archive Debian-Security)
    [[ -n $mirror ]] || fail "this machine's apt knows no mirror of Debian" 'name one: --mirror URL'
fi
# sources SUITE: the lines for apt.
sources() {
    printf 'deb %s %s main\n' "$mirror" "$1"
    [[ -n $security && $1 != sid ]] || return 0
    printf 'deb %s %s-updates main\ndeb %s %s-security main\n' "$mirror" "$1" "$security" "$1"
}

network=() # the processes that are a machine's network
end_network() {
    end_all "${network[@]}"
    network=()
}
clean_up() {
    end_network
    [[ -z $work ]] || rm -rf --one-file-system -- "$work"
    temporary=()
}
end_in_order
temporary_folder work
chmod 755 -- "$work"
tree=$work/tree

# begin_network: what it reaches, slirp4netns asks for as a process of this machine, but not this
# machine itself.
begin_network() {
    local deadline=$((SECONDS + 30)) own
    own=$(readlink /proc/$$/ns/net)
    unshare --net sleep infinity &
    network=("$!")
    until [[ $(readlink "/proc/${network[0]}/ns/net") != "$own" ]]; do sleep 0.1; done
    : >"$work/ready"
    slirp4netns --configure --mtu=65520 --disable-host-loopback --ready-fd=3 "${network[0]}" tap0 3>"$work/ready" >"$work/log" 2>&1 &
    network+=("$!")
    until [[ -s $work/ready ]]; do
        ((SECONDS < deadline)) || {
            cat -- "$work/log" >&2
            fail 'slirp4netns gave the machine no network' 'mend what it says above, and run this again'
        }
        sleep 0.1
    done
}

# inside SCRIPT: runs it in the machine as $who, with mounts and processes that end with it.
inside() {
    local become=() home=/root
    if [[ $who == user ]]; then
        become=(runuser -u ada --)
        home=/home/ada
    fi
    # shellcheck disable=SC2016
    attend '' nsenter "--net=/proc/${network[0]}/ns/net" unshare --mount --pid --fork --kill-child sh -euc '
        tree=$1 home=$2 script=$3
        shift 3
        # As the root of its own, and not by chroot: in there, nobody has namespaces.
        mount --bind "$tree" "$tree"
        mount -t proc proc "$tree/proc"
        mount --rbind /dev "$tree/dev"
        cd "$tree"
        pivot_root . .
        umount -l .
        cd /
        # This shell is process 1, and waits for those that lose their parents.
        env -i "HOME=$home" LANG=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
            DEBIAN_FRONTEND=noninteractive "$@" bash -euo pipefail -c "$script" || exit
    ' sh "$tree" "$home" "cd ~/mod_hello; $1" "${become[@]}"
}

# make_machine SUITE WHO: a bare one, as its installer would leave it, with a checkout in the
# user's home.
make_machine() {
    local home=/root
    [[ -d $work/$1 ]] || {
        quietly "$work/log" debootstrap debootstrap --variant=minbase "$1" "$work/$1" "$mirror"
        sources "$1" >"$work/$1/etc/apt/sources.list"
        # A machine whose clock is not that of its mirror says so here.
        apt-config dump | grep -E '^Acquire::Check-(Date|Valid-Until) ' >"$work/$1/etc/apt/apt.conf.d/99clock" || true
        printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost ip6-localhost ip6-loopback\n' "$(uname -n)" >"$work/$1/etc/hosts"
        # Where slirp4netns answers for the resolvers of this machine.
        printf 'nameserver 10.0.2.3\n' >"$work/$1/etc/resolv.conf"
        # On a machine with an init, packages start and reload services; in a tree they ask this first.
        printf '#!/bin/sh\nexit 0\n' >"$work/$1/usr/sbin/policy-rc.d"
        chmod 755 -- "$work/$1/usr/sbin/policy-rc.d"
    }
    rm -rf --one-file-system -- "$tree"
    cp -a -- "$work/$1" "$tree"
    if [[ $2 == user ]]; then
        home=/home/ada
        who=root
        mkdir -- "$tree/root/mod_hello"
        inside 'apt-get -qq update; apt-get -qq install --no-install-recommends sudo >/dev/null 2>&1
            useradd --create-home --shell /bin/bash ada
            echo "ada ALL=(ALL) NOPASSWD: ALL" >/etc/sudoers.d/ada
            useradd bob
            echo bob:right | chpasswd
            chmod 755 /home/ada'
        rmdir -- "$tree/root/mod_hello"
    fi
    who=$2
    mkdir -- "$tree$home/mod_hello"
    git -C "$checkout" archive HEAD | tar -x -C "$tree$home/mod_hello"
    # Its owner by number: this machine has no such user.
    chown -R --reference="$tree$home" -- "$tree$home/mod_hello"
}

# as_root: what a user needs sudo for.
# shellcheck disable=SC2016
sudo_of='if ((EUID == 0)); then as_root() { "$@"; }; else as_root() { sudo "$@"; }; fi
'
# shellcheck disable=SC2016
run='
# Whom sudo does not let, whatever password he types.
if ((EUID != 0)); then
    for password in wrong right; do
        if for try in $(seq 20); do sleep 1; echo "$password"; done 2>/dev/null |
            sudo runuser -u bob -- script -qec "scripts/setup --run" /dev/null >/tmp/setup.out; then
            exit 1
        fi
        cat /tmp/setup.out
        grep -q "^setup: sudo did not run apt-get .*nothing was installed" /tmp/setup.out
    done
fi
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
    as_root find /etc/apache2 /var/lib/apache2 /usr/lib/apache2 ! -type d -printf "%p %y %m %u %l " \( -type f -exec sha256sum {} \; -o -printf "\n" \)
}
'
# shellcheck disable=SC2016
install=$listing'
scripts/install
[ "$(curl -s --cacert /etc/apache2/hello/server.crt https://127.0.0.1/)" = "Hello World!" ]
[ "$(curl -s http://localhost/)" = "Hello World!" ]
[ "$(as_root stat -c "%U %a" /etc/apache2/hello/server.key)" = "root 600" ]
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
package=$listing'
scripts/setup --run
for release in 1 2; do
    optimize=$((4 - release))
    cmake --preset release -B "/tmp/deb$release" -DBUILD_TESTING=OFF -DHELLO_DEB_RELEASE="$release" \
        "-DCMAKE_CXX_FLAGS_RELEASE=-O$optimize -DNDEBUG" >/dev/null
    cmake --build "/tmp/deb$release" >/dev/null
    (cd "/tmp/deb$release" && cpack -G DEB >/dev/null)
done
as_root apt-get -qq install --no-install-recommends lintian >/dev/null 2>&1
# The one that CMakeLists.txt explains.
lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs /tmp/deb1/*.deb
lintian --allow-root --fail-on error,warning /tmp/deb2/*.deb
dpkg-deb -f /tmp/deb2/*.deb Depends
# The server of the step before has ended with that step.
as_root rm -f /var/run/apache2/apache2.pid
as_root apt-get -qq install --no-install-recommends apache2 >/dev/null 2>&1
as_root apachectl start 2>/dev/null || true
as_root tee /etc/apache2/conf-available/mine.conf >/dev/null <<END
ServerName localhost
<IfModule hello_module>
    <Location "/mine">
        SetHandler hello
        Require all granted
    </Location>
</IfModule>
END
printf "a file" | as_root tee /var/www/html/mine >/dev/null
as_root a2enconf -q mine
as_root apachectl graceful
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
            if as_root grep -q "$module (deleted)" "/proc/$child/maps"; then old=1; fi
        done
        if [ "$old" = 0 ] && as_root grep -q "$module$" "/proc/$server/maps"; then return 0; fi
        sleep 0.1
    done
    echo "a child still has the module of before, or the server has not the new one"
    return 1
}
say() { echo "$1: $(curl -s http://127.0.0.1/mine)"; }

answers "a file"
as_root dpkg -i /tmp/deb1/*.deb
answers "Hello World!"
say installed
one=$(sha256sum <$module)
as_root dpkg -i /tmp/deb2/*.deb
answers "Hello World!"
uses_what_is_installed
[ "$one" != "$(sha256sum <$module)" ]
say upgraded
as_root dpkg -r libapache2-mod-hello
answers "a file"
[ -e /etc/apache2/mods-available/hello.load ]
say removed
as_root dpkg -i /tmp/deb2/*.deb >/dev/null
answers "Hello World!"
# A configuration that cannot do without it: the server that runs goes on, and the user is told.
echo "HelloMessage \"Hello World!\"" | as_root tee /etc/apache2/conf-available/needs.conf >/dev/null
as_root a2enconf -q needs
as_root apachectl graceful
as_root dpkg -r libapache2-mod-hello 2>&1 | tee /tmp/removal
grep -q "will not start again: Syntax error on line 1 of .*/needs.conf: Invalid command .HelloMessage.$" /tmp/removal
grep -q "^Next: .*/etc/apache2/conf-enabled/mine.conf, /etc/apache2/conf-enabled/needs.conf" /tmp/removal
answers "Hello World!"
as_root dpkg -i /tmp/deb2/*.deb >/dev/null
as_root a2disconf -q needs
as_root rm /etc/apache2/conf-available/needs.conf /var/lib/apache2/conf/disabled_by_admin/needs
as_root apachectl graceful
answers "Hello World!"
as_root dpkg -P libapache2-mod-hello 2>&1 | tee /tmp/removal
grep -q "by /etc/apache2/conf-enabled/mine.conf, are Apache.s own again" /tmp/removal
answers "a file"
say purged
touch /tmp/enough
wait "$client"
listing | diff /tmp/before -
[ "$server" = "$(cat /var/run/apache2/apache2.pid)" ]
sort /tmp/answers | uniq -c
# errexit passes over what "!" stands before.
if grep -vxE "a file|Hello World!" /tmp/answers; then exit 1; fi
if as_root grep -E ":(emerg|alert|crit|error|warn)\]" /var/log/apache2/error.log; then exit 1; fi
'
declare -A script=(
    [run]=$run
    [test]='scripts/test'
    [install]=$install
    [package]=$package
    [scan]='scripts/setup --scan; test/scan.sh'
    [bench]='scripts/setup --bench && scripts/bench --quick'
)
table=()
failed=0
for suite in "${suites[@]}"; do
    for who in "${users[@]}"; do
        begin_network
        begun=$SECONDS
        make_machine "$suite" "$who"
        table+=("$(printf '%-9s %-5s %-8s %5d s' "$suite" "$who" made $((SECONDS - begun)))")
        for step in "${steps[@]}"; do
            printf '== %s, %s: %s\n' "$suite" "$who" "$step"
            begun=$SECONDS
            status=0
            inside "$sudo_of${script[$step]}" || status=$?
            result=
            ((status == 0)) || result=" failed (exit status $status)"
            table+=("$(printf '%-9s %-5s %-8s %5d s%s' "$suite" "$who" "$step" $((SECONDS - begun)) "$result")")
            ((status == 0)) || {
                failed=$((failed + 1))
                break
            }
        done
        end_network
    done
    rm -rf --one-file-system -- "${work:?}/$suite"
done
printf '%s\n' "${table[@]}"
((failed == 0)) || fail "on $failed of the machines a step failed" 'read the output above'
