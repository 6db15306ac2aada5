// What an administrator does beside the recipes: gives sessions a new key, unlocks a key
// without a terminal, answers a browser's preflight before it asks for a password, and
// compresses. Each of it is httpd's own, and conf/examples/README.md says it because it was
// seen here.

#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "credentials.h"

namespace hello {
namespace {

using Beside = Credentials;

// ---------------------------------------------------------------------------
// The keys of the sessions of login.conf

class SessionKeys : public Beside {
  protected:
    static constexpr const char* renew_at_once =
        "<LocationMatch \"^/private$\">\nSessionExpiryUpdateInterval 0\n</LocationMatch>\n";

    void start_login(const std::string& keys, const std::string& more = "")
    {
        add_user("ada", "secret");
        write("session.key", keys);
        start(recipe("login.conf") + more + tls_host());
    }

    void take(const std::string& keys)
    {
        write("session.key", keys);
        restart(SIGUSR1);
    }

    static std::string cookie_of(const Response& response)
    {
        const std::string header = response.header("set-cookie").value_or("");
        return header.substr(0, header.find(';'));
    }

    std::string log_in() const
    {
        const Response response = ask({.url = https("/login"),
                                       .method = "POST",
                                       .body = "httpd_username=ada&httpd_password=secret"});
        EXPECT_EQ(response.header("location"), "/private") << response;
        EXPECT_NE(cookie_of(response), "");
        return cookie_of(response);
    }

    Response with(const std::string& cookie) const
    {
        return ask({.url = https("/private"), .headers = {"Cookie: " + cookie}});
    }

    static void expect_greeting(const Response& response)
    {
        EXPECT_EQ(response.status, 200) << response;
        EXPECT_NE(response.body.find("<h1>Hello ada!</h1>"), std::string::npos) << response;
    }

    static void expect_login(const Response& response)
    {
        EXPECT_EQ(response.status, 302) << response;
        EXPECT_EQ(response.header("location"), "/login?to=/private");
    }
};

// The error log stays empty while a cookie of the second key is read.
TEST_F(SessionKeys, ANewKeyAboveTheOldOneLogsNobodyOut)
{
    start_login("old\n");
    const std::string before = log_in();
    take("new\nold\n");
    for (int i = 0; i < 3; ++i) {
        expect_greeting(with(before));
    }
    expect_greeting(with(log_in()));
}

TEST_F(SessionKeys, WhatIsSealedIsSealedByTheFirstKey)
{
    start_login("old\n");
    const std::string of_old = log_in();
    take("new\nold\n");
    const std::string of_new = log_in();
    expect_greeting(with(of_new));

    take("old\n");
    expect_greeting(with(of_old));
    expect_log("AH01842.*wrong passphrase");
    expect_log("AH01817.*session not loaded");
    expect_login(with(of_new));

    take("new\n");
    expect_greeting(with(of_new));
    expect_login(with(of_old));
}

// With the recipe's SessionExpiryUpdateInterval the renewal comes once a minute.
TEST_F(SessionKeys, TheRenewalOfASessionTakesItToTheNewKey)
{
    start_login("old\n", renew_at_once);
    const std::string before = log_in();
    take("new\nold\n");
    const Response renewal = with(before);
    expect_greeting(renewal);
    const std::string renewed = cookie_of(renewal);
    ASSERT_NE(renewed, "");

    take("new\n");
    expect_greeting(with(renewed));
    expect_log("AH01842");
    expect_log("AH01817");
    expect_login(with(before));
}

TEST_F(SessionKeys, BlankLinesAndCommentsAreNoKeys)
{
    start_login("\n# of May\nnew\n\n   \nold\n\n");
    const std::string cookie = log_in();
    take("new\n");
    expect_greeting(with(cookie));
    take("# of May\n\nnew # and a comment after it\n");
    expect_greeting(with(cookie));
}

TEST_F(SessionKeys, ABlankWithinALineMakesTwoKeysOfIt)
{
    start_login("one two\n");
    const std::string cookie = log_in();
    take("one\n");
    expect_greeting(with(cookie));
}

// A file that openssl could not fill, say. mod_session_crypto then writes sessions as they are, and
// takes whatever anybody writes.
TEST_F(SessionKeys, AnEmptyFileSealsNothingAndLetsNobodyIn)
{
    start_login("# no key\n\n");
    const std::string cookie = log_in();
    EXPECT_NE(cookie.find("hello-user=ada&hello-pw=secret&"), std::string::npos) << cookie;
    const Finished hash = run({.argv = {"md5sum"}, .input = "eve:hello"});
    const std::string forged =
        "hello-user=eve&hello-pw=x&hello-site=" + hash.out.substr(0, hash.out.find(' '));
    expect_log("AH01630");    // client denied by server configuration
    tolerate_log("AH00011");  // the cookie is there twice
    for (const std::string& sent :
         {cookie, "__Host-hello=" + forged, "other=x; __Host-hello=" + forged,
          "__Host-hello=QQ==; __Host-hello=" + forged, "__Host-hello=\"" + forged + '"'}) {
        const Response response = with(sent);
        EXPECT_EQ(response.status, 403) << sent << response;
        EXPECT_EQ(response.body.find("Hello"), std::string::npos) << sent << response;
    }
}

TEST_F(SessionKeys, AKeyThatIsNotReadKeepsHttpdFromStarting)
{
    add_user("ada", "secret");
    const Finished checked = check(recipe("login.conf") + tls_host());
    EXPECT_NE(checked.status, 0);
    EXPECT_NE(checked.err.find("SessionCryptoPassphraseFile: Could not open file"),
              std::string::npos)
        << checked.err;
}

// ---------------------------------------------------------------------------
// A private key with a pass phrase, and nobody at a terminal

class Unlocking : public Beside {
  protected:
    Unlocking() { make_encrypted("secret phrase"); }

