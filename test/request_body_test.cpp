// Bodies of requests: they are read, asked for and refused so that the next request on the
// connection is answered.

#include <sstream>

#include "httpd.h"

namespace hello {
namespace {

// In curl's words.
constexpr const char* reset = "Stream error in the HTTP/2 framing layer";

struct Place {
    const char* path;
    long status;
    bool is_awaited;           // who asks before sending is told to send
    bool is_kept_open = true;  // httpd itself closes a connection after some errors
};

constexpr Place places[] = {
    {"/listed", 200, true}, {"/any", 200, true},  {"/204", 204, true},
    {"/", 405, false},      {"/404", 404, false}, {"/503", 503, false, false},
};

class Bodies : public HttpdTest {
  protected:
    void SetUp() override
    {
        start(R"(
            <Location "/">
                SetHandler hello
                Require all granted
                LimitRequestBody 200000
            </Location>
            <Location "/listed">
                HelloMethods POST
            </Location>
            <Location "/any">
                HelloMethods any
            </Location>
            <Location "/204">
                HelloMethods POST
                HelloStatus 204
            </Location>
            <Location "/404">
                HelloStatus 404
            </Location>
            <Location "/503">
                HelloStatus 503
            </Location>
            <Location "/drop">
                HelloStatus drop
            </Location>
            <VirtualHost *:${HTTPS_PORT}>
                Protocols h2 http/1.1
                )" +
              tls() + "</VirtualHost>\n");
    }

    static std::string head_of(const Place& place, const std::string& fields)
    {
        return "POST " + std::string(place.path) + " HTTP/1.1\r\nHost: a\r\n" + fields;
    }

    /// What must not be taken for requests, in a body of such a size.
    static std::string smuggled(std::size_t size)
    {
        std::string body;
        while (body.size() < size) {
            body += "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        }
        return body;
    }

    /// The body with its fields, in each way of HTTP/1.1.
    static Strings framed(const std::string& body)
    {
        std::ostringstream chunked;
        chunked << "Transfer-Encoding: chunked\r\n\r\n"
                << std::hex << body.size() / 2 << "\r\n"
                << body.substr(0, body.size() / 2) << "\r\n"
                << body.size() - body.size() / 2 << "\r\n"
                << body.substr(body.size() / 2) << "\r\n0\r\n\r\n";
        return {"Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body,
                chunked.str()};
    }

    const std::string last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
};

TEST_F(Bodies, AreReadSoThatTheNextRequestIsAnswered)
{
    for (const Place& place : places) {
        for (const std::size_t size : {std::size_t{10}, std::size_t{100'000}}) {
            for (const std::string& body : framed(smuggled(size))) {
                SCOPED_TRACE(std::string(place.path) + ' ' + body.substr(0, 40));
                const std::string received =
                    exchange(http_port(), head_of(place, "") + body + last);
                EXPECT_TRUE(received.starts_with("HTTP/1.1 " + std::to_string(place.status) + ' '))
                    << received;
                EXPECT_EQ(count(received, "HTTP/1.1 "), place.is_kept_open ? 2U : 1U) << received;
                EXPECT_TRUE(received.ends_with("\r\n\r\nHello World!")) << received;
            }
        }
    }
}

TEST_F(Bodies, AreAskedForOnlyWhereTheyAreWanted)
{
    for (const Place& place : places) {
        for (const std::size_t size : {std::size_t{10}, std::size_t{100'000}}) {
            for (const std::string& body : framed(smuggled(size))) {
                SCOPED_TRACE(std::string(place.path) + ' ' + body.substr(0, 40));
                const std::string received =
                    exchange(http_port(), head_of(place, "Expect: 100-continue\r\n") + body + last);
                const std::string first = "HTTP/1.1 " + std::to_string(place.status) + ' ';
                if (place.is_awaited) {
                    EXPECT_TRUE(received.starts_with("HTTP/1.1 100 Continue\r\n\r\n" + first))
                        << received;
                    EXPECT_EQ(count(received, "HTTP/1.1 "), 3U) << received;
                    EXPECT_TRUE(received.ends_with("\r\n\r\nHello World!")) << received;
                } else {
                    // What follows may be the body or not, so the connection ends there.
                    EXPECT_TRUE(received.starts_with(first)) << received;
                    EXPECT_EQ(count(received, "HTTP/1.1 "), 1U) << received;
                }
            }
        }
        if (!place.is_awaited) {
            const std::string received = exchange(
                http_port(), head_of(place, "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
            EXPECT_TRUE(received.starts_with("HTTP/1.1 " + std::to_string(place.status) + ' '))
                << received;
        }
    }
}

TEST_F(Bodies, ThatAreBrokenOrTooLargeAreRefused)
{
    const std::string large = std::to_string(200'001) + "\r\n\r\n" + std::string(200'001, 'x');
    for (const Place& place : places) {
        const std::string broken =
            exchange(http_port(), head_of(place, "Transfer-Encoding: chunked\r\n\r\nzz\r\n"));
        EXPECT_TRUE(broken.starts_with("HTTP/1.1 400 ")) << place.path << '\n' << broken;
        EXPECT_EQ(count(broken, "Hello World!"), 0U) << broken;
        const std::string refused =
            exchange(http_port(), head_of(place, "Content-Length: " + large));
        EXPECT_TRUE(refused.starts_with("HTTP/1.1 413 ")) << place.path << '\n' << refused;
    }
}

TEST_F(Bodies, DoNotMatterToHttp2AndToADrop)
{
    for (const std::size_t size : {std::size_t{10}, std::size_t{100'000}}) {
        const auto ask = [&](const char* path, bool http2) {
            return fetch({.url = https(path),
                          .method = "POST",
                          .body = smuggled(size),
                          .ca = root() / "server.crt",
                          .http2 = http2});
        };
        for (const Place& place : places) {
            const Response response = ask(place.path, true);
            EXPECT_EQ(response.status, place.status) << place.path << response;
            EXPECT_EQ(response.error, "") << place.path;
        }
        const Response stream = ask("/drop", true);
        EXPECT_TRUE(stream.error.starts_with(reset)) << stream;
        for (const Response& response :
             {ask("/drop", false),
              fetch({.url = http("/drop"), .method = "POST", .body = smuggled(size)})}) {
            EXPECT_EQ(response.status, 0) << response;
            EXPECT_TRUE(response.headers.empty()) << response;
            EXPECT_NE(response.error, "");
        }
    }
}

}  // namespace
}  // namespace hello
