// Bodies that nothing touches: the lines of a <HelloMessage>, which httpd's configuration
// language does not see, and the option verbatim, by which no expression is looked for.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <memory>
#include <random>
#include <regex>
#include <sstream>
#include <system_error>
#include <thread>

#include "httpd.h"

namespace hello {
namespace {

namespace fs = std::filesystem;

using Strings = std::vector<std::string>;

constexpr std::size_t mebibyte = 1U << 20U;

/// Of a text, with their ends.
Strings lines_of(const std::string& text)
{
    Strings lines;
    for (std::size_t at = 0; at < text.size(); at += lines.back().size()) {
        lines.push_back(text.substr(at, text.find('\n', at) - at + 1));
    }
    return lines;
}

/// A container around lines, which are moved to the right.
std::string block(const std::string& text, const std::string& start_tag = "<HelloMessage>",
                  const std::string& indentation = "            ")
{
    std::string result = "        " + start_tag + '\n';
    for (const std::string& line : lines_of(text)) {
        result += indentation + line;
    }
    return result + "        </HelloMessage>\n";
}

constexpr const char* robots =
    "# Nobody is to read\n"
    "User-agent: *\n"
    "Disallow: /\n"
    "\n"
    "User-agent: \"good\" bot\n"
    "Allow: /*.html$\n";

/// Forty lines in which each line has something that httpd would do something with. Every
/// third one ends as on Windows.
std::string page()
{
    constexpr const char* text = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>It's "down" & out</title>
<style>
#main { color: #333; content: "\201C"; }
# no comment
a::after { content: '\'' }
</style>
</head>
<body>
    <h1 class='a "b" c'>Hello</h1>
	<p>A tab before, one	in between, and blanks at the end   
		<p>two tabs

   
<pre>
C:\folder\
\\server\share\\
\"quoted\" and \'quoted\' \
</pre>
<script>
const name = "it's";
const path = `${location.protocol}//${name}/${a + "}"}`;
const text = 'one\
two';
const string = /^\s*"[^"\\]*(\\.[^"\\]*)*"$/;
if (1 < 2 && 3 > 2) { console.log(`${`${name}`}`); }
</script>
<Location "/hello">
Include nowhere.conf
</Location>
<HelloMessage>
</HelloMessages>
100% { } %} % { $0 $$ %% ${HTTP_PORT} ${ROOT}
" ' ` "
é €
</body>
</html>
)";
    std::string result;
    int number = 0;
    for (std::string line : lines_of(text)) {
        if (++number % 3 == 0) {
            line.insert(line.size() - 1, 1, '\r');
        }
        result += line;
    }
    return result;
}

/// What a HelloMessage may stand in, around directives.
struct Place {
    const char* name;
    const char* open;
    const char* close;
};

// Each in a virtual host of its own.
const Place places[] = {
    {"virtual host", "", ""},
    {"location", "<Location />\n", "</Location>\n"},
    {"location match", "<LocationMatch ^/page>\n", "</LocationMatch>\n"},
    {"directory", "<Directory \"${ROOT}/htdocs\">\n", "</Directory>\n"},
    {"files", "<Files page.html>\n", "</Files>\n"},
    {"files match", "<FilesMatch .>\n", "</FilesMatch>\n"},
    {"if", "<If true>\n", "</If>\n"},
    {"else", "<If false>\n</If>\n<Else>\n", "</Else>\n"},
    {"if in a location", "<Location />\n<If true>\n", "</If>\n</Location>\n"},
    {"a module that is there", "<IfModule hello_module>\n", "</IfModule>\n"},
    {"a module that is not", "<IfModule !mod_none.c>\n", "</IfModule>\n"},
    {"what is defined", "<IfDefine ROOT>\n", "</IfDefine>\n"},
    {"a version", "<IfVersion >= 2.4>\n", "</IfVersion>\n"},
    {"a location in what is defined", "<IfDefine ROOT>\n<Location />\n",
     "</Location>\n</IfDefine>\n"},
    {"what is defined in a location", "<Location />\n<IfDefine ROOT>\n",
     "</IfDefine>\n</Location>\n"},
    {"all of them",
     "<IfModule hello_module>\n<IfDefine ROOT>\n<Location />\n<IfVersion >= 2>\n<If true>\n"
     "<IfDefine !NONE>\n",
     "</IfDefine>\n</If>\n</IfVersion>\n</Location>\n</IfDefine>\n</IfModule>\n"},
};

class Block : public HttpdTest {
  protected:
    static constexpr const char* open_location = R"(
        <Location "/">
            SetHandler hello
            Require all granted
        </Location>
    )";

