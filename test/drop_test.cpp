// HelloStatus drop: no answer at all, and what becomes of the connection or the stream.

#include <curl/curl.h>
#include <poll.h>

#include <functional>
#include <memory>
#include <stdexcept>

#include "httpd.h"

namespace hello {
namespace {

/// What exchange() does, over TLS. A close without close_notify is one too.
std::string exchange_over_tls(const std::string& url, const Path& ca, std::string_view bytes)
{
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(),
                                                                     curl_easy_cleanup);
    CURL* const curl = handle.get();
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CAINFO, ca.c_str());
    curl_easy_setopt(curl, CURLOPT_SSL_ENABLE_ALPN, 0L);
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_socket_t socket = CURL_SOCKET_BAD;
    if (const CURLcode code = curl_easy_perform(curl);
        code != CURLE_OK || curl_easy_getinfo(curl, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK) {
        throw std::runtime_error(std::string("TLS: ") + curl_easy_strerror(code));
    }
    const auto await = [socket](short events) {
        pollfd event{.fd = socket, .events = events, .revents = 0};
        const std::chrono::milliseconds limit = patience;
        if (::poll(&event, 1, static_cast<int>(limit.count())) != 1) {
            throw std::runtime_error("the server keeps the connection open");
        }
    };
    while (!bytes.empty()) {
        std::size_t sent = 0;
        const CURLcode code = curl_easy_send(curl, bytes.data(), bytes.size(), &sent);
        bytes.remove_prefix(sent);
        if (code == CURLE_AGAIN) {
            await(POLLOUT);
        } else if (code != CURLE_OK) {
            throw std::runtime_error(std::string("send: ") + curl_easy_strerror(code));
        }
    }
    std::string received;
    for (;;) {
        char buffer[4096];
        std::size_t size = 0;
        const CURLcode code = curl_easy_recv(curl, buffer, sizeof buffer, &size);
        if (code == CURLE_AGAIN) {
            await(POLLIN);
        } else if (code != CURLE_OK || size == 0) {
            return received;
        } else {
            received.append(buffer, size);
        }
    }
}

class Drop : public HttpdTest {
  protected:
    static constexpr const char* sections = R"(
        <Location "/">
            SetHandler hello
            Require all granted
        </Location>
        <Location "/drop">
            HelloStatus drop
        </Location>
    )";
    const std::string end = " HTTP/1.1\r\nHost: a\r\n\r\n";

    /// Whether the access log comes to have such a line, and so often.
    bool logs(const std::string& line, std::size_t times) const
    {
        return eventually([&] { return count(access_log(), line + '\n') == times; });
    }
};

class DropOn : public Drop, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(, DropOn, testing::Values("event", "worker", "prefork"),
                         [](const auto& mpm) { return std::string(mpm.param); });

TEST_P(DropOn, ClosesTheConnectionAfterWhatWasAnsweredBefore)
{
    use_mpm(GetParam());
    const std::string large(1'000'000, 'x');
    write("large", large);
    start(std::string(sections) +
          "<Location /large>\nHelloFile large\n</Location>\n<VirtualHost *:${HTTPS_PORT}>\n" +
          tls() + "</VirtualHost>\n");
    const std::function<std::string(std::string_view)> ways[] = {
        [this](std::string_view bytes) { return exchange(http_port(), bytes); },
        [this](std::string_view bytes) {
            return exchange_over_tls(https(), root() / "server.crt", bytes);
        },
    };
    for (const auto& send : ways) {
        EXPECT_EQ(send("GET /drop" + end), "");
        EXPECT_EQ(send("HEAD /drop HTTP/1.0\r\n\r\n"), "");
        // Nothing behind it is answered.
        EXPECT_EQ(send("POST /drop" + end + "GET /behind" + end), "");
        const std::string small = send("GET /" + end + "GET /drop" + end + "GET /behind" + end);
        EXPECT_EQ(count(small, "HTTP/1.1 "), 1U) << small;
        EXPECT_TRUE(small.ends_with("\r\n\r\nHello World!")) << small;
        const std::string both = send("GET /large" + end + "GET /" + end + "GET /drop" + end);
        EXPECT_EQ(count(both, "HTTP/1.1 200 "), 2U);
        EXPECT_EQ(count(both, large), 1U);
        EXPECT_TRUE(both.ends_with("\r\n\r\nHello World!"));
        // More than httpd has read by then: to close at once would reset what is on its way.
        const std::string unread = send("GET /large" + end + "GET /large" + end +
                                        "POST /drop HTTP/1.1\r\nHost: a\r\nContent-Length: "
                                        "200000\r\n\r\n" +
                                        std::string(200'000, 'x'));
        EXPECT_EQ(count(unread, large), 2U);
    }
    EXPECT_TRUE(logs("GET /drop 444", 6)) << access_log();
    EXPECT_TRUE(logs("HEAD /drop 444", 2)) << access_log();
    EXPECT_TRUE(logs("POST /drop 444", 4)) << access_log();
    EXPECT_EQ(count(access_log(), "/behind"), 0U) << access_log();
}

TEST_F(Drop, ResetsTheStreamAlone)
{
    start("Protocols h2c\nKeepAliveTimeout 1\n" + std::string(sections));
    using namespace std::string_literals;
    // RFC 9113: the preface and SETTINGS; a stream for GET /drop and one for GET /, both of the
    // host "a".
    std::string received =
        exchange(http_port(), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"s + "\0\0\0\x04\0\0\0\0\0"s +
                                  "\0\0\x0c\x01\x05\0\0\0\x01\x82\x86\x04\x05"
                                  "/drop\x01\x01"
                                  "a"s +
                                  "\0\0\x06\x01\x05\0\0\0\x03\x82\x86\x84\x01\x01"
                                  "a"s);
    Strings dropped;
    std::string answered;
    while (received.size() >= 9) {
        const auto byte = [&](std::size_t at) {
            return static_cast<std::size_t>(static_cast<unsigned char>(received[at]));
        };
        const std::size_t length = byte(0) << 16U | byte(1) << 8U | byte(2);
        const std::size_t kind = byte(3);
        const std::string payload = received.substr(9, length);
        if (byte(8) == 1 && kind != 8) {  // WINDOW_UPDATE tells nothing
            dropped.push_back(std::to_string(kind) + payload);
        } else if (byte(8) == 3 && kind == 0) {
            answered += payload;
        }
        received.erase(0, 9 + length);
    }
    // One RST_STREAM: mod_http2 says PROTOCOL_ERROR or INTERNAL_ERROR.
    ASSERT_EQ(dropped.size(), 1U);
    EXPECT_TRUE(dropped[0] == "3\0\0\0\x01"s || dropped[0] == "3\0\0\0\x02"s) << dropped[0];
    EXPECT_EQ(answered, "Hello World!");
    EXPECT_TRUE(logs("GET /drop 444", 1)) << access_log();
    EXPECT_TRUE(logs("GET / 200", 1)) << access_log();
}

TEST_F(Drop, ServesAsAnErrorDocument)
{
    expect_log("AH01630");  // client denied by server configuration
    start(std::string(sections) + R"(
        ErrorDocument 403 /drop
        <Location "/closed">
            Require all denied
        </Location>)");
    EXPECT_EQ(exchange(http_port(), "GET /closed" + end), "");
    EXPECT_TRUE(logs("GET /closed 444", 1)) << access_log();
}

}  // namespace
}  // namespace hello
