// The lines of a <HelloMessage>, which httpd's configuration language does not see.

#include <iterator>

#include "block.h"

namespace hello {
namespace {

/// A container around lines, which are moved to the right.
std::string block(const std::string& text, const std::string& start_tag = "<HelloMessage>",
                  const std::string& indentation = "            ")
{
    std::string result = "        " + start_tag + '\n';
    for (const std::string& line : lines_of(text)) {
        result += indentation + line + '\n';
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
std::string code()
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
    for (const std::string& line : lines_of(text)) {
        result += line + (++number % 3 == 0 ? "\r\n" : "\n");
    }
    return result;
}

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
        {"<HelloMessage>", " \t ", code()},
        {"<HelloMessage verbatim>", "\t", code() + "%{REMOTE_ADDR} \\%{x} %{\n"},
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
        std::string text = page() + "HelloStatus 222\n" + block(code());
        if (!has_newline) {
            text.pop_back();  // the end tag is the end of the file
        }
        has_newline ? start(text + "HelloType text/mine\n") : reload(text);
        const Response response = get("/page.html");
        EXPECT_EQ(response.status, 222);
        EXPECT_EQ(response.header("content-type"),
                  has_newline ? "text/mine" : "text/html; charset=utf-8");
        EXPECT_EQ(response.body, code());
        EXPECT_EQ(response.header("content-length"), std::to_string(code().size()));
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
        write("page.conf", block(code()));
        const Finished included = check(open_location + in_section("Include page.conf\n"));
        EXPECT_EQ(included.status, 0) << included.err;
    }
}

// ---------------------------------------------------------------------------
// What httpd shows of it

TEST_F(Block, IsDumpedAsTheDirectiveOfOneBodyThatItIs)
{
    const Finished checked = check(load("info") + page() + "<Location /page.html>\n" +
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
        {"an option", block(code()) + "\n<HelloMessage other>\n", "line 44 of ", "other"},
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
    start(page());
    for (const auto& [allowance, htaccess, logged] : cases) {
        write("htdocs/.htaccess", htaccess);
        expect_log(logged);
        reload(page() + "<Directory \"${ROOT}/htdocs\">\n" + allowance + "\n</Directory>\n");
        const Response response = get("/page.html");
        EXPECT_EQ(response.status, 500) << allowance;
        EXPECT_NE(error_log().find(logged), std::string::npos) << logged << error_log();
    }
}

}  // namespace
}  // namespace hello