    // The handler is set for a file, so that sections of files count as well.
    std::string common()
    {
        write("htdocs/page.html", "the file");
        return R"(
            DocumentRoot "${ROOT}/htdocs"
            <Directory "${ROOT}/htdocs">
                Require all granted
                SetHandler hello
            </Directory>
        )";
    }

    static std::string load(const std::string& name)
    {
        return "LoadModule " + name + "_module " +
               (httpd_modules() / ("mod_" + name + ".so")).string() + '\n';
    }

    /// A virtual host by a name of its own for each piece of a configuration.
    std::string hosts(const Strings& pieces)
    {
        std::string result = common();
        int number = 0;
        for (const std::string& piece : pieces) {
            result += "<VirtualHost *:${HTTP_PORT}>\nServerName host" + std::to_string(number++) +
                      "\n" + piece + "</VirtualHost>\n";
        }
        return result;
    }

    Response get_from(std::size_t host, const std::string& query = "") const
    {
        return fetch(
            {.url = http("/page.html" + query), .headers = {"Host: host" + std::to_string(host)}});
    }

    /// What is said of a configuration that must be refused, and at which line of the file:
    /// that of the only line with a text.
    void expect_refusal(const std::string& configuration, const std::string& line,
                        const Strings& explained)
    {
        SCOPED_TRACE(configuration);
        const Finished checked = check(configuration);
        EXPECT_NE(checked.status, 0);
        for (const std::string& part : explained) {
            EXPECT_NE(checked.err.find(part), std::string::npos) << part << '\n' << checked.err;
        }
        const std::string file = read_file(root() / "httpd.conf");
        const auto at = static_cast<std::ptrdiff_t>(file.find(line));
        const auto number = 1 + std::count(file.begin(), file.begin() + at, '\n');
        EXPECT_NE(checked.err.find("line " + std::to_string(number) + " of " +
                                   (root() / "httpd.conf").string() + ":"),
                  std::string::npos)
            << number << '\n'
            << checked.err;
    }
};

// ---------------------------------------------------------------------------
// The container

TEST_F(Block, StandsAsItIsInEachPlace)
{
    const struct {
        const char* start_tag;
        const char* indentation;
        std::string text;
    } bodies[] = {
        {"<HelloMessage>", "            ", robots},
        {"<HelloMessage>", " \t ", page()},
        {"<HelloMessage verbatim>", "\t", page() + "%{REMOTE_ADDR} \\%{x} %{\n"},
    };
    Strings pieces;
    Strings expected;
    const auto add = [&](const Place& place, const std::string& directives,
                         const std::string& text) {
        pieces.push_back(place.open + directives + place.close);
        expected.push_back(text);
    };
    for (const Place& place : places) {
        for (const auto& body : bodies) {
            const std::string text = block(body.text, body.start_tag, body.indentation);
            const std::string rest = "HelloStatus 222\nHelloType text/mine\n";
            add(place, text + rest, body.text);
            add(place, rest + text, body.text);
            const std::string file = "included" + std::to_string(pieces.size());
            write(file + ".conf", rest + text);
            add(place, "Include " + file + ".conf\n", body.text);
            // Nothing follows the end tag.
            write(file + "x/a.conf", rest + text.substr(0, text.size() - 1));
            add(place, "IncludeOptional " + file + "x/*.conf\n", body.text);
        }
    }
    // Lines are counted all the way, in spite of all the blocks.
    expect_refusal(hosts(pieces) + "NoSuchDirective\n", "NoSuchDirective", {"NoSuchDirective"});
    start(hosts(pieces));
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        SCOPED_TRACE(pieces[i]);
        const Response response = get_from(i);
        EXPECT_EQ(response.status, 222);
        EXPECT_EQ(response.header("content-type"), "text/mine");
        EXPECT_EQ(response.body, expected[i]);
    }
}

