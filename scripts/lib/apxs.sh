# shellcheck shell=bash
# Which httpd is meant, and what it can. Who builds for one, starts one or installs for one sources
# it, and trust-cert, which looks for its site.

apxs=    # httpd's own word on where it is
modules= # where its modules lie

# find_apxs: prints the path of httpd's apxs, which knows where the rest of httpd is.
find_apxs() {
    if [[ -n ${APXS:-} ]]; then
        command -v -- "$APXS"
    else
        command -v apxs || command -v apxs2
    fi
}

# need_apxs: sets apxs and modules, or ends the script.
need_apxs() {
    apxs=$(find_apxs) ||
        fail "apxs not found: ${APXS:-neither apxs nor apxs2 is on PATH}" "set APXS to the path of apxs, or unset it and run $(quote "$scripts/setup") --run"
    modules=$("$apxs" -q LIBEXECDIR)
}

# httpd_of APXS: prints the path of httpd itself.
httpd_of() {
    local folder name
    folder=$("$1" -q SBINDIR)
    name=$("$1" -q PROGNAME)
    printf '%s/%s' "$folder" "$name"
}

# tls_groups MODULES: what HELLO_TLS_GROUPS of tls.conf is to be for the mod_ssl in that folder, or
# nothing. Only OpenSSL knows what it knows, and httpd asks it too late: at its start. "?" is for
# where a policy (FIPS) takes the group away (SSL_CTX_set1_groups_list(3)).
tls_groups() {
    local library
    library=$(ldd "$1/mod_ssl.so" 2>/dev/null | sed -n 's/^[[:space:]]*libssl\.[^ ]* => \(\/.*\) (0x[0-9a-f]*)$/\1/p') || true
    [[ -z $library ]] || ! LC_ALL=C grep -q X25519MLKEM768 "$library" ||
        printf '?X25519MLKEM768:X25519:prime256v1:secp384r1'
}

# load_extra MODULE: the lines that load it. Debian 12's mod_qos does not name a library that it uses.
load_extra() {
    if [[ $1 == qos ]] && grep -q pcre_free -- "$modules/mod_qos.so" && compgen -G '/usr/lib/*/libpcre.so.3' >/dev/null; then
        printf 'LoadFile libpcre.so.3\n'
    fi
    printf 'LoadModule %s_module "%s/mod_%s.so"\n' "$1" "$modules" "$1"
}

# goes_without RECIPE MODULE: says it.
goes_without() {
    local next='install it'
    ! command -v apt-get >/dev/null || next="apt-get install libapache2-mod-$2"
    [[ ! -e $modules/mod_$2.so ]] || next="a2enmod $2"
    printf '%s: the recipe %s goes without mod_%s, which is not loaded; its head says what for\nNext: where that matters, %s\n' "$me" "$1" "$2" "$next" >&2
}
