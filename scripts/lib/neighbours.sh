# shellcheck shell=bash
# What else is on the machine of install: programs that have a port, and other sites of its httpd.
# install sources it, after machine-httpd.sh and ports.sh.

# others_listen PORT: whether httpd would not get the port, since another process has it. A connection
# would not tell whose it is.
others_listen() {
    local port pid inode fds='' taken=false
    port=$(printf '%04X' "$1")
    if pid=$(running); then
        fds=$(find "/proc/$pid/fd" -printf '%l\n' 2>/dev/null || true)
        # Where that cannot be seen, the restart will tell.
        [[ $fds == *socket:* ]] || return 1
    fi
    while read -r inode; do
        [[ $'\n'$fds$'\n' != *$'\n'"socket:[$inode]"$'\n'* ]] || return 1
        taken=true
    done < <(awk -v where="^(0+|(0+FFFF0000)?(0100007F|7F000001)):$port\$" '$4 == "0A" && $2 ~ where { print $10 }' \
        /proc/net/tcp /proc/net/tcp6 2>/dev/null)
    $taken
}
ours_or_free() { ! others_listen "$1"; }
# check_ports_are_ours: ends the script where httpd would not get one of its ports.
check_ports_are_ours() {
    local port ports
    # configtest passes where a port is taken, and a running httpd ends at its graceful restart.
    mapfile -t ports < <(sed -E '/<IfModule +mod_gnutls/,/<\/IfModule>/d' "$conf_dir/ports.conf" 2>/dev/null |
        sed -nE 's/^[[:space:]]*Listen[[:space:]]+([^[:space:]]*:)?([0-9]+)([[:space:]].*)?$/\2/p')
    for port in "$https_port" "${ports[@]}"; do
        # The children of an httpd that has just given it up may be about to close it.
        wait_for 3 ours_or_free "$port" ||
            fail "something that is not this httpd listens on port $port, which httpd is to listen on; nothing was changed" \
                "end that, or have httpd listen on another port N in $(quote "$conf_dir/ports.conf") and run this again with --http-port N or --https-port N"
    done
}

# check_displaced: ends the script where the site, which is new, has come to be the first of a port that
# has other ones. The first site of a port answers for every name that none has. Who has let ours be that
# has had it so before.
check_displaced() {
    local displaced
    # Where httpd refuses the configuration, this prints nothing, and apply tells.
    displaced=$(apachectl -t -D DUMP_VHOSTS 2>/dev/null | awk '
        / is a NameVirtualHost$/ { ours = 0 }
        / default server / { ours = /\/sites-enabled\/hello\.conf:[0-9]+\)$/ }
        / namevhost / && ours && !/\/sites-enabled\/hello\.conf:[0-9]+\)$/ {
            port = $2
            sub(/^[^(]*\(/, "")
            sub(/:[0-9]+\)$/, "")
            print port, $0
            exit
        }' || true)
    [[ -z $displaced ]] ||
        fail "the site of $(quote "${displaced#* }") would no longer be the first one on port ${displaced%% *}, and hello.conf would answer for every name that no site has; everything was put back" \
            "give that site a name that comes before hello.conf, such as 000-${displaced##*/} (a2dissite, mv, a2ensite), and run this again; or use --no-site and copy the <LocationMatch> of $(quote "$(shown "$checkout/conf/hello.conf")") into a site of your own"
}

# in_the_way NAME PORT: prints the file of the site that answers for NAME at 127.0.0.1, if that is
# another one: it comes first, and has the name. A site that has none has the server's own.
in_the_way() {
    apachectl -t -D DUMP_VHOSTS 2>/dev/null | awk -v host="$1" -v port="$2" -v ours=/sites-enabled/hello.conf '
        function found() { if (!done && substr(where, length(where) - length(ours) + 1) != ours) print where; done = 1 }
        { line = $0; sub(/^[^(]*\(/, "", line); sub(/:[0-9]+\)$/, "", line) }
        $1 == "127.0.0.1:" port { within = 1; where = line; if (/\)$/) found() }
        / default server / && within { where = line; found() }
        / namevhost / { where = line; here = $2 == port; is_it = $4 == host }
        $1 == "alias" { is_it = $2 == host }
        here && is_it { found() }' || true
}
# say_in_the_way SCHEME NAME PORT ANSWER: why that URL is not the site's.
say_in_the_way() {
    local file url=$1://$2:$3/
    file=$(in_the_way "$2" "$3")
    if [[ -n $file ]]; then
        printf '%s: %s is answered by %s, which comes first, and has that name or none\nNext: where it shall be of hello.conf, give that site a ServerName of its own, such as www.example.org\n' \
            "$me" "$url" "$(quote "$file")" >&2
    else
        printf '%s: %s is not answered as it should be: %s\nNext: see that httpd listens on port %d\n' "$me" "$url" "${4%%$'\n'*}" "$3" >&2
    fi
}
