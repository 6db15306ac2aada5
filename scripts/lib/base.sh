# shellcheck shell=bash
# Errors, options and paths. Every script, and those in test, source this first: it tells where
# the others are.
#
# Of those, install and uninstall alone have changes, elsewhere, enabled, machine-httpd, manifest,
# neighbours, plan, site-answers and site-files; trust-cert has nss and system-store, run
# private-examples, make-client-cert revocation, cluster balancer and nodes. The others are shared.

# With CDPATH set, cd prints the folder it found, and may find another one.
unset CDPATH
# A user's PATH on Debian has no sbin folder, which is where httpd is.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# A link to a script may have another name.
me=$(readlink -f -- "$0")
me=${me##*/}
scripts=$(cd -- "${BASH_SOURCE[0]%/*}/.." && pwd -P)
# Not all use it.
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

# need_tools OPTION TOOL...: all of them; "setup OPTION" is what installs them.
need_tools() {
    local option=$1 tool
    shift
    for tool in "$@"; do
        command -v -- "$tool" >/dev/null ||
            fail "$tool is not on PATH" "run $(quote "$(shown "$scripts/setup")") $option, or add the folder of $tool to PATH"
    done
}

# find_python: prints the path of the system's Python, whose modules setup installs; another one that comes
# first on PATH would not find them.
find_python() { command -v /usr/bin/python3 || command -v python3; }

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

# absolute PATH: PATH need not exist. Ends the script with status 2 where it has a line break, which
# "$(...)" would cut off.
absolute() {
    local path=$1 rest='' base
    [[ $path == /* ]] || path=$PWD/$path
    [[ $path != *$'\n'* ]] ||
        usage_error "the path $(quote "$path") has a line break; expected one without"
    while [[ ! -d $path ]]; do
        while [[ $path == */ ]]; do path=${path%/}; done
        rest=/${path##*/}$rest
        path=${path%/*}
        [[ -n $path ]] || path=/
    done
    base=$(cd -- "$path" 2>/dev/null && pwd -P) ||
        fail "cannot enter the folder $(quote "$path")" 'choose one that you may enter'
    # A link may lead to a name that ends with one.
    [[ $base -ef $path ]] || usage_error "the folder $(quote "$path") has a line break in its path; expected one without"
    printf '%s%s' "${base%/}" "$rest"
}
