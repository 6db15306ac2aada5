// HelloMethods, and the statuses that send no body: who is answered, with what, over each
// protocol, and what becomes of the connection.

#include <curl/curl.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <regex>
#include <sstream>

#include "httpd.h"

namespace hello {
namespace {

using Strings = std::vector<std::string>;

std::size_t count(std::string_view text, std::string_view part)
{
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos;
         at = text.find(part, at + part.size())) {
        ++found;
    }
    return found;
}

Strings words(const std::string& text)
{
    std::istringstream in(text);
    Strings result;
    for (std::string word; in >> word;) {
        result.push_back(word);
    }
    return result;
}

bool contains(const Strings& strings, const std::string& wanted)
{
    return std::find(strings.begin(), strings.end(), wanted) != strings.end();
}

/// One response, as exchange() returns it.
Response parse_response(const std::string& bytes)
{
    Response response;
    if (bytes.empty()) {
        return response;
    }
    const std::size_t end = bytes.find("\r\n\r\n");
    response.status = std::stol(bytes.substr(sizeof "HTTP/1.1"));
    std::istringstream head(bytes.substr(0, end));
    std::string line;
    std::getline(head, line);
    const std::regex form("([^:]+): (.*?)\r?");
    for (std::smatch match; std::getline(head, line) && std::regex_match(line, match, form);) {
        std::string name = match[1];
        std::transform(name.begin(), name.end(), name.begin(),
                       [](char c) { return static_cast<char>(std::tolower(c)); });
        response.headers.emplace_back(name, match[2]);
    }
    response.body = bytes.substr(end + 4);
    return response;
}

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

// ---------------------------------------------------------------------------
// Every method, list, status and protocol

constexpr const char* message = "my own body";
constexpr const char* type = "text/plain";
constexpr const char* httpds_page = "the page of httpd's own";

// In curl's words, each with a code of its own.
constexpr const char* closed = "Server returned nothing (no headers, no data)";
constexpr const char* reset = "Stream error in the HTTP/2 framing layer";

/// What matters of an answer.
struct Answer {
    long status = 0;
    std::string error{};
    std::string body{};
    std::optional<std::string> type{};
    std::optional<std::string> length{};
    std::vector<Strings> allow{};  // of each field of that name, sorted

