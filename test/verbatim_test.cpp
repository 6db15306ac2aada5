// The option verbatim, by which no expression is looked for: bodies of any bytes, large ones, and
// what they cost.

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <memory>
#include <numeric>
#include <random>
#include <thread>

#include "block.h"
#include "errors.h"

namespace hello {
namespace {

constexpr std::size_t mebibyte = 1U << 20U;

TEST_F(Block, AMessageIsVerbatimByTheWordAfterIt)
{
    // What httpd itself does with a line it has done before: ${…} is its own.
    start(std::string(open_location) + R"(
        Define defined "a value"
        HelloMessage "%{REMOTE_ADDR} ${x} \%{y} \"%{\" ${defined} \n" verbatim
        <Location /any>
            HelloMessage '%{NO_SUCH}' VerbaTim
        </Location>)");
    tolerate_log("AH00111");  // that ${x} is not defined
    const Response response = get("/");
    EXPECT_EQ(response.body, R"(%{REMOTE_ADDR} ${x} \%{y} "%{" a value \n)");
    EXPECT_TRUE(response.header("etag").has_value());
    EXPECT_EQ(response.header("cache-control"), std::nullopt);
    EXPECT_EQ(get("/any").body, "%{NO_SUCH}");
}

/// Bytes that look like nothing, with zeros among them.
std::string noise(std::size_t size, unsigned seed)
{
    std::mt19937 generator(seed);
    std::string bytes;
    bytes.reserve(size + 4);
    while (bytes.size() < size) {
        const auto number = static_cast<std::uint32_t>(generator());
        bytes.append(reinterpret_cast<const char*>(&number), sizeof number);
    }
    bytes.resize(size);
    return bytes;
}

std::string every_byte()
{
    std::string bytes;
    for (int byte = 0; byte < 256; ++byte) {
        bytes += static_cast<char>(byte);
    }
    return bytes;
}

struct Body {
    std::string name;
    std::string type;
    std::string bytes;
};

std::vector<Body> bodies()
{
    const std::string zeros(100, '\0');
    std::string translations = "{\n";
    for (int i = 0; i < 2000; ++i) {
        const std::string key = std::to_string(i);
        translations +=
            "  \"key" + key + R"(": "%{count} of \%{total}, 100 % {x} %{)" + key + "\",\n";
    }
    return {
        {"png", "image/png", read_file(source_dir() / "test/browser.png")},
        {"woff2", "font/woff2", "wOF2" + std::string("\0\1\0\0", 4) + noise(70'000, 1) + zeros},
        {"gzip", "application/gzip",
         run({.argv = {"gzip", "-nc"}, .input = noise(5000, 2) + zeros}).out},
        {"bytes", "application/octet-stream", every_byte()},
        {"one", "text/plain", std::string(1, '\0')},
        {"i18n", "application/json", translations + "}\n"},
        {"large", "video/mp4", noise(mebibyte + 1, 3)},
    };
}

class VerbatimFile : public Block {
  protected:
    /// By http, https or h2.
    Response ask_by(std::string_view way, const std::string& path, const Strings& headers = {},
                    const std::string& method = "GET") const
    {
        return fetch({.url = way == "http" ? http(path) : https(path),
                      .method = method,
                      .headers = headers,
                      .ca = root() / "server.crt",
                      .http2 = way == "h2"});
    }

    std::string tls_host()
    {
        return "<VirtualHost *:${HTTPS_PORT}>\nProtocols h2 http/1.1\n" + tls() +
               "</VirtualHost>\n";
    }
};

class Verbatim : public VerbatimFile, public testing::WithParamInterface<const char*> {
  protected:
    Response ask(const std::string& path, const Strings& headers = {},
                 const std::string& method = "GET") const
    {
        return ask_by(GetParam(), path, headers, method);
    }
};

INSTANTIATE_TEST_SUITE_P(, Verbatim, testing::Values("http", "https", "h2"),
                         [](const auto& way) { return std::string(way.param); });

/// The bytes of a part of a multipart answer, each between an empty line and a boundary.
Strings parts_of(const Response& response)
{
    const std::string type = response.header("content-type").value_or("");
    const std::string boundary = "\r\n--" + type.substr(type.find("boundary=") + 9);
    Strings parts;
    for (auto at = response.body.find(boundary); at != std::string::npos;) {
        const auto begin = response.body.find("\r\n\r\n", at);
        at = response.body.find(boundary, at + 1);
        if (at != std::string::npos && begin < at) {
            parts.push_back(response.body.substr(begin + 4, at - begin - 4));
        }
    }
    return parts;
}

TEST_P(Verbatim, AFileOfAnyBytesIsServedAsAFile)
{
    std::string configuration = open_location + tls_host();
    const std::vector<Body> all = bodies();
    for (const auto& [name, type, bytes] : all) {
        write(name, bytes);
        configuration.append("<Location /" + name + ">\nHelloFile " + name + " verbatim\n");
        configuration.append("HelloType " + type + "\n</Location>\n");
    }
    start(configuration);
    for (const auto& [name, type, bytes] : all) {
        SCOPED_TRACE(name);
        const std::string path = "/" + name;
        const std::string size = std::to_string(bytes.size());
        const Response whole = ask(path);
        EXPECT_EQ(whole.error, "");
        EXPECT_EQ(whole.status, 200);
        EXPECT_TRUE(whole.body == bytes) << whole.body.size();
        const std::string tag = whole.header("etag").value_or("");
        const std::string date = whole.header("last-modified").value_or("");
        EXPECT_TRUE(matches(tag, R"("[!#-~]+")")) << tag;
        EXPECT_TRUE(date.ends_with(" GMT")) << date;
        EXPECT_EQ(whole.header("content-type"), type);
        EXPECT_EQ(whole.header("content-length"), size);
        EXPECT_EQ(whole.header("accept-ranges"), "bytes");
        EXPECT_EQ(whole.header("cache-control"), std::nullopt);
        EXPECT_EQ(whole.header("content-encoding"), std::nullopt);

        const Response head = ask(path, {}, "HEAD");
        EXPECT_EQ(head.status, 200);
        EXPECT_EQ(head.body, "");
        for (const char* const header : {"etag", "last-modified", "content-type", "content-length",
                                         "accept-ranges", "x-content-type-options"}) {
            EXPECT_EQ(head.header(header), whole.header(header)) << header;
            EXPECT_TRUE(head.header(header).has_value()) << header;
        }
        const std::string start = bytes.substr(0, 1);
        const std::string end = bytes.substr(bytes.size() - 1);
        const struct {
            Strings headers;
            long status;
            std::string body;
        } cases[] = {
            {{"If-None-Match: " + tag}, 304, ""},
            {{"If-Modified-Since: " + date}, 304, ""},
            {{"If-None-Match: \"x\"", "If-Modified-Since: " + date}, 200, bytes},
            {{"If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT"}, 200, bytes},
            {{"If-Match: \"x\""}, 412, ""},
            {{"If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT"}, 412, ""},
            {{"Range: bytes=0-0"}, 206, start},
            {{"Range: bytes=0-0", "If-Range: " + tag}, 206, start},
            {{"Range: bytes=0-0", "If-Range: \"x\""}, 200, bytes},
            {{"Range: bytes=-1"}, 206, end},
            {{"Range: bytes=" + std::to_string(bytes.size() - 1) + "-"}, 206, end},
            {{"Range: bytes=" + size + "-"}, 416, ""},
        };
        for (const auto& [headers, status, body] : cases) {
            const Response response = ask(path, headers);
            EXPECT_EQ(response.status, status) << headers.front();
            if (status < 400) {  // else httpd says why
                EXPECT_TRUE(response.body == body) << headers.front() << response.body.size();
            }
        }
        if (bytes.size() > 200) {
            EXPECT_TRUE(ask(path, {"Range: bytes=99-199"}).body == bytes.substr(99, 101));
            EXPECT_EQ(ask(path, {"Range: bytes=99-199"}).header("content-range"),
                      "bytes 99-199/" + size);
            const Response several = ask(path, {"Range: bytes=0-1,50-150,-3"});
            EXPECT_EQ(several.status, 206);
            EXPECT_EQ(parts_of(several), (Strings{bytes.substr(0, 2), bytes.substr(50, 101),
                                                  bytes.substr(bytes.size() - 3)}));
        }
    }
}

TEST_F(VerbatimFile, SixteenMebibytesAreServedAndNoByteMore)
{
    const std::string configuration = open_location + tls_host() + "HelloFile body verbatim\n";
    const std::string large = noise(16 * mebibyte, 4);
    write("body", large + "x");
    expect_refusal(configuration, "HelloFile",
                   {"/body", "has 16777217 bytes", "expected 16 MiB at most"});
    // Without the word the limit is what it was.
    write("small", std::string(mebibyte + 1, 'x'));
    expect_refusal("HelloFile small\n", "HelloFile",
                   {"/small", "has 1048577 bytes", "expected 1 MiB at most"});

    write("body", large);
    start(configuration);
    for (const char* const way : {"http", "https", "h2"}) {
        EXPECT_TRUE(ask_by(way, "/").body == large) << way;
        EXPECT_TRUE(ask_by(way, "/", {"Range: bytes=-4000000"}).body ==
                    large.substr(large.size() - 4'000'000))
            << way;
    }
    const std::string tag = ask_by("http", "/", {}, "HEAD").header("etag").value_or("");
    const std::string refused =
        "has 16777217 bytes; expected 16 MiB at most.*; the last good version goes on";
    expect_log(refused);
    write("body", large + "x");
    EXPECT_TRUE(eventually([&] {
        EXPECT_EQ(ask_by("http", "/", {}, "HEAD").header("etag"), tag);
        return finds(error_log(), refused);
    }));
    EXPECT_TRUE(get("/").body == large);
    write("body", "small");
    EXPECT_TRUE(eventually([&] { return get("/").body == "small"; }));
}

TEST_F(VerbatimFile, SlowClientsOfHttp2AreNotGivenCopiesOfTheWhole)
{
    constexpr std::size_t count = 8;
    write("body", noise(16 * mebibyte, 5));
    write("small", "small\n");
    start(std::string(open_location) + tls_host() +
          "HelloFile body verbatim\n<Location /small>\nHelloFile small\n</Location>\n");
    const auto own_memory = [&] {
        const std::vector<pid_t> children = children_of(httpd().pid());
        return std::accumulate(
            children.begin(), children.end(), std::size_t{0},
            [](std::size_t sum, pid_t child) { return sum + kilobytes(child, "RssAnon"); });
    };
    ASSERT_EQ(ask_by("h2", "/").body.size(), 16 * mebibyte);
    await_idleness();
    const std::size_t before = own_memory();
    std::vector<std::unique_ptr<Process>> clients;
    for (std::size_t i = 0; i < count; ++i) {
        const Path got = root() / ("got" + std::to_string(i));
        clients.push_back(std::make_unique<Process>(
            Command{.argv = {"curl", "-sS", "--http2", "--limit-rate", "100k", "--cacert",
                             root() / "server.crt", "-o", got, https("/")}}));
        // By then mod_http2 has taken what it takes ahead of the client.
        EXPECT_TRUE(eventually([&] { return fs::exists(got) && fs::file_size(got) > 0; }));
    }
    EXPECT_EQ(ask_by("h2", "/small").body, "small\n");
    const std::size_t after = own_memory();
    for (const std::unique_ptr<Process>& client : clients) {
        EXPECT_FALSE(client->ended()) << client->err();
    }
    if (std::string_view(HELLO_PRELOAD).empty()) {  // a sanitizer keeps what is freed
        // Of the whole it would be two copies each, in the stream and in the connection.
        EXPECT_LT(after, before + count * 16 * 1024) << "kilobytes, " << before << " before";
    }
}

TEST_F(VerbatimFile, ThePathMayBeNamedOnceVerbatimAndOnceNot)
{
    // By the file's name alone nobody can tell the first two from the last two.
    write("body", "%{REQUEST_METHOD}\n");
    write("body verbatim", "of another file, \\%{x} %{REQUEST_METHOD}\n");
    start(std::string(open_location) + R"(
        <Location /is>
            HelloFile body
        </Location>
        <Location /as>
            HelloFile body VERBATIM
        </Location>
        <Location /other/is>
            HelloFile "body verbatim"
        </Location>
        <Location /other/as>
            HelloFile "body verbatim" verbatim
        </Location>)");
    EXPECT_EQ(get("/is").body, "GET\n");
    EXPECT_EQ(get("/as").body, "%{REQUEST_METHOD}\n");
    EXPECT_EQ(get("/other/is").body, "of another file, %{x} GET\n");
    EXPECT_EQ(get("/other/as").body, "of another file, \\%{x} %{REQUEST_METHOD}\n");
    // What is bad for the one is good for the other.
    expect_log("bad expression .*; the last good version goes on being served");
    write("body", "%{NO_SUCH} and more\n");
    EXPECT_TRUE(eventually([&] { return get("/as").body == "%{NO_SUCH} and more\n"; }));
    EXPECT_TRUE(eventually([&] {
        EXPECT_EQ(get("/is").body, "GET\n");
        return error_log().find("bad expression") != std::string::npos;
    }));
    write("body", "\\%{x}");
    EXPECT_TRUE(
        eventually([&] { return get("/is").body == "%{x}" && get("/as").body == "\\%{x}"; }));
}

TEST_F(VerbatimFile, ABodyReplacedUnderLoadIsAlwaysWhole)
{
    // Above 64 KiB none is copied, so the versions before must stay until they are sent.
    constexpr int count = 12;
    Strings versions;
    for (int i = 0; i <= count; ++i) {
        versions.push_back(
            static_cast<char>(i) +
            noise(300'000 + static_cast<std::size_t>(i) * 1000, static_cast<unsigned>(i)));
    }
    const Path body = root() / "body";
    write("body", versions[0]);
    start(
        "ServerLimit 2\nStartServers 2\nThreadsPerChild 16\nMaxRequestWorkers 32\n"
        "MinSpareThreads 1\nMaxSpareThreads 32\n" +
        std::string(open_location) + "HelloFile body verbatim\n" + tls_host());
    ASSERT_TRUE(get("/").body == versions[0]);
    std::atomic<bool> done = false;
    std::atomic<int> torn = 0;
    std::atomic<int> answers = 0;
    std::atomic<int> newest = 0;
    std::vector<std::thread> clients;
    for (int i = 0; i < 6; ++i) {
        const Request request{
            .url = i < 3 ? http() : https(), .ca = root() / "server.crt", .http2 = i == 5};
        clients.emplace_back([&, request] {
            while (!done) {
                const Response response = fetch(request);
                const std::size_t number = response.body.empty()
                                               ? versions.size()
                                               : static_cast<unsigned char>(response.body[0]);
                if (number >= versions.size() || response.body != versions[number]) {
                    ++torn;
                } else {
                    const int seen = static_cast<int>(number);
                    for (int known = newest;
                         known < seen && !newest.compare_exchange_weak(known, seen);) {
                    }
                }
                ++answers;
            }
        });
    }
    for (int i = 1; i <= count; ++i) {
        const std::string& version = versions[static_cast<std::size_t>(i)];
        if (i % 2 == 0) {
            write("body", version);
        } else {
            // At one go and over the shorter one, since a writer that is held up in the middle
            // could have left a file that looks whole.
            std::fstream(body, std::ios::binary | std::ios::in | std::ios::out) << version;
        }
        EXPECT_TRUE(eventually([&] { return newest == i; })) << i << " is not served";
    }
    done = true;
    for (std::thread& client : clients) {
        client.join();
    }
    EXPECT_EQ(torn, 0);
    EXPECT_GT(answers, 100);
}

TEST_F(VerbatimFile, TheLastGoodVersionOutlivesRestarts)
{
    const std::string bytes = noise(2 * mebibyte, 5);
    write("body", bytes);
    const std::string configuration = std::string(open_location) + "HelloFile body verbatim\n";
    start(configuration);
    ASSERT_TRUE(get("/").body == bytes);
    const std::string tag = get("/").header("etag").value_or("");
    const std::string date = get("/").header("last-modified").value_or("");
    expect_log("No such file.*the last good version goes on being served");
    fs::remove(root() / "body");
    for (const int signal : {SIGUSR1, SIGHUP, SIGUSR1}) {
        restart(signal);
        const Response response = get("/");
        EXPECT_TRUE(response.body == bytes);
        EXPECT_EQ(response.header("etag"), tag);
        EXPECT_EQ(response.header("last-modified"), date);
    }
    // A body of the same path that is parsed is another one, and there never was a good one.
    expect_log("there is no good version, so the answer is 500");
    reload(std::string(open_location) + "HelloFile body\n");
    EXPECT_EQ(get("/").status, 500);
    write("body", bytes + "%{");
    reload(configuration);
    EXPECT_TRUE(eventually([&] { return get("/").body == bytes + "%{"; }));
}

/// A connection on which something has been asked for, and nothing been read.
class Client {
  public:
    Client(int port, std::string_view request)
    {
        // So that nearly all of the answer stays with the server.
        constexpr int size = 32'768;
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        const timeval limit{patience.count(), 0};
        ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        if (!connect(socket_, port) ||
            ::send(socket_.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) {
            throw_errno("no connection");
        }
    }

    /// Waits until an answer begins.
    bool is_answered() const
    {
        pollfd wanted{.fd = socket_.get(), .events = POLLIN, .revents = 0};
        return ::poll(&wanted, 1, static_cast<int>(patience.count()) * 1000) == 1;
    }

    /// Reads so many bytes, or all until the end.
    std::string read(std::size_t most) const
    {
        std::string received(most, '\0');
        std::size_t size = 0;
        for (ssize_t got = 1; got > 0 && size < most; size += static_cast<std::size_t>(got)) {
            got = std::max<ssize_t>(0, ::recv(socket_.get(), &received[size], most - size, 0));
        }
        received.resize(size);
        return received;
    }

  private:
    Descriptor socket_ = tcp_socket();
};

TEST_F(VerbatimFile, ALargeOneIsNotCopiedForEachRequest)
{
    const std::string large = noise(16 * mebibyte, 6);
    write("body", large);
    start(
        "ServerLimit 1\nStartServers 1\nThreadsPerChild 64\nMaxRequestWorkers 64\n"
        "MinSpareThreads 1\nMaxSpareThreads 64\n" +
        std::string(open_location) + "HelloFile body verbatim\n");
    const auto own_memory = [&] {
        const auto children = children_of(httpd().pid());
        EXPECT_EQ(children.size(), 1U);
        return kilobytes(children.front(), "RssAnon") * 1024;
    };
    ASSERT_TRUE(get("/").body == large);
    const std::size_t before = own_memory();
    std::size_t most = 0;
    {
        std::vector<std::unique_ptr<Client>> clients;
        for (int i = 0; i < 50; ++i) {
            clients.push_back(std::make_unique<Client>(
                http_port(), "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
        }
        for (const auto& client : clients) {
            ASSERT_TRUE(client->is_answered());
            most = std::max(most, own_memory());
        }
        // Whoever has read a part has httpd send more, or set it aside.
        for (const auto& client : clients) {
            EXPECT_TRUE(client->read(mebibyte).starts_with("HTTP/1.1 200 OK\r\n"));
            most = std::max(most, own_memory());
        }
        // They have the version that they were promised, whatever becomes of the file.
        write("body", "small");
        EXPECT_TRUE(eventually([&] { return get("/").body == "small"; }));
        for (std::size_t i = 0; i < clients.size(); i += 10) {
            EXPECT_TRUE(large.ends_with(clients[i]->read(17 * mebibyte)));
            most = std::max(most, own_memory());
        }
    }
    EXPECT_LT(most, before + 100 * mebibyte);
}

}  // namespace
}  // namespace hello
