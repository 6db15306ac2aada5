# shellcheck shell=bash
# The files that install makes of conf: the site and the recipes, with what they have to know of this
# machine, and its certificate. install sources it, after plan.sh and examples.sh.

mark='# Made by scripts/install of mod_hello' # what they begin with

# defines: what the site and the recipes have to know of this machine, and what the user tells.
defines() {
    printf 'Define HELLO_CONF "%s"\n' "$ours"
    printf 'Define HELLO_CERTIFICATE "%s"\n' "$certificate"
    printf 'Define HELLO_KEY "%s"\n' "$key"
    [[ -z $groups ]] || printf 'Define HELLO_TLS_GROUPS "%s"\n' "$groups"
    ((http_port == 80)) || printf 'Define HELLO_HTTP_PORT %d\n' "$http_port"
    ((https_port == 443)) || printf 'Define HELLO_HTTPS_PORT %d\n' "$https_port"
    if ((${#all_examples[@]} > 0)); then
        printf 'Define HELLO_EXAMPLES "%s"\n' "$ours"
        printf 'Define HELLO_PASSWORDS "%s/passwords"\n' "$ours"
        printf 'Define HELLO_SESSION_KEY "%s/session.key"\n' "$ours"
        printf 'Define HELLO_CLIENT_CA "%s/ca.crt"\n' "$ours"
        printf 'Define HELLO_CLIENT_CRL "%s/ca.crl"\n' "$ours"
    fi
    told_lines
}
# made_of FILE SOURCE: prints what goes to FILE, of SOURCE and what it has to know.
made_of() {
    printf '%s from %s. Change it as you like: from then on\n' "$mark" "${2##*/}"
    printf '# neither install nor uninstall touches it.\n\n'
    defines
    printf '# They are set in mods-available/ssl.conf.\nDefine HELLO_TLS_SERVER\n\n'
    if [[ -n $within && $1 == "$site_file" ]]; then
        awk -v line="    Include \"$ours/$within.conf\"" '/^<\/VirtualHost>/ { print line } { print }' "$2"
    else
        cat -- "$2"
    fi
}

# need_file EXAMPLE FILE COMMAND...: what only the user can make; COMMANDs are how.
need_file() {
    [[ -f $2 ]] ||
        fail "--example $1 needs $(quote "$2"), which only you can make; nothing was changed" "make it, and run this again:
$(printf '  %s\n' "${@:3}")"
}

# add_recipe NAME: to the plan, with what it needs.
add_recipe() {
    local file
    ! example_uses "$1" HELLO_PASSWORDS ||
        need_file "$1" "$ours/passwords" "sudo mkdir -p $(quote "$ours")" \
            "sudo sh -c 'umask 077; htpasswd -c -B -C 10 $(shown "$ours")/passwords ada'    (of the package apache2-utils)" \
            "sudo chown root:www-data $(quote "$ours/passwords") && sudo chmod 640 $(quote "$ours/passwords")"
    for file in ca.crt ca.crl; do
        ! example_uses "$1" HELLO_CLIENT_CA ||
            need_file "$1" "$ours/$file" "$(quote "$(shown "$scripts/make-client-cert")") --dir clients --name Ada" \
                "sudo mkdir -p $(quote "$ours") && sudo cp clients/ca.crt clients/ca.crl $(quote "$ours")"
    done
    if example_uses "$1" HELLO_SESSION_KEY && [[ -e $ours/session.key && -r $ours/session.key ]]; then
        # httpd would take it, and seal no session.
        grep -q '^[[:space:]]*[^#[:space:]]' -- "$ours/session.key" ||
            fail "$(quote "$ours/session.key") holds no key, and no session would be sealed; nothing was changed" 'remove it, and run this again: then one is made'
    elif example_uses "$1" HELLO_SESSION_KEY && [[ ! -e $ours/session.key ]]; then
        (umask 077 && openssl rand -base64 32 >"$work/session.key")
        add_file 600 "$work/session.key" "$ours/session.key"
    fi
    while read -r file; do
        [[ -z $file ]] || add_file 644 "$recipes/$file" "$ours/$file"
    done < <(example_files "$1")
    if [[ $layout == other || $1 == "$within" ]]; then
        add_file 644 "$recipes/$1.conf" "$ours/$1.conf"
    elif ! brings_site "$1"; then
        made_of "$conf_dir/conf-available/hello-$1.conf" "$recipes/$1.conf" >"$work/hello-$1.conf"
        add_file 644 "$work/hello-$1.conf" "$conf_dir/conf-available/hello-$1.conf"
    fi
}

former_recipe=hello
has_within=false
# find_former_site: sets former_recipe, the recipe of an earlier run's site, which has been told things
# that this run has not, or hello; and has_within, whether the routes stand in it, which are not lost then.
find_former_site() {
    [[ $layout == debian ]] || return 0
    if [[ -z $site_recipe && -f $site_file && $(head -n 1 -- "$site_file") =~ ^"$mark"\ from\ ([a-z-]+)\.conf ]]; then
        former_recipe=${BASH_REMATCH[1]}
    fi
    if grep -qsF "Include \"$ours/routes.conf\"" -- "$site_file"; then
        has_within=true
        within=routes
    fi
}

# add_site: to the plan. Sets site_certificate, which it is served with.
add_site() {
    local source=$checkout/conf/hello.conf is_kept=true other
    if [[ -n $site_recipe ]]; then source=$recipes/$site_recipe.conf; fi
    if [[ $layout == debian ]]; then
        if [[ $former_recipe == hello ]]; then
            made_of "$site_file" "$source" >"$work/hello.conf"
            add_file 644 "$work/hello.conf" "$site_file"
            if [[ ${states[-1]} != changed ]]; then is_kept=false; fi
        fi
        if $is_kept && ! $has_within && [[ -n $within ]]; then
            fail "$(quote "$site_file") is of an earlier run or changed, and --example $within stands in it; nothing was changed" \
                "write into its virtual hosts: Include \"$recipes/$within.conf\", or run scripts/uninstall before"
        fi
        if $is_kept; then
            # certbot, or a person, may have given it another one.
            other=$(sed -nE 's/^[[:space:]]*SSLCertificateFile[[:space:]]+"?([^"$]*[^"$[:space:]])"?[[:space:]]*$/\1/Ip' "$site_file" | tail -n 1)
            [[ -z $other || $other == /* ]] || other=$conf_dir/$other
            site_certificate=${other:-$site_certificate}
        fi
    elif [[ -z $site_recipe ]]; then
        add_file 644 "$source" "$ours/hello.conf"
    fi
    add_file 644 "$checkout/conf/tls.conf" "$ours/tls.conf"
}

make_certificate=false
# add_certificate: to the plan, where there is none; ends the script where the one that is there is none
# that clients take.
add_certificate() {
    local file next
    if [[ $site_recipe == acme ]]; then
        : # mod_md makes the pair
    elif [[ ! -e $certificate && ! -L $certificate && ! -e $key && ! -L $key ]]; then
        make_certificate=true
        if ! $dry_run; then
            quietly "$log" 'making a certificate' "$scripts/make-cert" --dir "$work/tls"
        fi
        add_file 600 "$work/tls/server.key" "$key"
        add_file 644 "$work/tls/server.crt" "$certificate"
    else
        for file in "$key" "$certificate"; do
            [[ -f $file ]] ||
                fail "$(quote "$file") is missing, while the other half of the pair is there; nothing was changed" \
                    'restore it, or move the other half away too: then both are made anew'
        done
    fi
    # Only root may read what certbot has obtained.
    if ! $make_certificate && [[ -r $site_certificate ]] && ! openssl x509 -in "$site_certificate" -noout -checkend 0 >/dev/null 2>&1; then
        next="make the pair anew: $(quote "$(shown "$scripts/make-cert")") --force --dir $(quote "$ours")"
        [[ $site_certificate == "$certificate" ]] || next='have it renewed, and run this again'
        fail "$(quote "$site_certificate") is not a certificate, or has expired, and clients refuse it; nothing was changed" "$next"
    fi
}

extras=()
# add_modules: sets enable, and extras, which are recipes and modules that they are better with.
add_modules() {
    local name module_name
    enable=(hello)
    if $site; then enable+=(alias authz_core mime socache_shmcb ssl); fi
    for name in "${all_examples[@]}"; do
        while read -r module_name; do
            # Debian builds some into httpd.
            if [[ -z $module_name || " ${enable[*]} " == *" $module_name "* ]]; then continue; fi
            if [[ $layout == debian && -d $conf_dir && ! -e $conf_dir/mods-available/$module_name.load ]]; then continue; fi
            enable+=("$module_name")
        done < <(example_modules "$name")
        while read -r module_name; do
            # Its package enables it, with what else it wants.
            [[ $layout != debian || -e $conf_dir/mods-enabled/$module_name.load ]] || goes_without "$name" "$module_name"
            [[ $layout == debian ]] || extras+=("$name $module_name")
        done < <(example_extras "$name")
    done
}
