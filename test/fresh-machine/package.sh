# shellcheck shell=bash
# fresh-machine.sh does this on a machine, in a checkout: the package, from its making to its purge,
# while a client asks all the time.

scripts/setup --run
for release in 1 2; do
    optimize=$((4 - release))
    cmake --preset release -B "/tmp/deb$release" -DBUILD_TESTING=OFF -DHELLO_DEB_RELEASE="$release" \
        "-DCMAKE_CXX_FLAGS_RELEASE=-O$optimize -DNDEBUG" >/dev/null
    cmake --build "/tmp/deb$release" >/dev/null
    (cd "/tmp/deb$release" && cpack -G DEB >/dev/null)
done
as_root apt-get -qq install --no-install-recommends lintian >/dev/null 2>&1
# The one that CMakeLists.txt explains.
lintian --allow-root --fail-on error,warning --suppress-tags initial-upload-closes-no-bugs /tmp/deb1/*.deb
lintian --allow-root --fail-on error,warning /tmp/deb2/*.deb
dpkg-deb -f /tmp/deb2/*.deb Depends
# The server of the step before has ended with that step.
as_root rm -f /var/run/apache2/apache2.pid
as_root apt-get -qq install --no-install-recommends apache2 >/dev/null 2>&1
as_root apachectl start 2>/dev/null || true
as_root tee /etc/apache2/conf-available/mine.conf >/dev/null <<END
ServerName localhost
<IfModule hello_module>
    <Location "/mine">
        SetHandler hello
        Require all granted
    </Location>
</IfModule>
END
printf "a file" | as_root tee /var/www/html/mine >/dev/null
as_root a2enconf -q mine
as_root apachectl graceful
server=$(cat /var/run/apache2/apache2.pid)
listing >/tmp/before

# Each answer is one of the two, at every moment.
while [ ! -e /tmp/enough ]; do
    answer=$(curl -sS --max-time 5 http://127.0.0.1/mine 2>&1) || true
    echo "$answer"
done >/tmp/answers &
client=$!

answers() {
    for _ in $(seq 100); do
        [ "$(curl -s http://127.0.0.1/mine)" != "$1" ] || return 0
        sleep 0.1
    done
    echo "expected: $1; got: $(curl -s http://127.0.0.1/mine)"
    return 1
}
module=/usr/lib/apache2/modules/mod_hello.so
uses_what_is_installed() {
    for _ in $(seq 100); do
        old=0
        # shellcheck disable=SC2013
        for child in $(cat "/proc/$server/task/$server/children"); do
            if as_root grep -q "$module (deleted)" "/proc/$child/maps"; then old=1; fi
        done
        if [ "$old" = 0 ] && as_root grep -q "$module$" "/proc/$server/maps"; then return 0; fi
        sleep 0.1
    done
    echo "a child still has the module of before, or the server has not the new one"
    return 1
}
say() { echo "$1: $(curl -s http://127.0.0.1/mine)"; }

answers "a file"
as_root dpkg -i /tmp/deb1/*.deb
answers "Hello World!"
say installed
one=$(sha256sum <$module)
as_root dpkg -i /tmp/deb2/*.deb
answers "Hello World!"
uses_what_is_installed
[ "$one" != "$(sha256sum <$module)" ]
say upgraded
as_root dpkg -r libapache2-mod-hello
answers "a file"
[ -e /etc/apache2/mods-available/hello.load ]
say removed
as_root dpkg -i /tmp/deb2/*.deb >/dev/null
answers "Hello World!"
# A configuration that cannot do without it: the server that runs goes on, and the user is told.
echo "HelloMessage \"Hello World!\"" | as_root tee /etc/apache2/conf-available/needs.conf >/dev/null
as_root a2enconf -q needs
as_root apachectl graceful
as_root dpkg -r libapache2-mod-hello 2>&1 | tee /tmp/removal
grep -q "will not start again: Syntax error on line 1 of .*/needs.conf: Invalid command .HelloMessage.$" /tmp/removal
grep -q "^Next: .*/etc/apache2/conf-enabled/mine.conf, /etc/apache2/conf-enabled/needs.conf" /tmp/removal
answers "Hello World!"
as_root dpkg -i /tmp/deb2/*.deb >/dev/null
as_root a2disconf -q needs
as_root rm /etc/apache2/conf-available/needs.conf /var/lib/apache2/conf/disabled_by_admin/needs
as_root apachectl graceful
answers "Hello World!"
as_root dpkg -P libapache2-mod-hello 2>&1 | tee /tmp/removal
grep -q "by /etc/apache2/conf-enabled/mine.conf, are Apache.s own again" /tmp/removal
answers "a file"
say purged
touch /tmp/enough
wait "$client"
listing | diff /tmp/before -
[ "$server" = "$(cat /var/run/apache2/apache2.pid)" ]
sort /tmp/answers | uniq -c
# errexit passes over what "!" stands before.
if grep -vxE "a file|Hello World!" /tmp/answers; then exit 1; fi
if as_root grep -E ":(emerg|alert|crit|error|warn)\]" /var/log/apache2/error.log; then exit 1; fi
