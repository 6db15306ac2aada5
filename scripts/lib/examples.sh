# shellcheck shell=bash
# The recipes in conf/examples: which are asked for, what their heads say, and what they answer. run,
# install and cluster source it.

recipes=$checkout/conf/examples
examples=()     # those that the user has named, but for
site_recipe=    # the one that brings a site, which then stands instead of conf/hello.conf
all_examples=() # with it
told=()         # what he has told, NAME=VALUE

# take_example NAME: for the option --example; ends the script with status 2 where that cannot be.
take_example() {
    local names
    [[ $1 =~ ^[a-z][a-z-]*$ && -f $recipes/$1.conf ]] || {
        names=$(cd -- "$recipes" && LC_ALL=C && printf '%s ' *.conf)
        usage_error "--example $(quote "$1") is no recipe; expected one of: ${names//.conf/}"
    }
    if brings_site "$1"; then
        [[ -z $site_recipe || $site_recipe == "$1" ]] ||
            usage_error "--example $site_recipe and --example $1 both bring the whole site; expected one of them"
        site_recipe=$1
    elif [[ " ${examples[*]} " != *" $1 "* ]]; then
        examples+=("$1")
    fi
    all_examples=("${examples[@]}" ${site_recipe:+"$site_recipe"})
}

# take_define NAME=VALUE: the same for --define.
take_define() {
    [[ $1 =~ ^HELLO_[A-Z0-9_]+=[^\"\\$'\n']+$ ]] ||
        usage_error "--define $(quote "$1") is not HELLO_NAME=VALUE; expected a name that a recipe's head has, and a value without \", \\ and line breaks"
    told+=("$1")
}
# is_told NAME
is_told() { [[ " ${told[*]} " == *" $1="* ]]; }
# told_lines: prints what was told as lines of a configuration.
told_lines() {
    local one
    for one in "${told[@]}"; do printf 'Define %s "%s"\n' "${one%%=*}" "${one#*=}"; done
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

# any_uses VARIABLE: whether one of those that the user has named takes it.
any_uses() {
    local name
    for name in "${all_examples[@]}"; do
        if example_uses "$name" "$1"; then return 0; fi
    done
    return 1
}

# is_wanted VARIABLE: whether one of them takes it, and the user has not told it.
is_wanted() { ! is_told "$1" && any_uses "$1"; }

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

# show_trial NAME: the commands, with what the variables are here put in, and the first URL.
show_trial() {
    local i trial pattern value
    trial=$(example_trial "$1")
    for i in "${!trial_names[@]}"; do
        value=${trial_values[i]}
        pattern='\$\{'${trial_names[i]}'(-[^}]*|\+[^}]*)\}'
        [[ -n $value ]] || pattern+=' ?'
        while [[ $trial =~ $pattern ]]; do
            [[ ${BASH_REMATCH[1]} != +* ]] || value=:${trial_values[i]}
            trial=${trial/"${BASH_REMATCH[0]}"/"$value"}
        done
    done
    [[ ! $trial =~ https?://[^\;\ \"]+ ]] || printf '  %s: %s\n' "$1" "${BASH_REMATCH[0]}"
    printf '    %s\n' "$trial"
}

# show_trials HTTP HTTPS CERTIFICATE DRAIN MAINTENANCE CLIENT: the commands of all that the user has
# named; the arguments are what the variables are here.
show_trials() {
    local name
    trial_is HTTP "$1"
    trial_is HTTPS "$2"
    trial_is CERT "$3"
    trial_is DRAIN "$(told_value HELLO_DRAIN "$4")"
    trial_is MAINTENANCE "$(told_value HELLO_MAINTENANCE "$5")"
    trial_is CLIENT "$6"
    # Who has called sudo is back to being nobody by then, and /run is root's.
    trial_is AS_ROOT "${SUDO_USER:+sudo}"
    [[ -z ${password-} ]] || trial_is PASSWORD "$password"
    for name in "${all_examples[@]}"; do show_trial "$name"; done
}
# show_assignments: how the commands work as they stand in the heads.
show_assignments() {
    local i
    printf '  Before the commands of the heads in conf/examples, as they stand there: '
    for i in "${!trial_names[@]}"; do printf '%s=%s ' "${trial_names[i]}" "$(quote "${trial_values[i]}")"; done
    printf '\n'
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
