# shellcheck shell=bash
# Folders where nobody else may write, and nobody else works. Who makes or changes a file sources it,
# after processes.sh.

# A script's own, if it has temporary_folder make it.
# shellcheck disable=SC2034
work=

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
# It goes when the script ends, and is known before it is there: at whatever moment a signal comes, the
# exit trap knows what to remove, while "mktemp -d" may have made it and end before it says so. Where
# TMPDIR says, it first removes what runs have left that were killed outright, and keeps the folder open
# as DESCRIPTOR (7), which tells other runs that it is in use.
temporary_folder() {
    local variable=$1 folder=${2:-${TMPDIR:-/tmp}} descriptor=${3:-7} name next='mend what is said above, and run this again'
    [[ -n ${2-} ]] || next='set TMPDIR to a folder that you may write to, and that nobody else may change'
    [[ -d $folder && -w $folder && -x $folder ]] || fail "cannot write to the folder $(quote "$folder")" "$next"
    folder=$(absolute "$folder") || exit
    [[ -n ${2-} ]] || keep_others_out "$folder" "$next"
    name=$(mktemp -u -- "$folder/${2:+.}mod_hello.$me.XXXXXX")
    [[ -n ${2-} ]] || remove_dead "$folder"
    printf -v "$variable" '%s' "$name"
    temporary+=("$name")
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
    command -v flock >/dev/null || return 0
    if flock -w 3 "$1"; then return 0; fi
    printf '%s: %s has the folder %s locked; waiting for it, for %d s at most\n' "$me" "$(holder "$2")" "$(quote "$2")" "$3" >&2
    attend '' flock -w "$3" "$1" ||
        fail "the folder $(quote "$2") is still locked, by $(holder "$2"); nothing was changed" \
            'wait until that has ended, or end it, and run this again'
}