TEST_F(Block, StandsAtServerLevelToo)
{
    for (const bool has_newline : {true, false}) {
        std::string text = common() + "HelloStatus 222\n" + block(page());
        if (!has_newline) {
            text.pop_back();  // the end tag is the end of the file
        }
        has_newline ? start(text + "HelloType text/mine\n") : reload(text);
        const Response response = get("/page.html");
        EXPECT_EQ(response.status, 222);
        EXPECT_EQ(response.header("content-type"),
                  has_newline ? "text/mine" : "text/html; charset=utf-8");
        EXPECT_EQ(response.body, page());
        EXPECT_EQ(response.header("content-length"), std::to_string(page().size()));
        EXPECT_TRUE(response.header("etag").has_value());
    }
}

TEST_F(Block, LosesTheIndentationThatItsLinesHaveInCommon)
{
    const std::string long_line(300'000, 'x');
    const struct {
        std::string text;
        std::string body;
    } cases[] = {
        {"", ""},
        {"\n", "\n"},
        {"\n   \n\t\n", "\n   \n\t\n"},
        {"a\n", "a\n"},
        {"    a\n    b\n", "a\nb\n"},
        {"    a\n      b\n   c\n", " a\n   b\nc\n"},
        {"\ta\n\t\tb\n", "a\n\tb\n"},
        // A tab is as wide as everybody likes it.
        {"\ta\n    b\n", "\ta\n    b\n"},
        {" \ta\n \t b\n  c\n", "\ta\n\t b\n c\n"},
        {"a\n    b\n", "a\n    b\n"},
        {"    b\na\n", "    b\na\n"},
        // A blank line has no indentation of its own.
        {"    a\n\n    b\n", "a\n\nb\n"},
        {"    a\n  \n      \n    b\n", "a\n\n  \nb\n"},
        {"\n    a\n\n", "\na\n\n"},
        {"    a\n\t\n", "a\n\n"},
        {"    a\r\n    b\r\n", "a\r\nb\r\n"},
        {"    a\r\n\r\n  \r\n    b\n", "a\r\n\r\n\r\nb\n"},
        {"  a \t \n   b\t\r\n", "a \t \n b\t\r\n"},
        {"  # one\n  #two\n", "# one\n#two\n"},
        {"  one\\\n  two\\\\\n  \\\n", "one\\\ntwo\\\\\n\\\n"},
        {"  \"\n  ''\n  \\\"\n  \\'\n", "\"\n''\n\\\"\n\\'\n"},
        {"  <HelloMessage>\n  </HelloMessage> x\n  x</HelloMessage>\n",
         "<HelloMessage>\n</HelloMessage> x\nx</HelloMessage>\n"},
        {"  " + long_line + "\n", long_line + "\n"},
        {"\x01\x7f\xff\n", "\x01\x7f\xff\n"},
    };
    Strings pieces;
    for (const auto& one : cases) {
        for (const char* const tag : {"<HelloMessage>", "<HelloMessage verbatim>"}) {
            pieces.push_back(block(one.text, tag, ""));
        }
    }
    start(hosts(pieces));
    std::size_t host = 0;
    for (const auto& [text, body] : cases) {
        for (const bool is_verbatim : {false, true}) {
            const Response response = get_from(host++);
            EXPECT_EQ(response.status, 200);
            EXPECT_EQ(response.body, body) << is_verbatim << " of\n" << text;
            EXPECT_EQ(response.header("content-length"), std::to_string(body.size()));
        }
    }
}

TEST_F(Block, HoldsExpressionsUnlessItIsVerbatim)
{
    const struct {
        const char* type;
        const char* text;
        const char* body;  // of the query "q=<'>"
    } cases[] = {
        {"text/html", "<p>\n  %{QUERY_STRING}\n</p>\n", "<p>\n  q=&lt;&#39;&gt;\n</p>\n"},
        {"application/json", "{\n  \"q\": \"%{QUERY_STRING}\"\n}\n",
         "{\n  \"q\": \"q=\\u003c\\u0027\\u003e\"\n}\n"},
        {"text/plain", "%{QUERY_STRING}\n%{REQUEST_METHOD}\n", "q=<'>\nGET\n"},
        {"text/plain", "\\%{QUERY_STRING} ${QUERY_STRING} \\n\n",
         "%{QUERY_STRING} ${QUERY_STRING} \\n\n"},
        {"text/plain", "%{toupper:it\\'s \\\"x\\\" \\} $x}\n", "IT'S \"X\" } $X\n"},
    };
    Strings pieces;
    for (const auto& one : cases) {
        for (const char* const tag : {"<HelloMessage>", "<HelloMessage verbatim>"}) {
            pieces.push_back(block(one.text, tag) + "HelloType " + one.type + '\n');
        }
    }
    start(hosts(pieces));
    std::size_t host = 0;
    for (const auto& [type, text, body] : cases) {
        const std::string query = "?q=<'>";
        EXPECT_EQ(get_from(host++, query).body, body) << type;
        const Response verbatim = get_from(host++, query);
        EXPECT_EQ(verbatim.body, text);
        EXPECT_EQ(verbatim.header("cache-control"), std::nullopt);
        EXPECT_TRUE(verbatim.header("etag").has_value());
    }
}

TEST_F(Block, TagsMayHaveAnyCaseAndBlanks)
{
    const struct {
        const char* text;
        const char* body;
    } cases[] = {
        {"<HelloMessage>\n%{REQUEST_METHOD}\n</HelloMessage>\n", "GET\n"},
        {"<hellomessage>\n%{REQUEST_METHOD}\n</HELLOMESSAGE>\n", "GET\n"},
        {" \t <HelloMessage >\t\n%{REQUEST_METHOD}\n \t </HelloMessage >\t \n", "GET\n"},
        {"<HelloMessage>\r\nx\r\n</HelloMessage>\r\n", "x\r\n"},
        {"<HelloMessage verbatim>\n%{x}\n</HelloMessage>\n", "%{x}\n"},
        {"<HELLOMESSAGE  VERBATIM  >\n%{x}\n</hellomessage>\n", "%{x}\n"},
        {"<HelloMessage \\\n    verbatim>\n%{x}\n</HelloMessage>\n", "%{x}\n"},
        // httpd adds the bracket, as for its own sections.
        {"<HelloMessage\n%{REQUEST_METHOD}\n</HelloMessage>\n", "GET\n"},
    };
    Strings pieces;
    for (const auto& one : cases) {
        pieces.emplace_back(one.text);
    }
    start(hosts(pieces));
    std::size_t host = 0;
    for (const auto& [text, body] : cases) {
        EXPECT_EQ(get_from(host++).body, body) << text;
    }
}

TEST_F(Block, TheLastBodyOfASectionHolds)
{
    write("body", "file");
    const std::string one = block("one\n");
    const std::string two = block("two\n", "<HelloMessage verbatim>");
    const struct {
        std::string directives;
        const char* body;
    } cases[] = {
        {one + two, "two\n"},
        {two + one, "one\n"},
        {one + "HelloMessage three\n", "three"},
        {"HelloMessage three\n" + one, "one\n"},
        {one + "HelloFile body\n", "file"},
        {"HelloFile body\n" + two, "two\n"},
        {one + "<Location />\n" + two + "</Location>\n", "two\n"},
        {"<Location />\n" + two + "</Location>\n" + one, "two\n"},
        {"<Location />\n" + two + "</Location>\n<Location />\n" + one + one + "</Location>\n",
         "one\n"},
    };
    Strings pieces;
    for (const auto& each : cases) {
        pieces.push_back(each.directives);
    }
    start(hosts(pieces));
    std::size_t host = 0;
    for (const auto& [directives, body] : cases) {
        EXPECT_EQ(get_from(host++).body, body) << directives;
    }
}

TEST_F(Block, OfAMacroIsWhatModMacroMakesOfIt)
{
    // It reads the lines as httpd does, and the module gets what is left of them.
    const std::string macro = load("macro") + R"(
        <Macro Answer $name @quoted>
            <Location "/$name">
                <HelloMessage>
                    # left out by mod_macro
                    User-agent: $name    
                      indented, @quoted

                    joined \
                    to one, ${name} ${ROOT}
                    %{REQUEST_METHOD} "quoted" \n \%{x}
                </HelloMessage>
                HelloType text/plain
            </Location>
        </Macro>
        <Macro Outer $name>
            Use Answer $name "a \"b\" c"
            <Location "/$name/verbatim">
                <HelloMessage verbatim>
                    %{REQUEST_METHOD} $name
                </HelloMessage>
            </Location>
        </Macro>
    )";
    const std::string configuration = open_location + macro + R"(
        Use Answer one "it's"
        <Location /after>
            HelloMessage after
        </Location>
        <IfDefine ROOT>
            Use Outer two
        </IfDefine>
    )";
    expect_refusal(configuration + "NoSuchDirective\n", "NoSuchDirective", {"NoSuchDirective"});
    start(configuration);
    const Response one = get("/one");
    EXPECT_EQ(one.header("content-type"), "text/plain");
    EXPECT_EQ(one.body,
              "User-agent: one\n"
              "indented, \"it's\"\n"
              "\n"
              "joined                     to one, ${name} ${ROOT}\n"
              "GET \"quoted\" \\n %{x}\n");
    EXPECT_EQ(get("/after").body, "after");
    EXPECT_TRUE(get("/two").body.starts_with("User-agent: two\nindented, \"a \\\"b\\\" c\"\n"))
        << get("/two");
    EXPECT_EQ(get("/two/verbatim").body, "%{REQUEST_METHOD} two\n");
}

