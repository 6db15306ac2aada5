# shellcheck shell=bash
# fresh-machine.sh does this on a machine, in a checkout: scripts/setup and scripts/run.

# Whom sudo does not let, whatever password he types.
if ((EUID != 0)); then
    for password in wrong right; do
        # The output is for this user.
        # shellcheck disable=SC2024
        if for _ in $(seq 20); do
            sleep 1
            echo "$password"
        done 2>/dev/null |
            sudo runuser -u bob -- script -qec "scripts/setup --run" /dev/null >/tmp/setup.out; then
            exit 1
        fi
        cat /tmp/setup.out
        grep -q "^setup: sudo did not run apt-get .*nothing was installed" /tmp/setup.out
    done
fi
scripts/run >/tmp/run.out &
server=$!
until grep -q "^Ctrl-C" /tmp/run.out; do
    kill -0 "$server" || {
        cat /tmp/run.out
        exit 1
    }
    sleep 1
done
cat /tmp/run.out
[ "$(sh -c "$(grep -o "curl .*" /tmp/run.out) --silent")" = "Hello World!" ]
kill "$server"
wait "$server"
