# shellcheck shell=bash
# The manifest: what install has put where, for uninstall and for the next install, which source it
# after changes.sh. A line has a kind, what belongs to it, and a path:
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
# record KIND DETAIL PATH
record() {
    kinds+=("$1")
    details+=("$2")
    paths+=("$3")
}
# read_manifest: records what earlier runs have, if there is one.
read_manifest() {
    local kind detail path
    [[ -e $manifest ]] || return 0
    while IFS=$'\t' read -r kind detail path; do
        [[ $kind != '#'* ]] || continue
        record "$kind" "$detail" "$path"
    done <"$manifest"
}
# write_manifest: of what has been recorded, as a change like any other.
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

# sum FILE: prints its SHA-256.
sum() {
    local line
    line=$(sha256sum <"$1")
    printf '%s' "${line%% *}"
}

# contains TEXT ELEMENT...: whether one of them is that.
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