TEST_F(Block, OfTagsInAMacroIsServedThoughModMacroWarns)
{
    // It counts every line that begins with "<" as the start of a section.
    const std::string macro = load("macro") + "<Macro Answer $name>\n" +
                              block("<h1>$name</h1>\n<p>text\n") + "</Macro>\nUse Answer Ada\n";
    tolerate_log("AH02795");
    start(open_location + macro);
    EXPECT_EQ(get("/").body, "<h1>Ada</h1>\n<p>text\n");
}

TEST_F(Block, InAFalseSectionIsReadByHttpd)
{
    // The module is not asked there. httpd takes each line that begins with "<" for the start
    // of a section, which must have its end.
    for (const char* const section : {"IfDefine NONE", "IfModule mod_none.c", "IfVersion < 2"}) {
        const std::string name = std::string(section).substr(0, std::string(section).find(' '));
        const auto in_section = [&](const std::string& text) {
            std::string result = "<";
            return result.append(section).append(">\n").append(text).append("</" + name + ">\n");
        };
        const Finished passed =
            check(open_location + in_section(block(robots) + block("<pre>\n${x} \\\"\n</pre>\n") +
                                             block("", "<HelloMessage verbatim>")));
        EXPECT_EQ(passed.status, 0) << passed.err;
        expect_refusal(open_location + in_section(block("<h1>Hello</h1>\n")), section,
                       {"Expected </h1>Hello</h1", "but saw </HelloMessage"});
        // A file that is not included can hold anything.
        write("page.conf", block(page()));
        const Finished included = check(open_location + in_section("Include page.conf\n"));
        EXPECT_EQ(included.status, 0) << included.err;
    }
}

