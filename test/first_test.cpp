// HelloFirst: a location that is claimed before the modules that redirect, proxy and map a
// URI, what these do where it is off, and what is earlier all the same.

#include <algorithm>
#include <regex>

#include "httpd.h"

namespace hello {
namespace {

using Strings = std::vector<std::string>;

std::string load(const Strings& names)
{
    std::string directives;
    for (const std::string& name : names) {
        directives += "LoadModule " + name + "_module \"" +
                      (httpd_modules() / ("mod_" + name + ".so")).string() + "\"\n";
    }
    return directives;
}

/// Every `from` becomes `to`.
std::string replaced(const std::string& text, const std::string& from, const std::string& to)
{
    std::string result = text;
    for (auto at = result.find(from); at != std::string::npos; at = result.find(from, at)) {
        result.replace(at, from.size(), to);
        at += to.size();
    }
    return result;
}

std::string location(const std::string& path, const std::string& directives)
{
    return "<Location \"" + path + "\">\n" + directives + "\n</Location>\n";
}

/// The name of one of several virtual hosts.
std::string numbered_host(std::size_t number)
{
    return std::to_string(number) + ".front.test";
}

/// A virtual host that nobody but whoever asks for its name gets.
std::string host(const std::string& name, const std::string& directives,
                 const std::string& port = "${HTTP_PORT}")
{
    return "<VirtualHost *:" + port + ">\nServerName " + name + '\n' + directives +
           "</VirtualHost>\n";
}

/// An answer in short: the status, and the path of Location or else the body.
std::string outcome(const Response& response)
{
    const std::string where = response.header("location").value_or("");
    const std::string shown =
        !where.empty() ? std::regex_replace(where, std::regex("^https?://[^/]*"), "")
        : response.body.starts_with("<!DOCTYPE HTML") ? ""  // what httpd says of an error
                                                      : response.body;
    return std::to_string(response.status) + ' ' + shown + response.error;
}

// No other module answers with such a status.
constexpr const char* the_answer = R"(
    SetHandler hello
    HelloStatus 222
    HelloMessage "the answer"
)";
constexpr const char* answered = "222 the answer";

class First : public HttpdTest {
  protected:
    /// What is proxied to: it says what it was asked for.
    static std::string backend(const std::string& port = "${HTTPS_PORT}")
    {
        return host("127.0.0.1", R"(
            AllowEncodedSlashes NoDecode
            <Location "/">
                SetHandler hello
                HelloMethods any
                HelloType text/plain
                HelloMessage "backend %{REQUEST_METHOD} %{REQUEST_URI}"
            </Location>
            <Location "/missing">
                HelloStatus 404
            </Location>
            )",
                    port);
    }

    Request at(const std::string& name, const std::string& path, Strings headers = {}) const
    {
        headers.push_back("Host: " + name);
        return {.url = http(path), .headers = headers};
    }

    std::string ask(const std::string& name, const std::string& path,
                    const Strings& headers = {}) const
    {
        return outcome(fetch(at(name, path, headers)));
    }
};

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
    {"nothing", "", "", answered},
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
    {"proxy as handler", "SetHandler proxy:http://127.0.0.1:${HTTPS_PORT}", "", answered},
    {"proxy as handler in a condition", "",
     "<If true>\nSetHandler proxy:http://127.0.0.1:${HTTPS_PORT}\n</If>", "200 backend GET @"},
    {"proxy as handler by an expression", "",
     "<If true>\nSetHandler %{tolower:PROXY}:http://127.0.0.1:${HTTPS_PORT}\n</If>",
     "200 backend GET @"},
    {"proxy as handler in a location before",
     "<Location />\nSetHandler proxy:http://127.0.0.1:${HTTPS_PORT}\n</Location>", "", answered},
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
    {"folder", "DocumentRoot ${ROOT}/htdocs", "", answered},
    {"index", "DocumentRoot ${ROOT}/htdocs\nDirectoryIndex index.html", "", answered},
    {"fallback", "FallbackResource /index.html", "", answered},
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
        EXPECT_EQ(get_outcome(prefix + "on"), answered);
        EXPECT_EQ(get_outcome(prefix + "on?q=1"), answered);
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
        EXPECT_EQ(outcome(fetch(request)), answered);
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
            letters += shown == answered                      ? 'a'
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

