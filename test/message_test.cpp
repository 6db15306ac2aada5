// HelloMessage, HelloType and HelloStatus: which section wins, what expressions become,
// how values are escaped, and what is refused at start-up.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "httpd.h"

namespace hello {
namespace {

using Strings = std::vector<std::string>;

/// A location of its own for each case of a table.
std::string numbered_path(int number)
{
    std::string path = "/";
    return path += std::to_string(number);
}

class Message : public HttpdTest {
  protected:
    static constexpr const char* open_location = R"(
        <Location "/">
            SetHandler hello
            Require all granted
        </Location>
    )";
};

// ---------------------------------------------------------------------------
// Sections

struct Level {
    const char* name;
    const char* open;
    const char* close;
};

// From the outermost to the innermost, in the order in which httpd merges them.
const Level levels[] = {
    {"server", "", ""},
    {"virtual host", "<VirtualHost *:${HTTP_PORT}>\n", "</VirtualHost>\n"},
    {"directory", "<Directory \"${ROOT}/htdocs\">\n", "</Directory>\n"},
    {"files", "<Files page.html>\n", "</Files>\n"},
    {"location", "<Location /page.html>\n", "</Location>\n"},
    {"location match", "<LocationMatch ^/page>\n", "</LocationMatch>\n"},
    {"if", "<If \"true\">\n", "</If>\n"},
};

class Sections : public Message {
  protected:
    void SetUp() override
    {
        write("htdocs/page.html", "the file");
        write("body", "file");
        start(common);
    }

    // The handler is set for a file, so that sections of files count as well.
    static constexpr const char* common = R"(
        DocumentRoot "${ROOT}/htdocs"
        <Directory "${ROOT}/htdocs">
            Require all granted
            SetHandler hello
        </Directory>
    )";

    void use(const std::string& directives) { reload(common + directives); }

    static std::string in(const Level& level, const std::string& directives)
    {
        return level.open + directives + level.close;
    }

    void expect(long status, const char* type, const char* body)
    {
        const Response response = get("/page.html");
        EXPECT_EQ(response.status, status);
        EXPECT_EQ(response.header("content-type"), type);
        EXPECT_EQ(response.body, body);
    }
};

TEST_F(Sections, EachLevelTakesEachDirective)
{
    for (const Level& level : levels) {
        SCOPED_TRACE(level.name);
        use(in(level, "HelloMessage mine\nHelloType text/mine\nHelloStatus 222\n"));
        expect(222, "text/mine", "mine");
        use(in(level, "HelloFile body\n"));
        expect(200, "text/html; charset=utf-8", "file");
    }
}

TEST_F(Sections, TheInnerOneWinsDirectiveByDirective)
{
    for (const auto* outer = std::begin(levels); outer != std::end(levels); ++outer) {
        for (const auto* inner = outer + 1; inner != std::end(levels); ++inner) {
            SCOPED_TRACE(std::string(inner->name) + " in " + outer->name);
            const std::string around =
                in(*outer, "HelloMessage outer\nHelloType text/outer\nHelloStatus 222\n");
            use(in(*inner, "HelloMessage inner\n") + around);
            // Two sections of one kind are merged in the order of the file.
            const bool same_kind = outer->name == std::string("location") &&
                                   inner->name == std::string("location match");
            expect(222, "text/outer", same_kind ? "outer" : "inner");
            use(around + in(*inner, "HelloMessage inner\n"));
            expect(222, "text/outer", "inner");
            use(around + in(*inner, "HelloFile body\n"));
            expect(222, "text/outer", "file");
            use(around + in(*inner, "HelloType text/inner\nHelloStatus 404\n"));
            expect(404, "text/inner", "outer");
        }
    }
}

TEST_F(Sections, MessageAndFileDisplaceEachOther)
{
    write("more.conf", "HelloMessage included\n");
    const struct {
        const char* directives;
        const char* body;
    } cases[] = {
        {"HelloMessage message\nHelloFile body\n", "file"},
        {"HelloFile body\nHelloMessage message\n", "message"},
        {"HelloFile body\n<Location /page.html>\nHelloMessage message\n</Location>\n", "message"},
        {"HelloFile body\n<Location /page.html>\nInclude more.conf\n</Location>\n", "included"},
        {"Include more.conf\n", "included"},
    };
    for (const auto& [directives, body] : cases) {
        use(directives);
        EXPECT_EQ(get("/page.html").body, body) << directives;
    }
}