// ---------------------------------------------------------------------------
// What httpd shows of it

TEST_F(Block, IsDumpedAsTheDirectiveOfOneBodyThatItIs)
{
    const Finished checked = check(load("info") + common() + "<Location /page.html>\n" +
                                   "    <HelloMessage verbatim>\n        a \"quoted\" ${line}\n" +
                                   "          with \\ in it\n    </HelloMessage>\n</Location>\n");
    EXPECT_EQ(checked.err, "Syntax OK\n");
    const Finished dumped =
        run({.argv = {httpd_path(), "-t", "-DDUMP_CONFIG", "-f", root() / "httpd.conf"},
             .under_sanitizer = true});
    EXPECT_EQ(dumped.status, 0) << dumped.err;
    EXPECT_NE(dumped.out.find(
                  "HelloMessage \"a \\\"quoted\\\" ${line}\n  with \\\\ in it\n\" verbatim\n"),
              std::string::npos)
        << dumped.out;
}

TEST_F(Block, IsEscapedOnThePageOfModInfo)
{
    start(load("info") + open_location + "<Location /info>\nSetHandler server-info\n</Location>\n" +
          block("<script>alert(\"it's\")</script>\n<b>\n") +
          "<Location /other>\nHelloMessage \"<u>\" verbatim\n</Location>\n");
    const Response info = get("/info");
    EXPECT_EQ(info.status, 200);
    EXPECT_NE(info.body.find("&lt;script&gt;alert("), std::string::npos) << info;
    EXPECT_NE(info.body.find("&lt;/script&gt;\n&lt;b&gt;\n"), std::string::npos) << info;
    EXPECT_NE(info.body.find("&lt;u&gt;"), std::string::npos) << info;
    for (const char* const raw : {"<script>", "</script>", "<b>", "<u>"}) {
        EXPECT_EQ(info.body.find(raw), std::string::npos) << raw << info;
    }
}

