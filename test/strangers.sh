#!/usr/bin/env bash
set -euo pipefail
umask 077
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib/base.sh"
. "$scripts/lib/processes.sh"
. "$scripts/lib/folders.sh"

usage() {
    cat <<'END'
Usage: strangers.sh [OPTION]... [ATTACK]...
Attacks a server on this machine, and asks it all the while as an ordinary
client does, once a second over http and once over https. It has a network of
its own, where each attack has an address, from 127.0.0.66 on, and the client is
127.0.0.2. At the end a table says how long the client waited, and what became
of the server.

  headers, bodies, ranges, reads
             slowhttptest's four modes, with 1,500 connections, over https
  headers-http, bodies-http, ranges-http, reads-http
             the same over http
  handshakes half a ClientHello on each of 1,500 connections, over and over
  silence    nothing on each of 1,500 connections, over and over
  garbage    lines that are no request, as fast as they go
  h2         h2load with 100 connections of 100 streams
  new        h2load with a new connection for each request
             (default: all of these, in this order)

  --of NAME      production: conf/examples/production.conf by scripts/run
                 plain: what scripts/run serves by itself
                 cluster: two nodes with production.conf behind HAProxy
                 (default: production)
  --seconds N    how long each attack goes on, 5 to 600 (default: 60)
  --help         print this and exit

What is missing is installed (see setup --strangers). It needs unshare and ip,
and no other user's rights.

MB is httpd's memory before an attack, at its end and after it; where that is
more than a tenth above what it was, a shorter attack follows, up to five times,
until one takes no more: what is kept for the next clients is no leak.

Exit status: 0 when for each attack 99 of 100 answers came within 0.5 s, none
failed, no child of httpd crashed, and memory did not grow with each attack;
1 when that was not so; 2 on wrong usage; 129, 130, 143 after SIGHUP,
SIGINT, SIGTERM.

Example: strangers.sh --seconds 20 headers handshakes
END
}

known=(headers bodies ranges reads headers-http bodies-http ranges-http reads-http handshakes silence garbage h2 new)
arguments=("$@")
attacks=()
of=production
seconds=60
while (($# > 0)); do
    case $1 in
        --*=*)
            set -- "${1%%=*}" "${1#*=}" "${@:2}"
            continue
            ;;
        --of | --seconds)
            need_value "$1" $# "${2-}"
            case $1-$2 in
                --of-production | --of-plain | --of-cluster) of=$2 ;;
                --of-*) usage_error "--of $(quote "$2") is unknown; expected production, plain or cluster" ;;
                *)
                    [[ $2 =~ ^([5-9]|[1-9][0-9]|[1-5][0-9]{2}|600)$ ]] ||
                        usage_error "--seconds $(quote "$2") is not a number from 5 to 600"
                    seconds=$2
                    ;;
            esac
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            [[ " ${known[*]} " == *" $1 "* ]] ||
                usage_error "unknown argument $(quote "$1"); expected an option such as --of NAME, or attacks out of: ${known[*]}"
            attacks+=("$1")
            ;;
    esac
    shift
done
((${#attacks[@]} > 0)) || attacks=("${known[@]}")

if [[ -z ${HELLO_STRANGERS_NETWORK-} ]]; then
    "$scripts/setup" --strangers
    need_tools --strangers unshare ip slowhttptest h2load curl
    as_self=()
    ((EUID == 0)) || as_self=(--map-current-user --keep-caps)
    export HELLO_STRANGERS_NETWORK=$BASHPID
    exec unshare --net "${as_self[@]}" "${BASH_SOURCE[0]}" "${arguments[@]}" ||
        fail 'no network of its own to be had' 'run this as root'
fi
ip link set lo up
ulimit -n "$(ulimit -H -n)"

server=
attackers=()
stop_attackers() {
    local process
    for process in "${attackers[@]}"; do kill -TERM -- "-$process" 2>/dev/null || true; done
    for process in "${attackers[@]}"; do wait "$process" 2>/dev/null || true; done
    attackers=()
}
clean_up() {
    stop_attackers
    end_all "$server"
}
end_in_order
temporary_folder work

# ---------------------------------------------------------------------------
# The server

case $of in
    production) command=("$scripts/run" --example production) ;;
    plain) command=("$scripts/run") ;;
    cluster) command=("$scripts/cluster" --nodes 2 --example production) ;;
