# shellcheck shell=bash
# The list of the certificates that a CA has revoked, ca.crl. make-client-cert sources it, after
# new-files.sh.

# may_sign_lists CERTIFICATE: whether a CA's that may sign certificates may sign such lists too.
may_sign_lists() {
    local usage
    usage=$(openssl x509 -in "$1" -noout -ext keyUsage 2>/dev/null) || true
    [[ $usage != *'Key Usage'* || $usage == *'CRL Sign'* ]]
}

# sign_list CA: makes $work/new/ca.crl of index.txt and crlnumber, by the CA in that folder.
sign_list() {
    # A path that stood here itself could hold what means something here, such as "#".
    cat >"$work/list.cnf" <<'END'
[lists]
database = ${ENV::MAKE_CLIENT_CERT_WORK}/index.txt
crlnumber = ${ENV::MAKE_CLIENT_CERT_WORK}/crlnumber
default_md = sha256
crl_extensions = list
[list]
authorityKeyIdentifier = keyid
END
    # The date is how X.509 says "never".
    MAKE_CLIENT_CERT_WORK=$work run_openssl 'signing the list of revoked certificates' ca -gencrl \
        -config "$work/list.cnf" -name lists -cert "$1/ca.crt" -keyfile "$1/ca.key" \
        -crl_nextupdate 99991231235959Z -out "$work/new/ca.crl"
    chmod 644 -- "$work/new/ca.crl"
}

# entries LIST: a line for each, sorted: serial number, a space, date, and each extension after a
# comma. They are from the list's structure, which openssl prints alike in all versions.
entries() {
    openssl asn1parse -in "$1" |
        sed -n -e 's/^ *[0-9]*:d=[0-3] .*/+/p' -e 's/^ *[0-9]*:d=4 .*prim: INTEGER *:/=/p' \
            -e 's/^ *[0-9]*:d=4 .*prim: [A-Z]*TIME *:/ /p' -e 's/^ *[0-9]*:d=6 .*prim: */,/p' |
        tr -d '\n' | tr + '\n' | sed -n 's/^=//p' | LC_ALL=C sort
}