// ---------------------------------------------------------------------------
// What is refused

TEST_F(Block, WhatIsWrongStopsHttpdAndNamesTheLine)
{
    write("path", "body");
    const struct {
        std::string directives;
        const char* line;  // the one that is named
        Strings explained;
    } cases[] = {
        {"<HelloMessage> #1\n", "<HelloMessage> #1", {"#1", "expected <HelloMessage>"}},
        {"<HelloMessage>\nHelloStatus 503\nHelloType text/plain\n",
         "<HelloMessage>\n",
         {"</HelloMessage>"}},
        {"<HelloMessage verbatim>", "<HelloMessage verbatim>", {"</HelloMessage>"}},
        {"<HelloMessage>\nx\n</HelloMessage", "<HelloMessage>", {"</HelloMessage>"}},
        {"<Location /x>\n<HelloMessage>\nx\n</Location>\n", "<HelloMessage>", {"</HelloMessage>"}},
        {"<HelloMessage other>\nx\n</HelloMessage>\n",
         "<HelloMessage other>",
         {"other", "<HelloMessage verbatim>"}},
        {"<HelloMessage verbatim more>\nx\n</HelloMessage>\n",
         "<HelloMessage verbatim more>",
         {"verbatim", "<HelloMessage verbatim>"}},
        {"<HelloMessage verbatim> more\nx\n</HelloMessage>\n",
         "<HelloMessage verbatim> more",
         {"more", "<HelloMessage verbatim>"}},
        {"<HelloMessage verbatim more >\nx\n</HelloMessage>\n",
         "<HelloMessage verbatim more",
         {"expected"}},
        {"<HelloMessage verb atim>\nx\n</HelloMessage>\n",
         "<HelloMessage verb atim>",
         {"verb", "<HelloMessage verbatim>"}},
        {"<HelloMessage verbatim\nx\n</HelloMessage>\n",
         "<HelloMessage verbatim\n",
         {"\"verbatim\"", "<HelloMessage verbatim>"}},
        {"<HelloMessage \"text\">\n", "<HelloMessage \"text", {"text", "<HelloMessage verbatim>"}},
        {std::string("<HelloMessage>\none\ntwo\0three\n</HelloMessage>\n", 44),
         "<HelloMessage>",
         {"zero byte", "HelloFile"}},
        {std::string("<HelloMessage verbatim>\n\0\n</HelloMessage>\n", 42),
         "<HelloMessage verbatim>",
         {"zero byte", "HelloFile"}},
        {std::string("<HelloMessage>\n</HelloMessage>\0x\n</HelloMessage>\n", 49),
         "<HelloMessage>",
         {"zero byte", "HelloFile"}},
        {"<HelloMessage>\none\n%{NO_SUCH}\n</HelloMessage>\nHelloStatus 503\n",
         "<HelloMessage>",
         {"%{NO_SUCH}", "does not exist", "HelloMessage"}},
        {"<HelloMessage>\none\n%{REMOTE_ADDR\n</HelloMessage>\n",
         "<HelloMessage>",
         {"%{REMOTE_ADDR", "no closing brace"}},
        {"<HelloMessage>\n%{tolower:it's}\n</HelloMessage>\n",
         "<HelloMessage>",
         {"quote", "backslash"}},
        {"</HelloMessage>\n", "</HelloMessage>", {"without matching <HelloMessage> section"}},
        {"<HelloMessage>\n</HelloMessage>\n  </HelloMessage> \n",
         "  </HelloMessage> ",
         {"without matching <HelloMessage> section"}},
        {"<Location /x>\n</HelloMessage>\n</Location>\n",
         "</HelloMessage>",
         {"Expected </Location> but saw </HelloMessage>"}},
        {"HelloMessage one other", "HelloMessage one other", {"\"other\"", "expected verbatim"}},
        {"HelloMessage verbatim one", "HelloMessage verbatim one", {"\"one\"", "verbatim"}},
        {"HelloFile verbatim path", "HelloFile verbatim path", {"\"path\"", "expected verbatim"}},
        {"HelloFile path other", "HelloFile path other", {"\"other\"", "expected verbatim"}},
        {"HelloFile path \"\"", "HelloFile path \"\"", {"\"\"", "expected verbatim"}},
        {"HelloFile path verbatim more", "HelloFile path verbatim more", {"expected a file"}},
        {"HelloFile none verbatim", "HelloFile none verbatim", {"/none", "No such file"}},
        {"HelloFile \"\" verbatim", "HelloFile \"\" verbatim", {"is not a path"}},
        {"HelloFile", "HelloFile", {"HelloFile", "expected a file"}},
    };
    for (const auto& [directives, line, explained] : cases) {
        expect_refusal("<Location />\n</Location>\n" + directives, line, explained);
    }
}

