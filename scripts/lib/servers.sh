# shellcheck shell=bash
# Servers that a script starts for itself and ends with itself. run, cluster and test/scan.sh source
# it, after processes.sh.

# launcher: what the command of one begins with. Even when the script is killed outright, the server
# shall not stay behind.
launcher=()
if setpriv --pdeathsig TERM true 2>/dev/null; then launcher=(setpriv --pdeathsig TERM); fi

# Who serves when root starts the server: as in conf/httpd.conf.
served_by=www-data

# enterable FOLDER: lets in who serves then, who is not its owner.
enterable() {
    ((EUID != 0)) || chmod 711 -- "$1"
}

# secret BYTES: prints so many random ones, as letters and digits.
secret() { openssl rand -base64 "$1" | tr -d '/+=\n'; }

password=
# make_passwords FILE: with one for the user ada, which it leaves in password.
make_passwords() {
    password=$(secret 9)
    (umask 077 && printf 'ada:%s\n' "$(printf '%s\n' "$password" | openssl passwd -6 -stdin)" >"$1")
    ((EUID != 0)) || chgrp -- "$served_by" "$1"
    chmod 640 -- "$1"
}