// ---------------------------------------------------------------------------
// Directives in the section itself

TEST_F(First, WhatASectionSaysOfItselfIsDoneLater)
{
    write("folder/x", "the file");
    const std::string https = "https://a.test/s";
    const std::string rewrite = "RewriteEngine on\nRewriteRule ^ ";
    const struct {
        const char* name;
        std::string directives;  // @ is the path of the section that they are in
        const char* on;
        const char* off;
    } cases[] = {
        // The fixups, where these answer, come between the claim and the handler.
        {"redirect", "Redirect permanent " + https, "301 /s", "301 /s"},
        {"redirect by a pattern", "RedirectMatch 307 . " + https, "307 /s", "307 /s"},
        {"rewrite to https", rewrite + https + " [R=308,L]", "308 /s", "308 /s"},
        {"forbidden", rewrite + "- [F]", "403 ", "403 "},
        {"gone", rewrite + "- [G]", "410 ", "410 "},
        // These only name another handler there, and HelloFirst is the first handler.
        {"rewrite to a proxy", rewrite + "http://127.0.0.1:${HTTPS_PORT}/b [P]", answered,
         "200 backend GET /b"},
        {"rewrite to another location", rewrite + "/other", answered, "200 other"},
        {"handler", rewrite + "- [H=default-handler]", answered, "404 "},
        // And these are done when the URI is translated.
        {"alias", "Alias ${ROOT}/folder", answered, "301 @/"},
        {"proxy", "ProxyPass http://127.0.0.1:${HTTPS_PORT}@ disablereuse=on", answered,
         "200 backend GET @"},
    };
    std::string configuration = backend();
    for (std::size_t number = 0; number < std::size(cases); ++number) {
        const std::string directives = cases[number].directives + '\n';
        const std::string other =
            location("/other", "SetHandler hello\nHelloMessage other\nRewriteEngine off");
        std::string own = other;
        std::string outer = location("/", replaced(directives, "@", "/")) + other;
        for (const char* const mode : {"On", "Off"}) {
            const std::string path = std::string("/") + mode;
            const std::string claimed = std::string(the_answer) + "HelloFirst " + mode + '\n';
            own += location(path, claimed + replaced(directives, "@", path));
            outer += location(path, claimed);
        }
        configuration += host("own." + numbered_host(number), own);
        configuration += host("outer." + numbered_host(number), outer);
    }
    start("DocumentRoot ${ROOT}/folder\n" + configuration);
    for (std::size_t number = 0; number < std::size(cases); ++number) {
        SCOPED_TRACE(cases[number].name);
        for (const char* const prefix : {"own.", "outer."}) {
            const std::string name = prefix + numbered_host(number);
            EXPECT_EQ(ask(name, "/On"), replaced(cases[number].on, "@", "/On")) << prefix;
            EXPECT_EQ(ask(name, "/Off"), replaced(cases[number].off, "@", "/Off")) << prefix;
        }
    }
}

// ---------------------------------------------------------------------------
// Which section decides

