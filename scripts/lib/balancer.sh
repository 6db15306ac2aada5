# shellcheck shell=bash
# HAProxy before a cluster's nodes: its configuration, what it tells of them, and the certificate that
# it checks them by. cluster sources it, after processes.sh and examples.sh.

root=     # of the cluster: for each node a folder, what HAProxy reads, and its sockets
balancer= # HAProxy's process

# find_haproxy: sets haproxy, its program, which is installed where it is missing.
find_haproxy() {
    haproxy=$(command -v haproxy) || {
        "$scripts/setup" --cluster
        haproxy=$(command -v haproxy) || fail 'haproxy is not on PATH' "run $(quote "$scripts/setup") --cluster"
    }
}

# statistics: prints HAProxy's, a line for each node: its number, its state, its connections and the new ones of
# the last second.
statistics() {
    curl -q --silent --max-time 2 --unix-socket "$root/statistics" 'http://localhost/;csv' | awk -F, '
        $1 !~ /^nodes/ || $2 !~ /^node[0-9]$/ { next }
        { node = substr($2, 5); connections[node] += $5; new[node] += $34 }
        $1 == "nodes" { state[node] = $18 ~ /^UP$/ ? "up" : $18 ~ /^NOLB/ ? "draining" : $18 ~ /^UP/ ? "failing" : $18 ~ /^DOWN ./ ? "coming" : "down" }
        END { for (node = 1; node in state; ++node) print node, state[node], connections[node], new[node] }'
}
# state_of N: prints it.
state_of() {
    statistics | awk -v node="$1" '$1 == node { print $2 }'
}
# is NODE STATE...: whether it is in one of them.
is() {
    local state
    state=$(state_of "$1")
    [[ " ${*:2} " == *" $state "* ]]
}

# balancer_configuration HOST: prints the recipe, for these nodes. Where they come from is theirs to know.
balancer_configuration() {
    local unprivileged=d
    # Started by root, it serves as who serves behind it.
    ((EUID != 0)) || unprivileged='s/haproxy/www-data/'
    sed -e '/^    log /d' -e "/^    \\(user\\|group\\) /$unprivileged" \
        -e "s|^    stats socket [^ ]*|    stats socket $root/admin|" \
        -e "s|^    setenv HELLO_HOST .*|    setenv HELLO_HOST $1|; s|^    setenv HELLO_CA .*|    setenv HELLO_CA \"$root/nodes.crt\"|" \
        -e "s/^    bind :80/    bind 127.0.0.1:$http_port/; s/^    bind :443/    bind 127.0.0.1:$https_port/" \
        -e '/^backend nodes/a\    source 127.0.0.10' "$recipes/haproxy.cfg" |
        awk -v nodes="$nodes" -v http="$http_port" -v https="$https_port" '
            !/^    server node/ { print; next }
            $2 == "node1" { for (i = 1; i <= nodes; ++i) print "    server node" i " 127.0.0." 10 + i ":" ($3 ~ /:443$/ ? https : http) (/ track / ? " track nodes/node" i : "") }'
    printf 'frontend statistics\n    mode http\n    bind unix@%s/statistics mode 600\n    stats enable\n    stats uri /\n' "$root"
}

# start_balancer HOST: in the background, and waits until it finds all nodes up, or ends the script. HOST
# is what it takes the nodes for.
start_balancer() {
    balancer_configuration "$1" >"$root/haproxy.cfg"
    "${own_session[@]}" "${launcher[@]}" "$haproxy" -W -db -f "$root/haproxy.cfg" </dev/null >"$root/haproxy.log" 2>&1 7<&- 9<&- &
    balancer=$!
    printf '%d\n' "$balancer" >"$root/haproxy.pid"
    wait_for 30 all_up || true
    if balancer_has_ended || ! all_up; then
        cat -- "$root/haproxy.log" >&2
        fail 'HAProxy does not find all nodes up within 30 seconds' 'mend what it says above, and run this again'
    fi
}
balancer_has_ended() { ! kill -0 "$balancer" 2>/dev/null; }
all_up() { [[ $(statistics | awk '$2 == "up"' | wc -l) == "$nodes" ]] || balancer_has_ended; }

# check_certificate FILE HOST: ends the script where HAProxy could not check the nodes by it.
check_certificate() {
    [[ $(openssl x509 -in "$1" -noout -checkhost "$2") == *'does match'* ]] ||
        fail "the certificate $(quote "$1") is not one for $2, as which HAProxy checks the nodes" "make one that is: make-cert --name $2"
    openssl verify -CAfile "$1" "$1" >/dev/null 2>&1 ||
        fail "the certificate $(quote "$1") is not self-made, and HAProxy is to trust it by itself here" 'make one with make-cert'
}
# know_certificate: HAProxy takes one that is new from here on. What it knows it knows from its start.
know_certificate() {
    local certificate file
    file=$(<"$root/cert-dir")/server.crt
    openssl x509 -in "$file" -noout 2>/dev/null ||
        fail "$(quote "$file") is not a certificate, or not a whole one yet; nothing was changed" 'put it there, and do this again'
    certificate=$(openssl x509 -in "$file")
    [[ $(<"$root/nodes.crt") != *"$certificate"* ]] || return 0
    check_certificate "$file" "$(sed -n 's/^    setenv HELLO_HOST //p' "$root/haproxy.cfg")"
    cp -- "$root/nodes.crt" "$root/nodes.crt.before"
    { cat -- "$root/nodes.crt.before" && printf '%s\n' "$certificate"; } >"$root/nodes.crt.new"
    mv -f -- "$root/nodes.crt.new" "$root/nodes.crt"
    reload_balancer || {
        mv -f -- "$root/nodes.crt.before" "$root/nodes.crt"
        fail 'HAProxy has not loaded its configuration anew within 20 seconds' "see $(quote "$root/haproxy.log")"
    }
    printf 'HAProxy: knows the new certificate\n'
}
# reload_balancer: fails where it has not done so within 20 seconds.
reload_balancer() {
    local loads
    loads=$(grep -c 'Loading success' "$root/haproxy.log")
    kill -USR2 "$(<"$root/haproxy.pid")"
    wait_for 20 reloaded "$loads"
}
reloaded() { (($(grep -c 'Loading success' "$root/haproxy.log") > $1)) && [[ -n $(statistics) ]]; }
