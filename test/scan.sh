#!/usr/bin/env bash
set -euo pipefail
umask 077
. "$(dirname -- "${BASH_SOURCE[0]}")/../scripts/lib/base.sh"
. "$scripts/lib/addresses.sh"
. "$scripts/lib/ports.sh"
. "$scripts/lib/apxs.sh"
. "$scripts/lib/processes.sh"
. "$scripts/lib/folders.sh"
. "$scripts/lib/build.sh"
. "$scripts/lib/servers.sh"
. "$scripts/lib/private-httpd.sh"

usage() {
    cat <<'END'
Usage: scan.sh [OPTION]...
Has testssl.sh and sslscan look at conf/examples/production.conf, served on this
machine alone with a fresh certificate, and fails on what they find at LOW or above, except
what this script knows the reason of. Beside it, they look at the protocols and
ciphers of 2013 (HELLO_TLS_DOCUMENT, with the RSA key of that time), and both
results are printed in one table. It takes some five minutes, and installs what
is missing (see setup --scan).

  --reports DIR   keep the scanners' reports and the servers' logs in this
                  folder, made if missing (default: they are thrown away)
  --help          print this and exit

Environment:
  APXS      the apxs of the httpd to use (default: apxs, or else apxs2, on PATH)
  TMPDIR    where the temporary folder is made (default: /tmp)

Exit status: 0 when there is no finding but the known ones; 1 when there is, or
when a scan could not be made to its end; 2 on wrong usage; 129, 130, 143 after
SIGHUP, SIGINT, SIGTERM.

Example: scan.sh --reports build/scan
END
}

# What testssl.sh may say of today's server: the check, exactly what it says, and why it may.
known() {
    cat <<'END'
cert_chain_of_trust|failed (self signed).|the certificate is self-made: clients trust it by trust-cert, or have one by acme.conf
cert_revocation|Neither CRL nor OCSP URI provided|no authority has issued the certificate, so none can revoke it
cipher_order|NOT a cipher order configured|every suite is a good one, and the client takes the one it is fastest at (Mozilla's guideline; testssl.sh 3.2 no longer minds)
overall_grade|T|what testssl.sh 3.2 sums up where the chain of trust fails, whatever else it finds
END
    if [[ -n $groups ]]; then
        printf 'sessionresumption_ticket|check failed because of connect problem (it could not be checked, twice)|its client often leaves before the ticket has come, which TLS 1.3 sends after the handshake\n'
    else
        printf 'FS_KEMs|No KEMs offered|X25519MLKEM768 needs OpenSSL 3.5, and with an older one httpd does not start\n'
    fi
}

reports=
while (($# > 0)); do
    case $1 in
        --reports=*)
            set -- --reports "${1#*=}" "${@:2}"
            continue
            ;;
        --reports)
            need_value "$1" $# "${2-}"
            reports=$2
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *) usage_error "unknown argument $(quote "$1"); expected --reports DIR or --help" ;;
    esac
    shift
done

clean_up() { stop_httpd; }
end_in_order

"$scripts/setup" --scan
testssl=$(command -v testssl || command -v testssl.sh) ||
    fail 'neither testssl nor testssl.sh is on PATH' "run $(quote "$scripts/setup") --scan"
need_tools --scan cmake curl openssl sslscan jq timeout setsid
need_httpd
groups=$(tls_groups "$modules")

if [[ -n $reports ]]; then
    reports=$(absolute "$reports") || exit 1
    mkdir -p -- "$reports" || fail "cannot make the folder $(quote "$reports")" 'choose --reports DIR that you may write to'
    [[ -w $reports ]] || fail "cannot write to the folder $(quote "$reports")" 'choose --reports DIR that you may write to'
fi
temporary_folder work
enterable "$work"

progress() { printf '%s: %s\n' "$me" "$*" >&2; }

progress 'building build/release/mod_hello.so'
build_module "$work/build.log" build/release ''

# serve NAME DEFINE...: starts production.conf; leaves its port in https_port.
address=127.0.0.1
http_port=
https_port=
serve() {
    local name=$1 attempts=0 define module
    shift
    root=$work/$name/root
    certificate=$work/$name/server.crt
    key=$work/$name/server.key
    mkdir -p -- "$root"
    enterable "$work/$name"
    enterable "$root"
    while ((attempts++ < 5)); do
        http_port=$((RANDOM % 10000 + 20000))
        https_port=$((http_port + 10000))
        define_server
        define HELLO_SITE "$checkout/conf/examples/production.conf"
        define HELLO_EXAMPLES "$checkout/conf/examples"
        for define in "$@"; do define "$define"; done
        for module in headers rewrite; do
            defines+=(-C "LoadModule ${module}_module \"$modules/mod_$module.so\"")
        done
        start_httpd false
        if wait_for 30 has_ended_or_greets && ! httpd_has_ended; then return 0; fi
        stop_httpd
        grep -qs 'Address already in use' "$root/stderr" "$root/error.log" || break
    done
    show_logs
    fail "the server to be scanned ($name) does not answer" 'mend what it says above, and run this again'
}
has_ended_or_greets() {
    httpd_has_ended || curl -q --silent --noproxy '*' --max-time 5 --cacert "$certificate" \
        "https://localhost:$https_port/" 2>/dev/null | grep -q '^Hello World!$'
}

