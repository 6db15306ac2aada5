// What the handler answers: methods, headers, conditions, ranges and bodies, over
// HTTP/1.1, HTTPS and HTTP/2, on each MPM.

#include <algorithm>
#include <atomic>
#include <thread>

#include "httpd.h"

namespace hello {
namespace {

const Strings allowed{"GET", "HEAD", "OPTIONS"};
// A 405 names TRACE too, where httpd answers it.
const Strings allowed_and_trace{"GET", "HEAD", "OPTIONS", "TRACE"};

struct Way {
    const char* mpm;
    const char* protocol;  // http, https or h2
};

std::ostream& operator<<(std::ostream& out, const Way& way)
{
    return out << way.mpm << ' ' << way.protocol;
}

// mod_http2 does not work with prefork, and says so.
constexpr Way ways[] = {
    {"event", "http"},   {"event", "https"}, {"event", "h2"},     {"worker", "http"},
    {"worker", "https"}, {"worker", "h2"},   {"prefork", "http"}, {"prefork", "https"},
};

class Contract : public HttpdTest, public testing::WithParamInterface<Way> {
  protected:
    void SetUp() override
    {
        use_mpm(GetParam().mpm);
        start(open_location + ("<VirtualHost *:${HTTPS_PORT}>\n" + tls()) +
              (is("h2") ? "Protocols h2 http/1.1" : "") + R"(
            </VirtualHost>)");
    }

    bool is(std::string_view protocol) const { return GetParam().protocol == protocol; }

    Response ask(const std::string& method, const Strings& headers = {}, const char* path = "/",
                 const std::optional<std::string>& body = {}) const
    {
        return fetch({.url = is("http") ? http(path) : https(path),
                      .method = method,
                      .headers = headers,
                      .body = body,
                      .ca = root() / "server.crt",
                      .http2 = is("h2")});
    }

    std::string etag() const { return ask("GET").header("etag").value_or(""); }
};

INSTANTIATE_TEST_SUITE_P(, Contract, testing::ValuesIn(ways), [](const auto& way) {
    return std::string(way.param.mpm) + "_" + way.param.protocol;
});

TEST_P(Contract, GetAnswersTheGreeting)
{
    for (const char* const path : {"/", "/?q=1", "/any/where"}) {
        const Response response = ask("GET", {}, path);
        EXPECT_EQ(response.error, "");
        EXPECT_EQ(response.status, 200) << path;
        EXPECT_EQ(response.body, "Hello World!");
        EXPECT_EQ(response.header("content-type"), "text/html; charset=utf-8");
        EXPECT_EQ(response.header("content-length"), "12");
        EXPECT_EQ(response.header("x-content-type-options"), "nosniff");
        EXPECT_EQ(response.header("accept-ranges"), "bytes");
        for (const char* const absent :
             {"transfer-encoding", "content-encoding", "content-language", "last-modified"}) {
            EXPECT_EQ(response.header(absent), std::nullopt) << absent;
        }
    }
}

TEST_P(Contract, HeadHasTheHeadersOfGet)
{
    Response get = ask("GET");
    Response head = ask("HEAD");
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.body, "");
    const auto forget_date = [](Response& response) {
        std::erase_if(response.headers, [](const auto& header) { return header.first == "date"; });
        std::sort(response.headers.begin(), response.headers.end());
    };
    forget_date(get);
    forget_date(head);
    EXPECT_GE(get.headers.size(), 5U);
    EXPECT_EQ(head.headers, get.headers);
}

TEST_P(Contract, OptionsListsTheMethods)
{
    const Response response = ask("OPTIONS");
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "");
    EXPECT_EQ(response.header("content-length"), "0");
    EXPECT_EQ(members(response.header("allow")), allowed);
}