TEST_F(Sections, HtaccessMayNotSetThem)
{
    const struct {
        const char* allowance;
        const char* logged;
    } cases[] = {
        {"AllowOverride All", "HelloMessage not allowed here"},
        {"AllowOverride None\nAllowOverrideList HelloMessage",
         "HelloMessage cannot occur within htaccess files"},
    };
    write("htdocs/.htaccess", "HelloMessage mine\n");
    for (const auto& [allowance, logged] : cases) {
        expect_log(logged);
        use("<Directory \"${ROOT}/htdocs\">\n" + std::string(allowance) + "\n</Directory>\n");
        EXPECT_EQ(get("/page.html").status, 500) << allowance;
    }
}

// ---------------------------------------------------------------------------
// Expressions

TEST_F(Message, TextStandsAsItIsAndExpressionsAreReplaced)
{
    const struct {
        const char* message;
        const char* body;
    } cases[] = {
        {"plain", "plain"},
        {"", ""},
        {"%{REQUEST_METHOD}", "GET"},
        {"a%{REQUEST_METHOD}b%{QUERY_STRING}c", "aGETbqc"},
        {"100% { } %} $0 \\n \\ <&>", "100% { } %} $0 \\n \\ <&>"},
        {"\\%{REQUEST_METHOD}", "%{REQUEST_METHOD}"},
        {"\\%{%{QUERY_STRING}}", "%{q}"},
        {"%{toupper:it\\'s \\} here}!", "IT&#39;S } HERE!"},
        {"%{reqenv:NO_SUCH}", ""},
        {"%{HTTP:X-None}|%{base64:hello}", "|aGVsbG8="},
        {"%{escape:%{QUERY_STRING}}", "q"},
        {"<%{sha1:a%{toupper:b%{REQUEST_METHOD}c}}>", "<a75abd4ab985313a876d509f0f654ca5c4e66013>"},
        {"%{toupper:\\%{x\\}%{QUERY_STRING}}}", "%{X}Q}"},
    };
    std::string configuration = open_location;
    int number = 0;
    for (const auto& [message, body] : cases) {
        std::string quoted = message;
        for (auto at = quoted.find('\\'); at != std::string::npos; at = quoted.find('\\', at + 2)) {
            // httpd's own quoting takes one backslash of two, and leaves any other.
            if (quoted[at + 1] == '\\') {
                quoted.insert(at, "\\");
            }
        }
        configuration += "<Location /" + std::to_string(number++) + ">\nHelloMessage \"" + quoted +
                         "\"\n</Location>\n";
    }
    start(configuration);
    number = 0;
    for (const auto& [message, body] : cases) {
        EXPECT_EQ(get(numbered_path(number++) + "?q").body, body) << message;
    }
}

TEST_F(Message, AnswerWithAnExpressionIsNotKept)
{
    start(std::string(open_location) + R"(
        HelloMessage "%{REQUEST_METHOD}, and more"
        <Location /set>
            Header set Cache-Control "max-age=1"
        </Location>
        <Location /always>
            Header always set Cache-Control "max-age=1"
        </Location>
        <Location /constant>
            HelloMessage constant
        </Location>)");
    const Response response =
        fetch({.url = http(), .headers = {"Range: bytes=0-1", "If-None-Match: *"}});
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "GET, and more");
    EXPECT_EQ(response.header("etag"), std::nullopt);
    EXPECT_EQ(response.header("last-modified"), std::nullopt);
    EXPECT_EQ(response.header("accept-ranges"), std::nullopt);
    EXPECT_EQ(response.header("cache-control"), "no-store");
    EXPECT_EQ(response.header("content-length"), "13");
    EXPECT_EQ(fetch({.url = http(), .headers = {"If-Match: \"a\""}}).status, 200);
    EXPECT_EQ(get("/set").header("cache-control"), "max-age=1");
    // A table of its own: what it says is sent too.
    EXPECT_EQ(members(get("/always").header("cache-control")), (Strings{"max-age=1", "no-store"}));
    const Response head = fetch({.url = http(), .method = "HEAD"});
    EXPECT_EQ(head.header("content-length"), "14");  // of "HEAD, and more"
    EXPECT_EQ(head.header("cache-control"), "no-store");

    const Response constant = get("/constant");
    EXPECT_EQ(constant.header("cache-control"), std::nullopt);
    EXPECT_TRUE(constant.header("etag").has_value());
}