    bool operator==(const Answer&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Answer& answer)
{
    out << answer.status << ' ' << answer.error << "\n  type " << answer.type.value_or("none")
        << "\n  length " << answer.length.value_or("none");
    for (const Strings& allow : answer.allow) {
        out << "\n  Allow";
        for (const std::string& method : allow) {
            out << ' ' << method;
        }
    }
    return out << "\n  body \"" << answer.body << '"';
}

Answer answer_of(const Response& response)
{
    Answer answer{.status = response.status,
                  .error = response.error.substr(0, response.error.find(':')),
                  .body = response.body,
                  .type = response.header("content-type"),
                  .length = response.header("content-length")};
    for (const auto& [name, value] : response.headers) {
        if (name == "allow") {
            answer.allow.push_back(members(value));
        }
    }
    if (response.body.find("<title>405 Method Not Allowed</title>") != std::string::npos &&
        answer.length == std::to_string(response.body.size())) {
        answer.body = httpds_page;
        answer.length.reset();
    }
    return answer;
}

/// What the configuration promises to a method.
Answer expected(const std::string& method, const std::string& list, const std::string& status,
                const char* error)
{
    if (status == "drop") {
        return {.error = error};
    }
    const bool is_head = method == "HEAD";
    Strings listed = words(list.empty() ? "GET" : list);
    if (contains(listed, "GET")) {
        listed.emplace_back("HEAD");
    }
    if (list == "any" || std::stoi(status) >= 400 || contains(listed, method)) {
        if (status == "204") {
            return {.status = 204};
        }
        return {.status = std::stol(status),
                .body = is_head ? "" : message,
                .type = type,
                .length = std::to_string(std::string(message).size())};
    }
    if (!contains(listed, "OPTIONS")) {
        listed.emplace_back("OPTIONS");
    }
    std::sort(listed.begin(), listed.end());
    if (method == "OPTIONS") {
        return {.status = 200, .type = type, .length = "0", .allow = {listed}};
    }
    listed.emplace_back("TRACE");  // the last one by the alphabet too
    return {.status = 405,
            .body = is_head ? "" : httpds_page,
            .type = "text/html; charset=iso-8859-1",
            .allow = {listed}};
}

const Strings methods{"GET",   "HEAD",    "POST",     "PUT",  "DELETE",
                      "PATCH", "OPTIONS", "PROPFIND", "BREW", "get"};
const Strings lists{"", "GET POST OPTIONS BREW", "POST BREW", "any"};
const Strings statuses{"200", "204", "404", "503", "drop"};

/// Where the table has a list and a status.
std::string path_of(std::size_t list, const std::string& status)
{
    std::string path = "/";
    return path.append(std::to_string(list)).append("/").append(status);
}

class Methods : public HttpdTest {
  protected:
    /// Starts httpd with a location for each list and status, and with Basic authentication
    /// or what else is to hold for all of them.
    void start_table(const std::string& for_all)
    {
        std::string configuration = "<Location />\nSetHandler hello\nHelloMessage \"" +
                                    std::string(message) + "\"\nHelloType " + type + '\n' +
                                    for_all + "</Location>\n";
        for (std::size_t list = 0; list < lists.size(); ++list) {
            if (!lists[list].empty()) {
                configuration += "<Location /" + std::to_string(list) + ">\nHelloMethods " +
                                 lists[list] + "\n</Location>\n";
            }
        }
        for (const std::string& status : statuses) {
            configuration += "<LocationMatch \"^/[0-9]/" + status + "$\">\nHelloStatus " + status +
                             "\n</LocationMatch>\n";
        }
        start(configuration + "<VirtualHost *:${HTTPS_PORT}>\n" + tls() +
              "Protocols h2 http/1.1\n</VirtualHost>\n");
    }

    using Ask = std::function<Response(const std::string& method, const std::string& path)>;
    using Expect = std::function<Answer(const std::string& method, const std::string& list,
                                        const std::string& status)>;

    static void expect_for_all(const Expect& expect, const Ask& ask)
    {
        for (std::size_t list = 0; list < lists.size(); ++list) {
            for (const std::string& status : statuses) {
                for (const std::string& method : methods) {
                    EXPECT_EQ(answer_of(ask(method, path_of(list, status))),
                              expect(method, lists[list], status))
                        << method << ", HelloMethods " << lists[list] << ", HelloStatus " << status;
                }
            }
        }
    }

    Response ask_http1(const std::string& method, const std::string& path) const
    {
        return fetch({.url = http(path), .method = method});
    }

    Response ask_http2(const std::string& method, const std::string& path) const
    {
        return fetch(
            {.url = https(path), .method = method, .ca = root() / "server.crt", .http2 = true});
    }

    void write_password(const std::string& user, const std::string& password)
    {
        const std::string hash = run({.argv = {"openssl", "passwd", "-apr1", password}}).out;
        write("passwords", user + ":" + hash);
    }

