// conf/examples/login.conf: the form, the sealed cookie, where it leads, and whom it refuses.

#include "credentials.h"

namespace hello {
namespace {

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
    EXPECT_TRUE(matches(header,
                        "__Host-hello=[A-Za-z0-9+/]+=*;Max-Age=1800;path=/;Secure;HttpOnly;"
                        "SameSite=Lax"))
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
        const auto action_of = [](const std::string& form) {
            return replaced(first_match(form, "action=\"([^\"]*)\""), "&amp;", "&");
        };
        std::string form = get_tls(sent).body;
        std::string url = action_of(form);
        ASSERT_NE(url, "") << form;
        expect_log("AH01807");  // password mismatch
        const std::string again =
            post(url, "httpd_username=ada%3C&httpd_password=wrong").header("location").value_or("");
        form = get_tls(again).body;
        EXPECT_NE(form.find("Wrong name or password."), std::string::npos) << again << form;
        url = action_of(form);
        ASSERT_NE(url, "") << form;
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

}  // namespace
}  // namespace hello