TEST_F(First, TheInnermostSectionDecidesAndOffIsTheDefault)
{
    const std::string claimed(the_answer);
    const std::string on = "HelloFirst On\n";
    const std::string off = "HelloFirst Off\n";
    const struct {
        const char* name;
        std::string sections;
        bool is_first;
    } cases[] = {
        {"no section", claimed, false},
        {"not set", location("/", claimed), false},
        {"off", location("/", claimed + off), false},
        {"on", location("/", claimed + on), true},
        {"another case", location("/", claimed + "hellofirst ON"), true},
        {"on after off", location("/", claimed + off + on), true},
        {"off after on", location("/", claimed + on + off), false},
        {"not set within on", location("/", claimed + on) + location("/x", "HelloType a/b"), true},
        {"off within on", location("/", claimed + on) + location("/x", off), false},
        {"on within off", location("/", claimed + off) + location("/x", on), true},
        {"on in a match", claimed + "<LocationMatch ^/x>\n" + on + "</LocationMatch>\n", true},
        {"on in a condition", claimed + "<If true>\n" + on + "</If>\n", true},
        {"off in a condition", location("/", claimed + on) + "<If true>\n" + off + "</If>\n",
         false},
        {"on in a condition of the section", location("/", claimed + "<If true>\n" + on + "</If>"),
         true},
        {"another handler", location("/", claimed + on) + location("/x", "SetHandler none"), false},
        {"a proxy as handler", location("/", claimed + on) + location("/x", "SetHandler proxy:x:"),
         true},
        {"off, and a proxy as handler",
         location("/", claimed + on) + location("/x", off + "SetHandler proxy:x:"), false},
        // The file that these sections are of is found when the others have had their say.
        {"a folder", "<Directory ${ROOT}>\n" + claimed + on + "</Directory>\n", false},
        {"a file", claimed + "<Files x>\n" + on + "</Files>\n", false},
    };
    std::string configuration;
    for (std::size_t number = 0; number < std::size(cases); ++number) {
        configuration += host(numbered_host(number),
                              "Redirect permanent / https://a.test/s/\n" + cases[number].sections);
    }
    start("DocumentRoot ${ROOT}\n" + configuration);
    for (std::size_t number = 0; number < std::size(cases); ++number) {
        EXPECT_EQ(ask(numbered_host(number), "/x"), cases[number].is_first ? answered : "301 /s/x")
            << cases[number].name;
    }
}

TEST_F(First, AConditionMaySelectIt)
{
    write("files/page", "the file");
    const std::string claimed = std::string(the_answer) + "HelloFirst On\n";
    const std::string by_header = "<If \"-n %{HTTP:X-Closed}\">\n" + claimed + "</If>\n";
    const std::string by_file = "<If \"! -f %{REQUEST_FILENAME}\">\n" + claimed + "</If>\n";
    const struct {
        const char* name;
        const char* directives;
        const char* otherwise;
    } cases[] = {
        {"nothing", "", "200 the file"},
        {"proxy", "ProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on",
         "200 backend GET /page"},
        {"proxy mapping=encoded",
         "ProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on mapping=encoded",
         "200 backend GET /page"},
        {"redirect", "Redirect permanent / https://a.test/s/", "301 /s/page"},
        // It would match no file's name.
        {"rewrite", "RewriteEngine on\nRewriteRule ^/(page|none)$ https://a.test/s/$1 [R=308]",
         "308 /s/page"},
    };
    std::string configuration = backend();
    for (std::size_t number = 0; number < std::size(cases); ++number) {
        const std::string directives = std::string(cases[number].directives) + '\n';
        configuration += host("header." + numbered_host(number), directives + by_header);
        configuration += host("file." + numbered_host(number), directives + by_file);
    }
    start("DocumentRoot ${ROOT}/files\n" + configuration);
    for (std::size_t number = 0; number < std::size(cases); ++number) {
        SCOPED_TRACE(cases[number].name);
        const std::string header = "header." + numbered_host(number);
        const std::string file = "file." + numbered_host(number);
        EXPECT_EQ(ask(header, "/page", {"X-Closed: yes"}), answered);
        EXPECT_EQ(ask(header, "/page"), cases[number].otherwise);
        EXPECT_EQ(ask(file, "/none"), answered);
        EXPECT_EQ(ask(file, "/n%6Fn%20e"), answered);
        EXPECT_EQ(ask(file, "/page"), cases[number].otherwise);
        EXPECT_EQ(ask(file, "/p%61ge"), cases[number].otherwise);
    }
}

