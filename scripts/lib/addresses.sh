# shellcheck shell=bash
# IP addresses. Who takes one as an option sources it, or makes a URL of one.

# is_ipv4 TEXT, is_ipv6 TEXT: whether it is such an address, and nothing else.
is_ipv4() {
    local LC_ALL=C octet='(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])'
    [[ $1 =~ ^$octet(\.$octet){3}$ ]]
}

is_ipv6() {
    local LC_ALL=C address=$1 head tail colons groups='[0-9A-Fa-f]{1,4}(:[0-9A-Fa-f]{1,4})*'
    [[ $address == *:* ]] || return 1
    # The last 32 bits may be written as an IPv4 address.
    if [[ $address == *.* ]]; then
        is_ipv4 "${address##*:}" || return 1
        address=${address%:*}:0:0
    fi
    if [[ $address == *::* ]]; then
        head=${address%%::*}
        tail=${address#*::}
        [[ $head =~ ^($groups)?$ && $tail =~ ^($groups)?$ ]] || return 1
        colons=${head//[!:]/}${tail//[!:]/}
        # "::" stands for one group at the least, so seven may be written out.
        ((${#colons} + (${#head} > 0) + (${#tail} > 0) <= 7))
    else
        colons=${address//[!:]/}
        [[ $address =~ ^$groups$ ]] && ((${#colons} == 7))
    fi
}

# in_url ADDRESS: prints it as it stands in a URL.
in_url() {
    if [[ $1 == *:* ]]; then printf '[%s]' "$1"; else printf '%s' "$1"; fi
}
