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

# need_tools OPTION TOOL...: all of them; "setup OPTION" is what installs them.
need_tools() {
    local option=$1 tool
    shift
    for tool in "$@"; do
        command -v -- "$tool" >/dev/null ||
            fail "$tool is not on PATH" "run $(quote "$(shown "$scripts/setup")") $option, or add the folder of $tool to PATH"
    done
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

# check_port OPTION PORT
check_port() {
    if [[ ! $2 =~ ^[1-9][0-9]{0,4}$ ]] || (($2 > 65535)); then
        usage_error "$1 $(quote "$2") is not a port; expected a whole number from 1 to 65535"
    fi
}

in_url() {
    if [[ $1 == *:* ]]; then printf '[%s]' "$1"; else printf '%s' "$1"; fi
}

# certificate_name CERTIFICATE ADDRESS: prints the name to ask a server at ADDRESS for: the address
# itself where the certificate has it, or else the certificate's first name.
certificate_name() {
    local name=$2
    if [[ $(openssl x509 -in "$1" -noout -checkip "$2") != *'does match'* ]]; then
        name=$(openssl x509 -in "$1" -noout -ext subjectAltName 2>/dev/null |
            tr ',' '\n' | sed -n 's/^ *\(DNS\|IP Address\)://p' | head -n 1 || true)
        [[ -n $name ]] || return 1
        # Any name that the wildcard covers will do.
        name=${name/#\*./www.}
    fi
    printf '%s' "$name"
}

# ask CERTIFICATE ADDRESS SCHEME NAME PORT [OPTION...]: prints what NAME answers at ADDRESS, or curl's
# words; OPTIONs are curl's.
ask() {
    # Neither a proxy nor the user's own settings may come between. --connect-to goes without the
    # name, since curl would compare an IPv6 address as text.
    curl -q --silent --show-error --globoff --noproxy '*' --max-time 5 --cacert "$1" \
        --connect-to "::$(in_url "$2"):$5" "${@:6}" "$3://$(in_url "$4"):$5/" 2>&1
}

# temporary_folder VARIABLE [FOLDER]: makes a folder for this user alone, in FOLDER or where TMPDIR says.
# VARIABLE has its name before it is there: at whatever moment a signal comes, the exit trap knows
# what to remove, while "mktemp -d" may have made it and end before it says so.
temporary_folder() {
    local variable=$1 folder=${2:-${TMPDIR:-/tmp}} name next='mend what is said above, and run this again'
    [[ -n ${2-} ]] || next='set TMPDIR to a folder that you may write to'
    name=$(cd -- "$folder" && mktemp -u -- "$(pwd -P)/${2:+.}mod_hello.XXXXXX") || fail "cannot use the folder $(quote "$folder")" "$next"
    printf -v "$variable" '%s' "$name"
    mkdir -m 700 -- "$name" || fail "cannot make a temporary folder in $(quote "$folder")" "$next"
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

# ---------------------------------------------------------------------------
# Files that are made together: all of them, or none
#
# A script takes "umask 077" as its first step and keeps the umask it was started with in
# umask_before, sets dir and calls enter_folder, sets files, makes each of them in $work/new
# and calls place_files. In between, whatever ends it, everything is as it was.

dir=
files=() # in the order in which they come into the folder
made=()
work=
renaming=false
terminal=

# Puts everything back as it was, from what is on the disk: a signal may come between a rename
# and the next statement. The last file goes first and comes last: where that is the certificate,
# at no moment does it stand beside a key that does not fit.
put_back() {
    local file i kept=true
    for ((i = ${#files[@]} - 1; i >= 0; i--)); do
        file=${files[i]}
        if [[ ! -e $work/new/$file ]]; then
            mv -f -- "$dir/$file" "$work/new/$file" || kept=false
        fi
    done
    for file in "${files[@]}"; do
        if [[ -e $work/old/$file || -L $work/old/$file ]]; then
            mv -f -- "$work/old/$file" "$dir/$file" || kept=false
        fi
    done
    $kept
}

# For the exit trap.
leave_folder() {
    local status=$? folder
    trap '' HUP INT TERM
    trap - EXIT
    if [[ -n $terminal ]]; then
        stty "$terminal" </dev/tty || true
        printf '\n' >/dev/tty
    fi
    stop_child
    if $renaming && ! put_back; then
        printf '%s: could not put the former files back into %s; they are in %s\nNext: move them by hand\n' \
            "$me" "$(quote "$dir")" "$(quote "$work/old")" >&2
        exit 1
    fi
    [[ -z $work ]] || rm -rf -- "$work"
    for folder in "${made[@]}"; do
        rmdir -- "$folder" 2>/dev/null || true
    done
    exit "$status"
}

# enter_folder: makes dir where it is missing, and keeps other runs out of it.
enter_folder() {
    local folder lock
    need_tools --run openssl
    exit_on_signals
    trap leave_folder EXIT
    dir=$(absolute "$dir") || exit 1
    folder=$dir
    while [[ ! -e $folder && ! -L $folder ]]; do
        made+=("$folder")
        folder=${folder%/*}
        [[ -n $folder ]] || folder=/
    done
    # The folder gets the rights that the user's own mkdir would give it; the keys have their own.
    # shellcheck disable=SC2154
    (umask "$umask_before" && mkdir -p -- "$dir") ||
        fail "cannot make the folder $(quote "$dir")" 'choose a --dir that you may write to'
    [[ -w $dir && -x $dir ]] ||
        fail "cannot write to the folder $(quote "$dir")" 'choose a --dir that you may write to, or change its rights'

    # Two runs at once would otherwise both find the folder empty. The lock ends with its file descriptor.
    if command -v flock >/dev/null; then
        exec {lock}<"$dir"
        flock "$lock"
    fi
}

# refuse_to_replace FORCE FILE...: where a file exists, FORCE has to be true.
refuse_to_replace() {
    local force=$1 file
    shift
    for file in "$@"; do
        [[ -e $dir/$file || -L $dir/$file ]] || continue
        [[ ! -e $dir/$file || -f $dir/$file ]] ||
            fail "$(quote "$dir/$file") is not a file; expected a file or nothing" 'remove it, or choose another --dir'
        $force ||
            fail "$(quote "$dir/$file") exists, and nothing was changed" 'add --force to replace it, or choose another --dir'
    done
}

pass_phrase=

# ask_pass_phrase FILE WHY NEXT: sets pass_phrase; WHY and NEXT are for where there is no terminal.
ask_pass_phrase() {
    local again length
    # An inherited SHELLOPTS must neither export the pass phrase nor trace it, and what was
    # exported by this name before would be exported with its new value too.
    set +ax
    unset pass_phrase
    # shellcheck disable=SC2015
    : 2>/dev/null </dev/tty && terminal=$(stty -g </dev/tty) || fail "$2" "$3"
    stty -echo </dev/tty
    printf 'Pass phrase for %s: ' "$(shown "$1")" >/dev/tty
    IFS= read -r pass_phrase </dev/tty || fail 'the pass phrase was not typed to its end' 'run this again'
    printf '\nThe same again: ' >/dev/tty
    IFS= read -r again </dev/tty || fail 'the pass phrase was not typed to its end' 'run this again'
    stty "$terminal" </dev/tty
    terminal=
    printf '\n' >/dev/tty
    [[ $pass_phrase == "$again" ]] || fail 'the two pass phrases differ' 'run this again and type the same one twice'
    length=$(LC_ALL=C && printf '%s' "${#pass_phrase}")
    # openssl refuses fewer, and reads no more than this at once.
    ((length >= 4 && length <= 1000)) ||
        fail "the pass phrase has $length bytes; expected 4 to 1000" 'run this again with another one'
}

# make_work: the folders work/new and work/old, beside where the files will lie.
make_work() {
    temporary_folder work "$dir"
    mkdir -- "$work/new" "$work/old"
}

# run_openssl WHAT ARGUMENT...: a pass phrase comes from a pipe (fd:3), which, unlike an argument,
# a variable of the environment or a here-document, nobody else can read.
run_openssl() {
    local what=$1
    shift
    quietly "$work/log" "$what" openssl "$@" 3< <(printf '%s\n' "$pass_phrase")
}

rename() {
    mv -f -- "$1" "$2" ||
        fail "cannot rename $(quote "$1") to $(quote "$2"); nothing was changed" 'mend what mv said above, and run this again'
}

# place_files: all old files leave before a new one comes, the last one first; even if this is
# killed outright, a key never stands beside a certificate that it does not fit.
place_files() {
    local file i
    renaming=true
    for ((i = ${#files[@]} - 1; i >= 0; i--)); do
        file=${files[i]}
        [[ ! -e $dir/$file && ! -L $dir/$file ]] || rename "$dir/$file" "$work/old/$file"
    done
    for file in "${files[@]}"; do
        rename "$work/new/$file" "$dir/$file"
    done
    renaming=false
    made=()
    rm -rf -- "$work"
    work=
    for file in "${files[@]}"; do
        printf 'Made %s\n' "$(shown "$dir/$file")"
    done
}
