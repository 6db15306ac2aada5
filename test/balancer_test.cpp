// conf/examples/balancer.conf behind a real HAProxy that ends TLS, and past it.

#include <nlohmann/json.hpp>

#include "crowd.h"
#include "examples.h"
#include "haproxy.h"

namespace hello {
namespace {

class Balancer : public ExampleTest, public testing::WithParamInterface<const char*> {
  protected:
    Balancer()
    {
        make_quick_cert(root());
        write("session.key", "a key that nobody guesses\n");
        const Finished made =
            run({.argv = {"htpasswd", "-n", "-i", "-B", "-C", "4", "ada"}, .input = "secret\n"});
        write("passwords", made.out);
        write("pair.pem", read_file(root() / "server.crt") + read_file(root() / "server.key"));
        const std::vector<int> ports = free_ports(2);
        plain_ = ports[0];
        secure_ = ports[1];
    }

    // httpd would wait for the connections that the balancer keeps.
    void TearDown() override
    {
        balancer_.reset();
        ExampleTest::TearDown();
    }

    bool redirects() const { return std::string_view(GetParam()) != "../hello.conf"; }

    /// Starts httpd with the base and some recipes, and the balancer before it, which httpd
    /// sees come from 127.0.0.7.
    void start_behind(const std::string& recipes)
    {
        start("Define HELLO_HTTPS_HOST %{SERVER_NAME}:" + std::to_string(secure_) +
              "\nDefine HELLO_BALANCER 192.0.2.0/28\nDefine HELLO_BALANCER_2 127.0.0.7\n" +
              recipe("balancer.conf") + recipe(GetParam()) + recipe("whoami.conf") +
              recipe("drain.conf") + recipes);
        write("haproxy.cfg",
              haproxy_configuration(root(), {plain_, secure_, http_port(), https_port()}, true));
        balancer_.emplace(haproxy({"-db", "-f", root() / "haproxy.cfg"}));
        ASSERT_TRUE(
            eventually([&] { return balancer_->ended() || through("/", {}, true).status != 0; }));
        ASSERT_FALSE(balancer_->ended()) << balancer_->err();
    }

    Response through(const std::string& path, Request request = {}, bool is_secure = true) const
    {
        request.url = url(path, is_secure);
        request.ca = root() / "server.crt";
        return fetch(request);
    }

    std::string url(const std::string& path, bool is_secure = true) const
    {
        return (is_secure ? "https://127.0.0.1:" + std::to_string(secure_)
                          : "http://127.0.0.1:" + std::to_string(plain_)) +
               path;
    }

    /// Past the balancer, with its words.
    Response past(const std::string& path, Request request = {}) const
    {
        request.url = http(path);
        request.headers.insert(request.headers.end(),
                               {"X-Forwarded-Proto: https", "X-Forwarded-For: 192.0.2.99"});
        return fetch(request);
    }