TEST_P(Contract, EveryOtherMethodIsRefusedWithTheMethodsThatAreNot)
{
    for (const char* const method :
         {"POST", "PUT", "DELETE", "PATCH", "PROPFIND", "MKCOL", "LOCK", "BREW", "get"}) {
        const Response response = ask(method);
        EXPECT_EQ(response.status, 405) << method;
        EXPECT_EQ(members(response.header("allow")), allowed_and_trace) << method << response;
        EXPECT_EQ(response.body.find("Hello World!"), std::string::npos);
    }
    const Response posted = ask("POST", {}, "/", std::string(100'000, 'x'));
    EXPECT_EQ(posted.status, 405) << posted;
    EXPECT_EQ(members(posted.header("allow")), allowed_and_trace);
}

TEST_P(Contract, EtagIsStrongAndTheSameForTheSameBytes)
{
    EXPECT_TRUE(matches(etag(), R"("[!#-~]+")")) << etag();
    EXPECT_EQ(ask("GET", {}, "/elsewhere").header("etag"), etag());
}

TEST_P(Contract, ConditionsAreThoseOfAFile)
{
    const std::string tag = etag();
    const struct {
        const char* what;
        Strings headers;
        long status;
    } cases[] = {
        {"the same tag", {"If-None-Match: " + tag}, 304},
        {"weak comparison", {"If-None-Match: W/" + tag}, 304},
        {"a list", {"If-None-Match: \"a\", " + tag}, 304},
        {"any tag", {"If-None-Match: *"}, 304},
        {"another tag", {"If-None-Match: \"a\""}, 200},
        {"must match, and does", {"If-Match: " + tag}, 200},
        {"must match any", {"If-Match: *"}, 200},
        {"must match another", {"If-Match: \"a\""}, 412},
        {"strong comparison", {"If-Match: W/" + tag}, 412},
    };
    for (const auto& [what, headers, status] : cases) {
        for (const char* const method : {"GET", "HEAD"}) {
            const Response response = ask(method, headers);
            EXPECT_EQ(response.status, status) << method << ": " << what;
            EXPECT_EQ(response.body,
                      status == 200 && method == std::string("GET") ? "Hello World!" : "");
            EXPECT_EQ(response.header("etag"), tag) << what;
        }
    }
}

TEST_P(Contract, RangesAreThoseOfAFile)
{
    const std::string tag = etag();
    const struct {
        Strings headers;
        long status;
        const char* body;
        const char* content_range;
    } cases[] = {
        {{"Range: bytes=0-4"}, 206, "Hello", "bytes 0-4/12"},
        {{"Range: bytes=6-"}, 206, "World!", "bytes 6-11/12"},
        {{"Range: bytes=-1"}, 206, "!", "bytes 11-11/12"},
        {{"Range: bytes=0-4", "If-Range: " + tag}, 206, "Hello", "bytes 0-4/12"},
        {{"Range: bytes=0-4", "If-Range: \"a\""}, 200, "Hello World!", nullptr},
        {{"Range: lines=1-2"}, 200, "Hello World!", nullptr},
    };
    for (const auto& [headers, status, body, content_range] : cases) {
        const Response response = ask("GET", headers);
        EXPECT_EQ(response.status, status) << headers.front();
        EXPECT_EQ(response.body, body);
        EXPECT_EQ(response.header("content-range").value_or(""),
                  content_range == nullptr ? "" : content_range);
    }
    const Response several = ask("GET", {"Range: bytes=0-0,11-11"});
    EXPECT_EQ(several.status, 206);
    EXPECT_TRUE(several.header("content-type").value_or("").starts_with("multipart/byteranges"));
    EXPECT_EQ(ask("GET", {"Range: bytes=12-"}).status, 416);
}

TEST_P(Contract, ABodyIsReadAndDropped)
{
    for (const std::string& body : {std::string("x"), std::string(300'000, 'x')}) {
        for (const Strings& headers : {Strings{}, Strings{"Transfer-Encoding: chunked"}}) {
            if (is("h2") && !headers.empty()) {
                continue;  // RFC 9113, section 8.2.2: HTTP/2 has no such header
            }
            const Response response = ask("GET", headers, "/", body);
            EXPECT_EQ(response.body, "Hello World!") << response;
        }
    }
}

// ---------------------------------------------------------------------------
// What only bytes can show

class Connection : public HttpdTest {
  protected:
    void SetUp() override { start(open_location); }
};

TEST_F(Connection, AnswersTheNextRequestAfterABody)
{
    const std::string last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    for (const char* const method : {"GET", "HEAD", "OPTIONS", "POST", "BREW"}) {
        const std::string head = std::string(method) + " / HTTP/1.1\r\nHost: a\r\n";
        for (const char* const body :
             {"Content-Length: 5\r\n\r\nHello",
              "Transfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n\r\n"}) {
            const std::string received = exchange(http_port(), head + body + last);
            EXPECT_EQ(count(received, "HTTP/1.1 "), 2U) << method << '\n' << received;
            EXPECT_TRUE(received.ends_with("\r\n\r\nHello World!")) << received;
        }
    }
}

TEST_F(Connection, RefusesABrokenBody)
{
    const std::string received = exchange(
        http_port(), "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
    EXPECT_TRUE(received.starts_with("HTTP/1.1 400 ")) << received;
    EXPECT_EQ(count(received, "Hello World!"), 0U);
}

TEST_F(Connection, SaysNoBeforeTheBodyIsSentToWhoAsksFirst)
{
    const std::string received = exchange(http_port(),
                                          "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                                          "Expect: 100-continue\r\n\r\n");
    EXPECT_TRUE(received.starts_with("HTTP/1.1 405 ")) << received;
}

TEST_F(Connection, HeedsTheLimitOfABody)
{
    reload(R"(
        <Location "/">
            SetHandler hello
            Require all granted
            LimitRequestBody 4
        </Location>)");
    for (const char* const body : {"Content-Length: 5\r\n\r\nHello",
                                   "Transfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n\r\n"}) {
        const std::string received =
            exchange(http_port(), std::string("GET / HTTP/1.1\r\nHost: a\r\n") + body);
        EXPECT_TRUE(received.starts_with("HTTP/1.1 413 ")) << received;
    }
}

TEST_F(Connection, ABodyThatDoesNotComeHoldsNoStreamForLong)
{
    reload(R"(
        Protocols h2c
        KeepAliveTimeout 1
        <Location "/">
            SetHandler hello
            Require all granted
        </Location>)");
    using namespace std::string_literals;
    const auto start_time = std::chrono::steady_clock::now();
    // RFC 9113: the preface, SETTINGS, and the HEADERS of a stream that the client leaves open.
    const std::string received =
        exchange(http_port(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"s + "\0\0\0\x04\0\0\0\0\0"s +
                                  "\0\0\x06\x01\x04\0\0\0\x01\x82\x86\x84\x01\x01"
                                  "a"s);
    EXPECT_EQ(count(received, "Hello World!"), 1U) << received;
    EXPECT_LT(std::chrono::steady_clock::now() - start_time, patience / 2);
}

TEST_F(Connection, SpeaksOlderHttp)
{
    const std::string received = exchange(http_port(), "GET / HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(received.starts_with("HTTP/1.1 200 OK\r\n")) << received;
    EXPECT_TRUE(received.ends_with("\r\n\r\nHello World!")) << received;
}

TEST_F(Connection, LeavesOptionsForTheWholeServerToHttpd)
{
    const std::string received =
        exchange(http_port(), "OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(received.starts_with("HTTP/1.1 200 OK\r\n")) << received;
    EXPECT_EQ(count(received, "Allow:"), 0U) << received;
}

TEST_F(Connection, LeavesWhatIsNoPathToHttpd)
{
    reload("SetHandler hello\n");
    const std::string end = " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    EXPECT_TRUE(exchange(http_port(), "GET /" + end).starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE(exchange(http_port(), "GET *" + end).starts_with("HTTP/1.1 400 "));
    EXPECT_TRUE(exchange(http_port(), "OPTIONS *" + end).starts_with("HTTP/1.1 200 "));
    EXPECT_TRUE(exchange(http_port(), "CONNECT a:1" + end).starts_with("HTTP/1.1 405 "));
}

TEST_F(Connection, PrintsNothingThatAClientSent)
{
    const std::string received =
        exchange(http_port(), "%n%s%d /%25n%25s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(count(received, "HTTP/1.1 400 ") + count(received, "HTTP/1.1 405 "), 1U) << received;
}

TEST_F(HttpdTest, BodiesThatDoNotComeHoldNobodyElseUp)
{
    tolerate_log("AH10159");  // that so few children are busy
    start(R"(
        Protocols h2c
        KeepAliveTimeout 1
        ServerLimit 2
        StartServers 2
        ThreadsPerChild 25
        MaxRequestWorkers 50
        <Location "/">
            SetHandler hello
            Require all granted
        </Location>
        <VirtualHost *:${HTTPS_PORT}>
            Protocols h2
            )" +
          tls() + "</VirtualHost>\n");
    // 20 connections of 50 requests each that leave their streams open: RFC 9113, section
    // 6.2, without END_STREAM, and RFC 7541 for POST / of the host "a".
    using namespace std::string_literals;
    std::string attack = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"s + "\0\0\0\x04\0\0\0\0\0"s;
    for (int stream = 1; stream < 100; stream += 2) {
        attack += "\0\0\x06\x01\x04\0\0\0"s + static_cast<char>(stream) +
                  "\x83\x86\x84\x01\x01"
                  "a"s;
    }
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + std::chrono::seconds(3);
    std::atomic<int> attacks = 0;
    std::vector<std::thread> attackers;
    for (int i = 0; i < 20; ++i) {
        attackers.emplace_back([&] {
            for (; Clock::now() < end; ++attacks) {
                exchange(http_port(), attack);
            }
        });
    }
    std::vector<double> seconds;
    while (Clock::now() < end) {
        const auto begun = Clock::now();
        const Response response =
            fetch({.url = https(), .ca = root() / "server.crt", .http2 = true});
        EXPECT_EQ(response.body, "Hello World!") << response;
        seconds.push_back(std::chrono::duration<double>(Clock::now() - begun).count());
    }
    for (std::thread& attacker : attackers) {
        attacker.join();
    }
    EXPECT_GE(attacks, 20);
    std::sort(seconds.begin(), seconds.end());
    EXPECT_LT(seconds[seconds.size() * 99 / 100], 0.3) << "of " << seconds.size();
}

// ---------------------------------------------------------------------------
// Its neighbours in httpd

TEST_F(HttpdTest, TraceStaysHttpds)
{
    start(R"(
        <Location "/"> 
            SetHandler hello
            Require all granted
        </Location>)");
    const Response echoed = fetch({.url = http(), .method = "TRACE"});
    EXPECT_EQ(echoed.status, 200);
    EXPECT_EQ(echoed.header("content-type"), "message/http");
    EXPECT_EQ(members(fetch({.url = http(), .method = "PUT"}).header("allow")), allowed_and_trace);

    reload(R"(
        TraceEnable off
        <Location "/">
            SetHandler hello
            Require all granted
        </Location>)");
    EXPECT_EQ(fetch({.url = http(), .method = "TRACE"}).status, 405);
    EXPECT_EQ(members(fetch({.url = http(), .method = "PUT"}).header("allow")), allowed);
}

TEST_F(HttpdTest, ErrorDocumentOf405IsHeededAndTheMethodsAreNamedOnce)
{
    write("htdocs/sorry.html", "the file");
    start(R"(
        TraceEnable off
        DocumentRoot "${ROOT}/htdocs"
        <Directory "${ROOT}/htdocs">
            Require all granted
        </Directory>
        <LocationMatch "^/(plain|text|document|file|rendered|missing)$">
            SetHandler hello
            Require all granted
        </LocationMatch>
        <Location "/text">
            ErrorDocument 405 "only reading here"
        </Location>
        <Location "/document">
            ErrorDocument 405 /plain
        </Location>
        <Location "/rendered">
            HelloMessage "%{REQUEST_URI} %{REQUEST_METHOD}"
            ErrorDocument 405 /rendered
        </Location>
        <Location "/file">
            ErrorDocument 405 /sorry.html
        </Location>
        <Location "/missing">
            ErrorDocument 405 /no-such-thing
        </Location>)");
    const struct {
        const char* path;
        const char* body;
    } cases[] = {
        {"/plain", "405 Method Not Allowed"},
        {"/text", "only reading here"},
        {"/document", "Hello World!"},
        {"/rendered", "/rendered GET"},
        {"/file", "the file"},
        {"/missing", "405 Method Not Allowed"},
    };
    for (const auto& [path, body] : cases) {
        for (const std::string method : {"PUT", "BREW"}) {
            const Response response = fetch({.url = http(path), .method = method, .body = "x"});
            EXPECT_EQ(response.status, 405) << path;
            EXPECT_NE(response.body.find(body), std::string::npos) << response;
            EXPECT_EQ(members(response.header("allow")), allowed) << path << response;
            EXPECT_EQ(response.header("content-length"), std::to_string(response.body.size()));
        }
    }
}

TEST_F(HttpdTest, EachAnswerTellsItsLength)
{
    std::filesystem::create_directory(root() / "cache");
    std::filesystem::permissions(root() / "cache", std::filesystem::perms(0777));
    const std::string folder = httpd_modules().string();
    start("LoadModule cache_module " + folder + "/mod_cache.so\n" +
          "LoadModule cache_disk_module " + folder + "/mod_cache_disk.so\n" + R"(
        CacheRoot "${ROOT}/cache"
        CacheEnable disk /cached
        CacheHeader on
        <Location "/">
            SetHandler hello
            Require all granted
            ErrorDocument 413 /sorry
            LimitRequestBody 4
        </Location>
        <Location "/cached">
            Header set Cache-Control "max-age=60"
        </Location>
        <Location "/rendered">
            HelloMessage "%{REQUEST_METHOD}"
        </Location>)");
    for (int i = 0; i < 2; ++i) {  // a miss, and then a hit
        const Response response = get("/cached");
        EXPECT_EQ(response.body, "Hello World!");
        EXPECT_EQ(response.header("content-length"), "12") << response;
        EXPECT_EQ(response.header("x-cache").value_or("").substr(0, 4), i == 0 ? "MISS" : "HIT ")
            << response;
    }
    EXPECT_EQ(get("/rendered").header("content-length"), "3");
    const std::string refused =
        exchange(http_port(), "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nHello");
    EXPECT_TRUE(refused.starts_with("HTTP/1.1 413 ")) << refused;
    EXPECT_NE(refused.find("\r\nContent-Length: 12\r\n"), std::string::npos) << refused;
}

TEST_F(HttpdTest, TheAccessLogShowsWhatTheClientSent)
{
    start(R"(
        CustomLog sent.log "%U %{Range}i %{If-Modified-Since}i %{If-Unmodified-Since}i"
        <Location "/">
            SetHandler hello
            Require all granted
        </Location>
        <Location "/rendered">
            HelloMessage "%{REQUEST_METHOD}"
        </Location>)");
    const std::string sent =
        " bytes=0-1 Fri, 01 Jan 2100 00:00:00 GMT Sat, 01 Jan 2000 00:00:00 GMT\n";
    std::string expected;
    for (const std::string path : {"/", "/rendered"}) {
        const Response response = fetch(
            {.url = http(path),
             .headers = {"Range: bytes=0-1", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT",
                         "If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"}});
        EXPECT_EQ(response.status, path == "/" ? 206 : 200) << path << response;
        // A request is logged after its answer, and the next one by another thread.
        expected.append(path).append(sent);
        EXPECT_TRUE(eventually([&] { return read_file(root() / "sent.log") == expected; }))
            << read_file(root() / "sent.log");
    }
}

TEST_F(HttpdTest, WhatMimeSaysOfAFileIsNotSaidOfTheAnswer)
{
    write("htdocs/a.html.gz", "no gzip");
    write("htdocs/b.html.de", "the file");
    start(R"(
        DocumentRoot "${ROOT}/htdocs"
        <Directory "${ROOT}/htdocs">
            Require all granted
        </Directory>
        AddEncoding x-gzip .gz
        AddLanguage de .de
        <Files "*.html.*">
            SetHandler hello
        </Files>)");
    for (const char* const path : {"/a.html.gz", "/b.html.de"}) {
        const Response response = get(path);
        EXPECT_EQ(response.body, "Hello World!") << path;
        EXPECT_EQ(response.header("content-encoding"), std::nullopt) << path;
        EXPECT_EQ(response.header("content-language"), std::nullopt) << path;
    }
}

TEST_F(HttpdTest, HeadersOfTheAdministratorReachEveryAnswer)
{
    start(R"(
        <Location "/">
            SetHandler hello
            Require all granted
            Header set Cache-Control "max-age=60"
            Header always set X-Always yes
        </Location>)");
    const std::string tag = get("/").header("etag").value_or("");
    for (const Strings& headers : {Strings{}, Strings{"If-None-Match: " + tag}}) {
        const Response response = fetch({.url = http(), .headers = headers});
        EXPECT_EQ(response.header("cache-control"), "max-age=60") << response;
        EXPECT_EQ(response.header("x-always"), "yes") << response;
    }
    EXPECT_EQ(fetch({.url = http(), .method = "PUT"}).header("x-always"), "yes");
}

TEST_F(HttpdTest, OutputFiltersWork)
{
    start(R"(
        <Location "/">
            SetHandler hello
            Require all granted
            AddOutputFilterByType SUBSTITUTE text/html
            Substitute s/World/Moon/
        </Location>)");
    const Response response = get("/");
    EXPECT_EQ(response.body, "Hello Moon!");
    EXPECT_EQ(response.header("content-length"), "11");
    EXPECT_EQ(fetch({.url = http(), .method = "HEAD"}).header("content-length"), "11");
}

}  // namespace
}  // namespace hello