# run_testssl NAME: leaves findings in the folder of NAME.
run_testssl() {
    local name=$1 folder=$work/$1 status=0
    progress "$name: testssl.sh, some two minutes"
    rm -f -- "$folder/testssl.json"
    # Its exit status counts findings, which are judged below. It asks nobody but the server.
    attend "$folder/testssl.txt" timeout --kill-after 10 900 "$testssl" --quiet --warnings off --color 0 --ip 127.0.0.1 --nodns none \
        --jsonfile-pretty "$folder/testssl.json" "https://localhost:$https_port/" || status=$?
    ((status != 124 && status != 137)) ||
        fail "testssl.sh ($name) did not end within 900 seconds" 'run this again when the machine is less busy'
    findings "$name" >"$folder/findings"
}

# scan NAME KEY DEFINE...: leaves the reports and the findings in the folder of NAME.
scan() {
    local name=$1 key=$2 folder=$work/$1
    shift 2
    progress "$name: making a certificate, starting the server"
    quietly "$work/log" 'making the certificate' "$scripts/make-cert" --dir "$folder" --key "$key"
    serve "$name" "$@"
    progress "$name: sslscan"
    quietly "$work/log" "sslscan ($name)" timeout --kill-after 10 120 \
        sslscan --no-colour --xml="$folder/sslscan.xml" "localhost:$https_port"
    # What it could not check, for a connection that failed, it says with WARN or FATAL.
    run_testssl "$name"
    if grep -q $'\t\\(WARN\\|FATAL\\)\t' "$folder/findings"; then run_testssl "$name"; fi
    stop_httpd
    if [[ -n $reports ]]; then
        mkdir -p -- "$reports/$name"
        cp -f -- "$folder"/{testssl.json,testssl.txt,sslscan.xml,root/error.log} "$reports/$name/"
    fi
}

# findings NAME: lines "scanner TAB check TAB severity TAB what".
findings() {
    local folder=$work/$1 section line
    # A part that it left out must not pass for one without findings. Version 3.2 has one part, fs,
    # for what were pfs and cipherTests.
    for section in protocols ciphers 'pfs fs' serverPreferences serverDefaults headerResponse vulnerabilities 'cipherTests fs' browserSimulations; do
        jq -e --arg section "$section" '(.scanTime | type == "number") and ([.scanResult[][$section | split(" ")[]][]?] | length > 0)' \
            "$folder/testssl.json" >/dev/null 2>&1 && continue
        cat -- "$folder/testssl.txt" >&2
        fail "testssl.sh ($1) did not make its checks of \"$section\"" 'see its output above, and run this again'
    done
    jq -r '.scanResult[] | to_entries[] | select(.value | type == "array") | .value[] |
        ["testssl.sh", .id, .severity, (.finding | gsub("[\\t\\n|]"; " "))] | @tsv' "$folder/testssl.json"
    grep -q '</document>' "$folder/sslscan.xml" || fail "sslscan ($1) did not end its report" 'run this again'
    local -A seen=()
    local suites=0 weak='' unsafe=0 smallest=0 kind attribute value
    while IFS= read -r line; do
        kind=${line#*<}
        kind=${kind%%[ >]*}
        value() { sed -n "s/.* $1=\"\([^\"]*\)\".*/\1/p" <<<"$line"; }
        case $kind in
            protocol)
                attribute="$(value type)$(value version)"
                if [[ $(value enabled) == 0 ]]; then
                    printf 'sslscan\t%s\tOK\tdisabled\n' "$attribute"
                elif [[ $attribute == tls1.[23] ]]; then
                    printf 'sslscan\t%s\tOK\tenabled\n' "$attribute"
                else
                    printf 'sslscan\t%s\tHIGH\tenabled\n' "$attribute"
                fi
                ;;
            renegotiation)
                if [[ $(value supported) == 1 && $(value secure) == 0 ]]; then
                    printf 'sslscan\trenegotiation\tHIGH\tinsecure\n'
                fi
                ;;
            compression)
                if [[ $(value supported) == 1 ]]; then printf 'sslscan\tcompression\tHIGH\tsupported\n'; fi
                ;;
            heartbleed)
                if [[ $(value vulnerable) == 1 ]]; then
                    printf 'sslscan\theartbleed %s\tCRITICAL\tvulnerable\n' "$(value sslversion)"
                fi
                ;;
            cipher)
                suites=$((suites + 1))
                [[ $(value strength) == @(strong|acceptable) ]] || weak+=" $(value cipher)"
                [[ $(value cipher) == @(ECDHE-*|DHE-*|TLS_AES_*|TLS_CHACHA20_*) ]] || unsafe=$((unsafe + 1))
                ;;
            group)
                value=$(value bits)
                if ((smallest == 0 || value < smallest)); then smallest=$value; fi
                ;;
            expired)
                if [[ $line == *true* ]]; then printf 'sslscan\tcertificate\tHIGH\texpired\n'; fi
                ;;
        esac
        seen[$kind]=1
    done <"$folder/sslscan.xml"
    for kind in protocol renegotiation heartbleed cipher group expired; do
        [[ -n ${seen[$kind]-} ]] || fail "sslscan ($1) did not report \"$kind\"" 'run this again'
    done
    printf 'sslscan\tsuites\tINFO\t%d\n' "$suites"
    if ((unsafe > 0)); then
        printf 'sslscan\tsuites without forward secrecy\tLOW\t%d\n' "$unsafe"
    else
        printf 'sslscan\tsuites without forward secrecy\tOK\t0\n'
    fi
    if [[ -n $weak ]]; then
        printf 'sslscan\tweak suites\tHIGH\t%s\n' "${weak# }"
    else
        printf 'sslscan\tweak suites\tOK\tnone\n'
    fi
    if ((smallest < 112)); then
        printf 'sslscan\tsmallest group\tMEDIUM\t%d bits\n' "$smallest"
    else
        printf 'sslscan\tsmallest group\tOK\t%d bits\n' "$smallest"
    fi
}

