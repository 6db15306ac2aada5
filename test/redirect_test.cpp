// conf/examples/redirect.conf: every URL leads to the same one over https, and nowhere else.

#include "credentials.h"

namespace hello {
namespace {

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
    make_quick_cert(root());
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
    make_quick_cert(root());
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
    make_quick_cert(root());
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
    make_quick_cert(root());
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
    make_quick_cert(root());
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
    make_quick_cert(root());
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

}  // namespace
}  // namespace hello
