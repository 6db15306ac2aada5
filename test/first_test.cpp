// HelloFirst in its section: which one decides, which requests it holds for, and what is earlier
// all the same.

#include <algorithm>
#include <iterator>

#include "first.h"

namespace hello {
namespace {

// ---------------------------------------------------------------------------
// Directives in the section itself

TEST_F(First, WhatASectionSaysOfItselfIsDoneLater)
{
    write("folder/x", "the file");
    const std::string https = "https://a.test/s";
    const std::string rewrite = "RewriteEngine on\nRewriteRule ^ ";
    const struct {
        const char* name;
        std::string directives;  // @ is the path of the section that they are in
        const char* on;
        const char* off;
    } cases[] = {
        // The fixups, where these answer, come between the claim and the handler.
        {"redirect", "Redirect permanent " + https, "301 /s", "301 /s"},
        {"redirect by a pattern", "RedirectMatch 307 . " + https, "307 /s", "307 /s"},
        {"rewrite to https", rewrite + https + " [R=308,L]", "308 /s", "308 /s"},
        {"forbidden", rewrite + "- [F]", "403 ", "403 "},
        {"gone", rewrite + "- [G]", "410 ", "410 "},
        // These only name another handler there, and HelloFirst is the first handler.
        {"rewrite to a proxy", rewrite + "http://127.0.0.1:${HTTPS_PORT}/b [P]", ours,
         "200 backend GET /b"},
        {"rewrite to another location", rewrite + "/other", ours, "200 other"},
        {"handler", rewrite + "- [H=default-handler]", ours, "404 "},
        // And these are done when the URI is translated.
        {"alias", "Alias ${ROOT}/folder", ours, "301 @/"},
        {"proxy", "ProxyPass http://127.0.0.1:${HTTPS_PORT}@ disablereuse=on", ours,
         "200 backend GET @"},
    };
    std::string configuration = backend();
    for (std::size_t number = 0; number < std::size(cases); ++number) {
        const std::string directives = cases[number].directives + '\n';
        const std::string other =
            location("/other", "SetHandler hello\nHelloMessage other\nRewriteEngine off");
        std::string own = other;
        std::string outer = location("/", replaced(directives, "@", "/")) + other;
        for (const char* const mode : {"On", "Off"}) {
            const std::string path = std::string("/") + mode;
            const std::string claimed = std::string(the_answer) + "HelloFirst " + mode + '\n';
            own += location(path, claimed + replaced(directives, "@", path));
            outer += location(path, claimed);
        }
        configuration += host("own." + numbered_host(number), own);
        configuration += host("outer." + numbered_host(number), outer);
    }
    start("DocumentRoot ${ROOT}/folder\n" + configuration);
    for (std::size_t number = 0; number < std::size(cases); ++number) {
        SCOPED_TRACE(cases[number].name);
        for (const char* const prefix : {"own.", "outer."}) {
            const std::string name = prefix + numbered_host(number);
            EXPECT_EQ(ask(name, "/On"), replaced(cases[number].on, "@", "/On")) << prefix;
            EXPECT_EQ(ask(name, "/Off"), replaced(cases[number].off, "@", "/Off")) << prefix;
        }
    }
}

// ---------------------------------------------------------------------------
// Which section decides

TEST_F(First, TheInnermostSectionDecidesAndOffIsTheDefault)
{
    const std::string claimed(the_answer);
    const std::string on = "HelloFirst On\n";
    const std::string off = "HelloFirst Off\n";
    const struct {
        const char* name;
        std::string sections;
        bool is_first;
    } cases[] = {
        {"no section", claimed, false},
        {"not set", location("/", claimed), false},
        {"off", location("/", claimed + off), false},
        {"on", location("/", claimed + on), true},
        {"another case", location("/", claimed + "hellofirst ON"), true},
        {"on after off", location("/", claimed + off + on), true},
        {"off after on", location("/", claimed + on + off), false},
        {"not set within on", location("/", claimed + on) + location("/x", "HelloType a/b"), true},
        {"off within on", location("/", claimed + on) + location("/x", off), false},
        {"on within off", location("/", claimed + off) + location("/x", on), true},
        {"on in a match", claimed + "<LocationMatch ^/x>\n" + on + "</LocationMatch>\n", true},
        {"on in a condition", claimed + "<If true>\n" + on + "</If>\n", true},
        {"off in a condition", location("/", claimed + on) + "<If true>\n" + off + "</If>\n",
         false},
        {"on in a condition of the section", location("/", claimed + "<If true>\n" + on + "</If>"),
         true},
        {"another handler", location("/", claimed + on) + location("/x", "SetHandler none"), false},
        {"a proxy as handler", location("/", claimed + on) + location("/x", "SetHandler proxy:x:"),
         true},
        {"off, and a proxy as handler",
         location("/", claimed + on) + location("/x", off + "SetHandler proxy:x:"), false},
        // The file that these sections are of is found when the others have had their say.
        {"a folder", "<Directory ${ROOT}>\n" + claimed + on + "</Directory>\n", false},
        {"a file", claimed + "<Files x>\n" + on + "</Files>\n", false},
    };
    std::string configuration;
    for (std::size_t number = 0; number < std::size(cases); ++number) {
        configuration += host(numbered_host(number),
                              "Redirect permanent / https://a.test/s/\n" + cases[number].sections);
    }
    start("DocumentRoot ${ROOT}\n" + configuration);
    for (std::size_t number = 0; number < std::size(cases); ++number) {
        EXPECT_EQ(ask(numbered_host(number), "/x"), cases[number].is_first ? ours : "301 /s/x")
            << cases[number].name;
    }
}

TEST_F(First, AConditionMaySelectIt)
{
    write("files/page", "the file");
    const std::string claimed = std::string(the_answer) + "HelloFirst On\n";
    const std::string by_header = "<If \"-n %{HTTP:X-Closed}\">\n" + claimed + "</If>\n";
    const std::string by_file = "<If \"! -f %{REQUEST_FILENAME}\">\n" + claimed + "</If>\n";
    const struct {
        const char* name;
        const char* directives;
        const char* otherwise;
    } cases[] = {
        {"nothing", "", "200 the file"},
        {"proxy", "ProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on",
         "200 backend GET /page"},
        {"proxy mapping=encoded",
         "ProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on mapping=encoded",
         "200 backend GET /page"},
        {"redirect", "Redirect permanent / https://a.test/s/", "301 /s/page"},
        // It would match no file's name.
        {"rewrite", "RewriteEngine on\nRewriteRule ^/(page|none)$ https://a.test/s/$1 [R=308]",
         "308 /s/page"},
    };
    std::string configuration = backend();
    for (std::size_t number = 0; number < std::size(cases); ++number) {
        const std::string directives = std::string(cases[number].directives) + '\n';
        configuration += host("header." + numbered_host(number), directives + by_header);
        configuration += host("file." + numbered_host(number), directives + by_file);
    }
    start("DocumentRoot ${ROOT}/files\n" + configuration);
    for (std::size_t number = 0; number < std::size(cases); ++number) {
        SCOPED_TRACE(cases[number].name);
        const std::string header = "header." + numbered_host(number);
        const std::string file = "file." + numbered_host(number);
        EXPECT_EQ(ask(header, "/page", {"X-Closed: yes"}), ours);
        EXPECT_EQ(ask(header, "/page"), cases[number].otherwise);
        EXPECT_EQ(ask(file, "/none"), ours);
        EXPECT_EQ(ask(file, "/n%6Fn%20e"), ours);
        EXPECT_EQ(ask(file, "/page"), cases[number].otherwise);
        EXPECT_EQ(ask(file, "/p%61ge"), cases[number].otherwise);
    }
}

TEST_F(First, IsRefusedWhereThereIsNoSectionAndWithAnotherWord)
{
    const std::string not_here = "HelloFirst not allowed here";
    const std::string expected =
        "HelloFirst: expected On, to claim the URI before other modules map it, or Off";
    const struct {
        std::string configuration;
        std::string said;
    } cases[] = {
        {"HelloFirst On", not_here},
        {"HelloFirst Off", not_here},
        {host("front.test", "HelloFirst On\n"), "HelloFirst not allowed in <VirtualHost> context"},
        {"<IfModule hello_module>\nHelloFirst On\n</IfModule>", not_here},
        {location("/", "HelloFirst Yes"), "HelloFirst: \"Yes\" is neither On nor Off"},
        {location("/", "HelloFirst \"\""), "HelloFirst: \"\" is neither On nor Off"},
        {location("/", "HelloFirst"), expected},
        {location("/", "HelloFirst On Off"), expected},
    };
    for (const auto& [configuration, said] : cases) {
        const Finished checked = check(configuration);
        EXPECT_NE(checked.status, 0) << configuration;
        EXPECT_NE(checked.err.find(said), std::string::npos) << configuration << checked.err;
        EXPECT_NE(checked.err.find("Syntax error on line "), std::string::npos) << checked.err;
    }
    EXPECT_EQ(check(location("/", "HelloFirst On")).status, 0);
}

TEST_F(First, HtaccessMayNotSetIt)
{
    write("files/all/.htaccess", "HelloFirst On\n");
    write("files/list/.htaccess", "HelloFirst On\n");
    expect_log("HelloFirst not allowed here");
    expect_log("HelloFirst cannot occur within htaccess files");
    start(R"(
        DocumentRoot ${ROOT}/files
        <Directory ${ROOT}/files/all>
            AllowOverride All
        </Directory>
        <Directory ${ROOT}/files/list>
            AllowOverride None
            AllowOverrideList HelloFirst
        </Directory>)");
    EXPECT_EQ(outcome(get("/all/x")), "500 ");
    EXPECT_EQ(outcome(get("/list/x")), "500 ");
}

// ---------------------------------------------------------------------------
// Other requests than a client's for the location

TEST_F(First, HoldsForSubrequestsAndErrorDocuments)
{
    write("files/on.shtml", "<!--#include virtual=\"/on\" -->");
    write("files/off.shtml", "<!--#include virtual=\"/off\" -->");
    expect_log("unable to include \"/off\"");
    const std::string locations =
        location("/on", std::string(the_answer) + "HelloFirst On") + location("/off", the_answer);
    start(R"(
        DocumentRoot ${ROOT}/files
        AddType text/html .shtml
        AddOutputFilter INCLUDES .shtml
        <Directory ${ROOT}/files>
            Options Includes
        </Directory>
        ErrorDocument 404 /on
        ErrorDocument 410 /off
        )" +
          backend() +
          host("redirect.test",
               "Redirect gone /gone\n"
               "RedirectMatch 308 ^/(on|off)$ https://a.test/s/$1\n" +
                   locations) +
          host("proxy.test", R"(
            Redirect gone /gone
            ProxyPassMatch ^/(on|off|missing)$ http://127.0.0.1:${HTTPS_PORT}/$1
            ProxyErrorOverride On
            )" + locations));
    EXPECT_EQ(ask("redirect.test", "/on.shtml"), "200 the answer");
    EXPECT_EQ(ask("redirect.test", "/off.shtml"),
              "200 [an error occurred while processing this directive]");
    EXPECT_EQ(ask("redirect.test", "/missing"), ours);
    EXPECT_EQ(ask("proxy.test", "/on.shtml"), "200 the answer");
    EXPECT_EQ(ask("proxy.test", "/off.shtml"), "200 backend GET /off");
    // The backend's 404
    EXPECT_EQ(ask("proxy.test", "/missing"), ours);
    EXPECT_EQ(ask("proxy.test", "/gone"), "410 backend GET /off");
}

TEST_F(First, ARewrittenUriIsTheOthersAsEver)
{
    const std::string rewrite = "RewriteEngine on\nRewriteRule ^/old/(.*)$ /$1 [PT]\n";
    const std::string locations =
        location("/on", std::string(the_answer) + "HelloFirst On") + location("/off", the_answer);
    start(host("plain.test", rewrite + locations) +
          host("redirect.test", rewrite + "Redirect permanent / https://a.test/s/\n" + locations));
    for (const char* const path : {"/old/on", "/old/off"}) {
        EXPECT_EQ(ask("plain.test", path), ours) << path;
    }
    // Whoever was asked first has let it pass: the client has asked for another URI.
    EXPECT_EQ(ask("redirect.test", "/old/on"), "301 /s/on");
    EXPECT_EQ(ask("redirect.test", "/old/off"), "301 /s/off");
    EXPECT_EQ(ask("redirect.test", "/on"), ours);
}

TEST_F(First, LeavesAForwardProxysRequestsAlone)
{
    const std::string claimed = std::string(the_answer) + "HelloFirst On\n";
    start("ProxyRequests On\n" + backend() +
          host("127.0.0.1", location("/", claimed) + "<If true>\n" + claimed + "</If>\n"));
    const auto sent = [&](const std::string& target) {
        return exchange(
            http_port(),
            "GET " + target + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    };
    const std::string elsewhere = "http://127.0.0.1:" + std::to_string(https_port());
    EXPECT_TRUE(sent(elsewhere + "/x").ends_with("\r\n\r\nbackend GET /x"));
    // The same form, but for this host
    EXPECT_TRUE(sent(http("/x")).ends_with("\r\n\r\nthe answer"));
    EXPECT_TRUE(sent("/x").ends_with("\r\n\r\nthe answer"));
}

// ---------------------------------------------------------------------------
// What is earlier

TEST_F(First, AMalformedRequestIsRefusedEarlier)
{
    expect_log("AH10244");  // invalid URI path
    start(location("/", std::string(the_answer) + "HelloFirst On"));
    const std::string rest = "Connection: close\r\n\r\n";
    for (const std::string& request :
         {"GET / HTTP/1.1\r\n" + rest, "GET /%zz HTTP/1.1\r\nHost: a\r\n" + rest,
          "GET /.. HTTP/1.1\r\nHost: a\r\n" + rest,
          "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n" + rest}) {
        EXPECT_TRUE(exchange(http_port(), request).starts_with("HTTP/1.1 400 ")) << request;
    }
    EXPECT_TRUE(
        exchange(http_port(), "GET / HTTP/1.1\r\nHost: a\r\n" + rest).starts_with("HTTP/1.1 222 "));
}

TEST_F(First, AnAuthoritysChallengeIsEarlier)
{
    // What mod_md would write there when it asks for a certificate
    write("md/challenges/front.test/acme-http-01.txt", "the proof");
    start(load({"md"}) +
          "MDRenewMode manual\nMDStoreDir md\nMDomain front.test\nMDPortMap https:-\n" +
          host("front.test", location("/", std::string(the_answer) + "HelloFirst On")));
    EXPECT_EQ(ask("front.test", "/.well-known/acme-challenge/token"), "200 the proof");
    EXPECT_EQ(ask("front.test", "/.well-known/else"), ours);
}

TEST_F(First, ACacheIsEarlier)
{
    const Path cache = root() / "cache";
    fs::create_directory(cache);
    fs::permissions(cache, fs::perms::all);
    const auto front = [](const std::string& first) {
        return load({"cache", "cache_disk"}) + "CacheRoot ${ROOT}/cache\n" +
               host("127.0.0.1", R"(
                <Location "/">
                    SetHandler hello
                    HelloMessage backend
                    Header set Cache-Control max-age=3600
                </Location>
                )",
                    "${HTTPS_PORT}") +
               host("front.test",
                    "CacheEnable disk /\n"
                    "ProxyPass / http://127.0.0.1:${HTTPS_PORT}/ disablereuse=on\n" +
                        location("/", the_answer + first));
    };
    start(front("HelloFirst Off"));
    EXPECT_EQ(ask("front.test", "/kept"), "200 backend");
    EXPECT_TRUE(eventually([&] {
        return std::any_of(fs::recursive_directory_iterator(cache), {},
                           [](const auto& entry) { return entry.path().extension() == ".data"; });
    }));
    reload(front("HelloFirst On"));
    EXPECT_EQ(ask("front.test", "/kept"), "200 backend");
    EXPECT_EQ(ask("front.test", "/other"), ours);
}

}  // namespace
}  // namespace hello
