// The recipes in conf/examples that are about TLS and about who is asking, each with right,
// wrong and missing credentials, over real connections.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <regex>
#include <system_error>
#include <thread>

#include "examples.h"

namespace hello {
namespace {

namespace fs = std::filesystem;

class Credentials : public ExampleTest {
  protected:
    std::string port() const { return ":" + std::to_string(https_port()); }

    /// Adds a user to the password file, by the command in the head of the recipes.
    void add_user(const std::string& name, const std::string& password)
    {
        const Finished made = run(
            {.argv = {"htpasswd", "-n", "-i", "-B", "-C", "10", name}, .input = password + "\n"});
        ASSERT_EQ(made.status, 0) << made.err;
        ASSERT_NE(made.out.find(":$2y$10$"), std::string::npos) << "is not bcrypt: " << made.out;
        write("passwords", read_file(root() / "passwords") + made.out);
    }

    Response ask(Request request) const
    {
        request.ca = root() / "server.crt";
        return fetch(request);
    }
};

/// The same URL with its percent-encoded octets in lower case, which httpd has written in either:
/// they are equivalent (RFC 3986, section 6.2.2.1).
std::string with_lower_hex(std::string url)
{
    for (std::size_t at = 0; (at = url.find('%', at)) != std::string::npos; ++at) {
        for (std::size_t digit = at + 1; digit < std::min(at + 3, url.size()); ++digit) {
            url[digit] = static_cast<char>(std::tolower(static_cast<unsigned char>(url[digit])));
        }
    }
    return url;
}

// ---------------------------------------------------------------------------
// redirect.conf

class Redirect : public Credentials {
  protected:
    void expect_redirect(const Request& request, const std::string& to)
    {
        const Response response = fetch(request);
        EXPECT_EQ(response.status, 308) << request.method << ' ' << request.url << response;
        EXPECT_EQ(with_lower_hex(response.header("location").value_or("")), with_lower_hex(to));
        EXPECT_EQ(response.header("strict-transport-security"), std::nullopt)
            << "RFC 6797, section 7.2";
    }
};

TEST_F(Redirect, SendsEverythingToTheSameUrlOverHttps)
{
    make_cert(root());
    start(recipe("redirect.conf"));
    for (const char* const path :
         {"/", "/x", "/x/", "/x?q=1&r=%26%20+", "/a%20b", "/J%C3%B6rg", "/a%3Fb%23c", "/%25zz",
          "//evil.example/x", "/a//b/../c", "/x%0d%0aX-Evil:%201", "/x?u=%0d%0a", "/%22%3Cb%3E",
          "/$1%251", "/.well-known/", "/.well-known/acme-challenge",
          "/.well-known/acme-challenge/../x", "/x?/.well-known/acme-challenge/"}) {
        expect_redirect({.url = http(path)}, https(path));
    }
    for (const char* const method : {"HEAD", "POST", "PUT", "DELETE", "OPTIONS", "BREW"}) {
        expect_redirect({.url = http("/x?q"), .method = method}, https("/x?q"));
    }
    for (const char* const host : {"www.example.org", "192.0.2.1", "[::1]", "[2001:db8::7]"}) {
        const std::string to = "https://" + std::string(host) + port() + "/x";
        expect_redirect({.url = http("/x"), .headers = {"Host: " + std::string(host)}}, to);
        expect_redirect({.url = http("/x"), .headers = {"Host: " + std::string(host) + ":8080"}},
                        to);
    }
    const std::string local = "\r\nLocation: https://localhost" + port() + "/x?q\r\n";
    EXPECT_NE(exchange(http_port(), "GET /x?q HTTP/1.0\r\n\r\n").find(local), std::string::npos);
    EXPECT_NE(exchange(http_port(),
                       "GET HTTP://localhost:1/x?q HTTP/1.1\r\nHost: other\r\n"
                       "Connection: close\r\n\r\n")
                  .find(local),
              std::string::npos);
}

TEST_F(Redirect, SendsARequestLineWithoutAPathToo)
{
    make_cert(root());
    tolerate_log("AH1024|AH0056");
    start(recipe("redirect.conf"));
    const struct {
        const char* line;
        const char* to;
    } cases[] = {
        {"GET http://localhost HTTP/1.1", ""},
        {"GET http://localhost?x=1 HTTP/1.1", "?x=1"},
        {"GET HTTP://LOCALHOST HTTP/1.1", ""},
        {"GET https://localhost/x HTTP/1.1", "/x"},
    };
    for (const auto& [line, to] : cases) {
        const std::string answer =
            exchange(http_port(), line + std::string("\r\nHost: localhost\r\n"
                                                     "Connection: close\r\n\r\n"));
        EXPECT_TRUE(answer.starts_with("HTTP/1.1 308 ")) << line << answer;
        EXPECT_NE(answer.find("\r\nLocation: https://localhost" + port() + to + "\r\n"),
                  std::string::npos)
            << line << answer;
    }
}

TEST_F(Redirect, SendsNoErrorElsewhere)
{
    make_cert(root());
    start(recipe("redirect.conf") + recipe("errors.conf"));
    const Response missing = get("/.well-known/acme-challenge/missing");
    EXPECT_EQ(missing.status, 404) << missing;
    EXPECT_NE(missing.body.find("<h1>404 Not Found</h1>"), std::string::npos) << missing;
    const std::string malformed = exchange(http_port(), "GET / HTTP/1.1\r\n\r\n");
    EXPECT_TRUE(malformed.starts_with("HTTP/1.1 400 ")) << malformed;
    expect_redirect({.url = http("/hello-error")}, https("/hello-error"));
}

TEST_F(Redirect, LeavesOutThePortWhereItIs443)
{
    make_cert(root());
    std::string configuration = recipe("redirect.conf");
    const std::string line = "Define HELLO_HTTPS_PORT ${HTTPS_PORT}\n";
    configuration.erase(configuration.find(line), line.size());
    start(configuration);
    expect_redirect({.url = http("/x?q=1")}, "https://127.0.0.1/x?q=1");
}

TEST_F(Redirect, IsForTheHostThatIsNamed)
{
    make_cert(root(), {"--name", "www.example.org"});
    start(
        "<VirtualHost *:${HTTP_PORT}>\nServerName localhost\nRedirectMatch 410 .\n</VirtualHost>\n"
        "Define HELLO_HOST www.example.org\n" +
        recipe("redirect.conf"));
    EXPECT_EQ(get("/x").status, 410);
    expect_redirect({.url = http("/x"), .headers = {"Host: www.example.org"}},
                    "https://www.example.org" + port() + "/x");
}

TEST_F(Redirect, ServesTheChallengesOfAcmeOverHttp)
{
    make_cert(root());
    write("challenges/token-1_A", "token-1_A.thumb");
    write("secret", "secret");
    start("<Directory \"/\">\nRequire all denied\n</Directory>\n" + recipe("redirect.conf"));
    const std::string base = "/.well-known/acme-challenge/";
    EXPECT_EQ(get(base + "token-1_A").body, "token-1_A.thumb");
    EXPECT_EQ(get(base + "missing").status, 404);
    std::filesystem::create_symlink("../secret", root() / "challenges/link");
    expect_log("AH00037");  // Symbolic link not allowed
    EXPECT_EQ(get(base + "link").status, 403);
    for (const char* const path : {"../../secret", "%2e%2e/secret", "..%2fsecret"}) {
        const Response response = get(base + path);
        EXPECT_NE(response.status, 200) << path;
        EXPECT_EQ(response.body.find("secret\n"), std::string::npos) << response;
    }
}

TEST_F(Redirect, TellsBrowsersOverHttpsToStayThere)
{
    make_cert(root());
    expect_log("AH01630");  // nothing but "/" is opened
    start("<Location />\nRequire all denied\n</Location>\n" + recipe("redirect.conf"));
    const Response page = get_tls("/");
    EXPECT_EQ(page.status, 200);
    EXPECT_EQ(page.body, "Hello World!");
    EXPECT_EQ(page.header("strict-transport-security"), "max-age=300");
    const Response refused = get_tls("/x");
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.header("strict-transport-security"), "max-age=300");
    EXPECT_EQ(ask({.url = https(), .http2 = true}).error, "");
}

// ---------------------------------------------------------------------------
// basic-auth.conf

using BasicAuth = Credentials;

TEST_F(BasicAuth, LetsInWhoHasThePassword)
{
    expect_log("AH01617");  // password mismatch
    expect_log("AH01618");  // user not found
    add_user("a<b>&\"'", "secret");
    add_user("grace", "other");
    start(recipe("basic-auth.conf") + tls_host());
    const Response right = ask({.url = https("/private"), .user = "a<b>&\"':secret"});
    EXPECT_EQ(right.status, 200) << right;
    EXPECT_NE(right.body.find("<h1>Hello a&lt;b&gt;&amp;&quot;&#39;!</h1>"), std::string::npos)
        << right;
    EXPECT_EQ(right.header("cache-control"), "no-store");
    EXPECT_EQ(ask({.url = https("/private/x"), .user = "grace:other"}).status, 404);
    EXPECT_EQ(get_tls("/privateer").status, 404);

    for (const char* const path : {"/private", "/private/", "/private/x"}) {
        for (const char* const user : {"", "grace:secret", "grace:", "nobody:secret", ":"}) {
            for (const char* const method : {"GET", "HEAD", "OPTIONS", "POST"}) {
                const Response wrong = ask({.url = https(path), .method = method, .user = user});
                EXPECT_EQ(wrong.status, 401) << method << ' ' << path << ' ' << user << wrong;
                EXPECT_EQ(wrong.header("www-authenticate"), "Basic realm=\"private\"");
                EXPECT_EQ(wrong.body.find("Hello"), std::string::npos);
            }
        }
    }
}

TEST_F(BasicAuth, AsksNobodyForAPasswordOverHttp)
{
    expect_log("AH01630");  // client denied by server configuration
    add_user("grace", "other");
    start(recipe("basic-auth.conf") + tls_host());
    for (const char* const path :
         {"/private", "/private/", "/private/x", "//private", "/%70rivate"}) {
        for (const char* const user : {"", "grace:other", "grace:wrong"}) {
            for (const char* const method : {"GET", "HEAD", "OPTIONS", "POST", "PUT"}) {
                const Response response =
                    fetch({.url = http(path), .method = method, .user = user});
                EXPECT_EQ(response.status, 403) << method << ' ' << path << response;
                EXPECT_EQ(response.header("www-authenticate"), std::nullopt);
                EXPECT_EQ(response.body.find("Hello"), std::string::npos);
            }
        }
    }
}

TEST_F(BasicAuth, NoSectionOfTheSiteOpensItOrIsOpened)
{
    tolerate_log("AH0(1617|1618|1630)");
    add_user("ada", "secret");
    write("session.key", "a key\n");
    const std::string open = "<Location \"/\">\nRequire all granted\n</Location>\n";
    const std::string near = "<Location \"/\">\nRequire ip 127.0.0.0/8\n</Location>\n";
    const std::string far = "<Location \"/\">\nRequire ip 192.0.2.0/24\n</Location>\n";
    bool is_started = false;
    for (const char* const name : {"basic-auth.conf", "login.conf"}) {
        const long stranger = std::string_view(name) == "login.conf" ? 302 : 401;
        for (const auto& [site, status] :
             {std::pair(open, stranger), {near, stranger}, {far, 403L}}) {
            for (const bool is_before : {true, false}) {
                for (const bool is_in_host : {true, false}) {
                    SCOPED_TRACE(name + site + (is_before ? "before" : "after") +
                                 (is_in_host ? " in the host" : ""));
                    const std::string recipes = recipe(name);
                    const std::string all = is_before ? site + recipes : recipes + site;
                    const std::string host = "<VirtualHost *:${HTTPS_PORT}>\n" +
                                             (is_in_host ? site : std::string()) +
                                             "SSLEngine on\nSSLCertificateFile server.crt\n"
                                             "SSLCertificateKeyFile server.key\n</VirtualHost>\n";
                    const std::string configuration = is_in_host ? recipes + host : all + host;
                    if (!is_started) {
                        make_cert(root());
                        start(configuration);
                    } else {
                        reload(configuration);
                    }
                    is_started = true;
                    EXPECT_EQ(get_tls("/private").status, status);
                    EXPECT_NE(ask({.url = https("/private"), .method = "POST"}).status, 200);
                    EXPECT_EQ(fetch({.url = http("/private"), .user = "ada:secret"}).status, 403);
                    if (stranger == 302) {
                        EXPECT_EQ(get("/login").status, 403);
                        EXPECT_EQ(ask({.url = https("/login"),
                                       .method = "POST",
                                       .headers = {"Origin: https://evil.example"},
                                       .body = "httpd_username=ada&httpd_password=secret"})
                                      .status,
                                  403);
                    } else if (status != 403) {
                        EXPECT_EQ(ask({.url = https("/private"), .user = "ada:secret"}).status,
                                  200);
                    }
                }
            }
        }
    }
}

// ---------------------------------------------------------------------------
// login.conf

class Login : public Credentials {
  protected:
    void start_login(const std::string& more = "")
    {
        add_user("ada<", "secret & more");
        write("session.key", "a key that nobody guesses\n");
        start(recipe("login.conf") + more + tls_host());
    }