    int plain_ = 0;
    int secure_ = 0;
    std::optional<Process> balancer_;
};

TEST(Haproxy, DoesWhatTheHeadOfTheRecipeAsksFor)
{
    const std::string head = read_file(source_dir() / "conf/examples/balancer.conf");
    const std::string text = read_file(source_dir() / "conf/examples/haproxy.cfg");
    const std::vector<Strings> lines = matches_of(head, "#   (http-request .*)");
    for (const Strings& line : lines) {
        EXPECT_NE(text.find("\n    " + line[1] + "\n"), std::string::npos) << line[1];
    }
    EXPECT_EQ(lines.size(), 4U);
}

/// Whoever ends TLS, it has nothing to complain of.
TEST(Haproxy, FindsNothingWrongWithItsConfiguration)
{
    const TemporaryFolder folder;
    make_cert(folder.path());
    write_file(folder.path() / "pair.pem",
               read_file(folder.path() / "server.crt") + read_file(folder.path() / "server.key"));
    const std::vector<int> ports = free_ports(2);
    for (const bool ends_tls : {false, true}) {
        write_file(folder.path() / "haproxy.cfg",
                   haproxy_configuration(folder.path(), {ports[0], ports[1], 80, 443}, ends_tls));
        // What the shell of who reloads it has in its environment, does not count.
        Command command = haproxy({"-c", "-f", folder.path() / "haproxy.cfg"});
        command.environment = {command.environment[0], "HELLO_HOST=", "HELLO_CA=none",
                               "HELLO_ENDS_TLS=none"};
        const Finished checked = run(command);
        EXPECT_EQ(checked.status, 0) << ends_tls << checked.err;
        EXPECT_EQ(checked.err, "");
    }
}

/// Whether TLS ends at the balancer.
class HaproxyLimits : public ExampleTest, public testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(, HaproxyLimits, testing::Bool(), [](const auto& ends_tls) {
    return std::string(ends_tls.param ? "WhereTlsEnds" : "WhereTlsPasses");
});

TEST_P(HaproxyLimits, AnAddressThatHasOrMakesTooManyConnectionsKeepsNobodyOut)
{
    make_quick_cert(root());
    write("pair.pem", read_file(root() / "server.crt") + read_file(root() / "server.key"));
    start("Define HELLO_BALANCER 127.0.0.7\n" + recipe(GetParam() ? "balancer.conf" : "node.conf") +
          recipe("../hello.conf") + (GetParam() ? recipe("drain.conf") : ""));
    const std::vector<int> ports = free_ports(2);
    write("haproxy.cfg", haproxy_configuration(
                             root(), {ports[0], ports[1], http_port(), https_port()}, GetParam()));
    Process balancer(haproxy({"-db", "-f", root() / "haproxy.cfg"}));
    const auto answer = [&](const char* from, bool is_secure) {
        return fetch({.url = (is_secure ? "https://127.0.0.1:" : "http://127.0.0.1:") +
                             std::to_string(ports[is_secure ? 1 : 0]) + "/",
                      .ca = root() / "server.crt",
                      .from = from});
    };
    for (const bool is_secure : {false, true}) {
        SCOPED_TRACE(is_secure ? "https" : "http");
        const int port = ports[is_secure ? 1 : 0];
        ASSERT_TRUE(eventually(
            [&] { return balancer.ended() || answer("127.0.0.2", is_secure).status == 200; }));
        ASSERT_FALSE(balancer.ended()) << balancer.err();
        {
            const Crowd crowd("127.0.0.66", port, 250, "");
            EXPECT_TRUE(eventually([&] { return crowd.held() == 200; })) << crowd.held();
            EXPECT_EQ(answer("127.0.0.66", is_secure).status, 0);
            EXPECT_EQ(answer("127.0.0.2", is_secure).status, 200);
        }
        // Where its connections have ended, it may have others.
        EXPECT_TRUE(eventually([&] { return answer("127.0.0.66", is_secure).status == 200; }));

        // Whoever makes one after the other is refused as well: what HAProxy reckons a rate is not
        // exact.
        const char* const busy = is_secure ? "127.0.0.68" : "127.0.0.67";
        EXPECT_EQ(answer(busy, is_secure).status, 200);
        for (int i = 0; i < 1500; ++i) {
            const Descriptor socket = tcp_socket();
            ASSERT_TRUE(bind(socket, address_of(0, busy)));
            connect(socket, port);  // or is refused
        }
        EXPECT_EQ(answer(busy, is_secure).status, 0);
        EXPECT_EQ(answer(busy, !is_secure).status, 0) << "it is refused everywhere";
        EXPECT_EQ(answer("127.0.0.2", is_secure).status, 200);
    }
}

INSTANTIATE_TEST_SUITE_P(, Balancer,
                         testing::Values("../hello.conf", "redirect.conf", "production.conf"),
                         [](const auto& base) { return fs::path(base.param).stem().string(); });

TEST_P(Balancer, RedirectsWhatHasComeByHttpAndNothingElse)
{
    start_behind("");
    const Response page = through("/");
    EXPECT_EQ(page.status, 200) << page;
    EXPECT_EQ(page.body, "Hello World!");
    EXPECT_EQ(page.header("strict-transport-security").has_value(), redirects()) << page;
    const Response plain = through("/x?q=%20", {}, false);
    EXPECT_EQ(plain.header("strict-transport-security"), std::nullopt);
    if (redirects()) {
        EXPECT_EQ(plain.status, 308) << plain;
        EXPECT_EQ(plain.header("location"), url("/x?q=%20"));
        EXPECT_EQ(past("/").status, 308) << "anybody's word counts";
        EXPECT_EQ(past("/").header("strict-transport-security"), std::nullopt);
    }
    EXPECT_EQ(through("/healthz").body, "ok");
    EXPECT_EQ(through("/healthz", {}, false).body, "ok");
    // What a client says to the balancer does not count either.
    const Response forged = through("/x", {.headers = {"X-Forwarded-Proto: https"}}, false);
    EXPECT_NE(forged.status, 200);
    EXPECT_EQ(forged.status == 308, redirects()) << forged;
}

TEST_P(Balancer, LeadsNobodyPastItByAnUpgrade)
{
    // As Debian's http2.conf has it.
    start_behind("Protocols h2 h2c http/1.1\n");
    const std::string request =
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n"
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
        "Connection: Upgrade, HTTP2-Settings\r\n\r\n"
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    for (const int port : {plain_, http_port()}) {
        const std::string answers = hello::exchange(port, request);
        EXPECT_TRUE(answers.starts_with("HTTP/1.1 200 OK\r\n")) << answers;
        EXPECT_EQ(answers.find("101 Switching"), std::string::npos) << answers;
    }
}

TEST_P(Balancer, TellsWhoTheClientIs)
{
    start_behind(R"(
        <LocationMatch "^/application$">
            SetHandler hello
            HelloFirst On
            HelloMessage "%{reqenv:HTTPS}"
            Require all granted
        </LocationMatch>
        <LocationMatch "^/office$">
            SetHandler hello
            HelloFirst On
            Require ip 127.0.0.2
        </LocationMatch>)");
    tolerate_log("AH01630");
    const auto address = [](const Response& response) {
        return nlohmann::json::parse(response.body, nullptr, false).value("client_address", "");
    };
    const Request client{.headers = {"X-Forwarded-For: 192.0.2.99"}, .from = "127.0.0.2"};
    EXPECT_EQ(address(through("/whoami", client)), "127.0.0.2");
    EXPECT_EQ(through("/office", client).status, 200);
    EXPECT_EQ(through("/office").status, 403);
    EXPECT_EQ(through("/application").body, "on");
    if (!redirects()) {
        EXPECT_EQ(address(past("/whoami", {.from = "127.0.0.3"})), "127.0.0.3");
        EXPECT_EQ(past("/application").body, "");
        EXPECT_EQ(past("/office", {.headers = {"X-Forwarded-For: 127.0.0.2"}}).status, 403);
    }
}

TEST_P(Balancer, AsksForAPasswordOverItsHttpsAlone)
{
    tolerate_log("AH01630");  // client denied by server configuration
    start_behind(recipe("basic-auth.conf"));
    EXPECT_EQ(through("/private").status, 401);
    EXPECT_EQ(through("/private", {.user = "ada:secret"}).status, 200);
    const long closed = redirects() ? 308 : 404;
    for (const Response& response :
         {through("/private", {.user = "ada:secret"}, false),
          through("/private", {.headers = {"X-Forwarded-Proto: https"}, .user = "ada:secret"},
                  false),
          past("/private", {.user = "ada:secret"})}) {
        EXPECT_EQ(response.status, closed) << response;
        EXPECT_EQ(response.header("www-authenticate"), std::nullopt);
    }
}

TEST_P(Balancer, LogsInOverItsHttpsAlone)
{
    tolerate_log("AH01630");
    start_behind(recipe("login.conf"));
    const Response stranger = through("/private?year=2026");
    EXPECT_EQ(stranger.header("location"), "/login?to=/private?year=2026") << stranger;
    EXPECT_NE(through("/login?to=/private?year=2026").body.find("<form"), std::string::npos);
    const Request form{.method = "POST",
                       .headers = {"Origin: " + url("")},
                       .body = "httpd_username=ada&httpd_password=secret"};
    const Response in = through("/login?to=/private?year=2026", form);
    EXPECT_EQ(in.header("location"), "/private?year=2026") << in;
    const std::string cookie = in.header("set-cookie").value_or("");
    EXPECT_NE(cookie.find(";Secure;"), std::string::npos) << cookie;
    const Request with{.headers = {"Cookie: " + cookie.substr(0, cookie.find(';'))}};
    EXPECT_NE(through("/private", with).body.find("Hello ada!"), std::string::npos);
    const long closed = redirects() ? 308 : 404;
    EXPECT_EQ(through("/private", with, false).status, closed);
    EXPECT_EQ(past("/private", with).status, closed);
    for (const Response& response : {through("/login", form, false), past("/login", form)}) {
        EXPECT_EQ(response.status, closed) << response;
        EXPECT_EQ(response.header("set-cookie"), std::nullopt);
    }
}

}  // namespace
}  // namespace hello
