// Requests that mean harm, and thousands that grow out of them: no child ends, nothing that is
// closed is answered, and what a client sends becomes neither markup nor a header.

#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <mutex>
#include <random>
#include <thread>

#include "httpd.h"

namespace hello {
namespace {

using namespace std::string_literals;
using std::chrono::steady_clock;

/// What no answer may hold: the body of what nobody may have.
const std::string closed_body = "THE-CLOSED-BODY";
/// What no answer may hold as it stands, since every client may send it.
const std::string markup = "<canary";
const std::string header = "\r\nX-Canary:";

// ---------------------------------------------------------------------------
// The corpus

/// A frame of HTTP/2: RFC 9113, section 4.1.
std::string frame(char type, char flags, char stream, const std::string& payload)
{
    const auto length = static_cast<unsigned>(payload.size());
    return {static_cast<char>(length >> 16U & 0xFFU),
            static_cast<char>(length >> 8U & 0xFFU),
            static_cast<char>(length & 0xFFU),
            type,
            flags,
            '\0',
            '\0',
            '\0',
            stream};
}

/// A connection that begins with HTTP/2 and asks on one stream.
std::string h2(const std::string& fields, const std::string& more = {})
{
    return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, "") + fields + more;
}

/// HEADERS of a request, as literals without index: RFC 7541, section 6.2.2.
std::string headers(char stream, char flags,
                    const std::vector<std::pair<std::string, std::string>>& fields)
{
    std::string block;
    for (const auto& [name, value] : fields) {
        block += '\0';
        block += static_cast<char>(name.size()) + name;
        block += static_cast<char>(value.size()) + value;
    }
    return frame(1, flags, stream, block) + block;
}

std::vector<std::string> corpus()
{
    const std::string host = "Host: localhost\r\n";
    const auto get = [&host](const std::string& target, const std::string& fields = {}) {
        return "GET " + target + " HTTP/1.1\r\n" + host + fields + "\r\n";
    };
    const auto post = [&host](const std::string& target, const std::string& fields,
                              const std::string& body) {
        return "POST " + target + " HTTP/1.1\r\n" + host + fields + "\r\n" + body;
    };
    const std::string values = "User-Agent: " + markup + "> \" ' & \x80\xFF %{REMOTE_ADDR}\r\n" +
                               "Referer: \\u003c\t" + markup + "\r\n" + "X-Canary: a\r\n";
    std::vector<std::string> all{
        get("/"),
        get("/whoami", values),
        get("/json", values),
        get("/csv", values),
        get("/named/%3Ccanary%3E%0d%0aX-Canary:%20a"),
        get("/named/%0a%C0%AF", values),
        get("/whoami?%3Ccanary=%25%7Breqenv:PATH%7D&a=%5C%25%7B", values),
        // What is closed, by other names.
        get("/closed"),
        get("/%63losed"),
        get("//closed"),
        get("/./closed"),
        get("/whoami/../closed"),
        get("/whoami/%2e%2e/closed"),
        get("/closed/"),
        get("/closed%00"),
        get("/named/%00", values + "\x7F: \x7F\r\n"),
        get("/closed;a=b"),
        get("/CLOSED"),
        get("http://localhost/closed"),
        get("http://other/closed"),
        get("/user", "Authorization: Basic bm9ib2R5OndoYXRldmVy\r\n"),
        get("/user", "Authorization: Bearer a\r\nX-Forwarded-User: a\r\n"),
        "HEAD /closed HTTP/1.1\r\n" + host + "\r\n",
        "OPTIONS /closed HTTP/1.1\r\n" + host + "\r\n",
        "ANY /closed HTTP/1.1\r\n" + host + "\r\n",
        // Two that may be one, and one that may be two.
        post("/any", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
             "0\r\n\r\nGET /closed HTTP/1.1\r\n" + host + "\r\n"),
        post("/any", "Content-Length: 3\r\nContent-Length: 30\r\n", "abc" + get("/closed")),
        post("/any", "Transfer-Encoding: chunked, identity\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        post("/any",
             "Transfer-Encoding: \x0b"
             "chunked\r\n",
             "5\r\nhello\r\n0\r\n\r\n"),
        post("/any", "Transfer-Encoding: chunked\r\n",
             "5;" + markup + "\r\nhello\r\n0\r\nX-Canary: a\r\n\r\n" + get("/whoami")),
        post("/any", "Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFF\r\nhello\r\n"),
        post("/any", "Content-Length: 5\r\nExpect: 100-continue\r\n", "hello" + get("/")),
        post("/", "Content-Length: 18446744073709551615\r\n", "hello"),
        post("/drop", "Content-Length: 5\r\n", "hello" + get("/closed")),
        // Heads that are none.
        "GET /\n",
        "GET /whoami HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n X-Canary: folded\r\n\r\n",
        "GET / HTTP/1.1\rHost: localhost\r\r",
        "GET / HTTP/9.9\r\n" + host + "\r\n",
        "GET  /  HTTP/1.1\r\n" + host + "\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\nHost: localhost\r\n\r\n",
        "\r\n\r\nTRACE / HTTP/1.1\r\n" + host + values + "\r\n",
        "CONNECT localhost:80 HTTP/1.1\r\n" + host + "\r\n",
        get("*"),
        get("/", "X: " + std::string(9000, 'a') + "\r\n"),
        get("/" + std::string(9000, 'a')),
        // Conditions and parts.
        get("/", "Range: bytes=0-0,1-1,2-,-1,99-9\r\nIf-Range: \"a\"\r\n"),
        get("/", "If-None-Match: *\r\nIf-Match: \"\"\r\nIf-Modified-Since: 0\r\n"),
        // Another protocol.
        get("/",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"),
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s,
        "PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + get("/closed"),
    };
    const auto asks = [](const std::string& path, const std::string& method = "GET") {
        return std::vector<std::pair<std::string, std::string>>{
            {":method", method}, {":scheme", "http"}, {":authority", "localhost"}, {":path", path}};
    };
    auto two = asks("/whoami");
    two.emplace_back("user-agent", markup + "\r\nX-Canary: a");
    auto smuggling = asks("/any", "POST");
    smuggling.emplace_back("transfer-encoding", "chunked");
    all.push_back(h2(headers(1, 5, asks("/json")), headers(3, 5, asks("/closed"))));
    all.push_back(h2(headers(1, 5, two)));
    all.push_back(h2(headers(1, 4, smuggling), frame(0, 1, 1, "0\r\n\r\n") + "0\r\n\r\n"));
    all.push_back(h2(headers(1, 4, asks("/any", "POST")), frame(3, 0, 1, "aaaa") + "aaaa"));
    all.push_back(h2(headers(1, 5, asks("/drop")), frame(6, 0, 0, "aaaaaaaa") + "aaaaaaaa"));
    all.push_back(h2(headers(1, 1, asks("/")), frame(9, 4, 1, "")));
    return all;
}

// ---------------------------------------------------------------------------
// The mutator

/// Makes requests of other requests. The same seed makes the same ones.
class Mutator {
  public:
    Mutator(std::vector<std::string> corpus, std::uint64_t seed)
        : corpus_(std::move(corpus)), random_(seed)
    {
    }

    std::string next()
    {
        std::string request = any_of(corpus_);
        for (auto changes = below(4); changes > 0; --changes) {
            change(request);
        }
        return request;
    }

  private:
    std::size_t below(std::size_t limit) { return random_() % limit; }
    const std::string& any_of(const std::vector<std::string>& from)
    {
        return from[below(from.size())];
    }

    void change(std::string& request)
    {
        static const std::vector<std::string> words{"\r\n",
                                                    "\n",
                                                    "\r",
                                                    " ",
                                                    "\t",
                                                    ":",
                                                    ",",
                                                    ";",
                                                    "/",
                                                    "/../",
                                                    "%",
                                                    "%2e",
                                                    "%{",
                                                    "\\",
                                                    "\"",
                                                    "<",
                                                    "\0"s,
                                                    "\x7F",
                                                    "\x80",
                                                    "\xFF",
                                                    "0",
                                                    "-1",
                                                    "4294967296",
                                                    "9223372036854775808",
                                                    "chunked",
                                                    "Content-Length: 1\r\n",
                                                    "Transfer-Encoding: chunked\r\n",
                                                    "Connection: close\r\n",
                                                    "Expect: 100-continue\r\n",
                                                    "Host: localhost\r\n",
                                                    "/closed",
                                                    "/whoami",
                                                    "/any",
                                                    "HTTP/1.0",
                                                    "HTTP/1.1",
                                                    "\r\n\r\n",
                                                    header};
        std::size_t at = below(request.size() + 1);
        std::size_t end = request.size();
        // Half of them within the value of a field, where most of it stays a request.
        if (const auto value = request.find(": ", at);
            below(2) == 0 && value != std::string::npos) {
            at = value + 2;
            end = std::min(request.find('\r', at), end);
        }
        const std::size_t length = below(end - at + 1);
        switch (below(7)) {
            case 0:
                request.insert(at, any_of(words));
                break;
            case 1:
                request.replace(at, std::min(length, std::size_t{8}), any_of(words));
                break;
            case 2:
                if (at < request.size()) {
                    request[at] = static_cast<char>(request[at] ^ (1 << below(8)));
                }
                break;
            case 3:
                request.erase(at, below(length + 1));
                break;
            case 4:
                request.insert(at, request.substr(at, length));
                break;
            case 5: {
                const std::string& other = any_of(corpus_);
                request = request.substr(0, at) + other.substr(below(other.size()));
                break;
            }
            default:
                request.insert(at, std::string(below(300), static_cast<char>(below(256))));
        }
    }

    std::vector<std::string> corpus_;
    std::mt19937_64 random_;
};

// ---------------------------------------------------------------------------

/// Sends, says that nothing follows, and returns all that comes; nothing where httpd neither
/// answers nor closes the connection in time.
std::optional<std::string> converse(int port, std::string_view bytes)
{
    const Descriptor socket = tcp_socket();
    std::string received;
    bool ends = !connect(socket, port);
    // Who closes before all is sent, has answered.
    while (!ends && !bytes.empty()) {
        const ssize_t sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        bytes.remove_prefix(sent < 0 ? bytes.size() : static_cast<std::size_t>(sent));
    }
    ::shutdown(socket.get(), SHUT_WR);
    bool is_late = false;
    while (!ends) {
        pollfd waiting{socket.get(), POLLIN, 0};
        is_late = ::poll(&waiting, 1, 20'000) <= 0;  // milliseconds
        char buffer[8192];
        const ssize_t count = is_late ? 0 : ::recv(socket.get(), buffer, sizeof buffer, 0);
        ends = count <= 0;
        received.append(buffer, static_cast<std::size_t>(std::max(count, ssize_t{0})));
    }
    return is_late ? std::nullopt : std::optional(received);
}

/// A number from the environment, or another one.
std::uint64_t number_from(const char* name, std::uint64_t otherwise)
{
    const char* const value = std::getenv(name);
    return value != nullptr ? std::stoull(value) : otherwise;
}

/// Text that shows every byte.
std::string visible(std::string_view bytes)
{
    std::string shown;
    for (const char c : bytes) {
        constexpr std::string_view digits = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        if (c >= ' ' && c <= '~' && c != '\\') {
            shown += c;
        } else {
            shown += c == '\n' ? "\\n\n"s : "\\x"s + digits[byte / 16U] + digits[byte % 16U];
        }
    }
    return shown;
}

class Hostile : public HttpdTest {
  protected:
    void SetUp() override
    {
        write("users", "ada:{SHA}qUqP5cyxm6YcTAhz05Hph5gvu9M=\n");  // test
        start(R"(
            # A fixed number of children, so that one that ends is missed; who waits, waits briefly.
            StartServers 2
            ServerLimit 2
            ThreadsPerChild 16
            MaxRequestWorkers 32
            MinSpareThreads 1
            MaxSpareThreads 32
            Timeout 5
            TraceEnable Off
            # What httpd itself complains of is not the matter here, and fills a disk.
            LogLevel crit hello:warn
            CustomLog /dev/null common
            Protocols h2c http/1.1
            <Location "/">
                SetHandler hello
                Require all granted
            </Location>
            <Location "/whoami">
                HelloMessage "%{HTTP_USER_AGENT} %{HTTP_REFERER} %{QUERY_STRING} %{REQUEST_URI} %{THE_REQUEST}"
            </Location>
            <Location "/json">
                HelloType application/json
                HelloMessage "{\"agent\": \"%{HTTP_USER_AGENT}\", \"from\": \"%{HTTP_REFERER}\"}"
            </Location>
            <Location "/csv">
                HelloType text/csv
                HelloMessage "\"%{escape:%{HTTP_USER_AGENT}}\",\"%{base64:%{HTTP_REFERER}}\""
            </Location>
            <LocationMatch "^/named/(?<name>.*)$">
                HelloMessage "<p title='%{reqenv:MATCH_NAME}'>%{reqenv:MATCH_NAME}</p>"
            </LocationMatch>
            <Location "/any">
                HelloMethods any
                HelloStatus 202
                HelloFirst On
            </Location>
            <Location "/drop">
                HelloMethods any
                HelloStatus drop
            </Location>
            <LocationMatch "(?i)^/+closed">
                HelloMethods any
                HelloMessage ")" +
              closed_body + R"("
                Require all denied
            </LocationMatch>
            <Location "/user">
                HelloMessage ")" +
              closed_body + R"("
                AuthType Basic
                AuthName user
                AuthUserFile users
                Require valid-user
            </Location>
        )");
    }

    /// What is wrong with an answer; nothing otherwise.
    static std::string fault_of(const std::optional<std::string>& answer)
    {
        if (!answer) {
            return "no answer, and the connection stays open";
        }
        // HTTP/0.9 has none.
        const bool has_head = answer->starts_with("HTTP/");
        const std::string head = answer->substr(0, has_head ? answer->find("\r\n\r\n") : 0);
        return contains(*answer, closed_body) ? "what is closed was answered"
               : contains(*answer, markup)    ? "a value became markup"
               : contains(head, header)       ? "a value became a header"
                                              : "";
    }
};

TEST_F(Hostile, NoRequestOfTheCorpusOpensOrEndsAnything)
{
    const std::vector<pid_t> children = children_of(httpd().pid());
    for (const std::string& request : corpus()) {
        const std::optional<std::string> answer = converse(http_port(), request);
        EXPECT_EQ(fault_of(answer), "") << visible(request) << "\n--- was answered with\n"
                                        << visible(answer.value_or(""));
    }
    EXPECT_EQ(children_of(httpd().pid()), children);
    EXPECT_EQ(get("/").body, "Hello World!");
}

// HELLO_HOSTILE_REQUESTS says how many, HELLO_HOSTILE_SEED which ones.
TEST_F(Hostile, NorDoThousandsThatGrowOutOfIt)
{
    constexpr int clients = 4;
    const std::uint64_t wanted = number_from("HELLO_HOSTILE_REQUESTS", 20'000);
    const std::uint64_t seed = number_from("HELLO_HOSTILE_SEED", std::random_device()());
    // By itself it ends in time for whoever waits for all the tests.
    const auto end = steady_clock::now() + (std::getenv("HELLO_HOSTILE_REQUESTS") != nullptr
                                                ? std::chrono::hours(24)
                                                : std::chrono::seconds(120));
    const std::vector<pid_t> children = children_of(httpd().pid());
    std::atomic<std::uint64_t> sent = 0;
    std::atomic<int> answered = 0;
    std::atomic<int> faults = 0;
    std::mutex reporting;
    std::vector<std::thread> threads;
    for (int client = 0; client < clients; ++client) {
        threads.emplace_back([&, client] {
            Mutator mutator(corpus(), seed + static_cast<std::uint64_t>(client));
            for (std::uint64_t i = 0;
                 i < wanted / clients && faults < 3 && steady_clock::now() < end; ++i) {
                const std::string request = mutator.next();
                const std::optional<std::string> answer = converse(http_port(), request);
                ++sent;
                answered += answer && contains(*answer, " 200 OK") ? 1 : 0;
                if (const std::string fault = fault_of(answer); !fault.empty()) {
                    ++faults;
                    const std::lock_guard lock(reporting);
                    ADD_FAILURE() << fault << ", with HELLO_HOSTILE_SEED=" << seed << ", client "
                                  << client << ", request " << i << ":\n"
                                  << visible(request) << "\n--- was answered with\n"
                                  << visible(answer.value_or(""));
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    std::cout << "HELLO_HOSTILE_SEED=" << seed << ": " << sent << " requests, " << answered
              << " of them answered with 200\n";
    RecordProperty("seed", std::to_string(seed));
    EXPECT_GT(sent, 0U);
    EXPECT_GT(answered * 20, static_cast<int>(sent))
        << "they are refused before they reach anything";
    EXPECT_EQ(children_of(httpd().pid()), children);
    EXPECT_EQ(get("/").body, "Hello World!");
}

}  // namespace
}  // namespace hello
