// conf/examples/basic-auth.conf, with right, wrong and missing passwords; and that no other section
// of the site opens what it or login.conf closes.

#include "credentials.h"

namespace hello {
namespace {

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
    make_quick_cert(root());
    const std::string open = "<Location \"/\">\nRequire all granted\n</Location>\n";
    const std::string near = "<Location \"/\">\nRequire ip 127.0.0.0/8\n</Location>\n";
    const std::string far = "<Location \"/\">\nRequire ip 192.0.2.0/24\n</Location>\n";
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
                    start_or_reload(one_child + configuration);
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

}  // namespace
}  // namespace hello