TEST_F(Block, AnErrorInAnIncludedFileOrAMacroNamesItsLine)
{
    const struct {
        const char* what;
        std::string text;
        std::string line;
        const char* explained;
    } cases[] = {
        {"no end", "\n\n<HelloMessage>\nx\n", "line 3 of ", "</HelloMessage>"},
        {"an option", block(page()) + "\n<HelloMessage other>\n", "line 44 of ", "other"},
        {"an error after it", block("one\n%{REMOTE_ADDR}\n") + "NoSuch", "line 5 of ", "NoSuch"},
    };
    for (const auto& one : cases) {
        SCOPED_TRACE(one.what);
        write("more.conf", one.text);
        const Finished included = check("Include more.conf\n" + block("x\n"));
        EXPECT_NE(included.status, 0);
        const std::string expected = one.line + (root() / "more.conf").string() + ":";
        EXPECT_NE(included.err.find(expected), std::string::npos) << expected << included.err;
        EXPECT_NE(included.err.find(one.explained), std::string::npos) << included.err;
    }
    // What is wrong in the text has a line of its own.
    write("more.conf", "\n<HelloMessage>\n  first\n\n  %{NO_SUCH}\n</HelloMessage>\n");
    const Finished within = check("Include more.conf\n");
    EXPECT_NE(within.status, 0);
    EXPECT_NE(within.err.find("/more.conf:5: bad expression"), std::string::npos) << within.err;
    const Finished used =
        check(load("macro") + "<Macro M>\nHelloStatus 200\n<HelloMessage>\nx\n</Macro>\nUse M\n");
    EXPECT_NE(used.status, 0);
    EXPECT_NE(used.err.find("line 2 of macro 'm'"), std::string::npos) << used.err;
    EXPECT_NE(used.err.find("</HelloMessage>"), std::string::npos) << used.err;
}