    void make_encrypted(const std::string& phrase)
    {
        make_cert(root(), {"--force"});
        const Path key = root() / "server.key";
        const Path sealed = root() / "sealed.key";
        const Finished made = run({.argv = {"openssl", "pkey", "-in", key, "-aes256", "-passout",
                                            "stdin", "-out", sealed},
                                   .input = phrase + "\n"});
        EXPECT_EQ(made.status, 0) << made.err;
        fs::rename(sealed, key);
    }

    /// The script of SSLPassPhraseDialog. It notes what it is asked.
    void write_script(const std::string& what, ::mode_t mode = 0700)
    {
        const Path script = root() / "phrase";
        write("phrase",
              "#!/bin/sh\n"
              "printf '%s;' \"$#\" \"$0\" \"$1\" \"$2\" \"$(id -u)\" \"$PWD\" "
              "\"${HOME-unset}\" >>asked\necho >>asked\n" +
                  what + "\n");
        ASSERT_EQ(::chmod(script.c_str(), mode), 0);
    }

    std::string asked() const
    {
        return fs::exists(root() / "asked") ? read_file(root() / "asked") : "";
    }

    // The name and port of the virtual host, and "RSA" for its first key, of whatever kind.
    std::string once() const
    {
        return "2;" + (root() / "phrase").string() + ";localhost:" + std::to_string(https_port()) +
               ";RSA;" + std::to_string(::getuid()) + ";" + root().string() + ";unset;\n";
    }

    static std::string configuration()
    {
        return "SSLPassPhraseDialog exec:phrase\n"
               "<VirtualHost *:${HTTPS_PORT}>\n"
               "SSLEngine on\n"
               "SSLCertificateFile server.crt\n"
               "SSLCertificateKeyFile server.key\n"
               "<Location />\nSetHandler hello\n</Location>\n"
               "</VirtualHost>\n";
    }

