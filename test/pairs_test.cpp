// The recipes in conf/examples together, as people have them: each beside each file that brings
// the site, and beside each other one, in any order. What a recipe's head promises holds there.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "examples.h"

namespace hello {
namespace {

/// Files that bring a site, and routes.conf, which answers "/" and nobody else's URIs.
const std::vector<std::string> bases{"hello.conf", "redirect.conf", "production.conf",
                                     "client-cert.conf", "routes.conf"};

/// Those that stand beside one.
const std::vector<std::string> recipes{"acme-answer.conf", "balancer.conf",    "basic-auth.conf",
                                       "drain.conf",       "errors.conf",      "health.conf",
                                       "login.conf",       "maintenance.conf", "matrix.conf",
                                       "node.conf",        "routes.conf",      "whoami.conf"};

/// Two that are for the same URIs in another way.
bool are_rivals(const std::string& one, const std::string& other)
{
    const std::set<std::set<std::string>> rivals{{"basic-auth.conf", "login.conf"},
                                                 {"balancer.conf", "node.conf"},
                                                 {"drain.conf", "node.conf"}};
    return rivals.contains({one, other});
}

class Pairs : public ExampleTest {
  protected:
    Pairs()
    {
        make_quick_cert(root());
        make_client_cert(root() / "clients", "Ada");
        write("session.key", "a key that nobody guesses\n");
        write("challenges/file", "the file");
        // As cheap a hash as there is: it is computed some thousand times.
        const Finished made =
            run({.argv = {"htpasswd", "-n", "-i", "-B", "-C", "4", "ada"}, .input = "secret\n"});
        write("passwords", made.out);
        // What is refused is logged, by whichever module has refused it.
        tolerate_log("AH0(1630|1617|1618|1807|1808|1797)");
    }

    static std::string include(const std::string& name)
    {
        return name == "hello.conf" ? recipe("../hello.conf") : recipe(name);
    }

    /// As a client that has all that may be asked for.
    Response ask(Request request) const
    {
        request.ca = root() / "server.crt";
        request.certificate = root() / "clients/client.crt";
        request.key = root() / "clients/client.key";
        return fetch(request);
    }
    Response secure(const std::string& path) const { return ask({.url = https(path)}); }
};

/// What a recipe's head promises, seen from outside.
class PairsOn : public Pairs, public testing::WithParamInterface<std::string> {
  protected:
    bool redirects() const { return base() == "redirect.conf" || base() == "production.conf"; }
    const std::string& base() const { return GetParam(); }

    /// A page that is the same over http and https, unless the base redirects the first.
    void expect_page(const std::string& path, long status, const std::string& part)
    {
        const Response page = secure(path);
        EXPECT_EQ(page.status, status) << path << page;
        EXPECT_NE(page.body.find(part), std::string::npos) << path << page;
        if (base() == "client-cert.conf") {
            return;  // of port 80 it says nothing
        }
        const Response plain = get(path);
        if (redirects()) {
            EXPECT_EQ(plain.status, 308) << path << plain;
            EXPECT_EQ(plain.header("location"), https(path));
        } else {
            EXPECT_EQ(plain.status, status) << path << plain;
            EXPECT_NE(plain.body.find(part), std::string::npos) << path << plain;
        }
    }

    void expect_base()
    {
        expect_page("/", 200, base() == "client-cert.conf" ? "Hello Ada!" : "Hello World!");
        if (redirects()) {
            EXPECT_NE(secure("/").header("strict-transport-security"), std::nullopt);
            EXPECT_EQ(get("/.well-known/acme-challenge/file").body, "the file");
        } else if (base() != "client-cert.conf") {
            EXPECT_EQ(get("/no/such").status, 404);
        }
        EXPECT_NE(secure("/no/such").status, 200);
    }

    void expect_private(bool is_open_to_password)
    {
        const Response stranger = secure("/private");
        EXPECT_EQ(stranger.status, is_open_to_password ? 401 : 302) << stranger;
        const Response plain = fetch({.url = http("/private"), .user = "ada:secret"});
        EXPECT_TRUE(plain.status == 403 || (plain.status == 308 && redirects()) ||
                    (plain.status == 404 && !redirects()))
            << plain;
    }

