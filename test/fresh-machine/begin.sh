# shellcheck shell=bash
# Comes before each step that fresh-machine.sh does on a machine.

# as_root COMMAND...: what a user needs sudo for.
if ((EUID == 0)); then as_root() { "$@"; }; else as_root() { sudo "$@"; }; fi

# listing: what a2enmod and its like have made is compared too.
listing() {
    as_root find /etc/apache2 /var/lib/apache2 /usr/lib/apache2 ! -type d -printf "%p %y %m %u %l " \( -type f -exec sha256sum {} \; -o -printf "\n" \)
}
