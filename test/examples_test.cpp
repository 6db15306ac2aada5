// The recipes in conf/examples: each is loaded as it stands, and does what its head says.

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "examples.h"

namespace hello {
namespace {

class Examples : public ExampleTest {
  protected:
    void expect(const Response& response, long status, const char* type, const std::string& body)
    {
        EXPECT_EQ(response.status, status) << response;
        EXPECT_EQ(response.header("content-type"), type);
        EXPECT_EQ(response.body, body);
    }
};

TEST_F(Examples, EachOpensWithWhatItIsForAndHowToSeeIt)
{
    std::string tests;
    for (const char* const name : {"examples", "redirect", "basic_auth", "login", "client_cert",
                                   "production", "acme", "balancer", "cluster"}) {
        tests += read_file(source_dir() / "test" / (std::string(name) + "_test.cpp"));
    }
    // These are for a whole server, and have virtual hosts of their own.
    const std::set<std::string> whole{"acme.conf", "client-cert.conf", "production.conf",
                                      "redirect.conf"};
    make_quick_cert(root());
    make_client_cert(root() / "clients", "Ada");
    write("session.key", "a key");
    const std::string modules = md_module() + required();
    int count = 0;
    for (const auto& entry : fs::directory_iterator(folder())) {
        if (entry.path().extension() != ".conf") {
            continue;
        }
        ++count;
        const std::string name = entry.path().filename();
        SCOPED_TRACE(name);
        std::ifstream in(entry.path());
        std::string purpose;
        std::string trial;
        std::getline(in, purpose);
        std::getline(in, trial);
        EXPECT_TRUE(purpose.starts_with("# ")) << purpose;
        EXPECT_TRUE(trial.starts_with("# See it work: ")) << trial;
        EXPECT_NE(trial.find("curl "), std::string::npos) << trial;
        EXPECT_NE(tests.find("recipe(\"" + name + "\")"), std::string::npos) << "is not tested";
        const Finished checked = check(modules + recipe(name));
        EXPECT_EQ(checked.status, 0) << checked.err;
        EXPECT_EQ(checked.err.find("not defined"), std::string::npos) << checked.err;
        const Finished inside =
            check(modules + "<VirtualHost *>\n" + recipe(name) + "</VirtualHost>\n");
        if (whole.contains(name)) {
            EXPECT_NE(inside.status, 0) << "belongs inside a virtual host too";
            EXPECT_NE(inside.err.find("VirtualHost"), std::string::npos) << inside.err;
        } else {
            EXPECT_EQ(inside.status, 0) << inside.err;
        }
    }
    EXPECT_EQ(count, 16);
}

TEST_F(Examples, Health)
{
    start(recipe("health.conf") + "CustomLog health.log \"%U\" env=!dontlog\n" + tls_host());
    expect(get("/healthz"), 200, "text/plain", "ok");
    expect(get_tls("/healthz"), 200, "text/plain", "ok");
    EXPECT_EQ(get("/healthz/x").status, 404);
    EXPECT_EQ(get("/else").status, 404);
    stop();
    const std::string log = read_file(root() / "health.log");
    EXPECT_NE(log.find("/else"), std::string::npos) << log;
    EXPECT_NE(log.find("/healthz/x"), std::string::npos) << log;
    EXPECT_EQ(log.find("/healthz\n"), std::string::npos) << log;
}

TEST_F(Examples, Drain)
{
    start(recipe("drain.conf"));
    expect(get("/healthz"), 200, "text/plain", "ok");
    write("drain", "");
    expect(get("/healthz"), 503, "text/plain", "draining");
    fs::remove(root() / "drain");
    expect(get("/healthz"), 200, "text/plain", "ok");
}

TEST_F(Examples, Maintenance)
{
    write("htdocs/page.html", "the site");
    write("htdocs/private/page.html", "the secret");
    write("htdocs/maintenance/style.css", "the style");
    write("htdocs/.well-known/acme-challenge/token", "the challenge");
    const std::string site = R"--(
        DocumentRoot "${ROOT}/htdocs"
        <Directory "${ROOT}/htdocs">
            Require all granted
        </Directory>
        <Location "/private">
            Require all denied
        </Location>
        ProxyPass /proxied http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on
        <Location "/handled">
            SetHandler "proxy:http://127.0.0.1:${HTTPS_PORT}/"
        </Location>
        <If "%{REQUEST_URI} =~ m#^/chosen/#">
            SetHandler "proxy:http://127.0.0.1:${HTTPS_PORT}/"
        </If>
        RewriteEngine On
        RewriteCond %{HTTP:Upgrade} "=websocket"
        RewriteRule "^/socket" "ws://127.0.0.1:${HTTPS_PORT}/" [P]
        RewriteRule "^/rewritten(/.*)" "http://127.0.0.1:${HTTPS_PORT}$1" [P]
        RewriteRule "^/moved" "https://www.example.org/" [R=301]
        Redirect 410 /gone
        Alias /aliased "${ROOT}/htdocs"
        <VirtualHost *:${HTTPS_PORT}>
        </VirtualHost>
    )--";
    const std::string wstunnel = "LoadModule proxy_wstunnel_module \"" +
                                 (httpd_modules() / "mod_proxy_wstunnel.so").string() + "\"\n";
    expect_log("AH01630");
    start(wstunnel + recipe("maintenance.conf") + recipe("health.conf") + site);
    const Request socket{.url = http("/socket"),
                         .headers = {"Upgrade: websocket", "Connection: Upgrade"}};
    const auto expect_site = [this] {
        for (const char* const path : {"", "/proxied", "/rewritten", "/aliased"}) {
            EXPECT_EQ(get(path + std::string("/page.html")).body, "the site") << path;
        }
        EXPECT_EQ(get("/private/page.html").status, 403);
        EXPECT_EQ(get("/missing").status, 404);
        EXPECT_EQ(get("/moved").status, 301);
        EXPECT_EQ(get("/gone").status, 410);
        EXPECT_EQ(get("/page.html").header("retry-after"), std::nullopt);
    };
    expect_site();
    write("maintenance", "");
    for (const char* const path :
         {"/", "/page.html", "/missing", "/proxied/page.html", "/rewritten/page.html",
          "/handled/page.html", "/chosen/page.html", "/aliased/page.html", "/moved", "/gone",
          "/maintenance"}) {
        const Response response = get(path);
        EXPECT_EQ(response.status, 503) << path << response;
        EXPECT_EQ(response.header("retry-after"), "120");
        EXPECT_NE(response.body.find("back soon"), std::string::npos);
    }
    EXPECT_EQ(fetch(socket).status, 503);
    for (const char* const method : {"POST", "PUT", "OPTIONS", "PROPFIND"}) {
        EXPECT_EQ(fetch({.url = http("/proxied/page.html"), .method = method, .body = "x"}).status,
                  503)
            << method;
    }
    // What only begins like something that is spared.
    for (const char* const path :
         {"/maintenance/../proxied/page.html", "/maintenance/%2e%2e/proxied/page.html",
          "/maintenance//../page.html", "/.well-known/acme-challenge/../../proxied/page.html",
          "/maintenance/..%2fpage.html", "/maintenance/.%2E/private/page.html",
          "/healthz/../page.html", "/maintenance/%5c../page.html", "/./maintenance/../page.html"}) {
        const Response response = get(path);
        EXPECT_TRUE(response.status == 503 || response.status == 404 || response.status == 403)
            << path << response;
        EXPECT_EQ(response.body.find("the site"), std::string::npos) << path;
    }
    EXPECT_EQ(get("/maintenance/../proxied/page.html").status, 503);
    // Spared by name, and what nobody may see.
    EXPECT_EQ(get("/maintenance/style.css").body, "the style");
    EXPECT_EQ(get("/.well-known/acme-challenge/token").body, "the challenge");
    EXPECT_EQ(get("/healthz").body, "ok");
    EXPECT_EQ(get("/private/page.html").status, 403);
    reload("Define HELLO_MAINTENANCE_SPARES ^/aliased/\n" + wstunnel + recipe("maintenance.conf") +
           recipe("health.conf") + site);
    EXPECT_EQ(get("/aliased/page.html").body, "the site");
    EXPECT_EQ(get("/healthz").status, 503);
    reload("Define HELLO_ADMINISTRATORS 127.0.0.0/8\n" + wstunnel + recipe("maintenance.conf") +
           site);
    expect_site();
}

TEST_F(Examples, Errors)
{
    const std::string backend = R"(
        <VirtualHost *:${HTTPS_PORT}>
            <LocationMatch "^/(?<code>[45]..)$">
                SetHandler hello
                HelloStatus 418
                HelloMessage "the backend's own"
                <If "reqenv('MATCH_CODE') == '404'">
                    HelloStatus 404
                </If>
                <If "reqenv('MATCH_CODE') == '502'">
                    HelloStatus 502
                </If>
                <If "reqenv('MATCH_CODE') == '401'">
                    HelloStatus 401
                    Header always set WWW-Authenticate "Bearer"
                </If>
                <If "reqenv('MATCH_CODE') == '503'">
                    HelloStatus 503
                    Header always set Retry-After 7
                </If>
            </LocationMatch>
        </VirtualHost>)";
    start(recipe("errors.conf") + recipe("drain.conf") + R"(
        ProxyPass "/proxied/" "http://127.0.0.1:${HTTPS_PORT}/" disablereuse=on
        Redirect 410 /gone
        Redirect 418 /teapot
        Redirect 500 /broken
        <Location "/closed">
            Require all denied
        </Location>
        <Location "/locked">
            AuthType Basic
            AuthName private
            AuthUserFile passwords
            Require valid-user
        </Location>
        <Location "/greeting">
            SetHandler hello
            Require all granted
        </Location>)" +
          backend);
    expect_log("AH01630");
    expect_log("AH10244");  // invalid URI path
    const struct {
        const char* method;
        std::string path;
        int status;
        const char* title;
    } cases[] = {
        {"GET", "/%zz", 400, "Bad Request"},
        {"GET", "/gone", 410, "Gone"},
        {"POST", "/gone", 410, "Gone"},
        {"GET", "/broken", 500, "Internal Server Error"},
        {"GET", "/closed", 403, "Forbidden"},
        {"GET", "/locked", 401, "Unauthorized"},
        {"DELETE", "/greeting", 405, "Method Not Allowed"},
        {"GET", "/no/such", 404, "Not Found"},
        {"GET", "/no/such/%3Cscript%3E%22%27%26", 404, "Not Found"},
        {"GET", R"(/no/such/J%C3%B6rg?a=1&b="<b>)", 404, "Not Found"},
        {"GET", "/" + std::string(9000, 'x'), 414, "URI Too Long"},
        {"GET", "/proxied/404", 404, "Not Found"},
        {"GET", "/proxied/502", 502, "Bad Gateway"},
        {"GET", "/hello-error", 404, "Not Found"},
        {"POST", "/hello-error", 404, "Not Found"},
    };
    for (const auto& [method, path, status, title] : cases) {
        SCOPED_TRACE(std::string(method) + ' ' + path.substr(0, 80));
        Request request{.url = http(path), .method = method};
        for (const char* const accept : {"", "*/*", "text/html", "text/html, application/json",
                                         "text/html,application/xhtml+xml,*/*;q=0.8"}) {
            request.headers = {"Accept: " + std::string(accept)};
            const Response html = fetch(request);
            EXPECT_EQ(html.status, status) << accept << html;
            EXPECT_EQ(html.header("content-type"), "text/html; charset=utf-8");
            EXPECT_EQ(html.header("vary"), "Accept");
            EXPECT_NE(html.body.find("<h1>" + std::to_string(status) + ' ' + title + "</h1>"),
                      std::string::npos)
                << html;
            EXPECT_EQ(html.body.find("<b>"), std::string::npos) << html;
        }
        // Of a request line that is too long httpd reads no further.
        if (status == 414) {
            continue;
        }
        for (const char* const accept :
             {"application/json", "application/problem+json", "application/vnd.api+json, */*"}) {
            request.headers = {"Accept: " + std::string(accept)};
            const Response json = fetch(request);
            EXPECT_EQ(json.status, status) << accept << json;
            EXPECT_EQ(json.header("content-type"), "application/problem+json");
            EXPECT_EQ(json.header("vary"), "Accept");
            EXPECT_EQ(json.header("www-authenticate").has_value(), status == 401);
            EXPECT_EQ(json.header("allow").has_value(), status == 405);
            const auto problem = nlohmann::json::parse(json.body, nullptr, false);
            ASSERT_FALSE(problem.is_discarded()) << json.body;
            EXPECT_EQ(problem["status"], status);
            EXPECT_EQ(problem["title"], title);
            EXPECT_EQ(problem["type"], "about:blank");
            EXPECT_EQ(problem["instance"], path);
        }
    }
    // What a backend says beside a status belongs to it.
    const Response login = get("/proxied/401");
    EXPECT_EQ(login.header("www-authenticate"), "Bearer") << login;
    EXPECT_EQ(login.body, "the backend's own");
    EXPECT_EQ(get("/proxied/503").header("retry-after"), "7");
    // What is configured as an error stays what it is.
    write("drain", "");
    expect(get("/healthz"), 503, "text/plain", "draining");
}

