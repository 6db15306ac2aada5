# shellcheck shell=bash
# Whether what install has put there is what answers. install sources it, after neighbours.sh and
# certificates.sh.

# check_examples SCHEME NAME PORT: asks each recipe that answers something; ends the script where one
# does not. Over https, NAME is one that the certificate has.
check_examples() {
    local name path expected
    for name in "${examples[@]}"; do
        path='' expected=''
        # The last line has no end.
        read -r path expected < <(example_check "$name" "$1") || true
        [[ -n $path ]] || continue
        wait_for 5 example_answers "$@" "$path" "$expected" || {
            show_error_log
            fail "the recipe $name does not answer $1://$(in_url "$2"):$3$path as it should; everything was put back. Expected ${expected//|/ or }, and it was: $status" \
                "see that httpd listens there, and that no <Location \"/\"> of a site closes it: then include the recipe in that site, after that section"
        }
    done
}
status=
# example_answers SCHEME NAME PORT PATH PATTERN: whether its status, which is left in status, is like that.
example_answers() {
    status=$(ask "$site_certificate" 127.0.0.1 "$1" "$2" "$3" --output /dev/null --write-out '%{http_code}' --request-target "$4") &&
        [[ $status =~ ^($5)$ ]]
}

answer=
# await_site: until the site answers by one of names, over https; leaves that one in name. Ends the script
# where it does not.
await_site() {
    wait_for 5 asked || {
        show_error_log
        fail "the site does not answer at https://127.0.0.1:$https_port/ as it should; everything was put back. The last answer to curl was: ${answer:-nothing}" \
            "see that httpd listens on port $https_port (or give --https-port N), and that no other site answers there for localhost"
    }
}
asked() {
    for name in "${names[@]}"; do
        if answer=$(ask "$site_certificate" 127.0.0.1 https "$name" "$https_port") &&
            { [[ $answer == 'Hello World!' ]] || says_what_it_likes; }; then return 0; fi
        # That one wants a certificate of ours.
        if [[ $site_recipe == client-cert && $answer == *'certificate required'* ]]; then return 0; fi
    done
    return 1
}
# says_what_it_likes: whether somebody has changed the site.
says_what_it_likes() { ((${#kept[@]} > 0)) || ! site_greets; }

# ask_http: prints by what name the site answers over http, and nothing where it does not.
ask_http() {
    local name answer expected='Hello World!' hosts=(127.0.0.1 localhost)
    case $site_recipe in
        # They are of one name, and the last one of https alone.
        redirect | production) hosts=(localhost) expected='Permanent Redirect' ;;
        client-cert) hosts=() ;;
    esac
    for name in "${hosts[@]}"; do
        answer=$(ask "$site_certificate" 127.0.0.1 http "$name" "$http_port") || true
        if [[ $answer == *"$expected"* ]] ||
            { says_what_it_likes && [[ $answer != 'curl: '* && -z $(in_the_way "$name" "$http_port") ]]; }; then
            printf '%s' "$name"
            return 0
        fi
        say_in_the_way http "$name" "$http_port" "$answer"
    done
}