    void expect_promises(const std::string& name)
    {
        SCOPED_TRACE(name);
        if (name == "acme-answer.conf") {
            const std::string challenges = "/.well-known/acme-challenge/";
            EXPECT_EQ(get(challenges + "a-Token_1").body, "a-Token_1.thumb");
            EXPECT_EQ(secure(challenges + "a-Token_1").body, "a-Token_1.thumb");
        } else if (name == "balancer.conf") {
            Request request{.url = http(),
                            .headers = {"X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.1"}};
            if (base() == "client-cert.conf") {
                return;  // nobody ends its TLS for it
            }
            EXPECT_EQ(ask(request).status, redirects() ? 308 : 200) << "from anybody";
            request.from = "127.0.0.7";
            const Response balanced = ask(request);
            EXPECT_EQ(balanced.status, 200) << balanced;
            EXPECT_EQ(balanced.header("strict-transport-security").has_value(), redirects());
        } else if (name == "basic-auth.conf") {
            expect_private(true);
            EXPECT_EQ(ask({.url = https("/private"), .user = "ada:secret"}).status, 200);
        } else if (name == "drain.conf" || name == "health.conf") {
            // A check by http is not redirected.
            EXPECT_EQ(get("/healthz").body, "ok");
            EXPECT_EQ(secure("/healthz").body, "ok");
            if (name == "drain.conf") {
                write("drain", "");
                EXPECT_EQ(get("/healthz").status, 503);
                EXPECT_EQ(secure("/healthz").body, "draining");
                fs::remove(root() / "drain");
            }
        } else if (name == "errors.conf") {
            const Response error =
                ask({.url = https("/no/such"), .headers = {"Accept: application/json"}});
            EXPECT_EQ(error.header("content-type"), "application/problem+json") << error;
            EXPECT_EQ(error.header("vary"), "Accept");
            EXPECT_EQ(nlohmann::json::parse(error.body, nullptr, false).value("status", 0),
                      error.status)
                << error;
            EXPECT_EQ(secure("/hello-error").status, 404);
        } else if (name == "login.conf") {
            expect_login();
        } else if (name == "maintenance.conf") {
            write("maintenance", "");
            const auto expect_closed = [](const Response& response) {
                EXPECT_EQ(response.status, 503) << response;
                EXPECT_EQ(response.header("retry-after"), "120");
            };
            for (const char* const path : {"/", "/no/such", "/whoami", "/hello/Ada"}) {
                SCOPED_TRACE(path);
                expect_closed(get(path));
                expect_closed(secure(path));
            }
            // What is closed over http by itself stays so.
            expect_closed(secure("/login"));
            for (const char* const path : {"/login", "/logout"}) {
                expect_closed(ask({.url = https(path),
                                   .method = "POST",
                                   .body = "httpd_username=ada&httpd_password=secret"}));
            }
            EXPECT_NE(get("/healthz").status, 503);
            fs::remove(root() / "maintenance");
        } else if (name == "matrix.conf") {
            expect_page("/.well-known/matrix/server", 200,
                        R"({"m.server": "chat.example.org:443"})");
            EXPECT_EQ(secure("/.well-known/matrix/client").header("access-control-allow-origin"),
                      "*");
        } else if (name == "node.conf") {
            expect_node();
        } else if (name == "routes.conf") {
            expect_page("/hello/Ada", 200, "<h1>Hello Ada!</h1>");
            expect_page("/hello/a/b", 404, "");
        } else if (name == "whoami.conf") {
            expect_page("/whoami", 200, R"("path": "/whoami")");
        } else {
            ADD_FAILURE() << "promises nothing";
        }
    }