TEST_F(Message, ConstantOneHasNoDateToCompareWith)
{
    start(open_location);
    for (const char* const header : {"If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",
                                     "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"}) {
        EXPECT_EQ(fetch({.url = http(), .headers = {header}}).status, 200) << header;
    }
}

TEST_F(Message, EtagDependsOnTheBytesAndTheType)
{
    start(std::string(open_location) + R"(
        <Location /a>
            HelloMessage one
        </Location>
        <Location /b>
            HelloMessage two
        </Location>
        <Location /c>
            HelloMessage one
            HelloType text/plain
        </Location>
        <Location /d>
            HelloMessage one
            HelloType "text/plain; charset=utf-8"
        </Location>
        <Location /e>
            HelloMessage one
            HelloType "text/html; charset=utf-8"
        </Location>
        <Location /f>
            HelloMessage two
            HelloType text/plain
        </Location>)");
    std::vector<std::string> tags;
    for (const char* const path : {"/a", "/b", "/c", "/d", "/f"}) {
        tags.push_back(get(path).header("etag").value_or(""));
        EXPECT_EQ(std::count(tags.begin(), tags.end(), tags.back()), 1) << path;
        EXPECT_TRUE(tags.back().starts_with('"') && tags.back().ends_with('"')) << tags.back();
        EXPECT_EQ(fetch({.url = http(path), .headers = {"If-None-Match: " + tags.back()}}).status,
                  304);
    }
    EXPECT_EQ(get("/e").header("etag"), tags.front());
}

TEST_F(Message, ExpressionThatFailsIsA500AndTheNextRequestIsAnswered)
{
    write("name", "Ada");
    expect_log(R"(GET / failed: .*/httpd\.conf:\d+: %\{file:.*/name\}: Cannot open)");
    expect_log("GET /(201|404|503) failed: ");
    expect_log("Evaluation of expression from .* failed");
    const std::string message =
        "HelloMessage \"Hello %{file:" + (root() / "name").string() + "} %{REQUEST_METHOD}!\"\n";
    std::string configuration = open_location + message;
    for (const char* const status : {"201", "404", "503"}) {
        configuration += std::string("<Location /") + status + ">\nHelloStatus " + status + '\n' +
                         message + "</Location>\n";
    }
    start(configuration);
    for (const auto& [path, status] :
         {std::pair{"/", 200}, {"/201", 201}, {"/404", 404}, {"/503", 503}}) {
        SCOPED_TRACE(path);
        EXPECT_EQ(get(path).status, status);
        EXPECT_EQ(get(path).body, "Hello Ada GET!");
        std::filesystem::rename(root() / "name", root() / "gone");
        const Response failed = get(path);
        EXPECT_EQ(failed.status, 500);
        EXPECT_EQ(failed.body.find("Hello"), std::string::npos) << failed;
        EXPECT_EQ(failed.body.find("name"), std::string::npos) << failed;
        std::filesystem::rename(root() / "gone", root() / "name");
        EXPECT_EQ(get(path).body, "Hello Ada GET!");
    }
}

// ---------------------------------------------------------------------------
// Escaping

/// A value as an expression brings it, and what it must become.
std::string html_of(const std::string& value)
{
    std::string escaped;
    for (const char c : value) {
        escaped += c == '&'                                                     ? "&amp;"
                   : c == '<'                                                   ? "&lt;"
                   : c == '>'                                                   ? "&gt;"
                   : c == '"'                                                   ? "&quot;"
                   : c == '\''                                                  ? "&#39;"
                   : (c >= 0 && c < ' ' && c != '\t' && c != '\n' && c != '\r') ? "&#xFFFD;"
                                                                                : std::string(1, c);
    }
    return escaped;
}

std::string percent_encoded(const std::string& value)
{
    std::ostringstream out;
    out << std::hex << std::uppercase;
    for (const char c : value) {
        out << '%' << (static_cast<unsigned char>(c) < 16 ? "0" : "")
            << static_cast<int>(static_cast<unsigned char>(c));
    }
    return out.str();
}

