# shellcheck shell=bash
# A server's pair, server.key and server.crt: whether it is one that clients take, and how it is made
# anew. run and install source it, after ports.sh.

certificate= # the paths of the two
key=
encrypted=false # whether the key has a pass phrase

# certificate_name CERTIFICATE ADDRESS: prints the name to ask a server at ADDRESS for: the address
# itself where the certificate has it, or else the certificate's first name. Fails where it has none.
certificate_name() {
    local name=$2
    if [[ $(openssl x509 -in "$1" -noout -checkip "$2") != *'does match'* ]]; then
        name=$(openssl x509 -in "$1" -noout -ext subjectAltName 2>/dev/null |
            tr ',' '\n' | sed -n 's/^ *\(DNS\|IP Address\)://p' | head -n 1 || true)
        [[ -n $name ]] || return 1
        # Any name that the wildcard covers will do.
        name=${name/#\*./www.}
    fi
    printf '%s' "$name"
}

# has_name CERTIFICATE NAME: whether it is one for that host.
has_name() { [[ $(openssl x509 -in "$1" -noout -checkhost "$2") == *'does match'* ]]; }

# make_missing_pair: where neither of the two is there.
make_missing_pair() {
    local folder=${certificate%/*} maker=() said
    # Half a pair: another run may be in the midst of it.
    if [[ -e $key && ! -e $certificate ]] && command -v flock >/dev/null; then flock -w 5 "$folder" true || true; fi
    [[ ! -e $certificate && ! -e $key ]] || return 0
    printf '%s: making a certificate in %s\n' "$me" "$(shown "$folder")" >&2
    if [[ $folder == "$checkout"/* ]]; then maker=("${as_owner[@]}"); fi
    # Another first run may have made it a moment before.
    said=$("${maker[@]}" "$scripts/make-cert" --dir "$folder" 2>&1) || [[ -e $certificate && -e $key ]] || {
        printf '%s\n' "$said" >&2
        exit 1
    }
}

# renewal [NAME]: prints the command that makes the pair anew, for the same names, and one more where
# it is given, and a key of the same kind.
renewal() {
    local line name arguments
    arguments="$(shown "$scripts/make-cert") --force --dir $(quote "$(shown "${certificate%/*}")")"
    line=$(openssl x509 -in "$certificate" -noout -ext subjectAltName 2>/dev/null | tail -n +2 || true)
    if [[ -n ${1-} || $line != *'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1' ]]; then
        while read -r name; do
            case $name in
                DNS:* | 'IP Address:'*) arguments+=" --name $(quote "${name#*:}")" ;;
            esac
        done < <(tr ',' '\n' <<<"$line")
        [[ -z ${1-} ]] || arguments+=" --name $(quote "$1")"
    fi
    [[ $(openssl x509 -in "$certificate" -noout -text 2>/dev/null) != *rsaEncryption* ]] || arguments+=' --key rsa'
    ! $encrypted || arguments+=' --encrypt'
    printf '%s' "$arguments"
}

# check_pair ADDRESS: ends the script where the pair is none, or clients refuse it, and says what they
# may stumble over at ADDRESS. Sets encrypted, and name, which is what to ask the server for.
check_pair() {
    local file expires public valid begins
    for file in "$key" "$certificate"; do
        [[ -e $file ]] ||
            fail "$(quote "$file") is missing, while the other half of the pair is there" "restore it, or make both anew: $(renewal)"
        [[ -f $file && -r $file ]] ||
            fail "cannot read $(quote "$file")" 'change its rights or run this as its owner, or choose another folder with --cert-dir DIR'
    done
    if grep -q ENCRYPTED -- "$key"; then encrypted=true; fi
    expires=$(openssl x509 -in "$certificate" -noout -enddate 2>/dev/null) ||
        fail "$(quote "$certificate") is not a certificate that openssl can read" "make the pair anew: $(renewal)"
    expires=${expires#*=}
    # A key with a pass phrase tells nothing; httpd compares that one, once it has asked.
    if ! $encrypted; then
        public=$(openssl pkey -in "$key" -passin pass: -pubout 2>/dev/null) ||
            fail "$(quote "$key") is not a private key that openssl can read" "restore it, or make the pair anew: $(renewal)"
        [[ $(openssl x509 -in "$certificate" -noout -pubkey) == "$public" ]] ||
            fail "$(quote "$key") is not the key of $(quote "$certificate"); expected a pair" "restore the one that is, or make the pair anew: $(renewal)"
    fi
    openssl x509 -in "$certificate" -noout -checkend 0 >/dev/null ||
        fail "the certificate $(quote "$certificate") expired on $expires, and clients refuse it" "renew it: $(renewal)"
    openssl x509 -in "$certificate" -noout -checkend 86400 >/dev/null ||
        printf '%s: the certificate %s expires within a day, on %s\nNext: renew it: %s\n' \
            "$me" "$(quote "$certificate")" "$expires" "$(renewal)" >&2
    name=$(certificate_name "$certificate" "$1") ||
        fail "the certificate $(quote "$certificate") names no host (it has no subjectAltName), and clients refuse it" "make the pair anew: $(renewal)"
    if [[ $name != "$1" ]]; then
        printf '%s: the certificate %s does not name %s; clients have to ask for %s\nNext: where they cannot, make the pair anew with both names: %s\n' \
            "$me" "$(quote "$certificate")" "$1" "$name" "$(renewal "$1")" >&2
    fi
    valid=$(openssl verify -partial_chain -CAfile "$certificate" "$certificate" 2>&1) || true
    if [[ $valid == *'not yet valid'* ]]; then
        begins=$(openssl x509 -in "$certificate" -noout -startdate)
        fail "the certificate $(quote "$certificate") is valid from ${begins#*=} on, and the clock of this machine says $(date -u)" \
            "set the clock; or, where that is right, make the pair anew: $(renewal)"
    fi
}