esac
http_port=8080
https_port=8443
"$scripts/make-cert" --dir "$work/tls" >/dev/null
# The servers' own folders are in there.
mkdir -- "$work/servers"
chmod 711 -- "$work" "$work/servers"
TMPDIR=$work/servers "${own_session[@]}" "${command[@]}" --cert-dir "$work/tls" --http-port "$http_port" --https-port "$https_port" >"$work/server" 2>&1 &
server=$!
until grep -q 'Ctrl-C stops it' "$work/server"; do
    kill -0 "$server" 2>/dev/null || fail "the server did not start: $(cat "$work/server")" 'mend that, and run this again'
    sleep 0.2
done

# servers: the processes of httpd and HAProxy in this network, which is all that is in it.
network=$(readlink /proc/self/ns/net)
servers() {
    local process
    for process in /proc/[0-9]*; do
        if [[ $(readlink "$process/ns/net" 2>/dev/null) == "$network" && $(cat "$process/comm" 2>/dev/null) =~ ^(apache2|httpd|haproxy)$ ]]; then
            printf '%s\n' "${process#/proc/}"
        fi
    done
}
# memory: what they take together, in MB; what they share counts once.
memory() {
    local process
    for process in $(servers); do cat "/proc/$process/smaps_rollup" 2>/dev/null || true; done |
        awk '/^Pss:/ { sum += $2 } END { printf "%d", sum / 1024 }'
}

# logged: what the servers have written of all this, in KB.
logged() { find "$work/servers" -name '*.log' -printf '%s\n' | awk '{ sum += $1 } END { printf "%d", sum / 1024 }'; }
# crashes: how many processes of httpd have been ended by a signal.
crashes() { find "$work/servers" -name error.log -exec cat {} + | grep -c 'exit signal' || true; }

# ---------------------------------------------------------------------------
# The client

# client UNTIL: one line for each answer, seconds and status.
client() {
    local next=$EPOCHSECONDS url
    while ((EPOCHSECONDS < $1)); do
        for url in "http://127.0.0.1:$http_port/" "https://127.0.0.1:$https_port/"; do
            curl -s -o /dev/null --interface 127.0.0.2 --cacert "$work/tls/server.crt" --max-time 20 \
                -w '%{time_total} %{http_code}\n' "$url" || true
        done
        next=$((next + 1))
        while ((EPOCHSECONDS < next)); do sleep 0.05; done
    done
}

# ---------------------------------------------------------------------------
# The attackers

# slow MODE... SCHEME
slow() {
    local url=http://127.0.0.1:$http_port/
    [[ ${*: -1} == http ]] || url=https://127.0.0.1:$https_port/
    slowhttptest "${@:1:$#-1}" -c 1500 -r 1000 -i 2 -l "$seconds" -p 20 -u "$url"
}
# hold PORT BYTES: on 1,500 connections at a time; each is opened again 10 seconds after it was.
hold() {
    local held=() i fd
    while :; do
        for ((i = 0; i < 1500; i++)); do
            if [[ -n ${held[i]-} ]]; then
                fd=${held[i]}
                exec {fd}>&-
            fi
            held[i]=
            { exec {fd}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || continue
            held[i]=$fd
            { printf '%b' "$2" >&"$fd"; } 2>/dev/null || true
            ((i % 150 != 0)) || sleep 1
        done
    done
}
garbage() {
    local fd line='\x00GET \xff\r\n: \r\n\r\nHost HTTP/\x7f\r\n'
    while :; do
        { exec {fd}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || continue
        { printf '%b%b%b' "$line" "$line" "$line" >&"$fd"; } 2>/dev/null || true
        exec {fd}>&-
    done
}
attack() {
    # So that a connection which httpd has closed ends nobody.
    trap '' PIPE
    case $1 in
        headers) slow -H https ;;
        bodies) slow -B -s 60000 https ;;
        ranges) slow -R -a 10 -b 3000 https ;;
        reads) slow -X -w 64 -y 128 -n 5 -z 16 -k 3 https ;;
        headers-http) slow -H http ;;
        bodies-http) slow -B -s 60000 http ;;
        ranges-http) slow -R -a 10 -b 3000 http ;;
        reads-http) slow -X -w 64 -y 128 -n 5 -z 16 -k 3 http ;;
        handshakes) hold "$https_port" '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' ;;
        silence) hold "$https_port" '' ;;
        garbage) garbage "$http_port" ;;
        h2) while :; do h2load -c 100 -m 100 -D "$seconds" "https://127.0.0.1:$https_port/" || sleep 0.1; done ;;
        new) while :; do h2load --h1 -c 1000 -n 1000 "https://127.0.0.1:$https_port/" || sleep 0.1; done ;;
    esac
}