    static constexpr const char* basic = R"(
        AuthType Basic
        AuthName "private"
        AuthUserFile passwords
    )";
};

TEST_F(Methods, EachIsAnsweredAsTheListAndTheStatusSay)
{
    start_table("Require all granted\n");
    {
        SCOPED_TRACE("HTTP/1.0");
        expect_for_all([](const auto&... which) { return expected(which..., ""); },
                       [this](const std::string& method, const std::string& path) {
                           return parse_response(
                               exchange(http_port(), method + ' ' + path + " HTTP/1.0\r\n\r\n"));
                       });
    }
    {
        SCOPED_TRACE("HTTP/1.1");
        expect_for_all([](const auto&... which) { return expected(which..., closed); },
                       [this](const auto&... what) { return ask_http1(what...); });
    }
    {
        SCOPED_TRACE("HTTP/2");
        expect_for_all([](const auto&... which) { return expected(which..., reset); },
                       [this](const auto&... what) { return ask_http2(what...); });
    }
}

TEST_F(Methods, AnAnswerWithoutABodyHasNoFieldOfOne)
{
    start(R"(
        <Location "/">
            SetHandler hello
            Require all granted
            HelloMethods any
            HelloStatus 204
            HelloType text/plain
        </Location>
        <Location "/constant">
            HelloMessage "a body"
        </Location>
        <Location "/rendered">
            HelloMessage "%{REQUEST_METHOD}"
        </Location>
        <Location "/file">
            HelloFile httpd.conf verbatim
        </Location>)");
    for (const char* const path : {"/", "/constant", "/rendered", "/file"}) {
        for (const char* const method : {"GET", "HEAD", "POST"}) {
            const std::string received =
                exchange(http_port(), std::string(method) + ' ' + path +
                                          " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                          "If-None-Match: *\r\nRange: bytes=0-1\r\n\r\n");
            EXPECT_TRUE(std::regex_match(received, std::regex("HTTP/1.1 204 No Content\r\n"
                                                              "Date: [^\r]+\r\n"
                                                              "Server: [^\r]+\r\n"
                                                              "Connection: close\r\n\r\n")))
                << method << ' ' << path << '\n'
                << received;
        }
    }
}

TEST_F(Methods, AnyLeavesToHttpdWhatIsHttpds)
{
    start(R"(
        SetHandler hello
        HelloMethods any
        <Location "/503">
            HelloStatus 503
        </Location>
        <Location "/drop">
            HelloStatus drop
        </Location>)");
    for (const char* const path : {"/", "/503", "/drop"}) {
        const Response echoed = ask_http1("TRACE", path);
        EXPECT_EQ(echoed.status, 200) << path << echoed;
        EXPECT_EQ(echoed.header("content-type"), "message/http") << path;
        EXPECT_TRUE(echoed.body.starts_with(std::string("TRACE ") + path + " HTTP/1.1\r\n"));
    }
    const std::string end = " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    const std::string whole = exchange(http_port(), "OPTIONS *" + end);
    EXPECT_TRUE(whole.starts_with("HTTP/1.1 200 ")) << whole;
    EXPECT_EQ(count(whole, "Hello World!"), 0U) << whole;
    // Any 2xx would promise a tunnel: RFC 9110, section 9.3.6.
    const std::string tunnel = exchange(http_port(), "CONNECT a:1" + end);
    EXPECT_TRUE(tunnel.starts_with("HTTP/1.1 405 ")) << tunnel;
    EXPECT_EQ(count(tunnel, "\r\nAllow: "), 1U) << tunnel;

    reload("TraceEnable Off\nSetHandler hello\nHelloMethods any\n");
    const Response refused = ask_http1("TRACE", "/");
    EXPECT_EQ(refused.status, 405);
    EXPECT_EQ(refused.body.find("Hello World!"), std::string::npos);
    EXPECT_EQ(ask_http1("BREW", "/").body, "Hello World!");
}

TEST_F(Methods, AllowNamesTraceOnlyWhereHttpdAnswersIt)
{
    start("TraceEnable Off\nSetHandler hello\nHelloMethods BREW\n");
    for (const char* const method : {"GET", "POST", "OPTIONS"}) {
        EXPECT_EQ(answer_of(ask_http1(method, "/")).allow,
                  (std::vector<Strings>{{"BREW", "OPTIONS"}}))
            << method;
    }
}

TEST_F(Methods, AnErrorDocumentOf405NamesTheListedOnesOnce)
{
    start(R"(
        SetHandler hello
        ErrorDocument 405 /page
        <Location "/listed">
            HelloMethods BREW
        </Location>)");
    const Answer answer = answer_of(ask_http1("POST", "/listed"));
    EXPECT_EQ(answer.status, 405);
    EXPECT_EQ(answer.body, "Hello World!");
    EXPECT_EQ(answer.allow, (std::vector<Strings>{{"BREW", "OPTIONS", "TRACE"}}));
}

// ---------------------------------------------------------------------------
// Bodies of requests

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

// ---------------------------------------------------------------------------
// Access control, and what it makes possible

TEST_F(Methods, AccessControlDecidesFirst)
{
    write_password("ada", "secret");
    start_table(std::string(basic) + "Require valid-user\n");
    const auto refused = [](const std::string& method, const auto&...) {
        return Answer{.status = 401,
                      .body = method == "HEAD" ? "" : "refused",
                      .type = "text/html; charset=iso-8859-1"};
    };
    const auto without_page = [](Response response) {
        EXPECT_EQ(response.header("www-authenticate"), "Basic realm=\"private\"");
        if (response.body.find("<title>401 Unauthorized</title>") != std::string::npos) {
            response.body = "refused";
        }
        std::erase_if(response.headers,
                      [](const auto& field) { return field.first == "content-length"; });
        return response;
    };
    expect_for_all(refused, [&](const auto&... what) { return without_page(ask_http1(what...)); });
    EXPECT_EQ(answer_of(without_page(ask_http2("POST", "/3/drop"))), refused("POST"));

    expect_for_all([](const auto&... which) { return expected(which..., closed); },
                   [this](const std::string& method, const std::string& path) {
                       return fetch({.url = http(path), .method = method, .user = "ada:secret"});
                   });
}

TEST_F(Methods, APreflightIsAnsweredBesideBasicAuthentication)
{
    write_password("ada", "secret");
    write("htdocs/api/data", "the file");
    start(R"(
        DocumentRoot "${ROOT}/htdocs"
        <Location "/">
            AuthType Basic
            AuthName "private"
            AuthUserFile passwords
            <RequireAny>
                Require method OPTIONS
                Require valid-user
            </RequireAny>
        </Location>
        <If "%{REQUEST_METHOD} == 'OPTIONS'">
            SetHandler hello
            HelloMethods OPTIONS
            HelloStatus 204
            Header always set Access-Control-Allow-Origin "https://app.example"
            Header always set Access-Control-Allow-Methods "GET, PUT"
            Header always set Access-Control-Allow-Headers "Authorization"
        </If>
        <Location "/all">
            SetHandler hello
            HelloMethods OPTIONS
            HelloStatus 204
            Header always set Access-Control-Allow-Origin "https://app.example"
        </Location>)");
    for (const char* const path : {"/api/data", "/api/no-such", "/all"}) {
        const Response preflight = fetch(
            {.url = http(path),
             .method = "OPTIONS",
             .headers = {"Origin: https://app.example", "Access-Control-Request-Method: PUT"}});
        EXPECT_EQ(answer_of(preflight), (Answer{.status = 204})) << path;
        EXPECT_EQ(preflight.header("access-control-allow-origin"), "https://app.example") << path;
        for (const char* const method : {"GET", "PUT"}) {
            EXPECT_EQ(ask_http1(method, path).status, 401) << method << ' ' << path;
        }
    }
    const Response preflight = ask_http1("OPTIONS", "/api/data");
    EXPECT_EQ(preflight.header("access-control-allow-methods"), "GET, PUT");
    EXPECT_EQ(preflight.header("access-control-allow-headers"), "Authorization");
    EXPECT_EQ(fetch({.url = http("/api/data"), .user = "ada:secret"}).body, "the file");
    const Response refused = fetch({.url = http("/all"), .user = "ada:secret"});
    EXPECT_EQ(refused.status, 405);
    EXPECT_EQ(members(refused.header("allow")), (Strings{"OPTIONS", "TRACE"}));
    EXPECT_EQ(refused.header("access-control-allow-origin"), "https://app.example");
}

TEST_F(Methods, HttpdsOwnDirectivesKnowAListedName)
{
    expect_log("AH01630");  // client denied by server configuration
    start(R"(
        HttpProtocolOptions RegisteredMethods
        SetHandler hello
        <Location "/listed">
            HelloMethods BREW
        </Location>
        <Location "/any">
            HelloMethods any
        </Location>
        <Location "/limit">
            HelloMethods BREW STEEP
            <Limit BREW>
                Require all denied
            </Limit>
        </Location>
        <Location "/limit-except">
            HelloMethods BREW STEEP
            <LimitExcept BREW>
                Require all denied
            </LimitExcept>
        </Location>
        <Location "/require">
            HelloMethods BREW STEEP
            Require method BREW
        </Location>)");
    const struct {
        const char* path;
        const char* method;
        long status;
    } cases[] = {
        {"/listed", "BREW", 200},       {"/listed", "STEEP", 405},       {"/any", "BREW", 200},
        {"/any", "UNKNOWN", 501},       {"/limit", "BREW", 403},         {"/limit", "STEEP", 200},
        {"/limit-except", "BREW", 200}, {"/limit-except", "STEEP", 403}, {"/require", "BREW", 200},
        {"/require", "STEEP", 403},
    };
    for (const auto& [path, method, status] : cases) {
        const Response response = ask_http1(method, path);
        EXPECT_EQ(response.status, status) << method << ' ' << path;
        EXPECT_EQ(response.body == "Hello World!", status == 200) << response;
    }
}

TEST_F(Methods, AsManyNamesOfOnesOwnAsHttpdCanRegisterAreAnswered)
{
    std::string list = "HelloMethods";
    for (int number = 1; number <= 35; ++number) {
        list += " BREW-" + std::to_string(number);
    }
    start("SetHandler hello\n" + list + '\n');
    for (const char* const method : {"BREW-1", "BREW-35"}) {
        EXPECT_EQ(ask_http1(method, "/").status, 200) << method;
    }
    EXPECT_EQ(answer_of(ask_http1("BREW-36", "/")).allow.front().size(), 37U);
    EXPECT_EQ(answer_of(ask_http1("OPTIONS", "/")).allow.front().size(), 36U);
}

// ---------------------------------------------------------------------------
// Conditions and ranges

TEST_F(Methods, ConditionsAndRangesAreThoseOfTheMethod)
{
    write("body", "Hello file!!");
    start(R"(
        <Location "/">
            SetHandler hello
            Require all granted
        </Location>
        <Location "/some">
            HelloMethods GET POST OPTIONS BREW
        </Location>
        <Location "/any">
            HelloMethods any
        </Location>
        <Location "/any/file">
            HelloFile body
        </Location>)");
    constexpr const char* past = "Sat, 01 Jan 2000 00:00:00 GMT";
    const std::string now = get("/any/file").header("last-modified").value_or("");
    for (const std::string path : {"/some", "/any", "/any/file"}) {
        const std::string body = get(path).body;
        const std::string tag = get(path).header("etag").value_or("");
        const bool is_file = path == "/any/file";
        ASSERT_EQ(body.size(), 12U);
        const struct {
            std::string field;
            long get;
            long post;
        } cases[] = {
            {"If-None-Match: " + tag, 304, 412},
            // httpd compares strongly, but for GET.
            {"If-None-Match: W/" + tag, 304, 200},
            {"If-None-Match: *", 304, 412},
            {"If-None-Match: \"a\"", 200, 200},
            {"If-Match: " + tag, 200, 200},
            {"If-Match: \"a\"", 412, 412},
            {"If-Modified-Since: " + now, is_file ? 304 : 200, 200},
            {std::string("If-Unmodified-Since: ") + past, is_file ? 412 : 200, is_file ? 412 : 200},
            {"Range: bytes=0-4", 206, 200},
            {"Range: bytes=12-", 416, 200},
        };
        for (const auto& [field, status_of_get, status_of_post] : cases) {
            const auto expect = [&, &field = field](const char* method, long status) {
                const Response response =
                    fetch({.url = http(path), .method = method, .headers = {field}});
                EXPECT_EQ(response.status, status) << method << ' ' << path << ' ' << field;
                EXPECT_EQ(response.header("content-range").has_value(), status == 206);
                if (status != 416) {  // that is a page of httpd's own
                    EXPECT_EQ(response.body, status == 200   ? body
                                             : status == 206 ? body.substr(0, 5)
                                                             : "")
                        << method << ' ' << path << ' ' << field;
                }
            };
            expect("GET", status_of_get);
            expect("POST", status_of_post);
            expect("BREW", status_of_post);
            expect("OPTIONS", 200);
        }
    }
}

// ---------------------------------------------------------------------------
// The directives

TEST_F(Methods, WhatIsWrongStopsHttpdAndIsExplained)
{
    const char* const methods_expected = "expected names such as GET and POST, or any alone";
    const char* const status_expected =
        "expected 200 to 299 without 205 and 206, 400 to 599, such as 503, or drop";
    const struct {
        const char* directive;
        Strings explained;
    } cases[] = {
        {"HelloMethods", {"expected the methods that are answered, or any"}},
        {"HelloMethods \"\"", {"\"\"", methods_expected}},
        {"HelloMethods TRACE", {"\"TRACE\"", methods_expected, "httpd's own"}},
        {"HelloMethods GET TRACE", {"\"TRACE\"", methods_expected}},
        {"HelloMethods CONNECT", {"\"CONNECT\"", methods_expected, "a proxy's"}},
        {"HelloMethods GET any", {"\"any\"", methods_expected}},
        {"HelloMethods any GET", {"\"any\"", methods_expected}},
        {"HelloMethods any any", {"\"any\"", methods_expected}},
        {"HelloMethods HEAD", {"\"HEAD\"", "expected GET beside it"}},
        {"HelloMethods POST HEAD", {"\"HEAD\"", "expected GET beside it"}},
        {"HelloMethods \"GE T\"", {"\"GE T\"", methods_expected}},
        {"HelloMethods G@T", {"\"G@T\"", methods_expected}},
        {"HelloMethods GET,POST", {"\"GET,POST\"", methods_expected}},
        {"HelloMethods GET, POST", {"\"GET,\"", methods_expected}},
        // httpd escapes what it logs.
        {"HelloMethods BR\xc3\x84U", {R"("BR\xc3\x84U")", methods_expected}},
        {"HelloStatus", {"expected the status of the answer"}},
        {"HelloStatus 205", {"\"205\"", status_expected}},
        {"HelloStatus 206", {"\"206\"", status_expected}},
        {"HelloStatus 302", {"\"302\"", status_expected}},
        {"HelloStatus 304", {"\"304\"", status_expected}},
        {"HelloStatus 100", {"\"100\"", status_expected}},
        {"HelloStatus 0", {"\"0\"", status_expected}},
        {"HelloStatus dropp", {"\"dropp\"", status_expected}},
        {"HelloStatus dro", {"\"dro\"", status_expected}},
        {"HelloStatus 204 drop", {"expected the status of the answer"}},
    };
    for (const auto& [directive, explained] : cases) {
        const Finished checked =
            check("<Location />\n" + std::string(directive) + "\n</Location>\n");
        EXPECT_NE(checked.status, 0) << directive;
        const std::string name = words(directive).front() + ": ";
        EXPECT_NE(checked.err.find(name), std::string::npos) << directive << '\n' << checked.err;
        for (const std::string& part : explained) {
            EXPECT_NE(checked.err.find(part), std::string::npos) << directive << '\n'
                                                                 << checked.err;
        }
        const std::string configuration = read_file(root() / "httpd.conf");
        const auto line = std::count(configuration.begin(), configuration.end(), '\n') - 1;
        EXPECT_NE(checked.err.find("line " + std::to_string(line) + " of "), std::string::npos)
            << checked.err;
    }
}

TEST_F(Methods, EachSpellingThatIsRightIsTaken)
{
    start(R"(
        SetHandler hello
        <Location "/head">
            HelloMethods GET HEAD
        </Location>
        <Location "/head-first">
            HelloMethods HEAD GET
        </Location>
        <Location "/twice">
            HelloMethods POST POST OPTIONS OPTIONS
        </Location>
        <Location "/quoted">
            HelloMethods "POST" 'BREW'
        </Location>
        <Location "/signs">
            HelloMethods !#$%&'*+-.^_`|~09azAZ
        </Location>
        <Location "/drop">
            HelloStatus Drop
        </Location>)");
    const struct {
        const char* path;
        const char* method;
        Strings allow;  // of what is refused
    } cases[] = {
        {"/head", "HEAD", {"GET", "HEAD", "OPTIONS"}},
        {"/head-first", "HEAD", {"GET", "HEAD", "OPTIONS"}},
        {"/twice", "OPTIONS", {"OPTIONS", "POST"}},
        {"/quoted", "BREW", {"BREW", "OPTIONS", "POST"}},
        {"/signs", "!#$%&'*+-.^_`|~09azAZ", {"!#$%&'*+-.^_`|~09azAZ", "OPTIONS"}},
    };
    for (const auto& [path, method, allow] : cases) {
        EXPECT_EQ(ask_http1(method, path).status, 200) << method << ' ' << path;
        Strings allow_and_trace = allow;
        allow_and_trace.emplace_back("TRACE");
        const Answer refused = answer_of(ask_http1("PUT", path));
        EXPECT_EQ(refused.allow, std::vector<Strings>{allow_and_trace}) << path;
        if (method != std::string("OPTIONS")) {
            EXPECT_EQ(answer_of(ask_http1("OPTIONS", path)).allow, std::vector<Strings>{allow})
                << path;
        }
    }
    EXPECT_EQ(answer_of(ask_http1("GET", "/drop")), (Answer{.error = closed}));
}

TEST_F(Methods, TheInnerListReplacesTheOuterOne)
{
    start(R"(
        SetHandler hello
        HelloMethods GET POST
        <Location "/inner">
            HelloMethods PUT
        </Location>
        <Location "/inner/any">
            HelloMethods any
        </Location>
        <Location "/inner/any/get">
            HelloMethods GET
        </Location>
        <Location "/inner/status">
            HelloStatus 201
        </Location>
        <Location "/if">
            <If "%{QUERY_STRING} == 'brew'">
                HelloMethods BREW
            </If>
        </Location>
        <VirtualHost *:${HTTPS_PORT}>
            HelloMethods DELETE
            )" +
          tls() + "</VirtualHost>\n");
    const Strings asked{"GET", "POST", "PUT", "DELETE", "BREW"};
    const struct {
        std::string url;
        long status;
        Strings answered;
    } cases[] = {
        {http("/"), 200, {"GET", "POST"}},     {http("/inner"), 200, {"PUT"}},
        {http("/inner/any"), 200, asked},      {http("/inner/any/get"), 200, {"GET"}},
        {http("/inner/status"), 201, {"PUT"}}, {http("/if"), 200, {"GET", "POST"}},
        {http("/if?brew"), 200, {"BREW"}},     {https("/"), 200, {"DELETE"}},
        {https("/inner"), 200, {"PUT"}},
    };
    for (const auto& [url, status, answered] : cases) {
        for (const std::string& method : asked) {
            const Response response =
                fetch({.url = url, .method = method, .ca = root() / "server.crt"});
            EXPECT_EQ(response.status, contains(answered, method) ? status : 405)
                << method << ' ' << url;
        }
    }
}

TEST_F(Methods, HtaccessMayNotSetThem)
{
    write("htdocs/page.html", "the file");
    write("htdocs/.htaccess", "HelloMethods any\n");
    const struct {
        const char* allowance;
        const char* logged;
    } cases[] = {
        {"AllowOverride All", "HelloMethods not allowed here"},
        {"AllowOverride None\nAllowOverrideList HelloMethods",
         "HelloMethods cannot occur within htaccess files"},
    };
    start("");
    for (const auto& [allowance, logged] : cases) {
        expect_log(logged);
        reload(std::string("DocumentRoot \"${ROOT}/htdocs\"\n<Directory \"${ROOT}/htdocs\">\n") +
               "SetHandler hello\nRequire all granted\n" + allowance + "\n</Directory>\n");
        EXPECT_EQ(get("/page.html").status, 500) << allowance;
        EXPECT_EQ(ask_http1("POST", "/page.html").status, 500) << allowance;
    }
}

// ---------------------------------------------------------------------------
// No answer at all

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
