# shellcheck shell=bash
# The httpd that this machine has: where it is, and its service, where that is Debian's. install and
# uninstall source it, after apxs.sh.

layout=    # debian, or other
conf_dir=  # where its configuration lies
state_dir= # where Debian's a2enmod notes who has enabled what
ours=      # the folder of mod_hello within the configuration
manifest=  # what install has put where
log=       # what a program says that is asked quietly
pid_file=  # of Debian's httpd

# variable NAME: prints what Debian's configuration sets for httpd's environment.
variable() {
    # shellcheck disable=SC2016
    sh -c '. "$1/envvars" >/dev/null 2>&1; eval "printf %s \"\$$2\""' sh "$conf_dir" "$1"
}

# locate_httpd: sets the above, or ends the script.
locate_httpd() {
    need_apxs
    conf_dir=${APACHE_CONFDIR:-$("$apxs" -q SYSCONFDIR)}
    conf_dir=$(absolute "$conf_dir") || exit
    [[ -d $conf_dir && -d $modules ]] ||
        fail "$(quote "$apxs") names the folders $(quote "$conf_dir") and $(quote "$modules"), and one of them is not there" \
            'install httpd, or set APXS to the apxs of another one'
    local path
    for path in "$conf_dir" "$modules"; do
        [[ $path != *[\"\\\$$'\n\t']* ]] ||
            fail "the path $(quote "$path") cannot stand in an httpd configuration" 'use a path without ", \, $, tabs and line breaks'
    done
    ours=$conf_dir/hello
    manifest=$ours/manifest
    layout=other
    if [[ -d $conf_dir/mods-available && -d $conf_dir/sites-available ]] && command -v a2enmod >/dev/null; then
        layout=debian
        state_dir=${APACHE_STATE_DIRECTORY:-/var/lib/apache2}
        export APACHE_CONFDIR=$conf_dir
        pid_file=$(variable APACHE_PID_FILE)
    fi
}

# locate_debian: where Debian's packages will put httpd that are not there yet.
locate_debian() {
    modules=/usr/lib/apache2/modules
    conf_dir=${APACHE_CONFDIR:-/etc/apache2}
    ours=$conf_dir/hello
    manifest=$ours/manifest
    layout=debian
    state_dir=${APACHE_STATE_DIRECTORY:-/var/lib/apache2}
}

# root_needed: whether this user may not write where httpd is.
root_needed() {
    local folder folders=("$modules" "$conf_dir")
    ((EUID != 0)) || return 1
    if [[ -d $ours ]]; then folders+=("$ours"); fi
    if [[ $layout == debian ]]; then
        folders+=("$conf_dir"/{mods,conf,sites}-{available,enabled} "$state_dir")
    fi
    for folder in "${folders[@]}"; do
        [[ -w $folder ]] || return 0
    done
    return 1
}

# become_root ARGUMENT...: starts the script anew through sudo where that is needed.
become_root() {
    root_needed || return 0
    command -v sudo >/dev/null ||
        fail "only root may write to $(quote "$modules") and $(quote "$conf_dir"), and there is no sudo; nothing was changed" 'run this as root'
    # sudo drops the environment, and may look for apxs on another PATH.
    local variable keep=("APXS=$(absolute "$apxs")")
    for variable in APACHE_CONFDIR APACHE_STATE_DIRECTORY; do
        if [[ -n ${!variable-} ]]; then keep+=("$variable=${!variable}"); fi
    done
    # env would take a path with "=" in it for a variable.
    # shellcheck disable=SC2016
    exec sudo -- env "${keep[@]}" sh -c 'exec "$0" "$@"' "$scripts/$me" "$@"
}

# control COMMAND: apachectl COMMAND; ends the script where that fails. Debian's starts httpd by
# systemd where that is in charge.
control() {
    # A server that is started does not keep the locks.
    quietly "$log" "$1" apachectl "$1" 7<&- 9<&-
}

# running: prints the process of Debian's httpd, if there is one.
running() {
    local pid
    [[ -n $pid_file && -r $pid_file ]] || return 1
    pid=$(<"$pid_file")
    [[ $pid =~ ^[0-9]+$ && -d /proc/$pid ]] || return 1
    printf '%s' "$pid"
}

# children_of PROCESS: prints the processes that it has started.
children_of() {
    local children=
    children=$(cat "/proc/$1/task/$1/children" 2>/dev/null || true)
    printf '%s' "$children"
}

# What this run has done to the server: nothing, graceful or start.
served=
restarted=       # its process
former_children= # and those of the generation before

# serve_as_before: for when the files are as they were; takes that back.
serve_as_before() {
    case $served in
        graceful) if running >/dev/null; then apachectl graceful; else apachectl start; fi ;;
        start) ! running >/dev/null || apachectl stop ;;
    esac >/dev/null 2>&1 7<&- 9<&-
}

# show_error_log: the end of what Debian's has.
show_error_log() {
    local folder
    folder=$(variable APACHE_LOG_DIR)
    [[ -r $folder/error.log ]] || return 0
    printf '%s ends with:\n' "$(quote "$folder/error.log")" >&2
    tail -n 5 -- "$folder/error.log" | sed 's/^/  /' >&2
}

# restart_httpd: gracefully, and waits until the new generation is there; ends the script where it is not.
restart_httpd() {
    restarted=$(running)
    former_children=" $(children_of "$restarted") "
    served=graceful
    control graceful
    if ! wait_for 30 restart_is_over || [[ ! -d /proc/$restarted ]]; then
        show_error_log
        fail 'httpd did not come back from its graceful restart; everything was put back' 'mend what its error log says above, and run this again'
    fi
}
# restart_is_over: whether the new generation is there, which has read the files, or httpd is gone.
restart_is_over() {
    local new
    [[ -d /proc/$restarted ]] || return 0
    for new in $(children_of "$restarted"); do
        if [[ $former_children != *" $new "* ]]; then return 0; fi
    done
    return 1
}

# apply START: has httpd take its configuration, if that is a good one; START is whether a server
# that does not run is started.
apply() {
    control configtest
    if running >/dev/null; then
        restart_httpd
    elif $1; then
        served=start
        control start
    fi
}
