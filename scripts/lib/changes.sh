# shellcheck shell=bash
# What is changed in the configuration of the machine's httpd: all of it, or nothing. install and
# uninstall source it, after machine-httpd.sh and undo.sh.

changing=false

clean_up() {
    local status=0 command
    ! $changing || {
        # Half of them put back, while httpd reads them for its restart, would be its end.
        [[ $served != graceful ]] || wait_for 5 restart_is_over || true
        take_back || status=1
        for command in "${not_back[@]}"; do
            printf '%s: could not put everything back: %s\nNext: do that by hand\n' "$me" "$command" >&2
        done
        [[ -z $served ]] || serve_as_before || {
            printf '%s: the files are back, but httpd is not\nNext: start it: apachectl start\n' "$me" >&2
            status=1
        }
        forget_formers
    }
    return "$status"
}

# begin: from here on a failure or a signal puts everything back, and another run waits.
begin() {
    end_in_order
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
    forget_formers
}

# The files as they were, each beside the one that came instead: renamed back, it is the same file.
formers=()
# forget_formers: for when nothing is put back any more.
forget_formers() {
    local file
    for file in "${formers[@]}"; do rm -f -- "$file"; done
}
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

# make_link TARGET LINK
make_link() { ln -sfT -- "$1" "$2"; }
# make_mark FILE
make_mark() { : >"$1"; }

# remove_link LINK
remove_link() {
    local target
    target=$(readlink -- "$1")
    undo_by make_link "$target" "$1"
    rm -f -- "$1"
}
