# shellcheck shell=bash
# What the recipes need that a private httpd serves, made for one run. run sources it, after
# examples.sh, servers.sh and private-httpd.sh.

shared= # the folder of what those who serve have to read

# prepare_examples ADDRESS: makes that, and more.conf in it, which has the recipes; ADDRESS is a balancer's.
prepare_examples() {
    local name module
    temporary_folder shared '' 6
    # Started by root, the server's children run as another user, and have to get in.
    enterable "$shared"
    # Readable for whoever serves, whatever the umask.
    install -d -m 755 -- "$shared/examples" "$shared/acme-challenge"
    install -m 644 -- "$recipes"/* "$shared/examples"
    if is_wanted HELLO_PASSWORDS; then make_passwords "$shared/passwords"; fi
    if is_wanted HELLO_SESSION_KEY; then (umask 077 && secret 32 >"$shared/session.key"); fi
    if any_uses HELLO_CLIENT_CA; then
        quietly "$root/client.log" "making a client's certificate" \
            "$scripts/make-client-cert" --dir "$shared/clients" --name Ada --no-passphrase
        rm -f -- "$root/client.log"
    fi
    {
        told_lines
        tell HELLO_EXAMPLES "$shared/examples"
        tell HELLO_PASSWORDS "$shared/passwords"
        tell HELLO_SESSION_KEY "$shared/session.key"
        tell HELLO_CLIENT_CA "$shared/clients/ca.crt"
        tell HELLO_CLIENT_CRL "$shared/clients/ca.crl"
        tell HELLO_DRAIN "$shared/drain"
        tell HELLO_MAINTENANCE "$shared/maintenance"
        tell HELLO_ACME "$shared/acme-challenge"
        tell HELLO_MATRIX matrix.example.org
        tell HELLO_ACME_THUMBPRINT the-thumbprint-of-an-account
        tell HELLO_BALANCER "$1"
        for name in "${all_examples[@]}"; do
            while read -r module; do
                printf '<IfModule !%s_module>\n    LoadModule %s_module "%s/mod_%s.so"\n</IfModule>\n' "$module" "$module" "$modules" "$module"
            done < <(example_modules "$name")
            while read -r module; do
                if [[ -e $modules/mod_$module.so ]]; then load_extra "$module"; else goes_without "$name" "$module"; fi
            done < <(example_extras "$name")
        done
        for name in "${examples[@]}"; do printf 'Include "%s/examples/%s.conf"\n' "$shared" "$name"; done
    } >"$shared/more.conf"
}
# tell NAME VALUE: prints a definition that a recipe takes, unless the user has given another one.
tell() {
    if is_wanted "$1"; then printf 'Define %s "%s"\n' "$1" "$2"; fi
}