    void expect_node()
    {
        EXPECT_EQ(get("/healthz").body, "ok");
        EXPECT_EQ(secure("/healthz").body, "ok");
        write("drain", "");
        EXPECT_EQ(get("/healthz").status, 404);
        EXPECT_EQ(secure("/healthz").body, "draining");
        EXPECT_EQ(get("/healthz").header("connection"), "close");
        fs::remove(root() / "drain");
        EXPECT_EQ(get("/healthz").header("connection"), std::nullopt);
        Request request{.from = "127.0.0.7", .proxied = true};
        request.url = https("/healthz");
        EXPECT_EQ(ask(request).body, "ok") << "by the balancer";
        // Whatever is open to everybody, and whatever is claimed.
        for (const char* const path :
             {"/", "/healthz", "/whoami", "/private", "/login", "/hello/Ada",
              "/.well-known/matrix/server", "/.well-known/acme-challenge/a-Token_1",
              "/.well-known/acme-challenge/file"}) {
            for (const std::string& url : {http(path), https(path)}) {
                request = {.url = url, .from = "127.0.0.9", .proxied = true};
                const Response response = ask(request);
                EXPECT_TRUE(response.status == 403 || response.status == 308 ||
                            response.status == 404)
                    << url << response;
                request.proxied = false;
                const Response without = ask(request);
                EXPECT_TRUE(without.status == 0 || without.status == 400) << url << without;
            }
        }
        tolerate_log("AH035(06|07|10)|AH03496|AH03497|AH0350[0-9]");  // what begins otherwise
    }

    void expect_login()
    {
        expect_private(false);
        EXPECT_EQ(secure("/login").status, 200);
        const Response in = ask({.url = https("/login?to=/private"),
                                 .method = "POST",
                                 .body = "httpd_username=ada&httpd_password=secret"});
        EXPECT_EQ(in.status, 302) << in;
        const std::string cookie = in.header("set-cookie").value_or("");
        const std::string header = "Cookie: " + cookie.substr(0, cookie.find(';'));
        EXPECT_NE(ask({.url = https("/private"), .headers = {header}}).body.find("Hello ada!"),
                  std::string::npos);
        const Response out =
            ask({.url = https("/logout"), .method = "POST", .headers = {header}, .body = ""});
        EXPECT_EQ(out.status, 307) << out;
        EXPECT_EQ(
            ask({.url = https("/logout/done"), .method = "POST", .headers = {header}, .body = ""})
                .status,
            303);
    }

