// Which URIs are the handler's: what it claims, what it leaves to others, and the
// places where httpd takes SetHandler.

#include "httpd.h"

namespace hello {
namespace {

class Claim : public HttpdTest {
  protected:
    /// Files beside the handler, which everybody may ask for.
    static std::string files(const std::string& more = "")
    {
        return "DocumentRoot \"${ROOT}/htdocs\"\n<Directory \"${ROOT}/htdocs\">\n" + more +
               "Require all granted\n</Directory>\n"
               "<Location \"/\">\nRequire all granted\n</Location>\n";
    }

    void expect_greeting(const std::string& path)
    {
        const Response response = get(path);
        EXPECT_EQ(response.status, 200) << path << response;
        EXPECT_EQ(response.body, "Hello World!") << path;
        EXPECT_EQ(response.header("content-type"), "text/html; charset=utf-8") << path;
        EXPECT_EQ(response.header("content-encoding"), std::nullopt) << path;
        EXPECT_EQ(response.header("content-language"), std::nullopt) << path;
    }
};

TEST_F(Claim, NeedsNoDocumentRoot)
{
    start(open_location);
    expect_greeting("/");
    expect_greeting("/no/such/place");
}

TEST_F(Claim, WhatLiesUnderDocumentRootDoesNotMatter)
{
    for (const char* const name : {"index.html", "x/index.html", "hello.gz", "a.en.html",
                                   "page.html", "list/a.html", ".htaccess"}) {
        write("htdocs/" + std::string(name), "the file, not the handler");
    }
    start(std::string(open_location) + R"(
        DocumentRoot "${ROOT}/htdocs"
        DirectoryIndex index.html
        FallbackResource /page.html
        AddEncoding x-gzip .gz
        AddLanguage en .en
        DefaultLanguage de
        AddType image/png .html
        AddHandler default-handler .html
        <Directory "${ROOT}/htdocs">
            Options Indexes MultiViews
            AllowOverride All
            Require all granted
        </Directory>)");
    for (const char* const path :
         {"/", "/index.html", "/x", "/x/", "/hello.gz", "/a.en.html", "/a", "/page.html",
          "/page.html/info", "/page", "/list/", "/.htaccess"}) {
        expect_greeting(path);
    }
}

TEST_F(Claim, HoldsForLocationMatchToo)
{
    write("htdocs/index.html", "the file");
    start(R"(
        DocumentRoot "${ROOT}/htdocs"
        DirectoryIndex index.html
        <LocationMatch "^/$">
            SetHandler hello
            Require all granted
        </LocationMatch>)");
    expect_greeting("/");
}

TEST_F(Claim, TakesAUriThatIsNoFileName)
{
    start("LimitRequestLine 20000" + std::string(open_location));
    expect_greeting("/" + std::string(9000, 'x'));
    expect_greeting("/%FF%01%20%25");
}

TEST_F(Claim, LeavesEveryOtherLocationAlone)
{
    write("htdocs/index.html", "the file");
    write("htdocs/hello.html", "the file");
    start(R"(
        DocumentRoot "${ROOT}/htdocs"
        DirectoryIndex index.html
        <Directory "${ROOT}/htdocs">
            Require all granted
        </Directory>
        <Location "/hello">
            SetHandler hello
            Require all granted
        </Location>
        <Location "/hello/not">
            SetHandler none
        </Location>)");
    EXPECT_EQ(get("/").body, "the file");
    EXPECT_EQ(get("/hello.html").body, "the file");
    EXPECT_EQ(get("/hello/not").status, 404);
    expect_greeting("/hello");
    expect_greeting("/hello/");
}

TEST_F(Claim, AConditionMayAskForTheFile)
{
    write("htdocs/page.html", "the file");
    write("htdocs/folder/index.html", "the file");
    write("htdocs/hello.gz", "the file");
    const std::string common = files() + "DirectoryIndex index.html\nAddEncoding x-gzip .gz\n";
    const std::string handler = "\nSetHandler hello\n</If>\n";
    start(common);
    for (const std::string& sections : Strings{
             "<If \"! -f %{REQUEST_FILENAME}\">" + handler,
             "<If \"! -f '%{DOCUMENT_ROOT}%{REQUEST_URI}'\">" + handler,
             "<Location \"/\">\n<If \"! -f %{REQUEST_FILENAME}\">" + handler + "</Location>\n",
             "SetHandler hello\n<If \"-f %{SCRIPT_FILENAME}\">\nSetHandler none\n</If>\n",
         }) {
        SCOPED_TRACE(sections);
        reload(common + sections);
        EXPECT_EQ(get("/page.html").body, "the file");
        EXPECT_EQ(get("/folder/index.html").body, "the file");
        EXPECT_EQ(get("/hello.gz").body, "the file");
        // Where there is no file, nothing of mod_dir's or mod_mime's comes in between.
        for (const char* const path : {"/", "/missing", "/missing.gz", "/folder", "/folder/"}) {
            expect_greeting(path);
        }
    }
    reload(common + "LimitRequestLine 20000\n<If \"! -f %{REQUEST_FILENAME}\">" + handler);
    tolerate_log("AH00127");  // that it can be no file's name
    expect_greeting("/" + std::string(9000, 'x'));
}

// ---------------------------------------------------------------------------
// After the others had their say

TEST_F(Claim, ARedirectWins)
{
    start(std::string(open_location) + R"(
        Redirect permanent /alias https://localhost/
        RewriteEngine on
        RewriteRule ^/rewrite$ https://localhost/ [R=308,L]
        RewriteRule ^/gone$ - [G]
        RewriteRule ^/forbidden$ - [F])");
    EXPECT_EQ(get("/alias").status, 301);
    EXPECT_EQ(get("/rewrite").status, 308);
    EXPECT_EQ(get("/rewrite").header("location"), "https://localhost/");
    EXPECT_EQ(get("/gone").status, 410);
    EXPECT_EQ(get("/forbidden").status, 403);
    expect_greeting("/");
}

TEST_F(Claim, AnAliasMapsToAFileAndTheHandlerStillAnswers)
{
    write("elsewhere/file.html", "the file");
    start(std::string(open_location) + R"(
        Alias /alias "${ROOT}/elsewhere")");
    expect_greeting("/alias/file.html");
}

TEST_F(Claim, AProxyWinsUnlessItIsToldNotTo)
{
    start(R"(
        <VirtualHost *:${HTTP_PORT}>
            ProxyPass /healthz !
            ProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on
            <Location "/">
                SetHandler hello
                Require all granted
            </Location>
        </VirtualHost>
        <VirtualHost *:${HTTPS_PORT}>
            Header set X-Backend yes
            <Location "/">
                SetHandler hello
                Require all granted
            </Location>
        </VirtualHost>)");
    expect_greeting("/healthz");
    EXPECT_EQ(get("/healthz").header("x-backend"), std::nullopt);
    expect_greeting("/else");
    EXPECT_EQ(get("/else").header("x-backend"), "yes");
}

TEST_F(Claim, FollowsARewrittenUri)
{
    write("htdocs/page.html", "the file");
    write("htdocs/new", "the file");
    start(R"(
        DocumentRoot "${ROOT}/htdocs"
        <Directory "${ROOT}/htdocs">
            Require all granted
        </Directory>
        RewriteEngine on
        RewriteRule ^/old$ /new [PT]
        RewriteRule ^/from$ /page.html [PT]
        RewriteRule ^/closed$ /private [PT]
        <LocationMatch "^/(new|from|private|inside)$">
            SetHandler hello
            Require all granted
        </LocationMatch>
        <Location "/private">
            Require all denied
        </Location>)");
    expect_log("AH01630");
    expect_greeting("/old");
    EXPECT_EQ(get("/from").body, "the file");
    EXPECT_EQ(get("/closed").status, 403);
    expect_greeting("/inside");
}

// ---------------------------------------------------------------------------
// Where SetHandler may stand

TEST_F(Claim, WorksWhereverHttpdTakesSetHandler)
{
    const struct {
        const char* where;
        const char* configuration;
        const char* path;
    } cases[] = {
        {"server", "SetHandler hello", "/folder"},
        {"virtual host", "<VirtualHost *:${HTTP_PORT}>\nSetHandler hello\n</VirtualHost>",
         "/folder"},
        {"location", "<Location /folder>\nSetHandler hello\n</Location>", "/folder"},
        {"location match", "<LocationMatch ^/f[a-z]+$>\nSetHandler hello\n</LocationMatch>",
         "/folder"},
        {"if", "<If \"%{QUERY_STRING} == 'a'\">\nSetHandler hello\n</If>", "/folder?a"},
        {"if in location",
         "<Location /folder>\n<If \"true\">\nSetHandler hello\n</If>\n</Location>", "/folder"},
        {"another case", "<Location /folder>\nSetHandler Hello\n</Location>", "/folder"},
        {"expression", "<Location /folder>\nSetHandler \"%{tolower:HELLO}\"\n</Location>",
         "/folder"},
        {"directory", "<Directory \"${ROOT}/htdocs\">\nSetHandler hello\n</Directory>",
         "/page.html"},
        {"files", "<Files page.html>\nSetHandler hello\n</Files>", "/page.html"},
        {"extension", "AddHandler hello .html", "/page.html"},
        {".htaccess", "", "/htaccess/page.html"},
    };
    // Were it not claimed, mod_dir would redirect to "/folder/".
    write("htdocs/folder/page.html", "the file");
    write("htdocs/page.html", "the file");
    write("htdocs/htaccess/page.html", "the file");
    write("htdocs/htaccess/.htaccess", "SetHandler hello\n");
    const std::string common = files("AllowOverride FileInfo\n");
    start(common);
    for (const auto& [where, configuration, path] : cases) {
        SCOPED_TRACE(where);
        reload(common + configuration);
        expect_greeting(path);
    }
}

TEST_F(Claim, AnswersSubrequestsAndErrorDocuments)
{
    write("htdocs/page.shtml", "<!--#include virtual=\"/hello\" -->");
    start(R"(
        DocumentRoot "${ROOT}/htdocs"
        <Directory "${ROOT}/htdocs">
            Require all granted
            Options Includes
        </Directory>
        AddType text/html .shtml
        AddOutputFilter INCLUDES .shtml
        ErrorDocument 404 /hello
        <Location "/hello">
            SetHandler hello
            Require all granted
        </Location>)");
    EXPECT_EQ(get("/page.shtml").body, "Hello World!");
    const Response missing = get("/missing");
    EXPECT_EQ(missing.status, 404);
    EXPECT_EQ(missing.body, "Hello World!");
}

}  // namespace
}  // namespace hello