TEST_F(Examples, Whoami)
{
    ASSERT_EQ(run({.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=Ada \"L\"",
                            "-keyout", root() / "client.key", "-out", root() / "client.crt"}})
                  .status,
              0);
    const std::string hash = run({.argv = {"openssl", "passwd", "-apr1", "secret"}}).out;
    write("passwords", "ada\"\\:" + hash);
    start(recipe("whoami.conf") + R"(
        <Location "/whoami">
            <If "%{HTTPS} == 'on'">
                AuthType Basic
                AuthName private
                AuthUserFile passwords
                Require valid-user
            </If>
        </Location>
    )" + tls_host("SSLVerifyClient optional\nSSLCACertificateFile client.crt\n"));
    const Response response =
        fetch({.url = http("/whoami?token=hidden"),
               .headers = {"Host: \"</script>\\", "Cookie: hidden", "Authorization: hidden"}});
    // httpd refuses such a host; a plain one comes next.
    EXPECT_EQ(response.status, 400);
    const Response plain = fetch({.url = http("/whoami?token=hidden"),
                                  .headers = {"Cookie: hidden", "Authorization: hidden"}});
    EXPECT_EQ(plain.header("content-type"), "application/json");
    EXPECT_EQ(plain.header("cache-control"), "no-store");
    EXPECT_EQ(plain.body.find("hidden"), std::string::npos) << plain;
    const nlohmann::json expected{{"host", "127.0.0.1:" + std::to_string(http_port())},
                                  {"method", "GET"},
                                  {"path", "/whoami"},
                                  {"protocol", "HTTP/1.1"},
                                  {"tls_version", ""},
                                  {"tls_cipher", ""},
                                  {"tls_server_name", ""},
                                  {"client_address", "127.0.0.1"},
                                  {"client_certificate", ""},
                                  {"user", ""}};
    EXPECT_EQ(nlohmann::json::parse(plain.body), expected);

    const Response secure =
        fetch({.url = "https://localhost:" + std::to_string(https_port()) + "/whoami",
               .user = "ada\"\\:secret",
               .ca = root() / "server.crt",
               .certificate = root() / "client.crt",
               .key = root() / "client.key",
               .resolve_to = "127.0.0.1"});
    ASSERT_EQ(secure.status, 200) << secure;
    const auto told = nlohmann::json::parse(secure.body);
    EXPECT_EQ(told["tls_version"], "TLSv1.3");
    EXPECT_TRUE(told["tls_cipher"].get<std::string>().starts_with("TLS_")) << told;
    EXPECT_EQ(told["tls_server_name"], "localhost");
    EXPECT_EQ(told["user"], "ada\"\\");
    EXPECT_NE(told["client_certificate"].get<std::string>().find("Ada"), std::string::npos);
}

