// HelloMethods, and the statuses that send no body: who is answered, with what, over each protocol.

#include <algorithm>
#include <functional>

#include "methods.h"

namespace hello {
namespace {

Strings words(const std::string& text)
{
    return lines_of(replaced(text, " ", "\n"));
}

bool has(const Strings& strings, const std::string& wanted)
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
    for (const Strings& field : matches_of(bytes.substr(0, end), "\n([^:]+): ([^\r\n]*)")) {
        std::string name = field[1];
        std::transform(name.begin(), name.end(), name.begin(),
                       [](char c) { return static_cast<char>(std::tolower(c)); });
        response.headers.emplace_back(name, field[2]);
    }
    response.body = bytes.substr(end + 4);
    return response;
}

// In curl's words.
constexpr const char* reset = "Stream error in the HTTP/2 framing layer";

/// What the configuration promises to a method.
Answer expected(const std::string& method, const std::string& list, const std::string& status,
                const char* error)
{
    if (status == "drop") {
        return {.error = error};
    }
    const bool is_head = method == "HEAD";
    Strings listed = words(list.empty() ? "GET" : list);
    if (has(listed, "GET")) {
        listed.emplace_back("HEAD");
    }
    if (list == "any" || std::stoi(status) >= 400 || has(listed, method)) {
        if (status == "204") {
            return {.status = 204};
        }
        return {.status = std::stol(status),
                .body = is_head ? "" : message,
                .type = type,
                .length = std::to_string(std::string(message).size())};
    }
    if (!has(listed, "OPTIONS")) {
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

/// A location for each list and status, over http and https, and Basic authentication or what else
/// is to hold for all of them.
std::string table(const std::string& for_all, const std::string& tls)
{
    std::string configuration = "<Location />\nSetHandler hello\nHelloMessage \"" +
                                std::string(message) + "\"\nHelloType " + type + '\n' + for_all +
                                "</Location>\n";
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
    return configuration + "<VirtualHost *:${HTTPS_PORT}>\n" + tls +
           "Protocols h2 http/1.1\n</VirtualHost>\n";
}

using Ask = std::function<Response(const std::string& method, const std::string& path)>;
using Expect = std::function<Answer(const std::string& method, const std::string& list,
                                    const std::string& status)>;

void expect_for_all(const Expect& expect, const Ask& ask)
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

/// A line of a file of passwords.
std::string password_of(const std::string& user, const std::string& password)
{
    return user + ":" + run({.argv = {"openssl", "passwd", "-apr1", password}}).out;
}

constexpr const char* basic = R"(
    AuthType Basic
    AuthName "private"
    AuthUserFile passwords
)";

TEST_F(Methods, EachIsAnsweredAsTheListAndTheStatusSay)
{
    start(table("Require all granted\n", tls()));
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
            EXPECT_TRUE(matches(received,
                                "HTTP/1.1 204 No Content\r\n"
                                "Date: [^\r]+\r\n"
                                "Server: [^\r]+\r\n"
                                "Connection: close\r\n\r\n"))
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
// Access control, and what it makes possible

TEST_F(Methods, AccessControlDecidesFirst)
{
    write("passwords", password_of("ada", "secret"));
    start(table(std::string(basic) + "Require valid-user\n", tls()));
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
    write("passwords", password_of("ada", "secret"));
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

}  // namespace
}  // namespace hello
