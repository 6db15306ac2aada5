# shellcheck shell=bash
# Changes, each noted with what takes it back before it is made. trust-cert sources it, and what
# install and uninstall share (changes.sh) builds upon it.

undo=()
not_back=() # what take_back could not do

# undo_by COMMAND...
undo_by() {
    undo+=("$(printf '%q ' "$@")")
}

# take_back: all of it, the last first. What fails keeps the rest from nothing; then it fails too.
take_back() {
    local i
    not_back=()
    for ((i = ${#undo[@]} - 1; i >= 0; i--)); do
        eval "${undo[i]}" || not_back+=("${undo[i]}")
    done
    ((${#not_back[@]} == 0))
}
