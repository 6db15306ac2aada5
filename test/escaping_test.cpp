// How the values of expressions are escaped, by the type of the answer.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "message.h"

namespace hello {
namespace {

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

}  // namespace
}  // namespace hello