class Escaping : public Message {
  protected:
    static constexpr const char* by_type = R"(
        <LocationMatch "^/(?<type>[a-z]+)/(?<name>[^/]+)$">
            SetHandler hello
            Require all granted
            HelloMessage '<p title="%{reqenv:MATCH_NAME}" lang=\'%{reqenv:MATCH_NAME}\'>'
        </LocationMatch>
        <LocationMatch "^/json/">
            HelloType application/json
            HelloMessage '{"name": "%{reqenv:MATCH_NAME}"}'
        </LocationMatch>
        <LocationMatch "^/problem/">
            HelloType "Application/Problem+JSON; charset=utf-8"
            HelloMessage '{"name": "%{reqenv:MATCH_NAME}"}'
        </LocationMatch>
        <LocationMatch "^/script/">
            HelloType text/javascript
            HelloMessage '{"name": "%{reqenv:MATCH_NAME}"}'
        </LocationMatch>
        <LocationMatch "^/events/">
            HelloType text/event-stream
            HelloMessage "data: %{reqenv:MATCH_NAME}"
        </LocationMatch>
        <LocationMatch "^/csv/">
            HelloType "Text/CSV; header=absent"
            HelloMessage '1,"%{reqenv:MATCH_NAME}",2'
        </LocationMatch>
        <LocationMatch "^/text/">
            HelloType "Text/Plain ; charset=iso-8859-1"
            HelloMessage "<%{reqenv:MATCH_NAME}>"
        </LocationMatch>
        <LocationMatch "^/svg/">
            HelloType image/svg+xml
        </LocationMatch>)";

    void expect_json(const std::string& sent, const std::string& expected)
    {
        for (const char* const type : {"/json/", "/problem/", "/script/"}) {
            const Response response = get(type + percent_encoded(sent));
            ASSERT_EQ(response.status, 200) << percent_encoded(sent);
            const auto parsed = nlohmann::json::parse(response.body, nullptr, false);
            ASSERT_FALSE(parsed.is_discarded()) << response.body;
            EXPECT_EQ(parsed.size(), 1U);
            EXPECT_EQ(parsed["name"].get<std::string>(), expected) << percent_encoded(sent);
            // It is safe between quotes of any kind and in <script>.
            const std::string value = response.body.substr(10, response.body.size() - 12);
            EXPECT_TRUE(std::all_of(value.begin(), value.end(), [](char c) {
                return c >= ' ' && c <= '~';
            })) << value;
            EXPECT_EQ(value.find_first_of("\"'`$<>&"), std::string::npos) << value;
        }
    }
};

TEST_F(Escaping, HoldsForEveryByte)
{
    start(by_type);
    for (int byte = 1; byte < 256; ++byte) {
        if (byte == '/') {
            continue;
        }
        const char c = static_cast<char>(byte);
        const std::string value = std::string("a") + c + "z";
        const std::string path = percent_encoded(value);
        const std::string html = html_of(value);
        const std::string tag = "<p title=\"" + html + "\" lang='" + html + "'>";
        EXPECT_EQ(get("/html/" + path).body, tag) << byte;
        EXPECT_EQ(get("/svg/" + path).body, tag) << byte;
        EXPECT_EQ(get("/text/" + path).body, "<" + value + ">") << byte;
        const bool is_control = (byte < 0x20 || byte == 0x7F);
        EXPECT_EQ(get("/events/" + path).body, "data: " + (is_control ? "a z" : value)) << byte;
        EXPECT_EQ(get("/csv/" + path).body, "1,\"" +
                                                (is_control    ? "a z"
                                                 : byte == '"' ? "a\"\"z"
                                                               : value) +
                                                "\",2")
            << byte;
        expect_json(value, byte < 0x80 ? value : "a\xEF\xBF\xBDz");
    }
}