TEST_F(Examples, Routes)
{
    start(recipe("routes.conf") + "AllowEncodedSlashes NoDecode\n");
    const char* const html = "text/html; charset=utf-8";
    expect(get("/"), 200, html, "Hello World!");
    expect(get("/hello/Ada"), 200, html, "<h1>Hello Ada!</h1>");
    expect(get("/hello/J%C3%B6rg%20%26%20Co"), 200, html, "<h1>Hello J\xC3\xB6rg &amp; Co!</h1>");
    expect(get("/hello/%3Cscript%3E%22%27"), 200, html,
           "<h1>Hello &lt;script&gt;&quot;&#39;!</h1>");
    EXPECT_EQ(fetch({.url = http("/hello/Ada"), .method = "POST"}).status, 405);
    for (const char* const path :
         {"/hello", "/hello/", "/hello/a/b", "/hello/a/", "/other", "/x/hello/a"}) {
        EXPECT_EQ(get(path).status, 404) << path;
    }
}

TEST_F(Examples, Matrix)
{
    start(required() + recipe("matrix.conf"));
    const std::string base = "/.well-known/matrix/";
    expect(get(base + "server"), 200, "application/json",
           R"({"m.server": "chat.example.org:443"})");
    const Response client = get(base + "client");
    expect(client, 200, "application/json",
           R"({"m.homeserver": {"base_url": "https://chat.example.org"}})");
    EXPECT_EQ(client.header("access-control-allow-origin"), "*");
    EXPECT_EQ(get(base + "server/x").status, 404);
    EXPECT_EQ(get(base).status, 404);
}

TEST_F(Examples, AcmeAnswer)
{
    const std::string challenges = "/.well-known/acme-challenge/";
    write("htdocs" + challenges + "webroot", "of a client with a webroot");
    write("elsewhere/aliased", "of a client with an Alias");
    start("DocumentRoot \"${ROOT}/htdocs\"\n" + required() + recipe("acme-answer.conf"));
    expect(get(challenges + "a-Token_1"), 200, "text/plain", "a-Token_1.thumb");
    EXPECT_EQ(get(challenges + "webroot").body, "of a client with a webroot");
    EXPECT_EQ(get(challenges + "aliased").body, "aliased.thumb");
    for (const char* const path : {"a/b", "%3Cb%3E", "a.b"}) {
        EXPECT_EQ(get(challenges + path).status, 404) << path;
    }
    reload("DocumentRoot \"${ROOT}/htdocs\"\nAlias " + challenges + " \"${ROOT}/elsewhere/\"\n" +
           required() + recipe("acme-answer.conf"));
    expect(get(challenges + "a-Token_1"), 200, "text/plain", "a-Token_1.thumb");
    EXPECT_EQ(get(challenges + "aliased").body, "of a client with an Alias");
}

}  // namespace
}  // namespace hello