TEST_F(First, IsRefusedWhereThereIsNoSectionAndWithAnotherWord)
{
    const std::string not_here = "HelloFirst not allowed here";
    const std::string expected =
        "HelloFirst: expected On, to claim the URI before other modules map it, or Off";
    const struct {
        std::string configuration;
        std::string said;
    } cases[] = {
        {"HelloFirst On", not_here},
        {"HelloFirst Off", not_here},
        {host("front.test", "HelloFirst On\n"), "HelloFirst not allowed in <VirtualHost> context"},
        {"<IfModule hello_module>\nHelloFirst On\n</IfModule>", not_here},
        {location("/", "HelloFirst Yes"), "HelloFirst: \"Yes\" is neither On nor Off"},
        {location("/", "HelloFirst \"\""), "HelloFirst: \"\" is neither On nor Off"},
        {location("/", "HelloFirst"), expected},
        {location("/", "HelloFirst On Off"), expected},
    };
    for (const auto& [configuration, said] : cases) {
        const Finished checked = check(configuration);
        EXPECT_NE(checked.status, 0) << configuration;
        EXPECT_NE(checked.err.find(said), std::string::npos) << configuration << checked.err;
        EXPECT_NE(checked.err.find("Syntax error on line "), std::string::npos) << checked.err;
    }
    EXPECT_EQ(check(location("/", "HelloFirst On")).status, 0);
}

TEST_F(First, HtaccessMayNotSetIt)
{
    write("files/all/.htaccess", "HelloFirst On\n");
    write("files/list/.htaccess", "HelloFirst On\n");
    expect_log("HelloFirst not allowed here");
    expect_log("HelloFirst cannot occur within htaccess files");
    start(R"(
        DocumentRoot ${ROOT}/files
        <Directory ${ROOT}/files/all>
            AllowOverride All
        </Directory>
        <Directory ${ROOT}/files/list>
            AllowOverride None
            AllowOverrideList HelloFirst
        </Directory>)");
    EXPECT_EQ(outcome(get("/all/x")), "500 ");
    EXPECT_EQ(outcome(get("/list/x")), "500 ");
}

// ---------------------------------------------------------------------------
// Other requests than a client's for the location

TEST_F(First, HoldsForSubrequestsAndErrorDocuments)
{
    write("files/on.shtml", "<!--#include virtual=\"/on\" -->");
    write("files/off.shtml", "<!--#include virtual=\"/off\" -->");
    expect_log("unable to include \"/off\"");
    const std::string locations =
        location("/on", std::string(the_answer) + "HelloFirst On") + location("/off", the_answer);
    start(R"(
        DocumentRoot ${ROOT}/files
        AddType text/html .shtml
        AddOutputFilter INCLUDES .shtml
        <Directory ${ROOT}/files>
            Options Includes
        </Directory>
        ErrorDocument 404 /on
        ErrorDocument 410 /off
        )" +
          backend() +
          host("redirect.test",
               "Redirect gone /gone\n"
               "RedirectMatch 308 ^/(on|off)$ https://a.test/s/$1\n" +
                   locations) +
          host("proxy.test", R"(
            Redirect gone /gone
            ProxyPassMatch ^/(on|off|missing)$ http://127.0.0.1:${HTTPS_PORT}/$1
            ProxyErrorOverride On
            )" + locations));
    EXPECT_EQ(ask("redirect.test", "/on.shtml"), "200 the answer");
    EXPECT_EQ(ask("redirect.test", "/off.shtml"),
              "200 [an error occurred while processing this directive]");
    EXPECT_EQ(ask("redirect.test", "/missing"), answered);
    EXPECT_EQ(ask("proxy.test", "/on.shtml"), "200 the answer");
    EXPECT_EQ(ask("proxy.test", "/off.shtml"), "200 backend GET /off");
    // The backend's 404
    EXPECT_EQ(ask("proxy.test", "/missing"), answered);
    EXPECT_EQ(ask("proxy.test", "/gone"), "410 backend GET /off");
}

TEST_F(First, ARewrittenUriIsTheOthersAsEver)
{
    const std::string rewrite = "RewriteEngine on\nRewriteRule ^/old/(.*)$ /$1 [PT]\n";
    const std::string locations =
        location("/on", std::string(the_answer) + "HelloFirst On") + location("/off", the_answer);
    start(host("plain.test", rewrite + locations) +
          host("redirect.test", rewrite + "Redirect permanent / https://a.test/s/\n" + locations));
    for (const char* const path : {"/old/on", "/old/off"}) {
        EXPECT_EQ(ask("plain.test", path), answered) << path;
    }
    // Whoever was asked first has let it pass: the client has asked for another URI.
    EXPECT_EQ(ask("redirect.test", "/old/on"), "301 /s/on");
    EXPECT_EQ(ask("redirect.test", "/old/off"), "301 /s/off");
    EXPECT_EQ(ask("redirect.test", "/on"), answered);
}