TEST_F(Escaping, JsonIsUtf8WhateverComesIn)
{
    const std::string bad = "\xEF\xBF\xBD";  // U+FFFD
    const struct {
        const char* what;
        std::string sent;
        std::string expected;
    } cases[] = {
        {"two bytes", "\xC3\xA4", "\xC3\xA4"},
        {"three bytes", "\xE2\x82\xAC", "\xE2\x82\xAC"},
        {"four bytes", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
        {"the last one", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBF"},
        {"line separators", "\xE2\x80\xA8\xE2\x80\xA9", "\xE2\x80\xA8\xE2\x80\xA9"},
        {"over-long in two", "\xC0\xAF", bad + bad},
        {"over-long quote", "\xC0\xA2", bad + bad},
        {"over-long in three", "\xE0\x80\xAF", bad + bad + bad},
        {"over-long in four", "\xF0\x80\x80\xAF", bad + bad + bad + bad},
        {"surrogate", "\xED\xA0\x80", bad + bad + bad},
        {"past the last", "\xF4\x90\x80\x80", bad + bad + bad + bad},
        {"five bytes", "\xF8\x88\x80\x80\x80", bad + bad + bad + bad + bad},
        {"cut in two of three", "\xE2\x82", bad},
        {"cut in three of four", "\xF0\x9F\x98", bad},
        {"cut by a quote", "\xE2\x82\"", bad + "\""},
        {"cut by a good one", "\xF0\x9F\xC3\xA4", bad + "\xC3\xA4"},
        {"a continuation alone", "\x80", bad},
        {"hostile text", "\"},\n{\"admin\": \"\\\"\t", "\"},\n{\"admin\": \"\\\"\t"},
    };
    start(by_type);
    for (const auto& [what, sent, expected] : cases) {
        SCOPED_TRACE(what);
        expect_json(sent, expected);
        expect_json("x" + sent + "y", "x" + expected + "y");
    }
}

TEST_F(Escaping, HasAGroupForEachType)
{
    const std::string html = "a&lt;&quot;\n";
    const std::string script = R"(a\u003c\u0022\u000a)";
    const std::string line = "a<\" ";
    const struct {
        const char* type;
        std::string expected;
    } cases[] = {
        {"text/html", html},
        {"application/xhtml+xml", html},
        {"image/svg+xml", html},
        {"text/css", html},
        {"text/markdown", html},
        {"application/octet-stream", html},
        {"text/plain", "a<\"\n"},
        // https://mimesniff.spec.whatwg.org/#javascript-mime-type
        {"application/ecmascript", script},
        {"application/javascript", script},
        {"application/x-ecmascript", script},
        {"application/x-javascript", script},
        {"text/ecmascript", script},
        {"text/javascript", script},
        {"text/javascript1.0", script},
        {"text/javascript1.1", script},
        {"text/javascript1.2", script},
        {"text/javascript1.3", script},
        {"text/javascript1.4", script},
        {"text/javascript1.5", script},
        {"text/jscript", script},
        {"text/livescript", script},
        {"text/x-ecmascript", script},
        {"text/x-javascript", script},
        {"TEXT/JScript;charset=UTF-8", script},
        {"application/json", script},
        {"application/json5", script},
        {"application/jsonl", script},
        {"application/x-ndjson", script},
        {"application/json-seq", script},
        {"application/geo+json-seq", script},
        {R"(application/ld+json; charset=\"utf-8\")", script},
        {"application/importmap+json", script},
        {"text/json", script},
        {"text/event-stream", line},
        {"text/tab-separated-values", line},
        {"text/uri-list", line},
        {"text/calendar", line},
        {"text/vcard; version=4.0", line},
        {"text/vtt", line},
        {"text/csv", "a<\"\" "},
        {"application/csv", "a<\"\" "},
        {"text/comma-separated-values", "a<\"\" "},
    };
    std::string configuration = open_location;
    int number = 0;
    for (const auto& [type, expected] : cases) {
        configuration += "<Location " + numbered_path(number++) + ">\nHelloType \"" + type +
                         "\"\nHelloMessage \"%{unescape:%{QUERY_STRING}}\"\n</Location>\n";
    }
    start(configuration);
    number = 0;
    for (const auto& [type, expected] : cases) {
        EXPECT_EQ(get(numbered_path(number++) + "?a%3c%22%0a").body, expected) << type;
    }
}

TEST_F(Escaping, HoldsForEachPlaceThatAClientCanFill)
{
    const std::string hostile = R"(<i a='b' c="d">&)";
    const std::string hash = run({.argv = {"openssl", "passwd", "-apr1", "secret"}}).out;
    write("passwords", hostile + ":" + hash);
    const std::string pair = tls();
    ASSERT_EQ(run({.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                            "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + hostile,
                            "-keyout", root() / "client.key", "-out", root() / "client.crt"}})
                  .status,
              0);
    start(R"(
        <VirtualHost *:${HTTPS_PORT}>
            )" +
          pair +
          R"(
            SSLVerifyClient optional
            SSLCACertificateFile client.crt
            <LocationMatch "^/(?<type>[a-z]+)/(?<name>.*)$">
                SetHandler hello
                Require all granted
            </LocationMatch>
            HelloMessage "%{reqenv:MATCH_NAME}"
            <Location /path>
                HelloMessage "%{REQUEST_URI}"
            </Location>
            <Location /query>
                HelloMessage "%{QUERY_STRING}"
            </Location>
            <Location /header>
                HelloMessage "%{HTTP:X-Name}"
            </Location>
            <Location /agent>
                HelloMessage "%{HTTP_USER_AGENT}"
            </Location>
            <Location /user>
                AuthType Basic
                AuthName private
                AuthUserFile passwords
                Require valid-user
                HelloMessage "%{REMOTE_USER}"
            </Location>
            <Location /certificate>
                HelloMessage "%{SSL_CLIENT_S_DN_CN}"
            </Location>
            <Location /request>
                HelloMessage "%{THE_REQUEST}"
            </Location>
        </VirtualHost>)");
    const auto ask = [&](const std::string& path) {
        return fetch({.url = https(path),
                      .headers = {"X-Name: " + hostile, "User-Agent: " + hostile},
                      .user = hostile + ":secret",
                      .ca = root() / "server.crt",
                      .certificate = root() / "client.crt",
                      .key = root() / "client.key"})
            .body;
    };
    const std::string safe = html_of(hostile);
    EXPECT_EQ(ask("/group/" + percent_encoded(hostile)), safe);
    EXPECT_EQ(ask("/path/" + percent_encoded(hostile)), "/path/" + safe);
    EXPECT_EQ(ask("/query/?<'>&"), "&lt;&#39;&gt;&amp;");
    EXPECT_EQ(ask("/header/"), safe);
    EXPECT_EQ(ask("/agent/"), safe);
    EXPECT_EQ(ask("/user/"), safe);
    EXPECT_EQ(ask("/certificate/"), safe);
    EXPECT_EQ(ask("/request/?'"), "GET /request/?&#39; HTTP/1.1");
}

