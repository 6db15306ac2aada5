# shellcheck shell=bash
# An httpd of its own by conf/httpd.conf: started, waited for and stopped. run and test/scan.sh
# source it, after servers.sh and apxs.sh.

httpd=         # its process
httpd_program= # what is run
defines=()     # what conf/httpd.conf is told, as options
root=          # its ServerRoot: its logs, and what else is nobody's business
terminal=      # how the terminal was set, where httpd asks for a pass phrase there
resized=false  # whether the terminal has changed its size since, which run notes

# need_httpd: sets httpd_program, and apxs and modules, or ends the script.
need_httpd() {
    need_apxs
    httpd_program=$(httpd_of "$apxs")
    [[ -x $httpd_program ]] ||
        fail "$(quote "$apxs") names $(quote "$httpd_program") as its httpd, which cannot be run" 'install httpd, or set APXS to the apxs of another one'
}

# define NAME [VALUE]
define() {
    defines+=(-C "Define $1${2+ \"$2\"}")
}

# define_server: what every one is told, of address, http_port, https_port, certificate, key and root.
define_server() {
    local groups
    defines=()
    define HELLO_ROOT "$root"
    define HELLO_CONF "$checkout/conf"
    define HELLO_MODULE "$checkout/build/release/mod_hello.so"
    define HELLO_MODULES "$modules"
    define HELLO_ADDRESS "$(in_url "$address")"
    define HELLO_HTTP_PORT "$http_port"
    define HELLO_HTTPS_PORT "$https_port"
    define HELLO_CERTIFICATE "$certificate"
    define HELLO_KEY "$key"
    groups=$(tls_groups "$modules")
    [[ -z $groups ]] || define HELLO_TLS_GROUPS "$groups"
}

# start_httpd ASKS: in the background; ASKS is whether it asks for a pass phrase, for which it needs
# this terminal.
start_httpd() {
    local command=("${launcher[@]}" "$httpd_program" -DFOREGROUND -f "$checkout/conf/httpd.conf" "${defines[@]}")
    if $1; then
        terminal=$(stty -g 2>/dev/null || true)
        "${command[@]}" <&0 2>"$root/stderr" &
    else
        # httpd takes SIGWINCH for a request to stop, and a terminal sends that whenever its window
        # changes its size; in a session of its own httpd is spared.
        "${own_session[@]}" "${command[@]}" </dev/null >"$root/stderr" 2>&1 &
    fi
    httpd=$!
}

# stop_httpd: where it runs; it is killed when it does not stop.
stop_httpd() {
    local seconds=15
    [[ -n $httpd ]] || return 0
    # Without a pid file it serves nothing yet and has no children, so that killing it does no harm;
    # while it asks for a pass phrase, a signal only makes it ask again.
    [[ -e $root/httpd.pid ]] || seconds=2
    kill -TERM "$httpd" 2>/dev/null || true
    wait_for "$seconds" httpd_has_ended || {
        ((seconds < 15)) ||
            printf '%s: httpd (process %d) did not stop within %d seconds; killing it\n' "$me" "$httpd" "$seconds" >&2
        kill -KILL -- "-$httpd" 2>/dev/null || kill -KILL "$httpd" 2>/dev/null || true
    }
    wait "$httpd" 2>/dev/null || true
    httpd=
    # Killed while it asked, httpd leaves the terminal without echo.
    [[ -z $terminal ]] || stty "$terminal" 2>/dev/null || true
}
httpd_has_ended() { ! kill -0 "$httpd" 2>/dev/null; }

# show_logs: what it has said.
show_logs() {
    local file
    for file in "$root/stderr" "$root/error.log"; do
        [[ -s $file ]] || continue
        printf '%s says:\n' "${file##*/}" >&2
        sed 's/^/  /' "$file" >&2
    done
}

# not_permitted OPTION PORT: ends the script.
not_permitted() {
    fail "only root may listen on port $2 (ports below $(first_free_port))" \
        "choose another one with $1 N, $(first_free_port) or higher, or run this as root"
}
# first_free_port: prints it. Linux lets the administrator move this limit.
first_free_port() {
    cat /proc/sys/net/ipv4/ip_unprivileged_port_start 2>/dev/null || printf 1024
}

# fail_ended: for when httpd has ended by itself; says why.
fail_ended() {
    local status=0 bind='could not bind to address ([^ ]+):([0-9]+)' logs
    wait "$httpd" || status=$?
    httpd=
    logs=$(cat -- "$root/stderr" "$root/error.log" 2>/dev/null || true)
    if ! $ready && [[ $logs =~ $bind ]]; then
        case $logs in
            *'(98)'* | *'Address already in use'*) fail_taken "$address" "${BASH_REMATCH[2]}" ;;
            *'(13)'* | *'Permission denied'*) not_permitted "$(port_option "${BASH_REMATCH[2]}")" "${BASH_REMATCH[2]}" ;;
            *'(99)'* | *'Cannot assign requested address'*)
                fail "$address is not an address of this machine, and httpd cannot listen there" 'choose another one with --listen ADDRESS'
                ;;
        esac
    fi
    show_logs
    if $ready && $resized; then
        fail 'httpd ended, as it does when its terminal changes size (SIGWINCH)' \
            'start this again; a key without a pass phrase is not affected'
    fi
    fail "httpd ended by itself (exit status $status)" 'mend what it says above, and run this again'
}

answer=
curl_status=0
# await_httpd ASKS COMMAND...: until COMMAND succeeds, which asks the server as a client does, and leaves in
# answer and curl_status what came of it. Ends the script where httpd ends, or where that takes 30 seconds;
# ASKS is as for start_httpd, and then the user may take his time.
await_httpd() {
    local asks=$1 deadline=$((SECONDS + 30)) patience=$((SECONDS + 3))
    shift
    until "$@"; do
        ! httpd_has_ended || fail_ended
        # 60: the certificate was refused, and waiting would not change that, unless another program has
        # answered while httpd is about to end for that reason.
        if ((SECONDS >= deadline || (curl_status == 60 && SECONDS >= patience))); then
            show_logs
            fail "the server does not answer as it should; the last answer to curl was: ${answer:-nothing}" \
                "mend what is said above, and run this again; $(quote "$certificate") must be valid for $name"
        fi
        # While httpd asks for the pass phrase, nothing listens.
        if $asks && ((curl_status == 7)); then deadline=$((SECONDS + 30)); fi
        sleep 0.1
    done
    ! httpd_has_ended || fail_ended
}