# ---------------------------------------------------------------------------
# What came of it

attacker=66
# begin ATTACK
begin() {
    # What connects to this address and says nothing else, comes from another one: HAProxy still
    # refuses who attacked a moment ago.
    ip route replace table local local 127.0.0.1 dev lo scope host src "127.0.0.$((attacker++))"
    "${own_session[@]}" bash -c "$(declare -f attack slow hold garbage); $(declare -p http_port https_port seconds); attack $1" \
        </dev/null >"$work/$1" 2>&1 &
    attackers=("$!")
}
# What httpd keeps for the next clients, once there were so many, it keeps.
for name in headers handshakes h2; do
    begin "$name"
    client $((EPOCHSECONDS + 10)) >/dev/null
    stop_attackers
done
# settle MB: sets after, once it is no more than a tenth above that. httpd ends spare children one after another.
settle() {
    local i
    after=$(memory)
    for ((i = 0; i < 30 && after * 10 > $1 * 11; i++)); do
        sleep 1
        after=$(memory)
    done
}
failed=0
printf '%-13s %7s %7s %7s %7s %8s %18s %8s\n' "$of" median 99th longest failed crashes MB 'KB of log'
for name in "${attacks[@]}"; do
    before=$(memory)
    crashes=$(crashes)
    logged=$(logged)
    begin "$name"
    client $((EPOCHSECONDS + seconds)) >"$work/answers"
    figures=$before-$(memory)
    stop_attackers
    settle "$before"
    figures+=-$after
    # Each child keeps what so many streams at once have taken, and comes to that in its own time.
    tenth=$((before / 10))
    for ((again = 0; again < 5 && after - before > tenth; again++)); do
        # A leak shall not hide behind what it has made of the memory.
        ((again > 0)) || tenth=$((after / 10))
        before=$after
        begin "$name"
        client $((EPOCHSECONDS + seconds / 3)) >/dev/null
        stop_attackers
        settle "$before"
        figures+=-$after
    done
    crashes=$(($(crashes) - crashes))
    read -r median percentile longest errors < <(sort -n "$work/answers" | awk '
        { time[NR] = $1 } $2 !~ /^[23]/ { ++errors }
        END { printf "%.3f %.3f %.3f %d\n", time[int((NR + 1) / 2)], time[int(NR * 0.99 + 0.999)], time[NR], errors }')
    verdict=
    awk "BEGIN { exit !($percentile > 0.5) }" && verdict+=' slow'
    ((errors == 0)) || verdict+=' errors'
    ((crashes == 0)) || verdict+=' crashes'
    ((after - before <= tenth)) || verdict+=' memory'
    [[ -z $verdict ]] || failed=1
    printf '%-13s %7s %7s %7s %7s %8s %18s %8s%s\n' "$name" "$median" "$percentile" "$longest" "$errors" \
        "$crashes" "$figures" "$(($(logged) - logged))" "$verdict"
done
((failed == 0))