TEST_F(Block, HtaccessMayNotHoldIt)
{
    const struct {
        const char* allowance;
        const char* htaccess;
        const char* logged;
    } cases[] = {
        {"AllowOverride All", "<HelloMessage>\nmine\n</HelloMessage>\n",
         "<HelloMessage not allowed here"},
        {"AllowOverride None\nAllowOverrideList HelloMessage",
         "<HelloMessage verbatim>\nmine\n</HelloMessage>\n", "<HelloMessage not allowed here"},
        {"AllowOverride None\nAllowOverrideList <HelloMessage",
         "<HelloMessage>\nmine\n</HelloMessage>\n",
         "<HelloMessage> cannot occur within htaccess files"},
        {"AllowOverride Nonfatal=All", "<HelloMessage>\nmine\n</HelloMessage>\n",
         "</HelloMessage> without matching <HelloMessage> section"},
        {"AllowOverride None\nAllowOverrideList HelloMessage", "HelloMessage mine verbatim\n",
         "HelloMessage cannot occur within htaccess files"},
        {"AllowOverride None\nAllowOverrideList HelloFile", "HelloFile /etc/passwd verbatim\n",
         "HelloFile cannot occur within htaccess files"},
    };
    tolerate_log("AH02295");  // httpd goes on after what is not allowed there
    start(common());
    for (const auto& [allowance, htaccess, logged] : cases) {
        write("htdocs/.htaccess", htaccess);
        expect_log(logged);
        reload(common() + "<Directory \"${ROOT}/htdocs\">\n" + allowance + "\n</Directory>\n");
        const Response response = get("/page.html");
        EXPECT_EQ(response.status, 500) << allowance;
        EXPECT_NE(error_log().find(logged), std::string::npos) << logged << error_log();
    }
}

// ---------------------------------------------------------------------------
// HelloMessage "…" verbatim and HelloFile … verbatim

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
        EXPECT_TRUE(std::regex_match(tag, std::regex(R"("[!#-~]+")"))) << tag;
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
        return std::regex_search(error_log(), std::regex(refused));
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
    const auto kilobytes = [&] {
        std::size_t sum = 0;
        for (const pid_t child : children_of(httpd().pid())) {
            const std::string status = read_file("/proc/" + std::to_string(child) + "/status");
            sum += std::stoul(status.substr(status.find("RssAnon:") + 8));
        }
        return sum;
    };
    ASSERT_EQ(ask_by("h2", "/").body.size(), 16 * mebibyte);
    await_idleness();
    const std::size_t before = kilobytes();
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
    const std::size_t after = kilobytes();
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
        : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))
    {
        // So that nearly all of the answer stays with the server.
        constexpr int size = 32'768;
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
        const timeval limit{patience.count(), 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(static_cast<std::uint16_t>(port));
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
            ::send(socket_, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
            ::close(socket_);
            throw std::system_error(errno, std::generic_category(), "no connection");
        }
    }
    ~Client() { ::close(socket_); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    /// Waits until an answer begins.
    bool is_answered() const
    {
        pollfd wanted{.fd = socket_, .events = POLLIN, .revents = 0};
        return ::poll(&wanted, 1, static_cast<int>(patience.count()) * 1000) == 1;
    }

    /// Reads so many bytes, or all until the end.
    std::string read(std::size_t most) const
    {
        std::string received(most, '\0');
        std::size_t size = 0;
        for (ssize_t count = 1; count > 0 && size < most; size += static_cast<std::size_t>(count)) {
            count = std::max<ssize_t>(0, ::recv(socket_, &received[size], most - size, 0));
        }
        received.resize(size);
        return received;
    }

  private:
    int socket_;
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
        const std::string status =
            read_file("/proc/" + std::to_string(children.front()) + "/status");
        return std::stoul(status.substr(status.find("RssAnon:") + 8)) * 1024;
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