// ---------------------------------------------------------------------------
// Types and status

TEST_F(Message, EachStatusThatMayHaveABodyIsSent)
{
    const int codes[] = {200, 201, 203, 226, 299, 400, 401, 404, 405,
                         418, 429, 450, 500, 501, 503, 511, 599};
    std::string configuration = std::string(open_location) +
                                "HelloMessage \"my own body\"\n"
                                "ErrorDocument 404 \"not mine\"\n"
                                "ErrorDocument 503 /404\n";
    for (const int code : codes) {
        const std::string number = std::to_string(code);
        configuration.append("<Location /").append(number).append(">\nHelloStatus ");
        configuration.append(number).append("\nHeader always set Retry-After 120\n</Location>\n");
    }
    start(configuration);
    for (const int code : codes) {
        const std::string path = numbered_path(code);
        const Response response = get(path);
        EXPECT_EQ(response.status, code);
        EXPECT_EQ(response.body, "my own body") << code;
        EXPECT_EQ(response.header("retry-after"), "120") << code;
        EXPECT_TRUE(eventually([&] {
            return access_log().find("GET " + path + " " + std::to_string(code)) !=
                   std::string::npos;
        })) << access_log();
        if (code != 200) {
            // Neither conditions nor ranges apply.
            const Response asked =
                fetch({.url = http(path), .headers = {"If-None-Match: *", "Range: bytes=0-1"}});
            EXPECT_EQ(asked.status, code);
            EXPECT_EQ(asked.body, "my own body");
        }
    }
}

