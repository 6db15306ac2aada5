# shellcheck shell=bash
# The nodes of a cluster, and what another terminal has them do. cluster sources it, after balancer.sh,
# which tells how they are; root is the cluster's folder, with one for each node.

# log_of N: prints where node N keeps its logs and its process number, once it runs. A run that
# was killed outright leaves its folder, and the next has one of its own: the one that
# lives is meant, and else any, since its access log is still to be counted.
log_of() {
    local file folder=
    for file in "$root/node$1"/mod_hello.run.??????/httpd.pid; do
        [[ -e $file ]] || continue
        folder=${file%/*}
        lives_in "$folder" >/dev/null && break
    done
    [[ -n $folder ]] && printf '%s' "$folder"
}
# lives_in FOLDER: prints the process of the httpd that runs there, if there is one.
lives_in() {
    local pid
    pid=$(cat -- "$1/httpd.pid" 2>/dev/null) || return 1
    # Whatever stands there: no more than one process, and its session, is meant.
    [[ $pid =~ ^[1-9][0-9]+$ ]] && kill -0 "$pid" 2>/dev/null || return 1
    printf '%s' "$pid"
}
# httpd_of_node N: prints its httpd's process, where it runs.
httpd_of_node() {
    local folder
    folder=$(log_of "$1") && lives_in "$folder"
}

# ---------------------------------------------------------------------------
# In the cluster itself

node_processes=() # run's, by the node's number
options=()        # what each run is told

# start_node N: in the background.
start_node() {
    local folder=$root/node$1
    mkdir -p -- "$folder"
    enterable "$folder"
    rm -f -- "$folder/drain" "$folder/out"
    "${launcher[@]}" env "TMPDIR=$folder" "$scripts/run" --listen "127.0.0.$((10 + $1))" --http-port "$http_port" --https-port "$https_port" \
        --cert-dir "$cert_dir" --example node --define HELLO_BALANCER=127.0.0.10 --define "HELLO_DRAIN=$folder/drain" "${options[@]}" </dev/null >"$folder/out" 2>"$folder/err" 7<&- 9<&- &
    node_processes[$1]=$!
}
# note_ends: nodes that have ended since the last time.
note_ends() {
    local i
    for i in "${!node_processes[@]}"; do
        if ! kill -0 "${node_processes[i]}" 2>/dev/null; then
            wait "${node_processes[i]}" 2>/dev/null || true
            unset "node_processes[i]"
            # It never came to serve.
            if ! grep -qs '^Ready' "$root/node$i/out"; then cp -- "$root/node$i/err" "$root/node$i/failed"; fi
            rm -f -- "$root/node$i/out"
        fi
    done
}
# await_node N: until it serves; ends the script where it does not.
await_node() {
    until grep -qs '^Ctrl-C' "$root/node$1/out"; do
        note_ends
        [[ ! -e $root/node$1/failed ]] || {
            cat -- "$root/node$1/failed" >&2
            fail "node $1 did not start" 'mend what it says above, and run this again'
        }
        sleep 0.1
    done
}

# ---------------------------------------------------------------------------
# In another terminal

# find_cluster: sets root to that of the one of this user that runs. It keeps its folder open.
find_cluster() {
    local folder found=()
    for folder in "${TMPDIR:-/tmp}"/mod_hello.cluster.??????; do
        if [[ -O $folder && ! -L $folder && -e $folder/ready ]] && ! flock -n "$folder" true; then found+=("$folder"); fi
    done
    ((${#found[@]} > 0)) || fail "no cluster of $(id -un) runs, or it is not ready" "start one: $(shown "$scripts/cluster"); where its TMPDIR is another, set that"
    ((${#found[@]} == 1)) || fail "${#found[@]} clusters of $(id -un) run, with the folders ${found[*]}" 'end all but one, or start each with a TMPDIR of its own'
    root=${found[0]}
}
# say NODE WHAT
say() { printf 'node %d: %s\n' "$1" "$2"; }
# is_empty N: a HAProxy of before a reload has connections still, of which there are no statistics.
is_empty() {
    local balancer workers
    balancer=$(<"$root/haproxy.pid")
    read -ra workers <"/proc/$balancer/task/$balancer/children"
    ((${#workers[@]} <= 1)) && statistics | awk -v node="$1" '$1 == node { exit $3 != 0 }'
}
# is_gone N: whether its httpd, and run with it, has ended.
is_gone() { ! httpd_of_node "$1" >/dev/null && ! [[ -e $root/node$1/out ]]; }
# drain N, start N, kill_node N: return when it is so, and end the script where it does not come to that.
drain() {
    : >"$root/node$1/drain"
    wait_for 10 is "$1" draining down || fail "node $1 is not draining after 10 seconds: $(state_of "$1")" "see $(quote "$root/node$1/err")"
    say "$1" draining
}
start() {
    local pid
    rm -f -- "$root/node$1/drain"
    if ! pid=$(httpd_of_node "$1"); then
        rm -f -- "$root/node$1/failed"
        printf 'start %d\n' "$1" >"$root/control"
    fi
    wait_for 180 is_up_or_failed "$1" || true
    if [[ -e $root/node$1/failed ]]; then
        cat -- "$root/node$1/failed" >&2
        fail "node $1 did not start" 'mend what it says above, and start it again'
    fi
    is "$1" up || fail "node $1 is not up after 180 seconds: $(state_of "$1")" "see $(quote "$root/node$1/err")"
    say "$1" up
}
is_up_or_failed() { [[ -e $root/node$1/failed ]] || is "$1" up; }
# Its processes are in a session of their own, which has its number.
kill_node() {
    local pid
    pid=$(httpd_of_node "$1") || fail "node $1 does not run" "$(shown "$scripts/cluster") start $1"
    kill -KILL -- "-$pid"
    wait_for 10 is "$1" down || fail "node $1 is not down after 10 seconds: $(state_of "$1")" "see $(quote "$root/haproxy.log")"
    say "$1" down
}
# roll: each node in turn.
roll() {
    local pid node
    know_certificate
    for ((node = 1; node <= $(<"$root/nodes"); node++)); do
        if pid=$(httpd_of_node "$node"); then
            drain "$node"
            wait_for 6 is_empty "$node" || say "$node" 'still has connections, which it now ends'
            # graceful-stop: it answers what it was asked.
            kill -WINCH "$pid"
            wait_for 30 is_gone "$node" || {
                say "$node" 'cuts off who has not taken an answer for 30 seconds'
                kill -TERM "$pid"
                wait_for 10 is_gone "$node" || fail "node $node has not stopped within 40 seconds" "see $(quote "$root/node$node/err")"
            }
            say "$node" stopped
        fi
        start "$node"
    done
}