TEST_F(First, LeavesAForwardProxysRequestsAlone)
{
    const std::string claimed = std::string(the_answer) + "HelloFirst On\n";
    start("ProxyRequests On\n" + backend() +
          host("127.0.0.1", location("/", claimed) + "<If true>\n" + claimed + "</If>\n"));
    const auto sent = [&](const std::string& target) {
        return exchange(
            http_port(),
            "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    };
    const std::string elsewhere = "http://127.0.0.1:" + std::to_string(https_port());
    EXPECT_TRUE(sent(elsewhere + "/x").ends_with("\r\n\r\nbackend GET /x"));
    // The same form, but for this host
    EXPECT_TRUE(sent(http("/x")).ends_with("\r\n\r\nthe answer"));
    EXPECT_TRUE(sent("/x").ends_with("\r\n\r\nthe answer"));
}

// ---------------------------------------------------------------------------
// What is earlier

TEST_F(First, AMalformedRequestIsRefusedEarlier)
{
    expect_log("AH10244");  // invalid URI path
    start(location("/", std::string(the_answer) + "HelloFirst On"));
    const std::string rest = "Connection: close\r\n\r\n";
    for (const std::string& request :
         {"GET / HTTP/1.1\r\n" + rest, "GET /%zz HTTP/1.1\r\nHost: a\r\n" + rest,
          "GET /.. HTTP/1.1\r\nHost: a\r\n" + rest,
          "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + rest}) {
        EXPECT_TRUE(exchange(http_port(), request).starts_with("HTTP/1.1 400 ")) << request;
    }
    EXPECT_TRUE(
        exchange(http_port(), "GET / HTTP/1.1\r\nHost: a\r\n" + rest).starts_with("HTTP/1.1 222 "));
}

TEST_F(First, AnAuthoritysChallengeIsEarlier)
{
    // What mod_md would write there when it asks for a certificate
    write("md/challenges/front.test/acme-http-01.txt", "the proof");
    start(load({"md"}) +
          "MDRenewMode manual\nMDStoreDir md\nMDomain front.test\nMDPortMap https:-\n" +
          host("front.test", location("/", std::string(the_answer) + "HelloFirst On")));
    EXPECT_EQ(ask("front.test", "/.well-known/acme-challenge/token"), "200 the proof");
    EXPECT_EQ(ask("front.test", "/.well-known/else"), answered);
}

TEST_F(First, ACacheIsEarlier)
{
    namespace fs = std::filesystem;
    const Path cache = root() / "cache";
    fs::create_directory(cache);
    fs::permissions(cache, fs::perms::all);
    const auto front = [](const std::string& first) {
        return load({"cache", "cache_disk"}) + "CacheRoot ${ROOT}/cache\n" +
               host("127.0.0.1", R"(
                <Location "/">
                    SetHandler hello
                    HelloMessage backend
                    Header set Cache-Control max-age=3600
                </Location>
                )",
                    "${HTTPS_PORT}") +
               host("front.test",
                    "CacheEnable disk /\n"
                    "ProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on\n" +
                        location("/", the_answer + first));
    };
    start(front("HelloFirst Off"));
    EXPECT_EQ(ask("front.test", "/kept"), "200 backend");
    EXPECT_TRUE(eventually([&] {
        return std::any_of(fs::recursive_directory_iterator(cache), {},
                           [](const auto& entry) { return entry.path().extension() == ".data"; });
    }));
    reload(front("HelloFirst On"));
    EXPECT_EQ(ask("front.test", "/kept"), "200 backend");
    EXPECT_EQ(ask("front.test", "/other"), answered);
}

}  // namespace
}  // namespace hello
