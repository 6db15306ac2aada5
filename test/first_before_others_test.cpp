// HelloFirst against the modules that redirect, proxy and map a URI: what it is claimed before, in
// which spelling, and what these do where it is off.

#include <functional>
#include <utility>

#include "first.h"

namespace hello {
namespace {

// ---------------------------------------------------------------------------
// Before others

struct Setting {
    const char* name;
    const char* before;  // directives before the locations of the handler
    const char* after;   // and after them
    const char* off;     // the outcome where HelloFirst is off; @ is the path
    const char* prefix = "/";
    Strings headers{};
};

const Strings upgrade{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="};

const Setting settings[] = {
    {"nothing", "", "", ours},
    // mod_rewrite
    {"rewrite to https", "RewriteEngine on\nRewriteRule ^ https://a.test/s%{REQUEST_URI} [R=308,L]",
     "", "308 /s@"},
    {"rewrite to a proxy",
     "RewriteEngine on\nRewriteRule ^ http://127.0.0.1:${HTTPS_PORT}%{REQUEST_URI} [P]", "",
     "200 backend GET @"},
    {"rewrite of an upgrade",
     "RewriteEngine on\nRewriteCond %{HTTP:Upgrade} =websocket [NC]\n"
     "RewriteRule ^ ws://127.0.0.1:${HTTPS_PORT}%{REQUEST_URI} [P]",
     "", "200 backend GET @", "/", upgrade},
    {"rewrite to nothing", "RewriteEngine on\nRewriteRule ^ - [G]", "", "410 "},
    {"rewrite and pass through", "RewriteEngine on\nRewriteRule ^ /index.html [PT]", "",
     "200 the file"},
    {"rewrite to a handler",
     "RewriteEngine on\nRewriteRule ^ - [H=proxy:http://127.0.0.1:${HTTPS_PORT}/?]", "",
     "200 backend GET /?hello:@"},
    // mod_proxy
    {"proxy", "ProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on", "",
     "200 backend GET @"},
    {"proxy mapping=encoded",
     "ProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on mapping=encoded", "",
     "200 backend GET @"},
    {"proxy mapping=servlet",
     "ProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on mapping=servlet", "",
     "200 backend GET @"},
    {"proxy of an upgrade",
     "ProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on upgrade=websocket", "",
     "200 backend GET @", "/", upgrade},
    {"proxy by mod_proxy_wstunnel", "ProxyPass / ws://127.0.0.1:${HTTPS_PORT}/ disablereuse=on", "",
     "200 backend GET @", "/", upgrade},
    {"proxy by a pattern", "ProxyPassMatch ^(/.*)$ http://127.0.0.1:${HTTPS_PORT}$1", "",
     "200 backend GET @"},
    {"proxy in a location",
     "<Location />\nProxyPass http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on\n</Location>", "",
     "200 backend GET @"},
    {"proxy in a location, mapping=encoded",
     "<Location />\nProxyPass http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on mapping=encoded\n"
     "</Location>",
     "", "200 backend GET @"},
    {"proxy as handler", "SetHandler proxy:http://127.0.0.1:${HTTPS_PORT}", "", ours},
    {"proxy as handler in a condition", "",
     "<If true>\nSetHandler proxy:http://127.0.0.1:${HTTPS_PORT}\n</If>", "200 backend GET @"},
    {"proxy as handler by an expression", "",
     "<If true>\nSetHandler %{tolower:PROXY}:http://127.0.0.1:${HTTPS_PORT}\n</If>",
     "200 backend GET @"},
    {"proxy as handler in a location before",
     "<Location />\nSetHandler proxy:http://127.0.0.1:${HTTPS_PORT}\n</Location>", "", ours},
    {"proxy as handler in a location after", "",
     "<Location />\nSetHandler proxy:http://127.0.0.1:${HTTPS_PORT}\n</Location>",
     "200 backend GET @"},
    // mod_alias
    {"redirect", "Redirect permanent / https://a.test/s/", "", "301 /s@"},
    {"redirect by a pattern", "RedirectMatch 307 ^(/.*)$ https://a.test/s$1", "", "307 /s@"},
    {"redirect to nothing", "Redirect gone /", "", "410 "},
    // From here on a folder is there, which mod_dir redirects to its slash.
    {"alias", "Alias / ${ROOT}/htdocs/", "", "301 @/"},
    {"alias by a pattern", "AliasMatch ^/(.*)$ ${ROOT}/htdocs/$1", "", "301 @/"},
    {"script alias", "ScriptAlias / ${ROOT}/htdocs/", "", "301 @/"},
    {"virtual document root", "VirtualDocumentRoot ${ROOT}/of.%-1", "", "301 @/"},
    {"user's folder", "UserDir ${ROOT}/of.*", "", "301 @/", "/~"},
    // mod_dir comes later than the handler's claim even so.
    {"folder", "DocumentRoot ${ROOT}/htdocs", "", ours},
    {"index", "DocumentRoot ${ROOT}/htdocs\nDirectoryIndex index.html", "", ours},
    {"fallback", "FallbackResource /index.html", "", ours},
};

class BesideOthers : public First {
  protected:
    void SetUp() override
    {
        write("passwords", "ada:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
        write("files/index.html", "the file");
        std::string configuration = load({"proxy_wstunnel", "userdir", "vhost_alias"}) +
                                    "DocumentRoot ${ROOT}/files\n" + backend();
        std::size_t number = 0;
        for (const Setting& setting : settings) {
            std::string directives = std::string(setting.before) + '\n';
            for (const auto& [name, more] : locations) {
                // A folder for each way to map the location to one.
                write("htdocs" + (setting.prefix + std::string(name)) + "/index.html", "the file");
                write("of.test" + (setting.prefix + std::string(name)) + "/index.html", "the file");
                write(std::string("of.") + name + "/index.html", "the file");
                directives += location(setting.prefix + std::string(name), the_answer + more);
            }
            configuration += host(numbered_host(number++), directives + setting.after + '\n');
        }
        start(configuration);
    }

    void each(const std::function<void(const Setting&, const std::string& name)>& test)
    {
        std::size_t number = 0;
        for (const Setting& setting : settings) {
            SCOPED_TRACE(setting.name);
            test(setting, numbered_host(number++));
        }
    }

  private:
    const std::vector<std::pair<const char*, std::string>> locations{
        {"on", "HelloFirst On"},
        {"off", "HelloFirst Off"},
        {"unset", ""},
        {"denied", "HelloFirst On\nRequire all denied"},
        {"private",
         "HelloFirst On\nAuthType Basic\nAuthName private\nAuthUserFile passwords\n"
         "Require valid-user"},
    };
};

TEST_F(BesideOthers, OnIsAnsweredAndOffIsAsEver)
{
    each([&](const Setting& setting, const std::string& name) {
        const auto get_outcome = [&](const std::string& path) {
            return ask(name, path, setting.headers);
        };
        const std::string prefix = setting.prefix;
        EXPECT_EQ(get_outcome(prefix + "on"), ours);
        EXPECT_EQ(get_outcome(prefix + "on?q=1"), ours);
        for (const char* const where : {"off", "unset"}) {
            const std::string path = prefix + where;
            const std::string expected = replaced(setting.off, "@", path);
            // Such a handler is given the file's name, which may be anywhere.
            EXPECT_EQ(replaced(get_outcome(path), root() / "files", ""), expected);
        }
    });
}

TEST_F(BesideOthers, AccessControlDecidesAllTheSame)
{
    expect_log("AH01630");  // client denied by server configuration
    expect_log("AH01617");  // password mismatch
    each([&](const Setting& setting, const std::string& name) {
        const std::string prefix = setting.prefix;
        EXPECT_EQ(ask(name, prefix + "denied", setting.headers), "403 ");
        Request request = at(name, prefix + "private", setting.headers);
        EXPECT_EQ(outcome(fetch(request)), "401 ");
        request.user = "ada:wrong";
        EXPECT_EQ(outcome(fetch(request)), "401 ");
        request.user = "ada:secret";
        EXPECT_EQ(outcome(fetch(request)), ours);
    });
}

// ---------------------------------------------------------------------------
// Spellings

class Spelling : public First {
  protected:
    void SetUp() override
    {
        write("files/x", "the file");
        std::string configuration = "DocumentRoot ${ROOT}/files\n" + backend();
        for (const char* const mapping : {"", "mapping=encoded", "mapping=servlet"}) {
            for (const char* const slashes : {"Off", "On", "NoDecode"}) {
                configuration +=
                    host(numbered_host(count_++),
                         std::string("AllowEncodedSlashes ") + slashes +
                             "\nProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on " +
                             mapping + '\n' + sections());
            }
        }
        start(configuration);
    }

    /// A letter for the outcome in each of the hosts: a is the answer, b the backend's, f
    /// a file's of the front, and the last figure of an error.
    std::string outcomes(const std::string& path)
    {
        std::string letters;
        for (std::size_t number = 0; number < count_; ++number) {
            const std::string shown = ask(numbered_host(number), path);
            letters += shown == ours                          ? 'a'
                       : shown.starts_with("200 backend GET") ? 'b'
                       : shown == "200 the file"              ? 'f'
                                                              : shown.at(2);
        }
        return letters;
    }

  private:
    static std::string sections()
    {
        const std::string claimed = std::string(the_answer) + "HelloFirst On";
        return location("/healthz", claimed) + location("/healthz/d d", "Require all denied") +
               location("/a b", claimed) + location("/\xC3\xA4", claimed) +
               location("/@me", claimed) + location("/a%20c", claimed);
    }

    std::size_t count_ = 0;
};

TEST_F(Spelling, SectionsAreThoseThatHttpdAppliesToTheProxy)
{
    // Each for AllowEncodedSlashes Off, On and NoDecode. For a proxy with mapping=encoded httpd
    // compares sections with the URI as it was sent, and for mapping=servlet without its path
    // parameters; the claim does the same, so that nothing is between the two.
    const struct {
        const char* path;
        const char* unmapped;
        const char* encoded;
        const char* servlet;
    } cases[] = {
        {"/healthz", "aaa", "aaa", "aaa"},
        {"/healthz?q", "aaa", "aaa", "aaa"},
        {"/healthz/", "aaa", "aaa", "aaa"},
        {"/healthz/%20/x", "aaa", "aaa", "aaa"},
        {"/%68ealthz", "aaa", "aaa", "aaa"},
        {"//healthz//", "aaa", "aaa", "aaa"},
        {"/./healthz", "aaa", "aaa", "aaa"},
        {"/%2e/healthz", "aaa", "aaa", "aaa"},
        {"/a/../healthz", "aaa", "aaa", "aaa"},
        {"/%61/%2E./%68ealthz", "aaa", "aaa", "aaa"},
        // A proxy takes an encoded slash as it is where httpd would not. No file is served.
        {"/healthz%2F", "4ab", "bbb", "bbb"},
        {"/%2fhealthz%2f", "4ab", "bbb", "bbb"},
        {"/x/..%2fhealthz", "4ab", "bbb", "bbb"},
        {"/healthz/..%2Fx", "4ba", "aaa", "aaa"},
        {"/healthz/%2e%2e%2fx", "4ba", "aaa", "aaa"},
        // A name that is no URI as it stands.
        {"/a%20b", "aaa", "bbb", "bbb"},
        {"/%C3%A4", "aaa", "bbb", "bbb"},
        {"/%c3%a4", "aaa", "bbb", "bbb"},
        {"/\xC3\xA4", "aaa", "bbb", "bbb"},
        {"/@me", "aaa", "aaa", "aaa"},
        {"/%40me", "aaa", "bbb", "bbb"},
        // This section is of a name with a percent sign.
        {"/a%20c", "bbb", "aaa", "aaa"},
        {"/a%2520c", "aaa", "bbb", "bbb"},
        // What is not the location
        {"/", "bbb", "bbb", "bbb"},
        {"/healthzx", "bbb", "bbb", "bbb"},
        {"/Healthz", "bbb", "bbb", "bbb"},
        {"/x/healthz", "bbb", "bbb", "bbb"},
        {"/healthz.", "bbb", "bbb", "bbb"},
        {"/healthz\\", "bbb", "bbb", "bbb"},
        {"/healthz%20", "bbb", "bbb", "bbb"},
        {"/healthz%3Fq", "bbb", "bbb", "bbb"},
        {"/healthz%23", "bbb", "bbb", "bbb"},
        {"/healthz;x", "bbb", "bbb", "aaa"},
        {"/healthz%3Bx", "bbb", "bbb", "bbb"},
        {"/;/healthz", "bbb", "bbb", "aaa"},
        {"/x/..;/healthz", "bbb", "bbb", "aaa"},
        {"/healthz%252F", "bbb", "bbb", "bbb"},
        {"/%2568ealthz", "bbb", "bbb", "bbb"},
        {"/healthz/..", "bbb", "bbb", "bbb"},
        {"/healthz/../x", "bbb", "bbb", "bbb"},
        {"/healthz/%2e%2e/x", "bbb", "bbb", "bbb"},
        // Access is decided in those sections too.
        {"/healthz/d%20d", "333", "aaa", "aaa"},
        {"/healthz/%64%20d/x", "333", "aaa", "aaa"},
        // No URI
        {"/healthz%00", "444", "444", "444"},
        {"/healthz%zz", "000", "000", "000"},
        {"/healthz/%zz", "000", "000", "000"},
        {"/../healthz", "000", "000", "000"},
    };
    expect_log("AH01630");  // client denied by server configuration
    expect_log("AH10244");  // invalid URI path
    for (const auto& [path, unmapped, encoded, servlet] : cases) {
        EXPECT_EQ(outcomes(path), std::string(unmapped) + encoded + servlet) << path;
    }
}

// ---------------------------------------------------------------------------
// A maintenance page

/// The ways to another answer that a maintenance page must stop.
struct Passage {
    const char* name;
    const char* before;
    const char* after;
    const char* healthz;  // the outcome for GET of a location that is spared
};

// What is to be spared is spared in both places, HelloFirst and the other module.
const Passage passages[] = {
    {"rewrite to a proxy",
     "RewriteEngine on\nRewriteCond %{REQUEST_URI} !^/\\.well-known/\n"
     "RewriteRule ^ http://127.0.0.1:${BACKEND_PORT}%{REQUEST_URI} [P]",
     "", "200 backend GET /healthz"},
    {"rewrite to https",
     "RewriteEngine on\nRewriteCond %{REQUEST_URI} !^/\\.well-known/\n"
     "RewriteRule ^ https://a.test/s%{REQUEST_URI} [R=308,L]",
     "", "308 /s/healthz"},
    {"proxy",
     "ProxyPass /.well-known/ !\n"
     "ProxyPass / http://127.0.0.1:${BACKEND_PORT}/ disablereuse=on",
     "", "200 backend GET /healthz"},
    {"proxy mapping=encoded",
     "ProxyPass /.well-known/ ! mapping=encoded\n"
     "ProxyPass / http://127.0.0.1:${BACKEND_PORT}/ disablereuse=on mapping=encoded",
     "", "200 backend GET /healthz"},
    {"proxy mapping=servlet",
     "ProxyPass /.well-known/ ! mapping=servlet\n"
     "ProxyPass / http://127.0.0.1:${BACKEND_PORT}/ disablereuse=on mapping=servlet",
     "", "200 backend GET /healthz"},
    {"proxy as handler", "SetHandler proxy:http://127.0.0.1:${BACKEND_PORT}", "", "200 healthy"},
    {"proxy as handler in a condition", "",
     "<If \"%{REQUEST_URI} !~ m#^/.well-known/#\">\n"
     "SetHandler proxy:http://127.0.0.1:${BACKEND_PORT}/?\n</If>",
     "200 backend GET /?/healthz"},
    {"proxy as handler in a location", "",
     "<LocationMatch \"^/(?!\\.well-known/)\">\n"
     "SetHandler proxy:http://127.0.0.1:${BACKEND_PORT}/?\n</LocationMatch>",
     "200 backend GET /?/healthz"},
};

class Maintenance : public First {
  protected:
    void SetUp() override
    {
        tolerate_log("AH01909");  // the certificate is not for these names
        write("challenges/token", "the proof");
        write("files/index.html", "the file");
        std::string configuration;
        const std::string in_tls = tls() + "Protocols h2 http/1.1\n";
        std::size_t number = 0;
        for (const Passage& passage : passages) {
            const std::string directives = std::string(passage.before) + R"(
                DocumentRoot ${ROOT}/files
                Alias /.well-known/acme-challenge/ ${ROOT}/challenges/
                <Location "/">
                    SetHandler hello
                    HelloStatus 503
                    HelloMessage "back soon"
                    HelloFirst On
                </Location>
                <Location "/healthz">
                    SetHandler hello
                    HelloStatus 200
                    HelloMessage healthy
                    HelloFirst Off
                </Location>
                <Location "/ready">
                    HelloStatus 200
                    HelloMessage ready
                </Location>
                <Location "/.well-known/acme-challenge/">
                    SetHandler none
                    HelloFirst Off
                </Location>
                )" + passage.after + '\n';
            const std::string name = numbered_host(number++);
            configuration += host(name, directives);
            configuration += host(name, in_tls + directives, "${HTTPS_PORT}");
        }
        // The backend's name is the address, so it can share the port.
        start("Define BACKEND_PORT ${HTTP_PORT}\n" + configuration + backend("${HTTP_PORT}"));
    }

    /// Asks over http, https and HTTP/2, of which all must say the same.
    std::string ask_everywhere(const std::string& name, const std::string& path,
                               const std::string& method = "GET",
                               const std::optional<std::string>& body = {})
    {
        Request request = at(name, path);
        request.method = method;
        request.body = body;
        std::string plain = outcome(fetch(request));
        request.url = https(path);
        request.ca = root() / "server.crt";
        EXPECT_EQ(outcome(fetch(request)), plain) << "https";
        request.http2 = true;
        EXPECT_EQ(outcome(fetch(request)), plain) << "HTTP/2";
        return plain;
    }
};

TEST_F(Maintenance, NothingButWhatIsSparedGetsPastIt)
{
    std::size_t number = 0;
    for (const Passage& passage : passages) {
        SCOPED_TRACE(passage.name);
        const std::string name = numbered_host(number++);
        for (const char* const method :
             {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND", "BREW"}) {
            EXPECT_EQ(ask_everywhere(name, "/any/where?q", method),
                      method == std::string("HEAD") ? "503 " : "503 back soon")
                << method;
        }
        // That one is httpd's own.
        Request trace = at(name, "/");
        trace.method = "TRACE";
        EXPECT_EQ(fetch(trace).header("content-type"), "message/http");
        EXPECT_EQ(ask_everywhere(name, "/", "POST", std::string(10'000, 'x')), "503 back soon");
        EXPECT_EQ(ask_everywhere(name, "/x/%2e%2e/a%20b;c"), "503 back soon");
        EXPECT_EQ(ask(name, "/socket", upgrade), "503 back soon");
        EXPECT_EQ(replaced(ask_everywhere(name, "/healthz"), root() / "files", ""),
                  passage.healthz);
        EXPECT_EQ(ask_everywhere(name, "/ready"), "200 ready");
        EXPECT_EQ(ask_everywhere(name, "/.well-known/acme-challenge/token"), "200 the proof");
        EXPECT_EQ(ask_everywhere(name, "/.well-known/acme-challenge/none"), "404 ");
        EXPECT_EQ(ask_everywhere(name, "/.well-known/else"), "503 back soon");
    }
}

}  // namespace
}  // namespace hello
