#!/usr/bin/env bash
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib/base.sh"
. "$scripts/lib/processes.sh"
. "$scripts/lib/folders.sh"
steps_folder=$checkout/test/fresh-machine

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

# script_of STEP: prints what is done there.
script_of() {
    cat -- "$steps_folder/begin.sh"
    case $1 in
        test) printf 'scripts/test\n' ;;
        scan) printf 'scripts/setup --scan; test/scan.sh\n' ;;
        bench) printf 'scripts/setup --bench && scripts/bench --quick\n' ;;
        *) cat -- "$steps_folder/$1.sh" ;;
    esac
}
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
            inside "$(script_of "$step")" || status=$?
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
