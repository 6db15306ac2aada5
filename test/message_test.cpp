// HelloMessage, HelloType and HelloStatus: what expressions become, what is sent with them, and
// what is refused at start-up.

#include <algorithm>

#include "message.h"

namespace hello {
namespace {

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
        Strings all = explained;
        const std::string line = directive;
        all.push_back(line.substr(0, line.find(' ')));
        expect_refusal(open_location + line + "\n", line, all);
    }
}

TEST_F(Message, AFileMayHaveOneMebibyte)
{
    write("body", std::string(1'048'576, 'x'));
    start(std::string(open_location) + "HelloFile body\n");
    EXPECT_EQ(get("/").body.size(), 1'048'576U);
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
