# shellcheck shell=bash
# What install is to put where, and what is there now: all is known before anything is changed.
# install sources it, after changes.sh and manifest.sh.

modes=()
sources=()
targets=()
states=() # new, same, ours (an older one), changed (ours, by somebody) or foreign
kept=()   # those that somebody has changed
enable=() # httpd's modules

# state_of SOURCE TARGET: prints it.
state_of() {
    if [[ ! -e $2 && ! -L $2 ]]; then
        printf new
    elif [[ -f $2 && ! -L $2 ]] && cmp -s -- "$1" "$2"; then
        printf same
    elif untouched "$2"; then
        printf ours
    elif recorded file "$2"; then
        printf changed
    else
        printf foreign
    fi
}
# add_file MODE SOURCE TARGET
add_file() {
    modes+=("$1")
    sources+=("$2")
    targets+=("$3")
    states+=("$(state_of "$2" "$3")")
}

# check_targets: ends the script where one of them is somebody else's. Sets kept.
check_targets() {
    local i target package
    for i in "${!targets[@]}"; do
        target=${targets[i]}
        case ${states[i]} in
            foreign)
                # A package's file is the package's.
                package=$(dpkg-query -S "$target" 2>/dev/null || true)
                [[ -z $package ]] ||
                    fail "$(quote "$target") belongs to the package ${package%%:*}; nothing was changed" "use that one, or remove the package first: apt-get remove ${package%%:*}"
                fail "$(quote "$target") exists, and is not of this script's making; nothing was changed" 'move it away, and run this again'
                ;;
            changed)
                # Without this one nothing would have been installed.
                [[ $target != "$module" ]] ||
                    fail "somebody else has replaced $(quote "$target") since it was installed; nothing was changed" 'move it away, and run this again'
                kept+=("$target")
                ;;
        esac
    done
}

# print_plan: for --dry-run.
print_plan() {
    local i
    printf 'build %s\n' "$(quote "$built")"
    for i in "${!targets[@]}"; do
        case ${states[i]} in
            new) printf 'make %s (mode %s)\n' "$(quote "${targets[i]}")" "${modes[i]}" ;;
            ours) printf 'replace %s\n' "$(quote "${targets[i]}")" ;;
            changed) printf 'leave %s, which somebody has changed\n' "$(quote "${targets[i]}")" ;;
        esac
    done
    if [[ $layout == other ]]; then
        printf 'print the lines for httpd.conf\n'
        return 0
    fi
    printf 'a2enmod %s\n' "${enable[*]}"
    ((${#for_all[@]} == 0)) || printf 'a2enconf%s\n' "$(printf ' hello-%s' "${for_all[@]}")"
    ! $site || printf 'a2ensite hello\n'
    printf 'apachectl configtest\n'
    if running >/dev/null || [[ ! -d $conf_dir ]]; then
        printf 'apachectl graceful\n'
    elif $site; then
        printf 'apachectl start\n'
    fi
    ! $site || printf 'ask https://127.0.0.1:%d/ and http://127.0.0.1:%d/\n' "$https_port" "$http_port"
}

# make_our_folder: where the site's files lie.
make_our_folder() {
    [[ ! -d $ours ]] || return 0
    undo_by rmdir -- "$ours"
    mkdir -m 755 -- "$ours" || fail "cannot make the folder $(quote "$ours"); nothing was changed" 'mend what mkdir said above, and run this again'
    record folder - "$ours"
}
# record_files: as they will be; place_all: makes them so.
record_files() {
    local i
    for i in "${!targets[@]}"; do
        case ${states[i]} in
            new | ours) record file "$(sum "${sources[i]}")" "${targets[i]}" ;;
        esac
    done
}
place_all() {
    local i
    for i in "${!targets[@]}"; do
        case ${states[i]} in
            new | ours) place "${modes[i]}" "${sources[i]}" "${targets[i]}" ;;
        esac
    done
}
