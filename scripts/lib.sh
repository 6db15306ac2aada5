# shellcheck shell=bash
# What the scripts of this folder share. It is sourced, never run.

# With CDPATH set, cd prints the folder it found, and may find another one.
unset CDPATH
# A user's PATH on Debian has no sbin folder, which is where httpd is.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

me=${0##*/}
scripts=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd -P)
# The scripts that source this file use it.
# shellcheck disable=SC2034
checkout=${scripts%/*}

# fail WHAT NEXT: ends the script with status 1.
fail() {
    printf '%s: %s\nNext: %s\n' "$me" "$1" "$2" >&2
    exit 1
}

# usage_error WHAT: ends the script with status 2.
usage_error() {
    printf '%s: %s\nNext: correct that; "%s --help" lists the options.\n' "$me" "$1" "$0" >&2
    exit 2
}

# need_value OPTION COUNT VALUE: COUNT is the number of arguments from OPTION on.
need_value() {
    if (($2 < 2)) || [[ -z $3 || $3 == --* ]]; then
        usage_error "$1 has no value; expected \"$1 VALUE\""
    fi
}

# quote TEXT: TEXT as one word that every shell can read back.
quote() {
    printf "'%s'" "${1//\'/\'\\\'\'}"
}

# shown PATH: an absolute path as short as it can be pasted from the current folder.
shown() {
    local here path=$1
    here=$(pwd -P)
    if [[ $path == "${here%/}"/* ]]; then
        path=${path#"${here%/}/"}
        # A name that starts with a hyphen would be taken for an option.
        [[ $path != -* ]] || path=./$path
    fi
    printf '%s' "$path"
}

# absolute PATH: PATH need not exist.
absolute() {
    local path=$1 rest='' base
    [[ $path == /* ]] || path=$(pwd -P)/$path
    while [[ ! -d $path ]]; do
        while [[ $path == */ ]]; do path=${path%/}; done
        rest=/${path##*/}$rest
        path=${path%/*}
        [[ -n $path ]] || path=/
    done
    base=$(cd -- "$path" 2>/dev/null && pwd -P) ||
        fail "cannot enter the folder $(quote "$path")" 'choose one that you may enter'
    printf '%s%s' "${base%/}" "$rest"
}

is_ipv4() {
    local LC_ALL=C octet='(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
    [[ $1 =~ ^$octet(\.$octet){3}$ ]]
}

is_ipv6() {
    local LC_ALL=C address=$1 head tail colons groups='[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4})*'
    [[ $address == *:* ]] || return 1
    # The last 32 bits may be written as an IPv4 address.
    if [[ $address == *.* ]]; then
        is_ipv4 "${address##*:}" || return 1
        address=${address%:*}:0:0
    fi
    if [[ $address == *::* ]]; then
        head=${address%%::*}
        tail=${address#*::}
        [[ $head =~ ^($groups)?$ && $tail =~ ^($groups)?$ ]] || return 1
        colons=${head//[!:]/}${tail//[!:]/}
        # "::" stands for one group at the least, so seven may be written out.
        ((${#colons} + (${#head} > 0) + (${#tail} > 0) <= 7))
    else
        colons=${address//[!:]/}
        [[ $address =~ ^$groups$ ]] && ((${#colons} == 7))
    fi
}

# find_apxs: prints the path of httpd's apxs, which knows where the rest of httpd is.
find_apxs() {
    if [[ -n ${APXS:-} ]]; then
        command -v -- "$APXS"
    else
        command -v apxs || command -v apxs2
    fi
}

# httpd_of APXS: prints the path of httpd itself.
httpd_of() {
    local folder name
    folder=$("$1" -q SBINDIR)
    name=$("$1" -q PROGNAME)
    printf '%s/%s' "$folder" "$name"
}

exit_on_signals() {
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# A session of its own, so that a program and all that it started can be ended together.
own_session=()
if command -v setsid >/dev/null; then own_session=(setsid); fi

child=

# quietly LOG WHAT COMMAND...: the output of COMMAND is of interest only when it fails.
quietly() {
    local log=$1 what=$2 status=0
    shift 2
    # bash runs no trap while it waits for a program in the foreground.
    "${own_session[@]}" "$@" >"$log" 2>&1 &
    child=$!
    wait "$child" || status=$?
    child=
    if ((status != 0)); then
        cat -- "$log" >&2
        fail "$what failed (exit status $status of: $*)" "read the output above, mend its cause, and run this again"
    fi
}

# stop_child: for the exit trap, ends what quietly was waiting for.
stop_child() {
    [[ -n $child ]] || return 0
    kill -TERM -- "-$child" 2>/dev/null || kill -TERM "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
    child=
}
