// HelloFirst: a location that is claimed before the modules that redirect, proxy and map a
// URI, what these do where it is off, and what is earlier all the same.

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
            TraceEnable extended
            <Location "/">
                SetHandler hello
                HelloMethods any
                HelloType text/plain
                HelloMessage "backend %{REQUEST_METHOD} %{REQUEST_URI}"
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
                const std::string name = numbered_host(hosts.size());
                configuration += host(
                    name, std::string("AllowEncodedSlashes ") + slashes +
                              "\nProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on " +
                              mapping + '\n' + sections());
                hosts.emplace_back(name, std::string(mapping) + ' ' + slashes);
            }
        }
        start(configuration);
    }

    static std::string sections()
    {
        const std::string claimed = std::string(the_answer) + "HelloFirst On";
        std::string directives;
        for (const char* const path : {"/healthz", "/a b", "/\xC3\xA4", "/@me"}) {
            directives += location(path, claimed);
        }
        return directives;
    }

    /// A letter for the outcome in each of the hosts: a is the answer, b the backend's, f a
    /// file's, 0 to 9 the last figure of an error.
    std::string outcomes(const std::string& path)
    {
        std::string letters;
        for (const auto& [name, how] : hosts) {
            const std::string shown = ask(name, path);
            letters += shown == answered                      ? 'a'
                       : shown.starts_with("200 backend GET") ? 'b'
                       : shown == "200 the file"              ? 'f'
                                                              : shown[2];
        }
        return letters;
    }

    std::vector<std::pair<std::string, std::string>> hosts{};  // names, and what they do
};

}  // namespace
}  // namespace hello