    static constexpr const char* right = "httpd_username=ada%3C&httpd_password=secret+%26+more";

    Response post(const std::string& path, const std::string& form, const std::string& cookie = "",
                  const std::string& origin = "") const
    {
        Request request{.url = https(path), .method = "POST", .body = form};
        if (!cookie.empty()) {
            request.headers.push_back("Cookie: " + cookie);
        }
        if (!origin.empty()) {
            request.headers.push_back("Origin: " + origin);
        }
        return ask(request);
    }

    Response with(const std::string& cookie, const std::string& path = "/private") const
    {
        return ask({.url = https(path), .headers = {"Cookie: " + cookie}});
    }

    static std::string cookie_of(const Response& response)
    {
        const std::string header = response.header("set-cookie").value_or("");
        return header.substr(0, header.find(';'));
    }

    /// Logs in. Returns the cookie.
    std::string log_in()
    {
        const Response response = post("/login", right);
        EXPECT_EQ(response.status, 302) << response;
        EXPECT_EQ(response.header("location"), "/private");
        EXPECT_NE(cookie_of(response), "");
        return cookie_of(response);
    }

    static void expect_greeting(const Response& response)
    {
        EXPECT_EQ(response.status, 200) << response;
        EXPECT_NE(response.body.find("<h1>Hello ada&lt;!</h1>"), std::string::npos) << response;
        EXPECT_EQ(response.header("cache-control"), "no-store");
    }

