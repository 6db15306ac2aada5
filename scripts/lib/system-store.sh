# shellcheck shell=bash
# The certificate in the system's store, which curl and most programs read, and only root may change.
# trust-cert sources it, after undo.sh; nickname and the others are as for nss.sh, and remove is which
# way it goes.

ours=/usr/local/share/ca-certificates # in the system's store, those that are not the system's
as_root=()
system_file= # the certificate's place there
system_link= # and what update-ca-certificates makes of it

system_holds() { [[ -f $system_file && -e $system_link ]] && cmp -s -- "$work/certificate" "$system_file"; }
system_empty() { [[ ! -e $system_file && ! -L $system_file && ! -L $system_link ]]; }
system_as_asked() { if $remove; then system_empty; else system_holds; fi; }

# check_system: ends the script where the store could not be changed, if it has to be.
check_system() {
    system_file=$ours/$nickname.crt
    system_link=/etc/ssl/certs/$nickname.pem
    command -v update-ca-certificates >/dev/null ||
        fail 'update-ca-certificates is not on PATH, and nothing was changed' \
            'install the package ca-certificates (Debian, Ubuntu), or choose --store nss'
    if ((EUID != 0)) && ! system_as_asked; then
        command -v sudo >/dev/null ||
            fail "only root may change the system's store ($system_file), and there is no sudo; nothing was changed" \
                "run this as root with --store system, and as yourself with --store nss"
        as_root=(sudo)
    fi
}

# What root does, in one call so that sudo asks once. Its own signals are held off, and it takes back
# what it has not done to the end. A local certificate that has gone leaves its links unless all are made
# anew (--fresh).
# shellcheck disable=SC2016
as_root_script='
trap "" HUP INT TERM
umask 022
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
file=$2 former=$2.former
put_back() {
    rm -f -- "$file.new"
    if [ -e "$former" ]; then mv -f -- "$former" "$file"; elif [ "$1" = add ]; then rm -f -- "$file"; fi
    update-ca-certificates --fresh >/dev/null 2>&1
    exit 1
}
if [ -e "$file" ] || [ -L "$file" ]; then mv -f -- "$file" "$former" || exit 1; fi
if [ "$1" = add ]; then
    mkdir -p -- "${file%/*}" && cat >"$file.new" && mv -f -- "$file.new" "$file" || put_back "$1"
    update-ca-certificates || put_back "$1"
else
    update-ca-certificates --fresh || put_back "$1"
fi
rm -f -- "$former"
'
system_script() {
    "${as_root[@]}" sh -c "$as_root_script" sh "$1" "$system_file" <"$work/certificate" >"$work/log" 2>&1
}
put_back_system() {
    # Only what was done to its end is here to be taken back.
    system_as_asked || return 0
    if $remove; then system_script add; else system_script remove; fi
}
# change_system: as a change that can be taken back.
change_system() {
    local where="System's store $system_file" action=add
    if system_as_asked; then
        if $remove; then report+=("$where: it was not there"); else report+=("$where: it was there already"); fi
        return 0
    fi
    if $remove; then action=remove; fi
    undo_by put_back_system
    if ! system_script "$action" || ! system_as_asked; then
        cat -- "$work/log" >&2
        fail "could not change the system's store ($system_file); nothing was changed" \
            'mend what is said above, or choose --store nss'
    fi
    if $remove; then report+=("$where: removed"); else report+=("$where: added"); fi
}
