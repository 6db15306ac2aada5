# shellcheck shell=bash
# Builds, as the owner of the checkout. run, install and test source it, and test/scan.sh and test/bench/prepare.sh.

# as_owner: what a command begins with that makes something in the checkout. What root leaves there,
# its owner could not build over.
as_owner=()
read -r uid gid user < <(stat -c '%u %g %U' -- "$checkout" 2>/dev/null) || true
if ((EUID == 0)) && [[ ${uid:-0} != 0 ]] && command -v setpriv >/dev/null; then
    home=$(getent passwd "$uid" | cut -d: -f6 || true)
    as_owner=(setpriv "--reuid=$uid" "--regid=$gid" --clear-groups env "HOME=${home:-/}" "USER=$user" "LOGNAME=$user")
fi
unset uid gid user home

# configure LOG WHAT PRESET FOLDER [ARGUMENT...]: has CMake configure the build in FOLDER, which is in the
# checkout; anew where the checkout has moved. The current folder is the checkout.
configure() {
    local log=$1 what=$2 preset=$3 folder=$4 file home
    shift 4
    for file in CMakeLists.txt CMakePresets.json test/CMakeLists.txt mod_hello.cpp; do
        # $log is of this moment. Ninja would configure for ever.
        : >"$log"
        [[ ! $file -nt $log ]] ||
            fail "$(quote "$checkout/$file") is from the future, $(date -r "$file"), by the clock of this machine, which says $(date)" \
                "set the clock; or, where that is right: touch $(quote "$checkout/$file")"
    done
    cache=("$folder/CMakeCache.txt" "$folder/CMakeFiles")
    home=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$folder/CMakeCache.txt" 2>/dev/null || true)
    [[ -z $home || $home -ef $checkout ]] || rm -rf -- "${cache[@]}"
    quietly "$log" "$what" "${as_owner[@]}" cmake --preset "$preset" -B "$folder" "$@"
}

# make_build_folder: where all of it lies, as the owner's.
make_build_folder() {
    local next
    next="run this as $(stat -c %U -- "$checkout"), the owner of the checkout, or clone it anew as this user"
    "${as_owner[@]}" mkdir -p -- "$checkout/build" 2>/dev/null || true
    give_back
    "${as_owner[@]}" test -w "$checkout/build" || {
        [[ ! -O $checkout || ! -d $checkout/build ]] ||
            next="it belongs to $(stat -c %U -- "$checkout/build"); make it yours: sudo chown -hR $(id -un) $(quote "$(shown "$checkout/build")")"
        fail "cannot write to $(quote "$checkout/build")" "$next"
    }
}

# give_back: what root has left in the build folder of somebody's checkout becomes that person's.
give_back() {
    if ((${#as_owner[@]} > 0)) && [[ -n $(find "$checkout/build" -uid 0 -print -quit 2>/dev/null) ]]; then
        chown -hR --reference="$checkout" -- "$checkout/build"
    fi
}

# build_module LOG FOLDER COPY [ARGUMENT...]: makes FOLDER/mod_hello.so, FOLDER being in the checkout, and
# where COPY is not empty, a copy of that name; ARGUMENTs are CMake's. One run at a time.
build_module() {
    local log=$1 folder=$2 copy=$3 descriptor
    shift 3
    make_build_folder
    exec {descriptor}<"$checkout"
    lock "$descriptor" "$checkout" 600
    cd -- "$checkout" || exit
    configure "$log" 'configuring the build' release "$folder" "$@"
    quietly "$log" 'the build' "${as_owner[@]}" cmake --build "$folder" --target mod_hello
    cd -- "$OLDPWD" || exit
    [[ -f $checkout/$folder/mod_hello.so ]] ||
        fail "the build did not make $(quote "$checkout/$folder/mod_hello.so")" "see $(quote "$checkout/CMakeLists.txt")"
    [[ -z $copy ]] || cp -- "$checkout/$folder/mod_hello.so" "$copy"
    exec {descriptor}<&-
}