# next_number LIST: prints the number after the list's own, in as many digits as openssl wants.
next_number() {
    local number zeros=
    number=$(openssl crl -in "$1" -noout -crlnumber)
    number=${number#*=}
    number=${number#0x}
    # A list need not have one.
    [[ $number =~ ^[0-9A-F]+$ ]] || number=0
    # One of another program's may have 160 bits.
    while [[ $number == *F ]]; do
        number=${number%F}
        zeros+=0
    done
    number=${number:-0}
    printf -v number '%s%X%s' "${number%?}" "$((0x${number: -1} + 1))" "$zeros"
    ((${#number} % 2 == 0)) || number=0$number
    printf '%s\n' "$number"
}

# say_that_it_is_new: for where a CA from before has had no list, or has lost it.
say_that_it_is_new() {
    printf '%s: there was no %s, and the new one holds %s\nNext: if there has been a list, restore it (a server may have a copy) and run this again, or revoke once more what stood on it\n' \
        "$me" "$(quote "$dir/ca.crl")" "$1" >&2
}

fingerprint() { openssl x509 -in "$1" -noout -fingerprint -sha256; }

# revoke_certificate: puts the certificate in the file $revoke on the CA's list.
revoke_certificate() {
    local certificate who own serial list=$dir/ca.crl lists new='' date extensions reason number=01 before='' after
    local reasons=('' keyCompromise CACompromise affiliationChanged superseded cessationOfOperation certificateHold)
    local restore='restore the list that the CA signed (a server may have a copy)'
    certificate=$(absolute "$revoke") || exit
    there ca.key || there ca.crt ||
        fail "there is no CA in $(quote "$dir"); expected the ca.key and ca.crt that signed the certificate" \
            'name their folder with --dir'
    check_ca
    [[ -f $certificate && -r $certificate ]] ||
        fail "cannot read $(quote "$certificate"); expected the certificate of a client, such as client.crt" \
            'correct the name of the file, or change its rights'
    # PEM alone: for a PKCS#12 file openssl would ask for the pass phrase.
    serial=$(openssl x509 -inform PEM -in "$certificate" -noout -serial 2>/dev/null) ||
        fail "$(quote "$certificate") is not a certificate that openssl can read; expected one in PEM form, such as client.crt" \
            'name the file of that certificate'
    serial=${serial#*=}
    who=$(openssl x509 -in "$certificate" -noout -subject -nameopt RFC2253,-esc_msb,utf8)
    who="${who#*=}, serial number $serial"
    openssl verify -partial_chain -no_check_time -no-CApath -no-CAstore -CAfile "$dir/ca.crt" "$certificate" >/dev/null 2>&1 ||
        fail "$(quote "$certificate") ($who) is not signed by $(quote "$dir/ca.crt"); expected a certificate of that CA" \
            'name the folder of its own CA with --dir'
    own=$(fingerprint "$dir/ca.crt")
    [[ $(fingerprint "$certificate") != "$own" ]] ||
        fail "$(quote "$certificate") is the certificate of the CA itself; expected that of a client" \
            'name the file of a client'\''s certificate; to lock all of them out, make a new CA in another --dir'
    make_work

    if there ca.crl; then
        # The new list would take the place of a link, and the server go on with the old one.
        [[ -f $list && ! -L $list && -r $list ]] ||
            fail "cannot read $(quote "$list"); expected a file of that name, and no link" \
                'name the folder that the list is in with --dir, or change its rights'
        lists=$(grep -c -e '-----BEGIN X509 CRL-----' -- "$list") || true
        if ((lists != 1)) || ! openssl crl -in "$list" -out "$work/old.crl" 2>/dev/null; then
            fail "$(quote "$list") is not a list that openssl can read; expected one list of revoked certificates in PEM form" "$restore"
        fi
        [[ $(openssl crl -in "$work/old.crl" -noout -verify -no-CApath -no-CAstore -CAfile "$dir/ca.crt" 2>&1) == *'verify OK'* ]] ||
            fail "$(quote "$list") does not have the signature of $(quote "$dir/ca.crt"); expected the list as that CA signed it" "$restore"
        before=$(entries "$work/old.crl")
        number=$(next_number "$work/old.crl")
    fi
    if [[ $'\n'$before == *$'\n'"$serial "* ]]; then
        printf 'On the list already: %s\n%s was not changed\n' "$who" "$(shown "$list")"
        return
    fi

    after=$({
        printf '%s' "${before:+$before$'\n'}"
        date -u +"$serial %y%m%d%H%M%SZ"
    } | LC_ALL=C sort)
    while IFS=' ,' read -r serial date extensions; do
        reason=
        [[ ! $extensions =~ :0A010([1-6])$ ]] || reason=,${reasons[BASH_REMATCH[1]]}
        # openssl reads but does not need the second field, when the certificate expires.
        printf 'R\t%s\t%s%s\t%s\tunknown\t/\n' "$date" "$date" "$reason" "$serial"
    done <<<"$after" >"$work/index.txt"
    printf '%s\n' "$number" >"$work/crlnumber"
    sign_list "$dir"
    # Whatever cannot be written as it was must not be lost.
    [[ $(entries "$work/new/ca.crl") == "$after" ]] ||
        fail "an entry of $(quote "$list") is of a kind that would be lost; expected entries with a date and a reason at most, and nothing was changed" \
            'extend the list with the program that made it'
    [[ $(openssl verify -crl_check -partial_chain -no_check_time -no-CApath -no-CAstore -CAfile "$dir/ca.crt" -CRLfile "$work/new/ca.crl" "$certificate" 2>&1) == *'error 23 at 0 depth'* ]] ||
        fail "a list by $(quote "$dir/ca.crt") does not lock $who out; nothing was changed" 'make a new CA in another --dir'

    there ca.crl || new='this certificate alone'
    # One rename, and no moment without a list, in which a server could not be started.
    trap '' HUP INT TERM
    rename "$work/new/ca.crl" "$list"
    printf 'Revoked: %s\n' "$who"
    printf 'Made %s, number %s, with %d revoked\n' "$(shown "$list")" "0x$number" "$(wc -l <<<"$after")"
    [[ -z $new ]] || say_that_it_is_new "$new"
    printf 'Next: give the server this list (conf/examples/client-cert.conf), and restart it gracefully\n'
}