scan today ec
scan 2013 rsa HELLO_TLS_DOCUMENT

# Where the two differ, and all that is found; not what differs between any two certificates and
# clients.
awk -F '\t' '
    function cell(text) { return length(text) > 60 ? substr(text, 1, 57) "..." : text }
    function bad(severity) { return severity !~ /^(OK|INFO|DEBUG)$/ }
    $2 ~ /^(cert_(serial|finger|not|signature|keySize|keyUsage)|cert$|cipher(-tls|_(x|order_|negotiated))|clientsimulation|HTTP_clock|PFS_ciphers|TLS_ext|TLS_timestamp)/ { next }
    { key = $1 "\t" $2; if (!(key in order)) { order[key] = ++count; keys[count] = key } }
    FNR == NR { severity[key, 1] = $3; what[key, 1] = $4; next }
    { severity[key, 2] = $3; what[key, 2] = $4 }
    END {
        print "| scanner | check | today | 2013 |\n|---|---|---|---|"
        for (i = 1; i <= count; ++i) {
            key = keys[i]
            if (what[key, 1] == what[key, 2] && !bad(severity[key, 1]) && !bad(severity[key, 2]) && key !~ /^sslscan/) continue
            split(key, part, "\t")
            printf "| %s | %s |", part[1], part[2]
            for (side = 1; side <= 2; ++side) printf " %s%s |", bad(severity[key, side]) && severity[key, side] != "" ? severity[key, side] ": " : "", cell(what[key, side])
            print ""
        }
    }' "$work/today/findings" "$work/2013/findings"

new=0
printf '\nToday'\''s findings:\n'
while IFS=$'\t' read -r scanner check severity what; do
    reason=
    if [[ $severity == @(OK|INFO|DEBUG) ]]; then continue; fi
    [[ $severity != @(WARN|FATAL) ]] || what+=' (it could not be checked, twice)'
    if [[ $scanner == testssl.sh ]]; then
        reason=$(known | awk -F '|' -v check="$check" -v what="$what" '$1 == check && $2 == what { print $3 }')
    fi
    if [[ -z $reason ]]; then
        new=$((new + 1))
        reason='NEW'
    fi
    printf '  %s, %s, %s: %s: %s\n' "$scanner" "$severity" "$check" "$what" "$reason"
done <"$work/today/findings"
((new == 0)) || fail "$new new findings, marked NEW above; expected none but those in known()" \
    "mend $(quote "$checkout/conf/tls.conf"), or tell the reason in $(quote "$checkout/test/scan.sh")"
printf 'None is new\n'