    static void expect_login(const Response& response,
                             const std::string& location = "/login?to=/private")
    {
        EXPECT_EQ(response.status, 302) << response;
        EXPECT_EQ(response.header("location"), location);
        EXPECT_EQ(response.header("set-cookie"), std::nullopt);
        EXPECT_EQ(response.body.find("Hello"), std::string::npos);
    }
};

TEST_F(Login, ShowsTheFormToStrangers)
{
    start_login();
    const char* const policy = "default-src 'none'; form-action 'self'; frame-ancestors 'none'";
    for (const char* const path : {"/private", "/private/", "/private/x", "/logout"}) {
        const Response response = get_tls(path);
        EXPECT_EQ(response.header("content-security-policy"), policy) << path << response;
        if (path != std::string_view("/logout")) {
            expect_login(response, std::string("/login?to=") + path);
        }
    }
    const Response form = get_tls("/login");
    EXPECT_EQ(form.status, 200);
    EXPECT_NE(form.body.find("<form method=\"post\" action=\"/login?to=/private\">"),
              std::string::npos);
    EXPECT_NE(form.body.find("name=\"httpd_username\""), std::string::npos);
    EXPECT_NE(form.body.find("name=\"httpd_password\" type=\"password\""), std::string::npos);
    EXPECT_EQ(form.body.find("Wrong"), std::string::npos);
    EXPECT_EQ(form.header("set-cookie"), std::nullopt);
    EXPECT_EQ(form.header("content-security-policy"), policy);
}

TEST_F(Login, AnswersNothingOverHttp)
{
    expect_log("AH01630");  // client denied by server configuration
    start_login();
    const std::string cookie = log_in();
    for (const char* const path : {"/private", "/login", "/logout"}) {
        for (const char* const method : {"GET", "POST"}) {
            const Response response = fetch({.url = http(path),
                                             .method = method,
                                             .headers = {"Cookie: " + cookie},
                                             .body = right});
            EXPECT_EQ(response.status, 403) << method << ' ' << path << response;
            EXPECT_EQ(response.header("set-cookie"), std::nullopt);
            EXPECT_EQ(response.body.find("form"), std::string::npos);
        }
    }
}

TEST_F(Login, RefusesAWrongPassword)
{
    expect_log("AH01807");  // password mismatch
    expect_log("AH01808");  // user not found
    start_login();
    for (const char* const form : {"httpd_username=ada%3C&httpd_password=wrong",
                                   "httpd_username=ada%3C&httpd_password=", "httpd_username=ada%3C",
                                   "httpd_username=nobody&httpd_password=secret+%26+more",
                                   "httpd_username=&httpd_password=", "", "nonsense"}) {
        expect_login(post("/login", form), "/login?failed&to=/private");
    }
    EXPECT_NE(get_tls("/login?failed").body.find("Wrong name or password."), std::string::npos);
    // In the query it would end up in logs and histories.
    EXPECT_EQ(get_tls("/login?" + std::string(right)).header("set-cookie"), std::nullopt);
}

TEST_F(Login, GreetsByNameWithASealedCookie)
{
    start_login();
    const Response response = post("/login", right);
    const std::string header = response.header("set-cookie").value_or("");
    EXPECT_TRUE(std::regex_match(
        header, std::regex("__Host-hello=[A-Za-z0-9+/]+=*;Max-Age=1800;path=/;Secure;HttpOnly;"
                           "SameSite=Lax")))
        << header;
    // The form has no say in where it goes on.
    EXPECT_EQ(response.header("location"), "/private");
    const Response elsewhere =
        post("/login", std::string(right) + "&httpd_location=https%3A%2F%2Fother.example%2F");
    EXPECT_EQ(elsewhere.header("location"), "/private");

    std::string value = cookie_of(response);
    const Response again = with(value);
    expect_greeting(again);
    EXPECT_EQ(again.header("set-cookie"), std::nullopt) << "it is renewed once a minute";
    value.erase(0, value.find('=') + 1);
    const std::string sealed = run({.argv = {"openssl", "base64", "-d", "-A"}, .input = value}).out;
    EXPECT_GT(sealed.size(), 64U);
    for (const char* const part : {"ada", "secret", "hello", "expiry"}) {
        EXPECT_EQ(sealed.find(part), std::string::npos) << part;
    }
    EXPECT_EQ(with(cookie_of(response), "/private/x").status, 404);
    EXPECT_EQ(ask({.url = https("/private"),
                   .headers = {"Cookie: " + cookie_of(response)},
                   .http2 = true})
                  .status,
              200);
    for (const std::string& log : {error_log(), access_log()}) {
        EXPECT_EQ(log.find("secret"), std::string::npos) << log;
    }
}

TEST_F(Login, GoesOnToThePageThatWasAskedFor)
{
    start_login();
    for (const std::string& page :
         {std::string("/private"), std::string("/private/"), std::string("/private/a/b.c"),
          std::string("/private/x?year=2026&q=a%20b&r=%2F%2Fx"), std::string("/private?a=1&to=/b"),
          std::string("/private/J%c3%b6rg%20%26%20Co"), std::string("/private/a+b;c=d,e@f:g~h")}) {
        const std::string sent = get_tls(page).header("location").value_or("");
        EXPECT_TRUE(sent.starts_with("/login?to=/private")) << sent;
        // As a browser finds it in the form, after a wrong password too.
        std::smatch action;
        std::string form = get_tls(sent).body;
        ASSERT_TRUE(std::regex_search(form, action, std::regex("action=\"([^\"]*)\""))) << form;
        std::string url = std::regex_replace(action[1].str(), std::regex("&amp;"), "&");
        expect_log("AH01807");  // password mismatch
        const std::string again =
            post(url, "httpd_username=ada%3C&httpd_password=wrong").header("location").value_or("");
        form = get_tls(again).body;
        EXPECT_NE(form.find("Wrong name or password."), std::string::npos) << again << form;
        ASSERT_TRUE(std::regex_search(form, action, std::regex("action=\"([^\"]*)\""))) << form;
        url = std::regex_replace(action[1].str(), std::regex("&amp;"), "&");
        const Response response = post(url, right);
        EXPECT_EQ(with_lower_hex(response.header("location").value_or("")), with_lower_hex(page))
            << url;
        EXPECT_NE(cookie_of(response), "");
    }
}

TEST_F(Login, GoesOnToNoOtherSiteAndNoOtherPage)
{
    start_login();
    for (const char* const target : {"//evil.example/private",
                                     "/\\evil.example",
                                     "\\\\evil.example/private",
                                     "https://evil.example/private",
                                     "https:/evil.example/private",
                                     "javascript:alert(1)",
                                     "evil.example/private",
                                     "@evil.example/private",
                                     "/private@evil.example",
                                     "/privateer",
                                     "/private//evil.example",
                                     "/private/\\evil.example",
                                     "/private/..//evil.example",
                                     "/private/../x",
                                     "/private/./x",
                                     "/private/..",
                                     "/private/.",
                                     "/private/a/../../x",
                                     "/private/%2e%2e/x",
                                     "/private/%2E/x",
                                     "/private/.%2e/x",
                                     "/private/%2f%2fevil.example",
                                     "/private%2F..%2Fx",
                                     "/private/%5cevil.example",
                                     "/private/%0d%0aX-Evil:%201",
                                     "/private/%0A",
                                     "/private/%00",
                                     "/private/%7f",
                                     "%2fprivate",
                                     "%2F%2Fevil.example",
                                     "/PRIVATE",
                                     "/private;x",

                                     "/private/%09x",
                                     "/private/J\xC3\xB6rg",
                                     "/private/a|b",
                                     "/private/<script>",
                                     "/private/\"x",
                                     "/login",
                                     "/logout",
                                     "/",
                                     ""}) {
        const std::string query = "/login?to=" + std::string(target);
        const Response response = post(query, right);
        // A request line with a tab or so is refused as a whole.
        EXPECT_TRUE(response.status == 400 || response.header("location") == "/private")
            << target << response;
        EXPECT_EQ(response.header("x-evil"), std::nullopt) << target;
    }
    // Other places for it are none, and what comes first counts.
    for (const char* const query :
         {"TO=/private/x", "a&to=/private/x", "to=/x&to=/private/x", "to%3d/private/x",
          "failedto=/private/x", "failed;to=/private/x", "failed&failed&to=/private/x"}) {
        EXPECT_EQ(post("/login?" + std::string(query), right).header("location"), "/private")
            << query;
    }
    EXPECT_EQ(post("/login?failed&to=/private/x", right).header("location"), "/private/x");
    const std::string form = get_tls("/login?to=/private/x?\"><script>&lt;").body;
    EXPECT_NE(form.find("action=\"/login?to=/private/x?&quot;&gt;&lt;script&gt;&amp;lt;\""),
              std::string::npos)
        << form;
}

// What is no longer in the password file cannot be held against it: no hash is computed.
TEST_F(Login, HashesAPasswordOnceASession)
{
    expect_log("AH01808");  // user not found
    start_login();
    const std::string cookie = log_in();
    write("passwords", "");
    for (int i = 0; i < 3; ++i) {
        expect_greeting(with(cookie));
    }
    expect_login(post("/login", right), "/login?failed&to=/private");
    fs::remove(root() / "passwords");
    expect_greeting(with(cookie));
}

TEST_F(Login, RefusesATamperedCookie)
{
    expect_log("AH01842");  // decrypt session failed
    expect_log("AH01817");  // error while decoding the session
    start_login();
    const std::string cookie = log_in();
    const std::size_t begin = cookie.find('=') + 1;
    for (std::size_t at = begin; at < cookie.size() - 4; at += 13) {
        std::string other = cookie;
        other[at] = other[at] == 'A' ? 'B' : 'A';
        expect_login(with(other));
    }
    const std::string name = cookie.substr(0, begin);
    for (const std::string& other : {name, name + "x", cookie.substr(0, cookie.size() - 24),
                                     "__Host-other=" + cookie.substr(begin)}) {
        expect_login(with(other));
    }
    expect_log("AH01630");  // what nobody has sealed is not even looked at
    EXPECT_EQ(with(name + "hello-user=ada%3C&hello-pw=x&hello-site=hello").status, 403);
    expect_greeting(with(cookie));
}

TEST_F(Login, RefusesACookieOfAnotherKey)
{
    expect_log("AH01842");
    expect_log("AH01817");
    start_login();
    const std::string cookie = log_in();
    write("session.key", "another key\n");
    reload(recipe("login.conf") +
           "<VirtualHost *:${HTTPS_PORT}>\nSSLEngine on\n"
           "SSLCertificateFile server.crt\n"
           "SSLCertificateKeyFile server.key\n</VirtualHost>\n");
    expect_login(with(cookie));
    expect_greeting(with(log_in()));
}

TEST_F(Login, EndsWhenItsTimeIsUp)
{
    start_login("<LocationMatch \"^/(private|login)\">\nSessionMaxAge 1\n</LocationMatch>\n");
    const std::string cookie = log_in();
    expect_greeting(with(cookie));
    EXPECT_TRUE(eventually([&] { return with(cookie).status == 302; }));
    expect_login(with(cookie));
}

TEST_F(Login, LogsOut)
{
    start_login();
    const std::string cookie = log_in();
    EXPECT_NE(with(cookie).body.find("<form method=\"post\" action=\"/logout\">"),
              std::string::npos);
    // Nothing but a form logs out: no link, no image.
    EXPECT_EQ(with(cookie, "/logout").status, 405);
    EXPECT_EQ(with(cookie, "/logout").header("set-cookie"), std::nullopt);

    const Response out = post("/logout", "", cookie);
    EXPECT_EQ(out.status, 307);
    EXPECT_EQ(out.header("location"), "/logout/done");
    const std::string forgotten = cookie_of(out);
    EXPECT_TRUE(forgotten.starts_with("__Host-hello=")) << forgotten;
    EXPECT_NE(forgotten, cookie);
    const Response done = post("/logout/done", "", forgotten);
    EXPECT_EQ(done.status, 303);
    EXPECT_EQ(done.header("location"), https("/login?goodbye"));
    EXPECT_NE(with(forgotten, "/login?goodbye").body.find("You are logged out."),
              std::string::npos);
    expect_login(with(forgotten));

    // As the head of the recipe warns: what was copied before goes on.
    expect_greeting(with(cookie));
}

TEST_F(Login, TakesNoFormOfAnotherSite)
{
    expect_log("AH01630");  // client denied by server configuration
    start_login();
    const std::string own = https();
    const std::string cookie = log_in();
    for (const std::string& origin :
         {std::string("https://evil.example"), std::string("null"),
          "http" + own.substr(5, own.size() - 6), std::string("https://127.0.0.1"), own}) {
        for (const char* const path : {"/login", "/logout"}) {
            const Response response = post(path, right, cookie, origin);
            EXPECT_EQ(response.status, 403) << origin << response;
            EXPECT_EQ(response.header("set-cookie"), std::nullopt);
            EXPECT_EQ(response.header("location"), std::nullopt);
        }
    }
    // An origin has no slash at its end.
    const std::string origin = own.substr(0, own.size() - 1);
    EXPECT_EQ(post("/login", right, "", origin).header("location"), "/private");
    EXPECT_EQ(post("/logout", "", cookie, origin).status, 307);

    // mod_auth_form would log in right here, and go on to wherever the form says.
    const std::string elsewhere = "&httpd_location=https%3A%2F%2Fevil.example%2F";
    for (const std::string& form : {right + elsewhere, "httpd_username=x" + elsewhere}) {
        const Response response = post("/private", form);
        EXPECT_EQ(response.status, 403) << response;
        EXPECT_EQ(response.header("location"), std::nullopt);
        EXPECT_EQ(response.header("set-cookie"), std::nullopt);
    }
}

// ---------------------------------------------------------------------------
// client-cert.conf

class ClientCert : public Credentials {
  protected:
    Response as(const Path& pair, bool http2 = false) const
    {
        return ask({.url = https(),
                    .certificate = pair.string() + ".crt",
                    .key = pair.string() + ".key",
                    .http2 = http2});
    }

