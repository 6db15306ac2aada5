# shellcheck shell=bash
# The ports of a server, http_port and https_port, and what it answers there. run, cluster and install
# source it, after addresses.sh, and test/scan.sh.

# check_port OPTION PORT: ends the script with status 2 where that is no port.
check_port() {
    if [[ ! $2 =~ ^[1-9][0-9]{0,4}$ ]] || (($2 > 65535)); then
        usage_error "$1 $(quote "$2") is not a port; expected a whole number from 1 to 65535"
    fi
}

# check_ports: the same for http_port and https_port, which are to be two.
check_ports() {
    check_port --http-port "$http_port"
    check_port --https-port "$https_port"
    ((http_port != https_port)) ||
        usage_error "--http-port and --https-port are both $http_port; expected two different ports"
}

# port_option PORT: prints the option that has given it.
port_option() {
    if (($1 == https_port)); then printf '%s' --https-port; else printf '%s' --http-port; fi
}

# fail_taken ADDRESS PORT
fail_taken() {
    fail "port $2 on $1 is taken by another program" "stop that program, or choose another port with $(port_option "$2") N"
}

# check_free ADDRESS HOST: ends the script where http_port or https_port on ADDRESS, which is reached at
# HOST, is taken. Only on loopback can it be tried; elsewhere something that is not this machine might
# answer, or nothing for long. The server itself tells in any case.
check_free() {
    local port
    [[ $2 == 127.* || $2 == ::1 ]] || return 0
    for port in "$http_port" "$https_port"; do
        ! (exec 3<>"/dev/tcp/$2/$port") 2>/dev/null || fail_taken "$1" "$port"
    done
}

# ask CERTIFICATE ADDRESS SCHEME NAME PORT [OPTION...]: prints what NAME answers at ADDRESS, or curl's
# words; OPTIONs are curl's.
ask() {
    local trust=()
    # Not for http, where a file need not be there, which curl has come to mind.
    [[ $3 != https ]] || trust=(--cacert "$1")
    # Neither a proxy nor the user's own settings may come between. --connect-to goes without the
    # name, since curl would compare an IPv6 address as text.
    curl -q --silent --show-error --globoff --noproxy '*' --max-time 5 "${trust[@]}" \
        --connect-to "::$(in_url "$2"):$5" "${@:6}" "$3://$(in_url "$4"):$5/" 2>&1
}

# curl_command CERTIFICATE ADDRESS NAME PORT URL: prints the command that asks a server at ADDRESS for
# URL, which has NAME.
curl_command() {
    local connect=
    [[ $3 == "$2" ]] || connect=" --connect-to $(word "::$(in_url "$2"):$4")"
    printf 'curl --cacert %s%s %s' "$(quote "$1")" "$connect" "$(word "$5")"
}
# A shell takes the brackets of an IPv6 address for a pattern.
word() {
    if [[ $1 == *[[*]* ]]; then quote "$1"; else printf '%s' "$1"; fi
}
