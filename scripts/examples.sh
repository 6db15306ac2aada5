# shellcheck shell=bash
# What run and install share about the recipes in conf/examples: what their heads say. It is
# sourced, never run.

# lib.sh, which comes before, has the checkout; modules is httpd's folder of them.
# shellcheck disable=SC2154
recipes=$checkout/conf/examples
told=() # what the user has told, NAME=VALUE

# check_example NAME: ends the script with status 2 where there is none of that name.
check_example() {
    local names
    [[ $1 =~ ^[a-z][a-z-]*$ && -f $recipes/$1.conf ]] || {
        names=$(cd -- "$recipes" && LC_ALL=C && printf '%s ' *.conf)
        usage_error "--example $(quote "$1") is no recipe; expected one of: ${names//.conf/}"
    }
}

# check_define NAME=VALUE
check_define() {
    [[ $1 =~ ^HELLO_[A-Z0-9_]+=[^\"\\$'\n']+$ ]] ||
        usage_error "--define $(quote "$1") is not HELLO_NAME=VALUE; expected a name that a recipe's head has, and a value without \", \\ and line breaks"
}

# example_modules NAME: the modules that the recipe's head names, one a line.
example_modules() {
    local list
    list=$(sed -n '/(modules: /,/)/s/^# *//p' "$recipes/$1.conf" | tr '\n' ' ')
    [[ $list =~ \(modules:\ ([^\)]*)\) ]] || return 0
    list=${BASH_REMATCH[1]// /}
    printf '%s\n' "${list//,/$'\n'}"
}

# example_extras NAME: the modules that it goes without where they are not, one a line.
example_extras() {
    sed -n 's/^# (better with: \([a-z0-9_]*\))$/\1/p' "$recipes/$1.conf"
}

# load_extra MODULE: the lines that load it. Debian 12's mod_qos does not name a library that it uses.
load_extra() {
    if [[ $1 == qos ]] && grep -q pcre_free -- "$modules/mod_qos.so" && compgen -G '/usr/lib/*/libpcre.so.3' >/dev/null; then
        printf 'LoadFile libpcre.so.3\n'
    fi
    printf 'LoadModule %s_module "%s/mod_%s.so"\n' "$1" "$modules" "$1"
}

# goes_without NAME MODULE: says it.
goes_without() {
    local next='install it'
    ! command -v apt-get >/dev/null || next="apt-get install libapache2-mod-$2"
    [[ ! -e $modules/mod_$2.so ]] || next="a2enmod $2"
    printf '%s: the recipe %s goes without mod_%s, which is not loaded; its head says what for\nNext: where that matters, %s\n' "$me" "$1" "$2" "$next" >&2
}

# example_needs NAME: what it has to be told, one a line.
example_needs() {
    sed -n 's/^ *Error ".*: \(HELLO_[A-Z_]*\) is not defined;.*/\1/p' "$recipes/$1.conf"
}

# example_files NAME: what lies beside it and is read by it, one a line.
example_files() {
    # shellcheck disable=SC2016
    sed -n 's/^[^#]*"${HELLO_EXAMPLES}\/\([a-z.-]*\)".*/\1/p' "$recipes/$1.conf"
}

# example_has NAME PATTERN: whether a line of it, or of a recipe that it includes, is like that.
example_has() {
    local file files=("$recipes/$1.conf")
    while read -r file; do
        if [[ $file == *.conf ]]; then files+=("$recipes/$file"); fi
    done < <(example_files "$1")
    grep -q -- "$2" "${files[@]}"
}

# example_uses NAME VARIABLE: whether it takes that definition.
example_uses() { example_has "$1" "\${$2}"; }

# brings_site NAME: whether it stands instead of hello.conf.
brings_site() { example_has "$1" '^<VirtualHost'; }

# site_greets: whether conf/hello.conf says what the module says by itself. One that the user has
# changed may say what it likes.
site_greets() { ! grep -qE '^[[:space:]]*<?Hello[A-Z]' -- "$checkout/conf/hello.conf"; }

# example_trial NAME: the commands to see it work, as they stand in its head.
example_trial() {
    sed -n '2s/^# See it work: //p' "$recipes/$1.conf"
}

# told_value NAME DEFAULT: what the user has told, by --define.
told_value() {
    local one value=$2
    for one in "${told[@]}"; do
        if [[ $one == "$1="* ]]; then value=${one#*=}; fi
    done
    printf '%s' "$value"
}

# The variables of the commands, and what they are here: what the user may paste before them.
trial_names=()
trial_values=()
# trial_is NAME VALUE
trial_is() {
    trial_names+=("$1")
    trial_values+=("$2")
}
trial_assignments() {
    local i
    for i in "${!trial_names[@]}"; do printf '%s=%s ' "${trial_names[i]}" "$(quote "${trial_values[i]}")"; done
}

# show_trial NAME: the commands, with what the variables are here put in, and the first URL.
show_trial() {
    local i trial pattern value
    trial=$(example_trial "$1")
    for i in "${!trial_names[@]}"; do
        value=${trial_values[i]}
        pattern='\$\{'${trial_names[i]}'(-[^}]*|\+[^}]*)\}'
        while [[ $trial =~ $pattern ]]; do
            [[ ${BASH_REMATCH[1]} != +* ]] || value=:${trial_values[i]}
            trial=${trial/"${BASH_REMATCH[0]}"/"$value"}
        done
    done
    [[ ! $trial =~ https?://[^\;\ \"]+ ]] || printf '  %s: %s\n' "$1" "${BASH_REMATCH[0]}"
    printf '    %s\n' "$trial"
}

# example_check NAME SCHEME: a path that it answers, and a pattern of the status, if that is seen
# from outside.
example_check() {
    case $2-$1 in
        *-health | *-drain | *-node) printf '/healthz 200' ;;
        *-whoami) printf '/whoami 200|308' ;;
        *-routes) printf '/hello/Ada 200|308' ;;
        *-matrix) printf '/.well-known/matrix/server 200|308' ;;
        *-acme-answer) printf '/.well-known/acme-challenge/a-token 200' ;;
        https-basic-auth) printf '/private 401' ;;
        https-login) printf '/private 302' ;;
        http-basic-auth | http-login) printf '/private 403|30.' ;;
    esac
}
