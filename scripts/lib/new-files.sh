# shellcheck shell=bash
# Files that are made together: all of them, or none. make-cert and make-client-cert source it.
#
# A script takes "umask 077" as its first step and keeps the umask it was started with in
# umask_before, sets dir and calls enter_folder, sets files, makes each of them in $work/new
# and calls place_files. In between, whatever ends it, everything is as it was.

dir=
files=() # in the order in which they come into the folder
made=()
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

clean_up() {
    local folder
    if [[ -n $terminal ]]; then
        stty "$terminal" </dev/tty || true
        printf '\n' >/dev/tty
    fi
    if $renaming && ! put_back; then
        printf '%s: could not put the former files back into %s; they are in %s\nNext: move them by hand\n' \
            "$me" "$(quote "$dir")" "$(quote "$work/old")" >&2
        temporary=()
        return 1
    fi
    # The folders that were made go after what lies in them.
    [[ -z $work ]] || rm -rf -- "$work"
    for folder in "${made[@]}"; do
        rmdir -- "$folder" 2>/dev/null || true
    done
}

# enter_folder: makes dir where it is missing, and keeps other runs out of it.
enter_folder() {
    local folder lock
    need_tools --run openssl
    end_in_order
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

# rename FILE NAME: ends the script where that fails.
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
