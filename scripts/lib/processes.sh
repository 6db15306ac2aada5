# shellcheck shell=bash
# Programs that are waited for, and the end of a script, whatever it is that ends it. Who starts a
# program or makes a temporary folder sources it.

ready=false  # true once what the user has asked for runs: a signal is how he ends that
temporary=() # folders that go when the script ends
child=       # what is waited for
cache=()     # what a build that fails for want of space leaves behind, and is to go

# A session of its own, so that a program and all that it started can be ended together.
own_session=()
if command -v setsid >/dev/null; then own_session=(setsid); fi

# clean_up: what else is to be done at the end; a script has its own. Where it fails, the script does.
clean_up() { :; }

# end_in_order: from here on the script cleans up at its end, and ends at a signal with 129, 130 or
# 143, or with 0 once it is ready.
end_in_order() {
    trap 'end_by_signal 129' HUP
    trap 'end_by_signal 130' INT
    trap 'end_by_signal 143' TERM
    trap end_script EXIT
}
end_by_signal() {
    if $ready; then exit 0; else exit "$1"; fi
}
end_script() {
    local status=$?
    trap '' HUP INT TERM
    trap - EXIT
    stop_child
    clean_up || status=1
    ((${#temporary[@]} == 0)) || rm -rf -- "${temporary[@]}"
    exit "$status"
}
# stop_child: ends what attend waits for.
stop_child() {
    [[ -n $child ]] || return 0
    kill -TERM -- "-$child" 2>/dev/null || kill -TERM "$child" 2>/dev/null || true
    wait "$child" 2>/dev/null || true
    child=
}

# attend LOG COMMAND...: runs COMMAND in a session of its own, with no input, and gives its status; LOG
# has its output, where that is not empty. A redirection of attend itself would be one of the traps too.
attend() {
    local log=$1 status=0
    shift
    # bash runs no trap while it waits for a program in the foreground.
    if [[ -n $log ]]; then
        "${own_session[@]}" "$@" </dev/null >"$log" 2>&1 &
    else
        "${own_session[@]}" "$@" </dev/null &
    fi
    child=$!
    wait "$child" || status=$?
    child=
    return "$status"
}

# quietly LOG WHAT COMMAND...: the output of COMMAND is of interest only when it fails, which ends the
# script.
quietly() {
    local log=$1 what=$2 status=0
    shift 2
    attend "$log" "$@" || status=$?
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

# wait_for SECONDS COMMAND...: until COMMAND succeeds; fails where it has not by then.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

# end_all PROCESS...: ends those that this script has started, and waits for them; empty ones are none.
end_all() {
    local process
    for process in "$@"; do
        [[ -z $process ]] || kill -TERM "$process" 2>/dev/null || true
    done
    for process in "$@"; do
        [[ -z $process ]] || wait "$process" 2>/dev/null || true
    done
}
