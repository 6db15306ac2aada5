// How HelloMethods and HelloStatus are written, what is refused, and which section wins.

#include <algorithm>

#include "methods.h"

namespace hello {
namespace {

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
        Strings all = explained;
        const std::string line = directive;
        all.push_back(line.substr(0, line.find(' ')) + ": ");
        expect_refusal("<Location />\n" + line + "\n</Location>\n", line, all);
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
    const auto answers = [](const Strings& answered, const std::string& method) {
        return std::find(answered.begin(), answered.end(), method) != answered.end();
    };
    for (const auto& [url, status, answered] : cases) {
        for (const std::string& method : asked) {
            const Response response =
                fetch({.url = url, .method = method, .ca = root() / "server.crt"});
            EXPECT_EQ(response.status, answers(answered, method) ? status : 405)
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

}  // namespace
}  // namespace hello