    static void expect_refused(const Response& response)
    {
        EXPECT_EQ(response.status, 0) << response;
        EXPECT_NE(response.error, "");
        EXPECT_EQ(response.body, "");
    }

    /// What a client reads that speaks one version of TLS only.
    Finished speak(const Path& pair, std::vector<std::string> options) const
    {
        options.insert(options.begin(),
                       {"openssl", "s_client", "-connect", "127.0.0.1" + port(), "-CAfile",
                        root() / "server.crt", "-verify_return_error", "-ign_eof", "-cert",
                        pair.string() + ".crt", "-key", pair.string() + ".key"});
        return run({.argv = options,
                    .input = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"});
    }

    static bool is_served(const Finished& said)
    {
        return said.out.find("HTTP/1.1 200 OK") != std::string::npos &&
               said.out.find("<h1>Hello ") != std::string::npos;
    }

    static void revoke(const Path& folder, const std::string& name)
    {
        const Finished revoked = run({.argv = {source_dir() / "scripts/make-client-cert", "--dir",
                                               folder, "--revoke", folder / (name + ".crt")}});
        ASSERT_EQ(revoked.status, 0) << revoked.err;
    }
};

TEST_F(ClientCert, GreetsTheSubjectAndRefusesOthers)
{
    make_cert(root());
    const Path clients = root() / "clients";
    make_client_cert(clients, "Ada <Lovelace> & \"Co\"");
    make_client_cert(clients, "J\xC3\xB6rg", {"--file", "joerg"});
    expect_log("AH02039.*unable to get local issuer certificate");
    expect_log("AH02039.*self-signed certificate");
    expect_log("AH02039.*certificate has expired");
    make_client_cert(root() / "foreign", "Ada <Lovelace> & \"Co\"");
    start(recipe("client-cert.conf"));

    for (const bool http2 : {false, true}) {
        const Response right = as(clients / "client", http2);
        EXPECT_EQ(right.status, 200) << right;
        EXPECT_EQ(right.error, "");
        EXPECT_NE(right.body.find("<h1>Hello Ada &lt;Lovelace&gt; &amp; &quot;Co&quot;!</h1>"),
                  std::string::npos)
            << right;
    }
    EXPECT_NE(as(clients / "joerg").body.find("Hello J\xC3\xB6rg!"), std::string::npos);

    expect_refused(get_tls("/"));
    expect_refused(as(root() / "foreign/client"));
    // The server's own certificate, signed by nobody that clients need to know.
    expect_refused(as(root() / "server"));

    // Of the right CA, and over since a moment ago; then for a day, so that it was the date.
    ASSERT_EQ(run({.argv = {"openssl", "req", "-new", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Ada", "-keyout",
                            clients / "dated.key", "-out", clients / "dated.csr"}})
                  .status,
              0);
    const std::vector<std::string> signer{
        "-CA", clients / "ca.crt", "-CAkey", clients / "ca.key", "-set_serial", "7"};
    make_expired(clients / "dated.csr", signer, clients / "dated.crt");
    expect_refused(as(clients / "dated"));
    std::vector<std::string> argv{"openssl",
                                  "x509",
                                  "-req",
                                  "-in",
                                  clients / "dated.csr",
                                  "-days",
                                  "1",
                                  "-out",
                                  clients / "dated.crt"};
    argv.insert(argv.end(), signer.begin(), signer.end());
    ASSERT_EQ(run({.argv = argv}).status, 0);
    const Response response = as(clients / "dated");
    EXPECT_EQ(response.status, 200) << response;
}

TEST_F(ClientCert, RefusesWhoIsRevokedFromTheNextRestartOn)
{
    make_cert(root());
    const Path clients = root() / "clients";
    for (const char* const name : {"ada", "grace", "joan"}) {
        make_client_cert(clients, name, {"--file", name});
    }
    expect_log("AH02039.*certificate revoked");
    start(recipe("client-cert.conf"));

    const auto expect_served = [&](const char* name) {
        SCOPED_TRACE(name);
        for (const bool http2 : {false, true}) {
            EXPECT_EQ(as(clients / name, http2).status, 200);
        }
        for (const char* const version : {"-tls1_2", "-tls1_3"}) {
            const Finished said = speak(clients / name, {version});
            EXPECT_TRUE(is_served(said)) << version << said.out << said.err;
        }
    };
    const auto expect_locked_out = [&](const char* name) {
        SCOPED_TRACE(name);
        for (const bool http2 : {false, true}) {
            expect_refused(as(clients / name, http2));
        }
        for (const char* const version : {"-tls1_2", "-tls1_3"}) {
            const Finished said = speak(clients / name, {version});
            EXPECT_EQ(said.out.find("HTTP/1.1 "), std::string::npos) << version << said.out;
            EXPECT_NE(said.err.find("certificate revoked"), std::string::npos) << said.err;
        }
    };

    // Nobody is on the list, which is there all the same.
    expect_served("ada");
    // Sessions that will not outlive the restart.
    const auto session = [&](const std::string& version) { return (root() / version).string(); };
    for (const std::string version : {"-tls1_2", "-tls1_3"}) {
        ASSERT_TRUE(is_served(speak(clients / "ada", {version, "-sess_out", session(version)})));
        const Finished resumed = speak(clients / "ada", {version, "-sess_in", session(version)});
        EXPECT_TRUE(is_served(resumed)) << resumed.out << resumed.err;
        EXPECT_NE(resumed.out.find("\nReused, "), std::string::npos) << version << resumed.out;
    }

    revoke(clients, "ada");
    expect_served("ada");
    await_idleness();
    restart(SIGUSR1);
    expect_locked_out("ada");
    for (const std::string version : {"-tls1_2", "-tls1_3"}) {
        const Finished late = speak(clients / "ada", {version, "-sess_in", session(version)});
        EXPECT_EQ(late.out.find("HTTP/1.1 "), std::string::npos) << version << late.out;
    }
    expect_served("grace");

    // The list grows, and a new certificate in the place of a revoked one is good.
    revoke(clients, "grace");
    make_client_cert(clients, "ada", {"--file", "ada", "--force"});
    expect_served("ada");
    await_idleness();
    restart(SIGUSR1);
    expect_locked_out("grace");
    expect_served("ada");
    expect_served("joan");
}

TEST_F(ClientCert, DoesNotStartWithoutAListUnlessItIsToldTo)
{
    make_cert(root());
    const Path clients = root() / "clients";
    make_client_cert(clients, "Ada");
    revoke(clients, "client");
    fs::remove(clients / "ca.crl");
    const Finished checked = check(recipe("client-cert.conf"));
    EXPECT_NE(checked.status, 0) << "who was revoked is let in again";
    EXPECT_NE(checked.err.find("clients/ca.crl' does not exist"), std::string::npos) << checked.err;

    start("Define HELLO_NO_CLIENT_CRL\n" + recipe("client-cert.conf"));
    EXPECT_EQ(as(clients / "client").status, 200);
    expect_refused(get_tls("/"));
}

// ---------------------------------------------------------------------------
// production.conf

class Production : public Credentials {
  protected:
    // What stood in the configuration before; some of it is what Debian ships.
    static constexpr const char* before =
        "ServerTokens OS\nServerSignature On\nLimitRequestFieldSize 16380\n"
        "KeepAliveTimeout 60\nRequestReadTimeout handshake=0 header=0 body=0\n";

    Finished handshake(const std::vector<std::string>& options) const
    {
        Command command{.argv = {"openssl", "s_client", "-connect", "127.0.0.1" + port(), "-CAfile",
                                 root() / "server.crt", "-verify_return_error"},
                        .input = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"};
        command.argv.insert(command.argv.end(), options.begin(), options.end());
        return run(command);
    }
};

TEST_F(Production, TellsLittleAndTakesLittle)
{
    make_cert(root());
    expect_log("AH01630");  // nothing but "/" is opened
    expect_log("AH01276");  // no list of a folder
    write("page.html", "a page");
    write(".htaccess", "Require all granted\n");
    write("open/page.html", "an open page");
    start(before + ("LoadModule info_module \"" + (httpd_modules() / "mod_info.so").string() +
                    "\"\n"
                    "DocumentRoot \"${ROOT}\"\n"
                    "<Directory \"/\">\nOptions Indexes\nAllowOverride All\n</Directory>\n"
                    "<Directory \"${ROOT}/open\">\nRequire all granted\n</Directory>\n"
                    "<Location \"/server-info\">\nSetHandler server-info\n"
                    "Require all granted\n</Location>\n" +
                    recipe("production.conf")));
    const Response page = get_tls("/");
    EXPECT_EQ(page.body, "Hello World!");
    EXPECT_EQ(page.header("server"), "Apache");
    EXPECT_EQ(page.header("strict-transport-security"), "max-age=63072000");
    EXPECT_EQ(get("/x").header("location"), https("/x"));
    const Response refused = get_tls("/page.html");
    EXPECT_EQ(refused.status, 403);
    EXPECT_EQ(refused.body.find("Apache"), std::string::npos) << refused;
    EXPECT_EQ(get_tls("/open/page.html").body, "an open page");
    EXPECT_EQ(get_tls("/open/").status, 403);
    // What httpd itself says of this virtual host, sooner than after half a minute.
    const Response info = get_tls("/server-info?server");
    EXPECT_NE(info.body.find("connection: 20 "), std::string::npos) << info;

    for (const char* const method : {"TRACE", "TRACK"}) {
        const Response response =
            ask({.url = https(), .method = method, .headers = {"X-Secret: told"}});
        EXPECT_EQ(response.status, 405) << method;
        EXPECT_EQ(response.body.find("told"), std::string::npos);
    }
    const auto status_of = [&](const Request& request) { return ask(request).status; };
    EXPECT_EQ(status_of({.url = https("/?" + std::string(4000, 'x'))}), 200);
    EXPECT_EQ(status_of({.url = https("/?" + std::string(4100, 'x'))}), 414);
    EXPECT_EQ(status_of({.url = https(), .headers = {"X-A: " + std::string(8000, 'x')}}), 200);
    EXPECT_EQ(status_of({.url = https(), .headers = {"X-A: " + std::string(8200, 'x')}}), 400);
    EXPECT_EQ(status_of({.url = https(), .headers = std::vector<std::string>(45, "X-A: x")}), 200);
    EXPECT_EQ(status_of({.url = https(), .headers = std::vector<std::string>(55, "X-A: x")}), 400);
    EXPECT_EQ(status_of({.url = https(), .body = std::string(65536, 'x')}), 200);
    EXPECT_EQ(status_of({.url = https(), .body = std::string(65537, 'x')}), 413);
}

TEST_F(Production, SpeaksTodaysTls)
{
    make_cert(root());
    start(recipe("production.conf"));
    EXPECT_EQ(ask({.url = https(), .http2 = true}).error, "");
    const std::string all = "ALL:@SECLEVEL=0";
    for (const std::vector<std::string>& options : {std::vector<std::string>{"-tls1_3"},
                                                    {"-tls1_2"},
                                                    {"-groups", "X25519"},
                                                    {"-groups", "P-256"},
                                                    {"-groups", "P-384"}}) {
        EXPECT_EQ(handshake(options).status, 0) << options.back();
    }
    for (const std::vector<std::string>& options :
         {std::vector<std::string>{"-tls1_1", "-cipher", all},
          {"-tls1", "-cipher", all},
          {"-groups", "P-521"},
          {"-tls1_2", "-cipher", "AES256-GCM-SHA384"},
          {"-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"}}) {
        EXPECT_NE(handshake(options).status, 0) << options.back();
    }
    // The client takes the one it is fastest at.
    const std::string aes = "ECDHE-ECDSA-AES128-GCM-SHA256";
    const std::string chacha = "ECDHE-ECDSA-CHACHA20-POLY1305";
    for (const auto& [first, second] : {std::pair(aes, chacha), std::pair(chacha, aes)}) {
        const Finished seen = handshake({"-tls1_2", "-cipher", first + ":" + second});
        EXPECT_NE(seen.out.find("Cipher is " + first), std::string::npos) << seen.out;
    }
    // From the cache, and not by a ticket.
    const std::string session = root() / "session";
    const Finished fresh = handshake({"-tls1_2", "-sess_out", session});
    EXPECT_NE(fresh.out.find("\nNew, "), std::string::npos) << fresh.out;
    EXPECT_EQ(fresh.out.find("TLS session ticket"), std::string::npos) << fresh.out;
    EXPECT_NE(handshake({"-tls1_2", "-sess_in", session}).out.find("\nReused, "),
              std::string::npos);
}

TEST_F(Production, DoesNotWaitForThoseWhoSayNothing)
{
    make_cert(root());
    start(before + recipe("production.conf"));
    // Linux hands a connection to httpd when its first bytes are there. exchange() throws
    // where the server has not closed the connection in time; Timeout would do it after 20
    // seconds.
    const auto begin = std::chrono::steady_clock::now();
    std::string half_header;
    std::string idle;
    std::thread header([&] {
        EXPECT_NO_THROW(half_header = exchange(http_port(), "GET / HTTP/1.1\r\nX-Slow: "));
    });
    std::thread after([&] {
        EXPECT_NO_THROW(idle = exchange(http_port(), "GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    });
    std::string half_body;
    std::thread body([&] {
        half_body = run({.argv = {"openssl", "s_client", "-quiet", "-connect", "127.0.0.1" + port(),
                                  "-CAfile", root() / "server.crt"},
                         .input = "POST / HTTP/1.1\r\nHost: localhost\r\n"
                                  "Content-Length: 9\r\n\r\nhalf"})
                        .out;
    });
    EXPECT_NO_THROW(exchange(https_port(), "\x16\x03\x01")) << "half a handshake";
    body.join();
    header.join();
    after.join();
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(15));
    EXPECT_TRUE(half_header.starts_with("HTTP/1.1 408 ")) << half_header;
    EXPECT_TRUE(half_body.starts_with("HTTP/1.1 408 ")) << half_body;
    EXPECT_TRUE(idle.starts_with("HTTP/1.1 308 ")) << idle;
}

// Answers whatever is asked over http on a port of 127.0.0.1 with the same body.
class Responder {
  public:
    Responder(int port, std::string type, std::string body)
        : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int yes = 1;  // the port may have been another one's a moment ago
        ::setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
        if (::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
            ::listen(socket_, 8) != 0) {
            throw std::system_error(errno, std::generic_category(), "responder");
        }
        const std::string answer = "HTTP/1.0 200 OK\r\nContent-Type: " + std::move(type) +
                                   "\r\nContent-Length: " + std::to_string(body.size()) +
                                   "\r\n\r\n" + std::move(body);
        thread_ = std::thread([this, answer] {
            for (int client = 0; (client = ::accept(socket_, nullptr, nullptr)) >= 0;) {
                char request[4096];
                if (::recv(client, request, sizeof request, 0) > 0) {
                    ::send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
                }
                ::shutdown(client, SHUT_WR);
                while (::recv(client, request, sizeof request, 0) > 0) {
                }
                ::close(client);
            }
        });
    }
    ~Responder()
    {
        ::shutdown(socket_, SHUT_RDWR);  // ends accept()
        thread_.join();
        ::close(socket_);
    }
    Responder(const Responder&) = delete;
    Responder& operator=(const Responder&) = delete;

  private:
    int socket_;
    std::thread thread_;
};

TEST_F(Production, StaplesWhereTheCertificateNamesAResponder)
{
    const Path ca = root() / "ca";
    make_client_cert(ca, "x");  // for its CA
    const int responder_port = free_ports(1).front();
    write("extensions",
          "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n"
          "authorityInfoAccess=OCSP;URI:http://127.0.0.1:" +
              std::to_string(responder_port) + "/\n");
    write("index", "V\t491231235959Z\t\t0A\tunknown\t/CN=localhost\n");
    const auto openssl = [](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), "openssl");
        const Finished finished = run({.argv = arguments});
        EXPECT_EQ(finished.status, 0) << finished.err;
    };
    openssl({"req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-subj", "/CN=localhost", "-keyout", root() / "server.key", "-out",
             root() / "server.csr"});
    openssl({"x509", "-req", "-in", root() / "server.csr", "-CA", ca / "ca.crt", "-CAkey",
             ca / "ca.key", "-set_serial", "0x0A", "-days", "9", "-extfile", root() / "extensions",
             "-out", root() / "leaf.crt"});
    openssl({"ocsp", "-issuer", ca / "ca.crt", "-cert", root() / "leaf.crt", "-no_nonce", "-reqout",
             root() / "request"});
    openssl({"ocsp", "-index", root() / "index", "-CA", ca / "ca.crt", "-rsigner", ca / "ca.crt",
             "-rkey", ca / "ca.key", "-reqin", root() / "request", "-respout", root() / "response",
             "-ndays", "1"});
    write("server.crt", read_file(root() / "leaf.crt") + read_file(ca / "ca.crt"));
    std::unique_ptr<Responder> responder;
    responder = std::make_unique<Responder>(responder_port, "application/ocsp-response",
                                            read_file(root() / "response"));

    const std::vector<std::string> ask_for_status{"-status", "-CAfile", ca / "ca.crt"};
    // OpenSSL 3.6 has the plural.
    const std::regex no_response("OCSP responses?: no responses? sent");
    start(recipe("production.conf"));
    EXPECT_TRUE(std::regex_search(handshake(ask_for_status).out, no_response));
    stop();
    start("Define HELLO_STAPLING\n" + recipe("production.conf"));
    const Finished stapled = handshake(ask_for_status);
    EXPECT_EQ(stapled.status, 0) << stapled.err;
    EXPECT_NE(stapled.out.find("OCSP Response Status: successful"), std::string::npos)
        << stapled.out << stapled.err;
    EXPECT_NE(stapled.out.find("Cert Status: good"), std::string::npos) << stapled.out;
    stop();

    // A responder that is down, or says "try later": browsers go on without, and are not told.
    expect_log("AH01974");  // could not connect to the responder
    expect_log("AH01941");  // responder error
    for (const char* const said : {"", "\x30\x03\x0a\x01\x03"}) {
        responder.reset();
        if (*said != '\0') {
            responder =
                std::make_unique<Responder>(responder_port, "application/ocsp-response", said);
        }
        start("Define HELLO_STAPLING\n" + recipe("production.conf"));
        const Finished without = handshake(ask_for_status);
        EXPECT_TRUE(std::regex_search(without.out, no_response)) << without.out;
        stop();
    }
}

TEST_F(Production, GoesTogetherWithALogin)
{
    make_cert(root());
    add_user("ada", "secret");
    write("session.key", "a key\n");
    start(recipe("login.conf") + recipe("production.conf"));
    const std::string form = "httpd_username=ada&httpd_password=secret";
    EXPECT_EQ(get_tls("/private").header("location"), "/login?to=/private");
    const Response in = ask({.url = https("/login"), .method = "POST", .body = form});
    const std::string cookie = in.header("set-cookie").value_or("");
    const Response page = ask(
        {.url = https("/private"), .headers = {"Cookie: " + cookie.substr(0, cookie.find(';'))}});
    EXPECT_NE(page.body.find("Hello ada!"), std::string::npos) << page;
    EXPECT_EQ(page.header("strict-transport-security"), "max-age=63072000");
    EXPECT_TRUE(page.header("content-security-policy").has_value());
    for (const char* const path : {"/private", "/login", "/logout"}) {
        const Response plain = fetch({.url = http(path), .method = "POST", .body = form});
        EXPECT_EQ(plain.status, 308) << path << plain;
        EXPECT_EQ(plain.header("location"), https(path));
        EXPECT_EQ(plain.header("set-cookie"), std::nullopt);
    }
}

TEST_F(Production, AsksNobodyForAPasswordBeforeTheRedirect)
{
    make_cert(root());
    add_user("ada", "secret");
    start(recipe("basic-auth.conf") + recipe("production.conf"));
    for (const char* const user : {"", "ada:secret", "ada:wrong"}) {
        const Response plain = fetch({.url = http("/private"), .user = user});
        EXPECT_EQ(plain.status, 308) << plain;
        EXPECT_EQ(plain.header("www-authenticate"), std::nullopt);
    }
    EXPECT_EQ(get_tls("/private").status, 401);
    EXPECT_EQ(ask({.url = https("/private"), .user = "ada:secret"}).status, 200);
}

}  // namespace
}  // namespace hello