TEST_F(Message, AnErrorIsOneForEveryMethod)
{
    start(std::string(open_location) +
          "HelloStatus 503\nHelloMessage sorry\n"
          "<Location /fine>\nHelloStatus 201\n</Location>\n");
    for (const char* const method : {"GET", "POST", "PUT", "DELETE", "OPTIONS", "BREW"}) {
        const Response response = fetch({.url = http(), .method = method, .body = "x"});
        EXPECT_EQ(response.status, 503) << method;
        EXPECT_EQ(response.body, "sorry") << method;
    }
    EXPECT_EQ(fetch({.url = http("/fine"), .method = "POST"}).status, 405);
    const std::string asked = exchange(http_port(),
                                       "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                                       "Expect: 100-continue\r\n\r\n");
    EXPECT_TRUE(asked.starts_with("HTTP/1.1 503 ")) << asked;
}

TEST_F(Message, WhatIsWrongStopsHttpdAndIsExplained)
{
    write("folder/file", "");
    write("empty-body", "");
    write("large", std::string(1024 * 1024 + 1, 'x'));
    write("malformed", "one\ntwo %{NO_SUCH_VARIABLE}\n");
    write("unclosed", "one\ntwo\n%{REMOTE_ADDR\n");
    write("broken", "%{req:a\\\nb}\n%{req:c\\\n}%{NO_SUCH_VARIABLE}");
    write("reading", "one\n%{file:/etc/passwd}\n");
    write("nested", "%{base64:%{filesize:/etc/passwd}}");
    const struct {
        const char* directive;
        Strings explained;  // in the message, besides the name and the line
    } cases[] = {
        {"HelloMessage \"%{NO_SUCH}\"", {"%{NO_SUCH}", "does not exist", "expected"}},
        {"HelloMessage \"a %{nosuch:arg} b\"", {"%{nosuch:arg}", "does not exist"}},
        {"HelloMessage \"a %{REMOTE_ADDR\"", {"%{REMOTE_ADDR", "no closing brace", "\\%{"}},
        {"HelloMessage \"%{}\"", {"%{}", "expected"}},
        {"HelloMessage \"%{req:%{nosuch:x}}\"", {"\"%{req:%{nosuch:x}}\"", "does not exist"}},
        {"HelloMessage \"a %{toupper:%{REMOTE_ADDR}\"", {"%{toupper:%{REMOTE_ADDR}", "no closing"}},
        {"HelloMessage \"%{%{REMOTE_ADDR}}\"", {"\"%{%{REMOTE_ADDR}}\"", "expected"}},
        {"HelloMessage \"%{toupper:%{tolower:it's}}\"", {"quote", "backslash"}},
        {"HelloMessage \"%{tolower:it's}\"", {"%{tolower:it's}", "quote", "backslash"}},
        {"HelloMessage one two", {"\"two\"", "expected verbatim"}},
        {"HelloMessage verbatim one", {"\"one\"", "expected verbatim"}},
        {"HelloMessage one verbatim two", {"expected the body"}},
        {"HelloMessage", {"expected the body"}},
        {"HelloType \"\"", {"\"\"", "expected type/subtype"}},
        {"HelloType html", {"\"html\"", "expected type/subtype"}},
        {"HelloType \"text/html; charset\"", {"expected type/subtype"}},
        {"HelloType \"text/html\r\"", {"expected type/subtype"}},
        {"HelloType \"text/ht ml\"", {"expected type/subtype"}},
        {"HelloType \"text/javascript; charset=shift_jis\"",
         {"shift_jis", "expected charset=utf-8"}},
        {R"(HelloType "text/jscript; Charset=\"UTF-16\"")", {"expected charset=utf-8"}},
        {"HelloType \"application/json; a=b; charset=utf-8; charset=latin1\"",
         {"expected charset=utf-8"}},
        {"HelloStatus 205", {"\"205\"", "expected 200 to 299"}},
        {"HelloStatus 206", {"\"206\""}},
        {"HelloStatus 199", {"\"199\""}},
        {"HelloStatus 302", {"\"302\""}},
        {"HelloStatus 600", {"\"600\""}},
        {"HelloStatus 99999999999", {"\"99999999999\""}},
        {"HelloStatus 503x", {"\"503x\""}},
        {"HelloStatus \"\"", {"\"\""}},
        {"HelloFile no-such-file", {"/no-such-file", "No such file", "expected a file"}},
        {"HelloFile folder", {"/folder", "not a regular file", "expected"}},
        {"HelloFile /dev/zero", {"/dev/zero", "not a regular file"}},
        {"HelloFile empty-body", {"/empty-body", "is empty", "expected"}},
        {"HelloFile large", {"/large", "1048577", "expected 1 MiB"}},
        {"HelloFile malformed", {"/malformed:2:", "%{NO_SUCH_VARIABLE}", "does not exist"}},
        {"HelloFile unclosed", {"/unclosed:3:", "no closing brace"}},
        {"HelloFile broken", {"/broken:4:", "%{NO_SUCH_VARIABLE}"}},
        {"HelloFile reading", {"/reading:2:", "%{file:/etc/passwd}", "none that reads a file"}},
        {"HelloFile nested", {"/nested:1:", "%{base64:%{filesize:/etc/passwd}}", "restricted"}},
        {"HelloFile \"\"", {"\"\"", "expected a file"}},
    };
    for (const auto& [directive, explained] : cases) {
        const Finished checked = check(std::string(open_location) + "\n" + directive + "\n");
        const std::string configuration = read_file(root() / "httpd.conf");
        const auto line = std::count(configuration.begin(), configuration.end(), '\n');
        EXPECT_NE(checked.status, 0) << directive;
        const std::string name = std::string(directive).substr(0, std::string(directive).find(' '));
        for (const std::string& part : explained) {
            EXPECT_NE(checked.err.find(part), std::string::npos) << directive << '\n'
                                                                 << checked.err;
        }
        EXPECT_NE(checked.err.find(name), std::string::npos) << checked.err;
        EXPECT_NE(checked.err.find("line " + std::to_string(line) + " of " +
                                   (root() / "httpd.conf").string()),
                  std::string::npos)
            << checked.err;
    }
}

TEST_F(Message, AFileMayHaveOneMebibyte)
{
    write("body", std::string(1'048'576, 'x'));
    start(std::string(open_location) + "HelloFile body\n");
    EXPECT_EQ(get("/").body.size(), 1'048'576U);
}

/// A line of /proc/PID/status, in kilobytes.
std::size_t kilobytes(pid_t process, const std::string& name)
{
    const std::string status = read_file("/proc/" + std::to_string(process) + "/status");
    return std::stoul(status.substr(status.find(name + ":") + name.size() + 1));
}

// What is sent once is used many times, and longer once it is escaped.
TEST_F(Message, AnAnswerHasSixteenMebibytesAtMost)
{
    const struct {
        const char* type;
        char sent;
        int uses;
        std::size_t length;  // of the answer; 0 where it is refused
    } cases[] = {
        {"text/plain", 'x', 16, 16'000'000},        {"text/plain", 'x', 17, 0},
        {"text/html", '<', 4, 16'000'000},          {"text/html", '<', 20, 0},
        {"application/json", '<', 2, 12'000'000},   {"application/json", '<', 20, 0},
        {"text/csv", '"', 8, 16'000'000},           {"text/csv", '"', 9, 0},
        {"text/event-stream", 'x', 16, 16'000'000}, {"text/event-stream", 'x', 20, 0},
    };
    std::string locations;
    int number = 0;
    for (const auto& [type, sent, uses, length] : cases) {
        std::string message;
        for (int i = 0; i < uses; ++i) {
            message += "%{HTTP:Long}";
        }
        locations += "<Location \"" + numbered_path(number++) + "\">\nHelloType " + type +
                     "\nHelloMessage \"" + message + "\"\n</Location>\n";
    }
    use_mpm("prefork");  // and one child, whose memory is looked at
    start(std::string("StartServers 1\nMaxRequestWorkers 1\nLimitRequestFieldSize 1048576\n") +
          "ErrorDocument 500 /1\n" + open_location + locations);
    expect_log("GET /1 failed: the answer grows beyond 16 MiB; expected fewer or shorter values");
    tolerate_log("failed: the answer grows beyond 16 MiB");
    tolerate_log("AH00161");  // all children are busy: the one
    ASSERT_EQ(get("/0").status, 200);
    const std::vector<pid_t> children = children_of(httpd().pid());
    ASSERT_EQ(children.size(), 1U);
    const std::size_t before = kilobytes(children[0], "VmRSS");
    number = 0;
    for (const auto& [type, sent, uses, length] : cases) {
        SCOPED_TRACE(std::string(type) + ", " + std::to_string(uses) + " uses");
        const Response response = fetch({.url = http(numbered_path(number++)),
                                         .headers = {"Long: " + std::string(1'000'000, sent)}});
        EXPECT_EQ(response.status, length != 0 ? 200 : 500);
        if (length != 0) {
            EXPECT_EQ(response.body.size(), length);
        }
    }
    EXPECT_EQ(children_of(httpd().pid()), children);
    if (std::string_view(HELLO_PRELOAD).empty()) {  // a sanitizer keeps what is freed
        EXPECT_LT(kilobytes(children[0], "VmHWM") - before, 80U << 10U);
    }
}

}  // namespace
}  // namespace hello