    /// What httpd says when it does not start.
    std::string refusal()
    {
        fs::remove(root() / "error.log");
        try {
            start(configuration());
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return "it starts";
    }
};

TEST_F(Unlocking, AScriptIsAskedOnceAndNotAtARestart)
{
    write_script("echo 'secret phrase'");
    start(configuration());
    EXPECT_EQ(get_tls("/").body, "Hello World!");
    EXPECT_EQ(asked(), once());
    for (const int signal : {SIGUSR1, SIGHUP}) {
        restart(signal);
        EXPECT_EQ(get_tls("/").body, "Hello World!");
    }
    EXPECT_EQ(asked(), once());
    stop();
    fs::remove(root() / "asked");
    start(configuration());
    EXPECT_TRUE(eventually([this] { return asked() == once(); })) << asked();
}

TEST_F(Unlocking, ANewKeyIsUnlockedAtAGracefulRestart)
{
    tolerate_log("AH00488");  // long lost child came home: the script, which nobody waits for
    write_script("cat phrase.txt");
    write("phrase.txt", "secret phrase\n");
    start(configuration());
    make_encrypted("another phrase");
    write("phrase.txt", "another phrase\n");
    restart(SIGUSR1);
    EXPECT_EQ(get_tls("/").body, "Hello World!");
    EXPECT_EQ(asked(), once() + once());
}

TEST_F(Unlocking, TheTestOfAConfigurationAsksForNothing)
{
    write_script("echo 'secret phrase'");
    const Finished checked = check(configuration());
    EXPECT_EQ(checked.status, 0) << checked.err;
    EXPECT_EQ(asked(), "");
}

TEST_F(Unlocking, TheFirstLineIsThePhraseWhateverTheScriptsStatusIs)
{
    tolerate_log("AH00052.*Broken pipe");  // the script's end, at its second line
    write_script("echo 'secret phrase'; echo 'and more'; exit 1");
    start(configuration());
    EXPECT_EQ(get_tls("/").body, "Hello World!");
}

TEST_F(Unlocking, HttpdDoesNotStartWhereTheScriptFails)
{
    expect_log("AH02580: Init: Pass phrase incorrect for key localhost:[0-9]+:0");
    expect_log("AH02564: Failed to configure encrypted .*/server.key");
    expect_log("AH02312|SSL Library Error");
    const std::string complaint = "AH02580: Init: Pass phrase incorrect for key";
    write_script("exit 1");
    EXPECT_NE(refusal().find(complaint), std::string::npos) << "says nothing";
    write_script("echo wrong");
    EXPECT_NE(refusal().find(complaint), std::string::npos) << "says a wrong phrase";
    write_script("echo 'secret phrase'", 0600);
    EXPECT_NE(refusal().find(complaint), std::string::npos) << "is not executable";
    fs::remove(root() / "phrase");
    EXPECT_NE(check(configuration())
                  .err.find("SSLPassPhraseDialog: file '" + (root() / "phrase").string() +
                            "' does not exist"),
              std::string::npos);
}

// ---------------------------------------------------------------------------
// Cross-origin requests with a password. That a preflight needs none is in methods_test.cpp.

TEST_F(Beside, WhatAPreflightAllowedAnswersAnotherOriginWithAndWithoutThePassword)
{
    expect_log("AH01617");  // password mismatch
    add_user("ada", "secret");
    start(tls_host(R"(
        <Location "/api">
            SetHandler hello
            HelloMethods GET PUT
            AuthType Basic
            AuthName "api"
            AuthUserFile passwords
            <RequireAny>
                Require method OPTIONS
                Require valid-user
            </RequireAny>
            Header always set Access-Control-Allow-Origin "https://app.example"
            Header always set Vary Origin
            <If "%{REQUEST_METHOD} == 'OPTIONS'">
                HelloMethods OPTIONS
                HelloStatus 204
                Header always set Access-Control-Allow-Methods "GET, PUT"
                Header always set Access-Control-Allow-Headers "Authorization"
                Header always set Access-Control-Max-Age 600
            </If>
        </Location>
)"));
    const std::string origin = "Origin: https://app.example";
    const Response preflight = ask({.url = https("/api"),
                                    .method = "OPTIONS",
                                    .headers = {origin, "Access-Control-Request-Method: PUT",
                                                "Access-Control-Request-Headers: authorization"}});
    EXPECT_EQ(preflight.status, 204) << preflight;
    EXPECT_EQ(preflight.header("www-authenticate"), std::nullopt);
    EXPECT_EQ(preflight.header("access-control-allow-origin"), "https://app.example");
    EXPECT_EQ(preflight.header("access-control-allow-methods"), "GET, PUT");
    EXPECT_EQ(preflight.header("access-control-allow-headers"), "Authorization");
    EXPECT_EQ(preflight.header("access-control-max-age"), "600");

    for (const char* const method : {"GET", "PUT"}) {
        for (const auto& [user, status] :
             {std::pair("ada:secret", 200), {"ada:wrong", 401}, {"", 401}}) {
            const Response response =
                ask({.url = https("/api"), .method = method, .headers = {origin}, .user = user});
            EXPECT_EQ(response.status, status) << method << ' ' << user;
            EXPECT_EQ(response.body == "Hello World!", status == 200) << response;
            EXPECT_EQ(response.header("access-control-allow-origin"), "https://app.example")
                << method << ' ' << user << response;
            EXPECT_EQ(response.header("access-control-allow-methods"), std::nullopt);
        }
    }
}

// ---------------------------------------------------------------------------
// ETags and compression. That the weak tag of a proxy gives 304 is in contract_test.cpp.

class Compression : public Beside {
  protected:
    static constexpr const char* gzip = "Accept-Encoding: gzip";

    void start_with(const std::string& more)
    {
        write("page.html", "<!DOCTYPE html><title>Hello</title>" + std::string(2000, 'x'));
        start(more + tls_host(R"(
            <Location "/">
                SetHandler hello
                HelloFile page.html
                HelloType text/html
                Require all granted
                AddOutputFilterByType DEFLATE text/html
            </Location>
)"));
    }

    std::string plain_tag() const { return get_tls("/").header("etag").value_or(""); }

    Response compressed() const
    {
        Response response = ask({.url = https(), .headers = {gzip}});
        EXPECT_EQ(response.status, 200) << response;
        EXPECT_EQ(response.header("content-encoding"), "gzip") << response;
        EXPECT_LT(response.body.size(), 200U);
        return response;
    }

    /// Asks once more for what has this tag.
    Response again(const std::string& tag, const char* encoding = gzip) const
    {
        return ask({.url = https(), .headers = {encoding, "If-None-Match: " + tag}});
    }

    static std::string suffixed(std::string tag) { return tag.insert(tag.size() - 1, "-gzip"); }
};

TEST_F(Compression, GivesATagThatIsNeverFoundAgain)
{
    start_with("");
    const std::string tag = compressed().header("etag").value_or("");
    EXPECT_EQ(tag, suffixed(plain_tag()));
    EXPECT_EQ(again(tag).status, 200);
    EXPECT_EQ(again("W/" + tag).status, 200);
    EXPECT_EQ(again(plain_tag()).status, 304);
}

TEST_F(Compression, GivesATagThatIsFoundWhereTheRequestLosesTheSuffix)
{
    start_with(R"(RequestHeader edit* If-None-Match '-gzip"' '"'
        )");
    const std::string tag = compressed().header("etag").value_or("");
    EXPECT_EQ(tag, suffixed(plain_tag()));
    for (const std::string& sent : {tag, "W/" + tag, "\"a\", " + tag, "\"a-gzip\", " + tag}) {
        const Response response = again(sent);
        EXPECT_EQ(response.status, 304) << sent << response;
        EXPECT_EQ(response.body, "") << sent;
    }
    EXPECT_EQ(again("\"a-gzip\"").status, 200);
    EXPECT_EQ(again(plain_tag(), "Accept-Encoding: identity").status, 304);
}

TEST_F(Compression, KeepsATagThatIsFoundWithNoChange)
{
    start_with("DeflateAlterETag NoChange\n");
    const std::string tag = compressed().header("etag").value_or("");
    EXPECT_EQ(tag, plain_tag());
    for (const std::string& sent : {tag, "W/" + tag}) {
        const Response response = again(sent);
        EXPECT_EQ(response.status, 304) << response;
        EXPECT_EQ(response.header("etag"), tag);
    }
}

TEST_F(Compression, LeavesNothingToAskAgainWithAfterRemove)
{
    start_with("DeflateAlterETag Remove\n");
    EXPECT_EQ(compressed().header("etag"), std::nullopt);
    EXPECT_EQ(again(plain_tag()).status, 304);
}

}  // namespace
}  // namespace hello
