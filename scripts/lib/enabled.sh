# shellcheck shell=bash
# What Debian's a2enmod, a2enconf and a2ensite make and note. install sources it, after manifest.sh.

# foresee KIND FOLDER FILE: records the link and the notes that they may make of it.
foresee() {
    local link=$conf_dir/$2-enabled/$3 name=${3%.*} note
    [[ ! -e $link && ! -L $link ]] || return 0
    record link "../$2-available/$3" "$link"
    for note in "$state_dir/$1"/*/"$name"; do
        [[ ! -e $note ]] || record unmarked - "$note"
    done
    note=$state_dir/$1/enabled_by_admin/$name
    [[ -e $note ]] || record marked - "$note"
}
# foresee_all: of enable, with what those depend on, of for_all, and of the site.
foresee_all() {
    local i name needed foreseen=("${enable[@]}")
    for ((i = 0; i < ${#foreseen[@]}; i++)); do
        name=${foreseen[i]}
        foresee module mods "$name.load"
        [[ ! -e $conf_dir/mods-available/$name.conf ]] || foresee module mods "$name.conf"
        for needed in $(sed -n 's/^# Depends://p' "$conf_dir/mods-available/$name.load" 2>/dev/null || true); do
            contains "$needed" "${foreseen[@]}" || foreseen+=("$needed")
        done
    done
    for name in "${for_all[@]}"; do foresee conf conf "hello-$name.conf"; done
    if $site; then foresee site sites hello.conf; fi
}

# enabled: prints a line for each link and each note of a2enmod's and a2ensite's.
enabled() {
    local folder folders=("$conf_dir"/{mods,conf,sites}-enabled)
    for folder in "$state_dir"/{module,conf,site}; do
        if [[ -d $folder ]]; then folders+=("$folder"); fi
    done
    find "${folders[@]}" ! -type d -printf '%p\t%l\n' | LC_ALL=C sort
}
# enabled_differs OPTION: the lines that are there no longer (-23), or newly (-13).
enabled_differs() {
    enabled >"$work/after"
    LC_ALL=C comm "$1" "$work/before" "$work/after"
}
# put_back_enabled: for the exit trap.
put_back_enabled() {
    local path target
    while IFS=$'\t' read -r path target; do
        rm -f -- "$path"
    done < <(enabled_differs -13)
    while IFS=$'\t' read -r path target; do
        if [[ -n $target ]]; then make_link "$target" "$path"; else make_mark "$path"; fi
    done < <(enabled_differs -23)
}

# enable_all KNOWN: as changes that can be taken back. What that has made is recorded in the place of what
# it might have, which is recorded from KNOWN on.
enable_all() {
    local known=$1 name path target
    enabled >"$work/before"
    undo_by put_back_enabled
    quietly "$log" a2enmod a2enmod -q "${enable[@]}"
    for name in "${for_all[@]}"; do quietly "$log" a2enconf a2enconf -q "hello-$name"; done
    if $site; then quietly "$log" a2ensite a2ensite -q hello; fi
    kinds=("${kinds[@]:0:known}")
    details=("${details[@]:0:known}")
    paths=("${paths[@]:0:known}")
    while IFS=$'\t' read -r path target; do
        if [[ -n $target ]]; then record link "$target" "$path"; else record marked - "$path"; fi
    done < <(enabled_differs -13)
    while IFS=$'\t' read -r path target; do
        [[ -n $target ]] || record unmarked - "$path"
    done < <(enabled_differs -23)
}
