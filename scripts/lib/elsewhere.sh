# shellcheck shell=bash
# The lines for httpd.conf, where an httpd is not laid out as Debian's. install sources it, after
# site-files.sh.

loaded=     # httpd's modules
included=() # the files of its configuration

# look_at_configuration: sets the above, as they are now.
look_at_configuration() {
    local program
    program=$(httpd_of "$apxs")
    loaded=$("$program" -M 2>/dev/null || true)
    mapfile -t included < <("$program" -t -D DUMP_INCLUDES 2>/dev/null | sed -n 's/^ *([*0-9]*) //p')
}
# configured PATTERN: whether a line of the configuration is like that.
configured() {
    ((${#included[@]} > 0)) && grep -qiE "^[[:space:]]*$1" -- "${included[@]}" 2>/dev/null
}
# is_included FILE
is_included() { contains "$1" "${included[@]}"; }

# missing_lines: prints what the configuration lacks.
missing_lines() {
    local name port site_name=${site_recipe:-hello}
    for name in "${enable[@]:1}"; do
        [[ $loaded == *" ${name}_module "* || ! -e $modules/mod_$name.so ]] ||
            printf 'LoadModule %s_module "%s/mod_%s.so"\n' "$name" "$modules" "$name"
    done
    for name in "${extras[@]}"; do
        if [[ $loaded == *" ${name#* }_module "* ]]; then continue; fi
        if [[ -e $modules/mod_${name#* }.so ]]; then
            load_extra "${name#* }"
        else
            # shellcheck disable=SC2086
            goes_without $name
        fi
    done
    [[ $loaded == *' hello_module '* ]] || printf 'LoadModule hello_module "%s"\n' "$module"
    if $site && ! is_included "$ours/$site_name.conf"; then
        for port in "$http_port" "$https_port"; do
            configured "Listen[[:space:]]+([^[:space:]]*:)?$port([[:space:]]|\$)" || printf 'Listen %d\n' "$port"
        done
        defines
        # Where the server has its TLS caches, those of tls.conf would displace them.
        ! configured SSLSessionCache || printf 'Define HELLO_TLS_SERVER\n'
        printf 'Include "%s/%s.conf"\n' "$ours" "$site_name"
    elif ((${#examples[@]} > 0)); then
        defines
    fi
    for name in "${for_all[@]}"; do
        is_included "$ours/$name.conf" || printf 'Include "%s/%s.conf"\n' "$ours" "$name"
    done
}

# print_lines: them, and what to do with them.
print_lines() {
    local lines
    lines=$(missing_lines)
    if [[ -n $lines ]]; then
        printf 'Next: add to %s:\n\n%s\n\n' "$(quote "${included[0]:-$conf_dir/httpd.conf}")" "$lines"
        [[ -z $within ]] || printf 'in a virtual host: Include "%s"\n' "$ours/$within.conf"
        printf 'then: apachectl configtest && apachectl graceful\n'
    else
        printf 'Next: apachectl configtest && apachectl graceful\n'
    fi
}
