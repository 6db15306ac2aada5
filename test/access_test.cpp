// Access control decides before the handler answers: each kind, with nothing, with the
// wrong and with the right credential, for each method.

#include "httpd.h"

namespace hello {
namespace {

class Access : public HttpdTest {
  protected:
    /// A location's answers to every method are refusals of this status.
    void expect_refused(const Request& request, long status)
    {
        for (const char* const method : {"GET", "HEAD", "OPTIONS", "POST", "BREW"}) {
            Request asked = request;
            asked.method = method;
            const Response response = fetch(asked);
            EXPECT_EQ(response.status, status) << method << ' ' << request.url << response;
            EXPECT_EQ(response.body.find("Hello World!"), std::string::npos);
            EXPECT_EQ(response.header("etag"), std::nullopt);
        }
    }

    void expect_answered(const Request& request)
    {
        const Response response = fetch(request);
        EXPECT_EQ(response.status, 200) << request.url << response;
        EXPECT_EQ(response.body, "Hello World!") << request.url;
    }

    void write_password(const std::string& user, const std::string& password)
    {
        std::string hash = run({.argv = {"openssl", "passwd", "-apr1", password}}).out;
        write("passwords", user + ":" + hash);
    }
};

TEST_F(Access, RequireDecides)
{
    expect_log("AH01630");  // client denied by server configuration
    start(R"(
        SetHandler hello
        <Location "/granted">
            Require all granted
        </Location>
        <Location "/denied">
            Require all denied
        </Location>
        <Location "/elsewhere">
            Require ip 192.0.2.1
        </Location>
        <Location "/here">
            Require ip 127.0.0.1
        </Location>
        <Location "/key">
            Require expr "%{HTTP:X-Key} == 'right'"
        </Location>
        <Location "/reading">
            Require method GET HEAD
        </Location>)");
    expect_answered({.url = http("/granted")});
    expect_refused({.url = http("/denied")}, 403);
    expect_refused({.url = http("/elsewhere")}, 403);
    expect_answered({.url = http("/here")});
    expect_refused({.url = http("/key")}, 403);
    expect_refused({.url = http("/key"), .headers = {"X-Key: wrong"}}, 403);
    expect_answered({.url = http("/key"), .headers = {"X-Key: right"}});
    expect_answered({.url = http("/reading")});
    EXPECT_EQ(fetch({.url = http("/reading"), .method = "OPTIONS"}).status, 403);
}

TEST_F(Access, AuthTypeDecides)
{
    expect_log("AH01617");  // password mismatch
    expect_log("AH01618");  // user not found
    write_password("ada", "secret");
    start(R"(
        <Location "/private">
            SetHandler hello
            AuthType Basic
            AuthName "private"
            AuthUserFile passwords
            Require valid-user
        </Location>
        <Location "/grace">
            SetHandler hello
            AuthType Basic
            AuthName "private"
            AuthUserFile passwords
            Require user grace
        </Location>)");
    expect_log("AH01631");  // not a user that Require names
    expect_refused({.url = http("/private")}, 401);
    expect_refused({.url = http("/private"), .user = "ada:wrong"}, 401);
    expect_refused({.url = http("/private"), .user = "nobody:secret"}, 401);
    expect_answered({.url = http("/private"), .user = "ada:secret"});
    expect_refused({.url = http("/grace"), .user = "ada:secret"}, 401);
    EXPECT_TRUE(get("/private").header("www-authenticate").has_value());
}

TEST_F(Access, OlderDirectivesDecide)
{
    expect_log("AH01797");  // client denied by server configuration
    start(R"(
        SetHandler hello
        <Location "/denied">
            Order deny,allow
            Deny from all
        </Location>
        <Location "/granted">
            Order deny,allow
            Allow from all
        </Location>)");
    expect_refused({.url = http("/denied")}, 403);
    expect_answered({.url = http("/granted")});
}

TEST_F(Access, IfDecides)
{
    expect_log("AH01630");
    start(R"(
        <Location "/">
            SetHandler hello
            Require all granted
            <If "%{HTTP:X-Key} != 'right'">
                Require all denied
            </If>
        </Location>)");
    expect_refused({.url = http()}, 403);
    expect_refused({.url = http(), .headers = {"X-Key: wrong"}}, 403);
    expect_answered({.url = http(), .headers = {"X-Key: right"}});
}

TEST_F(Access, LimitDecides)
{
    expect_log("AH01630");
    expect_log("AH01623");  // a method that AllowMethods does not list
    start(R"(
        <Location "/">
            SetHandler hello
            Require all granted
        </Location>
        <Location "/limit">
            <Limit GET>
                Require all denied
            </Limit>
        </Location>
        <Location "/limit-except">
            <LimitExcept GET>
                Require all denied
            </LimitExcept>
        </Location>
        <Location "/allow-methods">
            AllowMethods OPTIONS
        </Location>)");
    EXPECT_EQ(get("/limit").status, 403);
    EXPECT_EQ(fetch({.url = http("/limit"), .method = "OPTIONS"}).status, 200);
    expect_answered({.url = http("/limit-except")});
    EXPECT_EQ(fetch({.url = http("/limit-except"), .method = "OPTIONS"}).status, 403);
    EXPECT_EQ(get("/allow-methods").status, 405);
    EXPECT_EQ(fetch({.url = http("/allow-methods"), .method = "OPTIONS"}).status, 200);
}

TEST_F(Access, SslRequireSslDecides)
{
    expect_log("access to hello:/private failed, reason: SSL connection required");
    start(R"(
        <Location "/private">
            SetHandler hello
            Require all granted
            SSLRequireSSL
        </Location>
        <VirtualHost *:${HTTPS_PORT}>
            )" +
          tls() + R"(
        </VirtualHost>)");
    expect_refused({.url = http("/private")}, 403);
    expect_answered({.url = https("/private"), .ca = root() / "server.crt"});
}

TEST_F(Access, ClientCertificatesDecide)
{
    // Two authorities; the server trusts the first.
    for (const char* const who : {"ours", "theirs"}) {
        const std::string name = root() / who;
        for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
                 {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                  "-nodes", "-subj", std::string("/CN=") + who, "-keyout", name + "-ca.key", "-out",
                  name + "-ca.crt"},
                 {"openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                  "-nodes", "-subj", "/CN=ada", "-keyout", name + ".key", "-out", name + ".csr"},
                 {"openssl", "x509", "-req", "-in", name + ".csr", "-CA", name + "-ca.crt",
                  "-CAkey", name + "-ca.key", "-CAcreateserial", "-out", name + ".crt"}}) {
            const Finished made = run({.argv = command});
            ASSERT_EQ(made.status, 0) << made.err;
        }
    }
    const auto ask = [&](const char* who) {
        Request request{.url = https(), .ca = root() / "server.crt"};
        if (who != nullptr) {
            request.certificate = root() / (std::string(who) + ".crt");
            request.key = root() / (std::string(who) + ".key");
        }
        return request;
    };
    const std::string pair = tls();
    const auto host = [&](const char* in_host, const char* in_location) {
        return "<VirtualHost *:${HTTPS_PORT}>\n" + pair + "SSLCACertificateFile ours-ca.crt\n" +
               in_host + "<Location />\nSetHandler hello\nRequire all granted\n" + in_location +
               "</Location>\n</VirtualHost>\n";
    };
    expect_log("AH02039");  // the foreign one: its issuer is not known

    start(host("SSLVerifyClient require\n", ""));
    for (const char* const who : {static_cast<const char*>(nullptr), "theirs"}) {
        const Response refused = fetch(ask(who));
        EXPECT_EQ(refused.status, 0) << refused;
        EXPECT_NE(refused.error, "");
    }
    expect_answered(ask("ours"));

    // In a location the handshake is over: httpd asks again, by renegotiation in TLS 1.2
    // and by post-handshake authentication in TLS 1.3.
    expect_log("AH0226[123]");  // it failed
    expect_log("peer did not return a certificate");
    expect_log("certificate verify failed");
    for (const char* const version : {"SSLProtocol TLSv1.2\n", "SSLProtocol TLSv1.3\n"}) {
        SCOPED_TRACE(version);
        reload(host(version, "SSLVerifyClient require\n"));
        for (const char* const who : {static_cast<const char*>(nullptr), "theirs"}) {
            const Response refused = fetch(ask(who));
            EXPECT_NE(refused.status, 200) << refused;
            EXPECT_EQ(refused.body.find("Hello World!"), std::string::npos);
        }
        expect_answered(ask("ours"));
    }
}

}  // namespace
}  // namespace hello
