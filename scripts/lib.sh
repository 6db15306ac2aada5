# shellcheck shell=bash
# What the scripts of this folder share. It is sourced, never run.

# With CDPATH set, cd prints the folder it found, and may find another one.
unset CDPATH
# A user's PATH on Debian has no sbin folder, which is where httpd is.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# A link to a script may have another name.
me=$(readlink -f -- "$0")
me=${me##*/}
scripts=$(cd -- "${BASH_SOURCE[0]%/*}" && pwd -P)
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

# find_python: prints the path of the system's Python, whose modules setup installs; another one that comes
# first on PATH would not find them.
find_python() { command -v /usr/bin/python3 || command -v python3; }

# httpd_of APXS: prints the path of httpd itself.
httpd_of() {
    local folder name
    folder=$("$1" -q SBINDIR)
    name=$("$1" -q PROGNAME)
    printf '%s/%s' "$folder" "$name"
}

# tls_groups MODULES: what HELLO_TLS_GROUPS of tls.conf is to be for the mod_ssl in that folder, or
# nothing. Only OpenSSL knows what it knows, and httpd asks it too late: at its start. "?" is for
# where a policy (FIPS) takes the group away (SSL_CTX_set1_groups_list(3)).
tls_groups() {
    local library
    library=$(ldd "$1/mod_ssl.so" 2>/dev/null | sed -n 's/^[[:space:]]*libssl\.[^ ]* => \(\/.*\) (0x[0-9a-f]*)$/\1/p') || true
    [[ -z $library ]] || ! LC_ALL=C grep -q X25519MLKEM768 "$library" ||
        printf '?X25519MLKEM768:X25519:prime256v1:secp384r1'
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
    local trust=()
    # Not for http, where a file need not be there, which curl has come to mind.
    [[ $3 != https ]] || trust=(--cacert "$1")
    # Neither a proxy nor the user's own settings may come between. --connect-to goes without the
    # name, since curl would compare an IPv6 address as text.
    curl -q --silent --show-error --globoff --noproxy '*' --max-time 5 "${trust[@]}" \
        --connect-to "::$(in_url "$2"):$5" "${@:6}" "$3://$(in_url "$4"):$5/" 2>&1
}

# ---------------------------------------------------------------------------
# Where nobody else may write, and nobody else works

# has_others GID: whether somebody else than this user and root is in that group, as far as can be seen.
has_others() {
    local entry user others
    user=$(id -un 2>/dev/null || true)
    (($1 != 0)) || return 1
    entry=$(getent group "$1" 2>/dev/null) || return 0
    # A user's own group, as Debian makes them.
    if (($1 == $(id -g))); then [[ ${entry%%:*} != "$user" ]] && return 0; fi
    # All of it is read: a "grep -q" would end the others early, and that be a failure.
    others=$({
        tr ',' '\n' <<<"${entry##*:}"
        getent passwd | awk -F: -v gid="$1" '$4 == gid { print $1 }'
    } | grep -vxF -e '' -e root -e "${user:-root}" || true)
    [[ -n $others ]]
}

# keep_others_out FOLDER NEXT: ends the script where somebody who is neither this user nor root may
# write to FOLDER, or to a folder that it lies in: whoever can rename a folder of ours can put another
# one in its place, and say what is read and written there. As sshd does (StrictModes). FOLDER is as
# absolute makes it; what of it is not there yet is passed over.
keep_others_out() {
    local folder=$1 uid gid mode why overflow=-1
    # In a container without root, this is everybody outside: what is theirs, they can change anyway.
    [[ $(cat /proc/self/uid_map 2>/dev/null) =~ ^\ *0\ +0\ +4294967295$ || ! -r /proc/sys/kernel/overflowuid ]] ||
        overflow=$(</proc/sys/kernel/overflowuid)
    while [[ ! -e $folder && ! -L $folder ]]; do
        folder=${folder%/*}
        folder=${folder:-/}
    done
    while true; do
        read -r uid gid mode < <(stat -c '%u %g %a' -- "$folder") || fail "cannot look at the folder $(quote "$folder")" "$2"
        mode=$((8#$mode))
        why=
        if ((uid != 0 && uid != EUID && uid != overflow)); then
            why="belongs to $(stat -c %U -- "$folder")"
        elif ((mode & 01000)); then
            : # everybody may write, and touch nobody else's
        elif ((mode & 02)); then
            why='may be written by everybody'
        elif ((mode & 020)) && has_others "$gid"; then
            why="may be written by the group $(stat -c %G -- "$folder")"
        fi
        [[ -z $why ]] ||
            fail "$(quote "$folder") $why, who could change what $(id -un) makes in $(quote "$1"); nothing was made" "$2"
        [[ $folder != / ]] || return 0
        folder=${folder%/*}
        folder=${folder:-/}
    done
}

# temporary_folder VARIABLE [FOLDER [DESCRIPTOR]]: makes a folder for this user alone, in FOLDER or where TMPDIR says.
# VARIABLE has its name before it is there: at whatever moment a signal comes, the exit trap knows
# what to remove, while "mktemp -d" may have made it and end before it says so. Where TMPDIR says, it
# first removes what runs have left that were killed outright, and keeps the folder open as DESCRIPTOR
# (7), which tells other runs that it is in use.
temporary_folder() {
    local variable=$1 folder=${2:-${TMPDIR:-/tmp}} descriptor=${3:-7} name next='mend what is said above, and run this again'
    [[ -n ${2-} ]] || next='set TMPDIR to a folder that you may write to, and that nobody else may change'
    [[ -d $folder && -w $folder && -x $folder ]] || fail "cannot write to the folder $(quote "$folder")" "$next"
    folder=$(absolute "$folder") || exit
    [[ -n ${2-} ]] || keep_others_out "$folder" "$next"
    name=$(mktemp -u -- "$folder/${2:+.}mod_hello.$me.XXXXXX")
    [[ -n ${2-} ]] || remove_dead "$folder"
    printf -v "$variable" '%s' "$name"
    mkdir -m 700 -- "$name" || fail "cannot make a temporary folder in $(quote "$folder")" "$next"
    # Whoever has it open is alive: this script, and the programs that it has started.
    if [[ -z ${2-} ]] && command -v flock >/dev/null; then
        eval "exec $descriptor<\"\$name\""
        flock -n "$descriptor"
    fi
}

# remove_dead FOLDER: the temporary folders in it that nobody has open any more.
remove_dead() {
    local dead
    command -v flock >/dev/null || return 0
    for dead in "$1"/mod_hello.*.??????; do
        [[ -d $dead && ! -L $dead && -O $dead ]] || continue
        # One that was made a moment ago may be about to be locked.
        [[ -n $(find "$dead" -maxdepth 0 -mmin +1 2>/dev/null) ]] || continue
        ! flock -n "$dead" true 2>/dev/null || rm -rf -- "$dead"
    done
}

# holder FOLDER: prints who has it locked, as far as that can be seen.
holder() {
    local pid
    pid=$(awk -v inode=":$(stat -c %i -- "$1")" '$2 == "FLOCK" && substr($6, length($6) - length(inode) + 1) == inode { print $5; exit }' \
        /proc/locks 2>/dev/null || true)
    if [[ $pid =~ ^[1-9][0-9]*$ && -d /proc/$pid ]]; then
        printf 'process %d (%s, of %s)' "$pid" "$(cat "/proc/$pid/comm" 2>/dev/null || true)" "$(stat -c %U "/proc/$pid" 2>/dev/null || true)"
    else
        printf 'another program'
    fi
}

# lock DESCRIPTOR FOLDER SECONDS: keeps other runs out of FOLDER for as long as DESCRIPTOR, which has it
# open, is; waits for them so long, since anybody may lock a folder who may read it.
lock() {
    local status=0
    command -v flock >/dev/null || return 0
    if flock -w 3 "$1"; then return 0; fi
    printf '%s: %s has the folder %s locked; waiting for it, for %d s at most\n' "$me" "$(holder "$2")" "$(quote "$2")" "$3" >&2
    # bash runs no trap while it waits for a program in the foreground.
    "${own_session[@]}" flock -w "$3" "$1" &
    child=$!
    wait "$child" || status=$?
    child=
    ((status == 0)) ||
        fail "the folder $(quote "$2") is still locked, by $(holder "$2"); nothing was changed" \
            'wait until that has ended, or end it, and run this again'
}

# ---------------------------------------------------------------------------
# Programs that are waited for

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
        fail_of_space "$log"
        fail "$what failed (exit status $status of: $*)" "read the output above, mend its cause, and run this again"
    fi
}

# fail_of_space LOG: ends the script with that sentence where LOG, or a folder that is written to, shows
# that there is no space left, which compilers and CMake hide behind other words.
fail_of_space() {
    local folder free where=
    for folder in "${dir:-/}" "$checkout/build" "${TMPDIR:-/tmp}"; do
        [[ -d $folder ]] || continue
        free=$(df -P -k -- "$folder" 2>/dev/null | awk 'NR == 2 { print $4 }' || true)
        if [[ $free =~ ^[0-9]+$ ]] && ((free < 1024)); then
            where=$folder
            break
        fi
    done
    if [[ -z $where ]]; then
        grep -qE 'No space left on device|Disk quota exceeded' -- "$1" 2>/dev/null || return 0
        where="${TMPDIR:-/tmp}' or '$checkout/build"
    fi
    # What was written in part would be in the way of the next run.
    ((${#cache[@]} == 0)) || rm -rf -- "${cache[@]}"
    fail "no space left in '$where'" 'free some, and run this again'
}
cache=()

# stop_child: for the exit trap, ends what quietly was waiting for.
stop_child() {
    [[ -n $child ]] || return 0
    kill -TERM -- "-$child" 2>/dev/null || kill -TERM "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
    child=
}

# ---------------------------------------------------------------------------
# Builds, as the owner of the checkout

# as_owner: what a command begins with that makes something in the checkout. What root leaves there,
# its owner could not build over.
as_owner=()
read -r uid gid user < <(stat -c '%u %g %U' -- "$checkout" 2>/dev/null) || true
if ((EUID == 0)) && [[ ${uid:-0} != 0 ]] && command -v setpriv >/dev/null; then
    home=$(getent passwd "$uid" | cut -d: -f6 || true)
    as_owner=(setpriv "--reuid=$uid" "--regid=$gid" --clear-groups env "HOME=${home:-/}" "USER=$user" "LOGNAME=$user")
fi
unset uid gid user home

# configure LOG WHAT PRESET FOLDER [ARGUMENT...]: has CMake configure the build in FOLDER, which is in the
# checkout; anew where the checkout has moved. The current folder is the checkout.
configure() {
    local log=$1 what=$2 preset=$3 folder=$4 file home
    shift 4
    for file in CMakeLists.txt CMakePresets.json test/CMakeLists.txt mod_hello.cpp; do
        # $log is of this moment. Ninja would configure for ever.
        : >"$log"
        [[ ! $file -nt $log ]] ||
            fail "$(quote "$checkout/$file") is from the future, $(date -r "$file"), by the clock of this machine, which says $(date)" \
                "set the clock; or, where that is right: touch $(quote "$checkout/$file")"
    done
    cache=("$folder/CMakeCache.txt" "$folder/CMakeFiles")
    home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$folder/CMakeCache.txt" 2>/dev/null || true)
    [[ -z $home || $home -ef $checkout ]] || rm -rf -- "${cache[@]}"
    quietly "$log" "$what" "${as_owner[@]}" cmake --preset "$preset" -B "$folder" "$@"
}

# make_build_folder: where all of it lies, as the owner's.
make_build_folder() {
    local next
    next="run this as $(stat -c %U -- "$checkout"), the owner of the checkout, or clone it anew as this user"
    "${as_owner[@]}" mkdir -p -- "$checkout/build" 2>/dev/null || true
    give_back
    "${as_owner[@]}" test -w "$checkout/build" || {
        [[ ! -O $checkout || ! -d $checkout/build ]] ||
            next="it belongs to $(stat -c %U -- "$checkout/build"); make it yours: sudo chown -hR $(id -un) $(quote "$(shown "$checkout/build")")"
        fail "cannot write to $(quote "$checkout/build")" "$next"
    }
}

# give_back: what root has left in the build folder of somebody's checkout becomes that person's.
give_back() {
    if ((${#as_owner[@]} > 0)) && [[ -n $(find "$checkout/build" -uid 0 -print -quit 2>/dev/null) ]]; then
        chown -hR --reference="$checkout" -- "$checkout/build"
    fi
}

# build_module LOG FOLDER COPY [ARGUMENT...]: makes FOLDER/mod_hello.so, FOLDER being in the checkout, and
# where COPY is not empty, a copy of that name; ARGUMENTs are CMake's. One run at a time.
build_module() {
    local log=$1 folder=$2 copy=$3 descriptor
    shift 3
    make_build_folder
    exec {descriptor}<"$checkout"
    lock "$descriptor" "$checkout" 600
    cd -- "$checkout" || exit
    configure "$log" 'configuring the build' release "$folder" "$@"
    quietly "$log" 'the build' "${as_owner[@]}" cmake --build "$folder" --target mod_hello
    cd -- "$OLDPWD" || exit
    [[ -f $checkout/$folder/mod_hello.so ]] ||
        fail "the build did not make $(quote "$checkout/$folder/mod_hello.so")" "see $(quote "$checkout/CMakeLists.txt")"
    [[ -z $copy ]] || cp -- "$checkout/$folder/mod_hello.so" "$copy"
    exec {descriptor}<&-
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
    dir=$(absolute "$dir") || exit
    keep_others_out "$dir" "choose a --dir that, with all that it lies in, only you and root may write to, or run this as the one who may"
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
    exec {lock}<"$dir"
    lock "$lock" "$dir" 30
    ! command -v flock >/dev/null || recover
}

# recover: what runs have left in the folder that were killed outright goes, and the files that one had
# moved away come back, unless it had put all of its own in their places. Nobody else is in the folder.
recover() {
    local left file complete
    for left in "$dir"/.mod_hello.*.??????; do
        [[ -d $left && ! -L $left && -O $left ]] || continue
        complete=true
        files=()
        if [[ -e $left/files ]]; then mapfile -t files <"$left/files"; fi
        for file in "${files[@]}"; do
            [[ ! -e $left/new/$file ]] || complete=false
        done
        if ! $complete; then
            # In one step: the exit trap goes on with it, and then removes work.
            work=$left renaming=true
            put_back || {
                work='' renaming=false
                fail "could not put back the files that a run that was killed has left in $(quote "$left")" 'move them by hand'
            }
            work='' renaming=false
            printf '%s: put the files in %s back as they were before a run that was killed\n' "$me" "$(quote "$(shown "$dir")")" >&2
        fi
        rm -rf -- "$left"
        files=()
    done
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
    printf '%s\n' "${files[@]}" >"$work/files"
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
