# shellcheck shell=bash
# Certificates in this user's NSS databases, which Chromium and its relatives read. trust-cert sources
# it, after undo.sh and folders.sh; it sets nickname, the certificate's name there, $work/certificate,
# and report, which is what is said at the end.

databases=()  # those that there are
new_database= # the one that is to be made

# nss DATABASE ARGUMENT...: certutil for it.
nss() {
    local database=$1
    shift
    LC_ALL=C certutil "$@" -d "sql:$database"
}

# nss_listed DATABASE: a line for each certificate: its flags, a blank, its name.
nss_listed() {
    nss "$1" -L | sed -n 's/^\(.*[^ ]\)  *\([A-Za-z]*,[A-Za-z]*,[A-Za-z]*\) *$/\2 \1/p'
}

# nss_flags DATABASE: the trust flags of the certificate; nothing where it is not.
nss_flags() {
    nss_listed "$1" | sed -n "s/^\([^ ]*\) $nickname\$/\1/p"
}

# open_to_nobody DATABASE: certutil loads the libraries that a database names.
open_to_nobody() {
    local folder
    folder=$(absolute "$1") || exit
    keep_others_out "$folder" 'run this as whose home that is, and without sudo, which it calls itself; or choose --store system'
}

# find_databases: sets databases. Chromium reads the first of these that exists, and makes the second by
# itself.
find_databases() {
    local database data=${XDG_DATA_HOME:-}
    [[ ${HOME-} == /* ]] || return 0
    [[ $data == /* ]] || data=$HOME/.local/share
    for database in "$HOME/.pki/nssdb" "$data/pki/nssdb"; do
        [[ -d $database ]] || continue
        open_to_nobody "$database"
        databases+=("$database")
    done
}

# check_databases REMOVE: ends the script where the certificate could not be put into the first of them,
# which is then to be made if there is none, or be taken out of all (REMOVE).
check_databases() {
    local body database listed other there
    command -v certutil >/dev/null ||
        fail 'certutil is not on PATH, and nothing was changed' \
            "install the package libnss3-tools (nss-tools on Fedora, nss elsewhere), as $(quote "$(shown "$scripts/setup")") does, or choose --store system"
    [[ ${HOME-} == /* && -d $HOME ]] ||
        fail "HOME is $(quote "${HOME-}"); expected the absolute path of your home, where the NSS database is" 'set HOME, or choose --store system'
    if ! $1; then
        if ((${#databases[@]} == 0)); then
            databases=("$HOME/.pki/nssdb")
            open_to_nobody "${databases[0]}"
        fi
        databases=("${databases[0]}")
        [[ -e ${databases[0]}/cert9.db ]] || new_database=${databases[0]}
    fi
    # The same certificate under a name that somebody else gave it: NSS keeps that one name.
    body=$(sed 1d "$work/certificate")
    for database in "${databases[@]}"; do
        [[ -e $database/cert9.db ]] || continue
        listed=$(nss_listed "$database" 2>"$work/log") || {
            cat -- "$work/log" >&2
            fail "cannot read the NSS database $(quote "$database"), and nothing was changed" \
                'mend what certutil says above, or choose --store system'
        }
        [[ $listed != *" $nickname"* ]] || continue
        while read -r _ other; do
            [[ -n $other ]] || continue
            there=$(nss "$database" -L -n "$other" -a | tr -d '\r')
            [[ $there != *"$body"* ]] ||
                fail "the NSS database $(quote "$database") has this certificate as $(quote "$other"), which is not this script's doing; nothing was changed" \
                    "take it out: certutil -D -d $(quote "sql:$database") -n $(quote "$other")"
        done <<<"$listed"
    done
}

made=() # folders
unmake_database() {
    local i
    # A certutil that was stopped leaves journals beside them.
    rm -f -- "$new_database"/{cert9.db,key4.db}{,-journal,-wal,-shm} "$new_database/pkcs11.txt"
    for ((i = 0; i < ${#made[@]}; ++i)); do
        rmdir -- "${made[i]}" 2>/dev/null || true
    done
}
make_database() {
    local folder=$new_database file
    for file in "$new_database"/{key4.db,pkcs11.txt}; do
        [[ ! -e $file && ! -L $file ]] ||
            fail "$(quote "$file") is there, and its cert9.db is not; nothing was changed" 'restore that or move this away, or choose --store system'
    done
    while [[ ! -e $folder && ! -L $folder ]]; do
        made+=("$folder")
        folder=${folder%/*}
    done
    undo_by unmake_database
    (umask 077 && mkdir -p -- "$new_database") ||
        fail "cannot make the folder $(quote "$new_database"); nothing was changed" 'mend what mkdir says above, or choose --store system'
    nss "$new_database" -N --empty-password ||
        fail "cannot make the NSS database $(quote "$new_database"); nothing was changed" 'mend what certutil says above, or choose --store system'
}

# put_back_flags DATABASE FLAGS: none are those of a certificate that was not there.
put_back_flags() {
    local now
    now=$(nss_flags "$1")
    if [[ -z $2 ]]; then
        [[ -z $now ]] || nss "$1" -D -n "$nickname"
    elif [[ $now != "$2" ]]; then
        # certutil may have been stopped before it had done anything.
        nss "$1" -A -n "$nickname" -t "$2" -i "$work/certificate"
    fi
}
# add_to_database DATABASE: makes it where that is to be.
add_to_database() {
    local flags where
    where="NSS database $(shown "$1")"
    if [[ $new_database == "$1" ]]; then
        make_database
        where+=' (new)'
    fi
    flags=$(nss_flags "$1")
    if [[ $flags == P,, ]]; then
        report+=("$where: it was there already")
        return 0
    fi
    undo_by put_back_flags "$1" "$flags"
    # A database with a password asks for it on the terminal.
    if ! nss "$1" -A -n "$nickname" -t P,, -i "$work/certificate" ||
        [[ $(nss_flags "$1") != P,, ]]; then
        fail "cannot add the certificate to the NSS database $(quote "$1"); nothing was changed" \
            'mend what certutil says above, or choose --store system; a database with a password asks for it on a terminal'
    fi
    report+=("$where: added, trusted for https alone")
}
# remove_from_database DATABASE
remove_from_database() {
    local flags='' where
    where="NSS database $(shown "$1")"
    if [[ -e $1/cert9.db ]]; then flags=$(nss_flags "$1"); fi
    if [[ -z $flags ]]; then
        report+=("$where: it was not there")
        return 0
    fi
    undo_by put_back_flags "$1" "$flags"
    nss "$1" -D -n "$nickname" ||
        fail "cannot take the certificate out of the NSS database $(quote "$1"); nothing was changed" 'mend what certutil says above, or choose --store system'
    report+=("$where: removed")
}
