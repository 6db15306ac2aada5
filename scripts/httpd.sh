# shellcheck shell=bash
# What install and uninstall share: the httpd that a person has, what install has put there, and
# how all of it is taken back. It is sourced, never run.

# shellcheck source=lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib.sh"

layout=    # debian, or other
apxs=      # httpd's own word on where it is
modules=   # where its modules lie
conf_dir=  # where its configuration lies
state_dir= # where Debian's a2enmod notes who has enabled what
ours=      # the folder of mod_hello within the configuration
manifest=  # what install has put where
log=       # what a program says that is asked quietly
pid_file=  # of Debian's httpd
work=

# variable NAME: prints what Debian's configuration sets for httpd's environment.
variable() {
    # shellcheck disable=SC2016
    sh -c '. "$1/envvars" >/dev/null 2>&1; eval "printf %s \"\$$2\""' sh "$conf_dir" "$1"
}

# locate_httpd
locate_httpd() {
    apxs=$(find_apxs) ||
        fail "apxs not found: ${APXS:-neither apxs nor apxs2 is on PATH}" "set APXS to the path of apxs, or unset it and run $(quote "$scripts/setup") --run"
    modules=$("$apxs" -q LIBEXECDIR)
    conf_dir=${APACHE_CONFDIR:-$("$apxs" -q SYSCONFDIR)}
    conf_dir=$(absolute "$conf_dir") || exit
    [[ -d $conf_dir && -d $modules ]] ||
        fail "$(quote "$apxs") names the folders $(quote "$conf_dir") and $(quote "$modules"), and one of them is not there" \
            'install httpd, or set APXS to the apxs of another one'
    local path
    for path in "$conf_dir" "$modules"; do
        [[ $path != *[\"\\\$$'\n\t']* ]] ||
            fail "the path $(quote "$path") cannot stand in an httpd configuration" 'use a path without ", \, $, tabs and line breaks'
    done
    ours=$conf_dir/hello
    manifest=$ours/manifest
    layout=other
    if [[ -d $conf_dir/mods-available && -d $conf_dir/sites-available ]] && command -v a2enmod >/dev/null; then
        layout=debian
        state_dir=${APACHE_STATE_DIRECTORY:-/var/lib/apache2}
        export APACHE_CONFDIR=$conf_dir
        pid_file=$(variable APACHE_PID_FILE)
    fi
}

# locate_debian: where Debian's packages will put httpd that are not there yet.
locate_debian() {
    modules=/usr/lib/apache2/modules
    conf_dir=${APACHE_CONFDIR:-/etc/apache2}
    ours=$conf_dir/hello
    manifest=$ours/manifest
    layout=debian
    state_dir=${APACHE_STATE_DIRECTORY:-/var/lib/apache2}
}

# root_needed: whether this user may not write where httpd is.
root_needed() {
    local folder folders=("$modules" "$conf_dir")
    ((EUID != 0)) || return 1
    if [[ -d $ours ]]; then folders+=("$ours"); fi
    if [[ $layout == debian ]]; then
        folders+=("$conf_dir"/{mods,conf,sites}-{available,enabled} "$state_dir")
    fi
    for folder in "${folders[@]}"; do
        [[ -w $folder ]] || return 0
    done
    return 1
}

# become_root ARGUMENT...: starts the script anew through sudo where that is needed.
become_root() {
    root_needed || return 0
    command -v sudo >/dev/null ||
        fail "only root may write to $(quote "$modules") and $(quote "$conf_dir"), and there is no sudo; nothing was changed" 'run this as root'
    # sudo drops the environment, and may look for apxs on another PATH.
    local variable keep=("APXS=$(absolute "$apxs")")
    for variable in APACHE_CONFDIR APACHE_STATE_DIRECTORY; do
        if [[ -n ${!variable-} ]]; then keep+=("$variable=${!variable}"); fi
    done
    # env would take a path with "=" in it for a variable.
    # shellcheck disable=SC2016
    exec sudo -- env "${keep[@]}" sh -c 'exec "$0" "$@"' "$scripts/$me" "$@"
}

# ---------------------------------------------------------------------------
# All or nothing: each change leaves behind what takes it back

undo=()
# undo_by COMMAND...
undo_by() {
    undo+=("$(printf '%q ' "$@")")
}

changing=false
clean_up() {
    local status=$? i file
    trap '' HUP INT TERM
    trap - EXIT
    stop_child
    if $changing; then
        for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
            eval "${undo[i]}" || {
                printf '%s: could not put everything back: %s\nNext: do that by hand\n' "$me" "${undo[i]}" >&2
                status=1
            }
        done
        [[ -z $served ]] || serve_as_before || {
            printf '%s: the files are back, but httpd is not\nNext: start it: apachectl start\n' "$me" >&2
            status=1
        }
        for file in "${formers[@]}"; do rm -f -- "$file"; done
    fi
    [[ -z $work ]] || rm -rf -- "$work"
    exit "$status"
}

# begin: from here on a failure or a signal puts everything back, and another run waits.
begin() {
    exit_on_signals
    trap clean_up EXIT
    temporary_folder work
    log=$work/log
    local folder
    # As long as nothing is changed, nobody else need be kept out.
    # shellcheck disable=SC2154
    ! $dry_run || return 0
    for folder in "$conf_dir" "$modules"; do
        keep_others_out "$folder" 'let nobody but you and root write to it (chown, chmod), and run this again'
    done
    exec 9<"$conf_dir"
    lock 9 "$conf_dir" 600
    ! command -v flock >/dev/null || remove_leftovers
}

# remove_leftovers: the files beside ours of runs that were killed outright. What a run that was killed
# has put in their places, the manifest knows.
remove_leftovers() {
    local left
    for left in "$modules"/.mod_hello.so.{former,new}-* "$ours"/.*.{former,new}-* \
        "$conf_dir"/{mods,conf,sites}-available/.hello*.{former,new}-*; do
        [[ ! -f $left && ! -L $left ]] || rm -f -- "$left"
    done
}

# done_with_changes: nothing is put back any more, and who stops it now is told what was done.
done_with_changes() {
    trap '' HUP INT TERM
    changing=false
    local file
    for file in "${formers[@]}"; do rm -f -- "$file"; done
}

# The files as they were, each beside the one that came instead: renamed back, it is the same file.
formers=()
# put_back_file FORMER FILE
put_back_file() {
    if [[ -e $1 || -L $1 ]]; then mv -fT -- "$1" "$2"; fi
}
# beside FILE WHAT: a name of our own in the folder of FILE, which no pattern of httpd's includes.
beside() {
    printf '%s/.%s.%s-%d-%d' "${1%/*}" "${1##*/}" "$2" $$ "${#formers[@]}"
}

# set_aside FILE: it is gone, until it is put back.
set_aside() {
    local former
    former=$(beside "$1" former)
    undo_by put_back_file "$former" "$1"
    mv -fT -- "$1" "$former" || fail "cannot move $(quote "$1") away; nothing was changed" 'mend what mv said above, and run this again'
    formers+=("$former")
}

# place MODE SOURCE FILE: by a rename, since httpd may have the file in use.
place() {
    local folder=${3%/*} former new
    former=$(beside "$3" former)
    new=$(beside "$3" new)
    undo_by rm -f -- "$new"
    (umask 077 && install -m "$1" -- "$2" "$new") ||
        fail "cannot write to $(quote "$folder"); everything was put back" 'mend what is said above, and run this again'
    if [[ -e $3 ]]; then
        undo_by put_back_file "$former" "$3"
        ln -f -- "$3" "$former" || fail "cannot make a link in $(quote "$folder"); everything was put back" 'mend what ln said above, and run this again'
        formers+=("$former")
    else
        undo_by rm -f -- "$3"
    fi
    mv -fT -- "$new" "$3" || fail "cannot make $(quote "$3"); everything was put back" 'mend what mv said above, and run this again'
}

make_link() { ln -sfT -- "$1" "$2"; }
make_mark() { : >"$1"; }

# remove_link LINK
remove_link() {
    local target
    target=$(readlink -- "$1")
    undo_by make_link "$target" "$1"
    rm -f -- "$1"
}

# ---------------------------------------------------------------------------
# The manifest: what install has put where. A line has a kind, what belongs to it, and a path:
#
#   file SHA256 PATH       folder - PATH
#   link TARGET PATH       a link that a2enmod or a2ensite has made
#   marked - PATH          a note of theirs that they have made, and
#   unmarked - PATH        one that they have removed
#
# It says what install is about to do before that is done, so that a file of its own is known as
# such even when it was killed outright.

kinds=()
details=()
paths=()
record() {
    kinds+=("$1")
    details+=("$2")
    paths+=("$3")
}
read_manifest() {
    local kind detail path
    [[ -e $manifest ]] || return 0
    while IFS=$'\t' read -r kind detail path; do
        [[ $kind != '#'* ]] || continue
        record "$kind" "$detail" "$path"
    done <"$manifest"
}
# write_manifest: what has been recorded.
write_manifest() {
    local i
    {
        printf '# What scripts/install of mod_hello has put where; scripts/uninstall reads it.\n'
        for i in "${!kinds[@]}"; do
            printf '%s\t%s\t%s\n' "${kinds[i]}" "${details[i]}" "${paths[i]}"
        done
    } >"$work/manifest"
    place 644 "$work/manifest" "$manifest"
}

sum() {
    local line
    line=$(sha256sum <"$1")
    printf '%s' "${line%% *}"
}

# contains TEXT ELEMENT...
contains() {
    local element text=$1
    shift
    for element in "$@"; do
        if [[ $element == "$text" ]]; then return 0; fi
    done
    return 1
}

# recorded KIND PATH: whether install has put something there.
recorded() {
    local i
    for i in "${!kinds[@]}"; do
        if [[ ${kinds[i]} == "$1" && ${paths[i]} == "$2" ]]; then return 0; fi
    done
    return 1
}
# untouched FILE: whether it is what install has put there.
untouched() {
    local i now
    [[ -f $1 && ! -L $1 ]] || return 1
    now=$(sum "$1")
    for i in "${!kinds[@]}"; do
        if [[ ${kinds[i]} == file && ${paths[i]} == "$1" && ${details[i]} == "$now" ]]; then return 0; fi
    done
    return 1
}

# ---------------------------------------------------------------------------
# httpd's process

# Debian's apachectl starts it by systemd where that is in charge.
control() {
    # A server that is started does not keep the locks.
    quietly "$log" "$1" apachectl "$1" 7<&- 9<&-
}

# running: prints the process of Debian's httpd, if there is one.
running() {
    local pid
    [[ -n $pid_file && -r $pid_file ]] || return 1
    pid=$(<"$pid_file")
    [[ $pid =~ ^[0-9]+$ && -d /proc/$pid ]] || return 1
    printf '%s' "$pid"
}

children_of() {
    local children=
    children=$(cat "/proc/$1/task/$1/children" 2>/dev/null || true)
    printf '%s' "$children"
}

# What this run has done to the server: nothing, graceful or start.
served=

serve_as_before() {
    case $served in
        graceful) if running >/dev/null; then apachectl graceful; else apachectl start; fi ;;
        start) ! running >/dev/null || apachectl stop ;;
    esac >/dev/null 2>&1 7<&- 9<&-
}

show_error_log() {
    local folder
    folder=$(variable APACHE_LOG_DIR)
    [[ -r $folder/error.log ]] || return 0
    printf '%s ends with:\n' "$(quote "$folder/error.log")" >&2
    tail -n 5 -- "$folder/error.log" | sed 's/^/  /' >&2
}

# restart_httpd: gracefully, and waits until the new generation is there.
restart_httpd() {
    # The exit trap, which may come at any moment, has a "child" of its own to end.
    local pid before new deadline=$((SECONDS + 30))
    pid=$(running)
    before=" $(children_of "$pid") "
    served=graceful
    control graceful
    while [[ -d /proc/$pid ]]; do
        for new in $(children_of "$pid"); do
            if [[ $before != *" $new "* ]]; then return 0; fi
        done
        ((SECONDS < deadline)) || break
        sleep 0.05
    done
    show_error_log
    fail 'httpd did not come back from its graceful restart; everything was put back' 'mend what its error log says above, and run this again'
}

# apply START: has httpd take its configuration, if that is a good one; START is whether a server
# that does not run is started.
apply() {
    control configtest
    if running >/dev/null; then
        restart_httpd
    elif $1; then
        served=start
        control start
    fi
}
