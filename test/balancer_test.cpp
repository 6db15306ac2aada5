// conf/examples/balancer.conf behind a real HAProxy that ends TLS, and past it.

#include <nlohmann/json.hpp>

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
              haproxy_configuration(
                  root(), "127.0.0.1:" + std::to_string(plain_),
                  "127.0.0.1:" + std::to_string(secure_),
                  "127.0.0.1:" + std::to_string(http_port()) + " source 127.0.0.7", true));
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
                   haproxy_configuration(folder.path(), "127.0.0.1:" + std::to_string(ports[0]),
                                         "127.0.0.1:" + std::to_string(ports[1]), "127.0.0.11:443",
                                         ends_tls));
        // What the shell of who reloads it has in its environment, does not count.
        Command command = haproxy({"-c", "-f", folder.path() / "haproxy.cfg"});
        command.environment = {command.environment[0], "HELLO_HOST=", "HELLO_CA=none",
                               "HELLO_ENDS_TLS=none"};
        const Finished checked = run(command);
        EXPECT_EQ(checked.status, 0) << ends_tls << checked.err;
        EXPECT_EQ(checked.err, "");
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