    /// The base, and a host for https where it brings none.
    std::string site() const
    {
        const std::string host =
            base() == "routes.conf"
                ? "<VirtualHost *:${HTTPS_PORT}>\nSSLEngine on\nSSLCertificateFile server.crt\n"
                  "SSLCertificateKeyFile server.key\n</VirtualHost>\n"
                : "";
        return include(base()) + host;
    }
};

INSTANTIATE_TEST_SUITE_P(, PairsOn, testing::ValuesIn(bases),
                         [](const auto& base) { return substituted(base.param, "-|[.].*", ""); });

TEST_P(PairsOn, KeepTheirPromisesInAnyOrder)
{
    // An order is httpd's affair; what a sanitizer looks for is there in either.
    constexpr bool is_sanitized = !std::string_view(HELLO_PRELOAD).empty();
    for (const std::string& first : recipes) {
        for (const std::string& second : recipes) {
            if (first == second || are_rivals(first, second) || first == base() ||
                second == base() || (is_sanitized && first > second)) {
                continue;
            }
            SCOPED_TRACE(first + ", " + base() + ", " + second);
            // production.conf says itself how many there are to be.
            const std::string configuration = (base() == "production.conf" ? "" : one_child) +
                                              required() + recipe(first) + site() + recipe(second);
            start_or_reload(configuration);
            expect_base();
            expect_promises(first);
            expect_promises(second);
        }
    }
}

TEST_P(PairsOn, AllTogetherKeepThemToo)
{
    // Each with those that it can stand beside.
    for (const std::set<std::string>& others : std::vector<std::set<std::string>>{
             {"basic-auth.conf", "node.conf"}, {"login.conf", "balancer.conf", "drain.conf"}}) {
        std::vector<std::string> all = recipes;
        std::erase_if(
            all, [&](const std::string& name) { return others.contains(name) || name == base(); });
        std::reverse(all.begin(), all.end());
        std::string configuration = required();
        for (std::size_t i = 0; i < all.size(); ++i) {
            configuration += i == all.size() / 2 ? site() : "";
            configuration += recipe(all[i]);
        }
        start_or_reload(configuration);
        expect_base();
        for (const std::string& name : all) {
            expect_promises(name);
        }
    }
}

TEST_F(Pairs, WhatCannotStandTogetherIsRefusedAtOnce)
{
    const std::vector<std::string> sites{"client-cert.conf", "hello.conf", "production.conf",
                                         "redirect.conf"};
    std::vector<std::pair<std::string, std::string>> pairs{
        {"basic-auth.conf", "login.conf"}, {"login.conf", "basic-auth.conf"},
        {"balancer.conf", "node.conf"},    {"node.conf", "balancer.conf"},
        {"drain.conf", "node.conf"},       {"node.conf", "drain.conf"}};
    for (const std::string& first : sites) {
        for (const std::string& second : sites) {
            pairs.emplace_back(first, second);
        }
    }
    for (const auto& [first, second] : pairs) {
        SCOPED_TRACE(first + ", " + second);
        const Finished alone = check(required() + include(first));
        EXPECT_EQ(alone.status, 0) << alone.err;
        const Finished both = check(required() + include(first) + include(second));
        EXPECT_NE(both.status, 0);
        // production.conf is redirect.conf and more.
        const std::string name = second == "production.conf" ? "redirect.conf" : second;
        EXPECT_TRUE(finds(both.err, name + ": .*; expected one of ")) << both.err;
    }
    // acme.conf brings that of its own domain, and of no other.
    for (const std::string& site : sites) {
        const std::string acme = md_module() + required() + recipe("acme.conf");
        const Finished beside = check(acme + include(site));
        EXPECT_EQ(beside.status, 0) << site << beside.err;
    }
    const Finished twice = check(md_module() + required() + recipe("acme.conf") +
                                 "Define HELLO_HOST www.example.org\n" + recipe("redirect.conf"));
    EXPECT_NE(twice.status, 0);
    EXPECT_NE(twice.err.find("the site www.example.org"), std::string::npos) << twice.err;
    // Two sites of two names may be there.
    const Finished two = check(include("hello.conf") + "Define HELLO_HOST www.example.org\n" +
                               include("redirect.conf"));
    EXPECT_EQ(two.status, 0) << two.err;
}

TEST_F(Pairs, WhatARecipeHasToBeToldIsAskedFor)
{
    const struct {
        const char* recipe;
        const char* define;
    } cases[] = {{"acme-answer.conf", "HELLO_ACME_THUMBPRINT"},
                 {"acme.conf", "HELLO_DOMAIN"},
                 {"acme.conf", "HELLO_ACME_CONTACT"},
                 {"balancer.conf", "HELLO_BALANCER"},
                 {"matrix.conf", "HELLO_MATRIX"},
                 {"node.conf", "HELLO_BALANCER"}};
    for (const auto& [name, define] : cases) {
        SCOPED_TRACE(define);
        const std::string all = md_module() + required();
        EXPECT_EQ(check(all + recipe(name)).status, 0);
        const Finished refused =
            check(all + "UnDefine " + std::string(define) + '\n' + recipe(name));
        EXPECT_NE(refused.status, 0);
        EXPECT_NE(refused.err.find(std::string(name) + ": " + define + " is not defined; expected"),
                  std::string::npos)
            << refused.err;
        EXPECT_NE(refused.err.find(std::string("Define ") + define), std::string::npos);
        const std::string text = read_file(folder() / name);
        EXPECT_TRUE(finds(text, "#   " + std::string(define) + " [^#]*(#  [^#]*)?\\(required\\)"));
    }
}

}  // namespace
}  // namespace hello
