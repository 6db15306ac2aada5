// The configurations in conf/: each passes "httpd -t", the private server answers as its
// comments say, and its TLS holds by real handshakes.

#include <pwd.h>
#include <unistd.h>

#include <csignal>

#include "httpd.h"

namespace hello {
namespace {

class Conf : public HttpdTest {
  protected:
    Path conf(const char* name) const { return source_dir() / "conf" / name; }

    void start_private_server(const std::vector<std::string>& key_options = {},
                              const std::vector<std::string>& defines = {})
    {
        make_cert(root(), key_options);
        start_file(conf("httpd.conf"), with_pair(defines));
    }

    std::vector<std::string> with_pair(std::vector<std::string> defines) const
    {
        defines.push_back("HELLO_CERTIFICATE " + (root() / "server.crt").string());
        defines.push_back("HELLO_KEY " + (root() / "server.key").string());
        return defines;
    }

    /// A TLS handshake and one request by "openssl s_client".
    Finished handshake(const std::vector<std::string>& options) const
    {
        Command command{
            .argv = {"openssl", "s_client", "-connect", "127.0.0.1:" + std::to_string(https_port()),
                     "-CAfile", root() / "server.crt", "-verify_return_error", "-ign_eof"},
            .input = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"};
        command.argv.insert(command.argv.end(), options.begin(), options.end());
        return run(command);
    }
};

TEST_F(Conf, EachSnippetPassesTheSyntaxCheckByItself)
{
    make_cert(root());
    const std::string pair = "Define HELLO_CERTIFICATE server.crt\nDefine HELLO_KEY server.key\n";
    // The ports of one's own httpd are 80 and 443, and nothing need be defined then.
    for (const char* const include :
         {"Define HELLO_CONF \"%\"\nInclude \"%/hello.conf\"\n", "Include \"%/tls.conf\"\n",
          "Define HELLO_TLS_DOCUMENT\nInclude \"%/tls.conf\"\n"
          "<VirtualHost *:443>\nInclude \"%/tls.conf\"\n"
          "SSLCertificateFile \"${HELLO_CERTIFICATE}\"\n"
          "SSLCertificateKeyFile \"${HELLO_KEY}\"\n</VirtualHost>\n"}) {
        std::string configuration = include;
        for (auto at = configuration.find('%'); at != std::string::npos;
             at = configuration.find('%')) {
            configuration.replace(at, 1, (source_dir() / "conf").string());
        }
        const Finished checked = check(pair + configuration);
        EXPECT_EQ(checked.status, 0) << include << checked.err;
        EXPECT_NE(checked.err.find("Syntax OK"), std::string::npos) << checked.err;
    }
}

TEST_F(Conf, PrivateServerAnswersTheRootAndNothingElse)
{
    start_private_server();
    const Path ca = root() / "server.crt";
    for (const std::string& url : {http(), http("/?q=1"), https(), https("/?q=1")}) {
        const Response response = fetch({.url = url, .ca = ca});
        EXPECT_EQ(response.status, 200) << url << response;
        EXPECT_EQ(response.body, "Hello World!") << url;
        EXPECT_EQ(response.header("server"), "Apache");
        EXPECT_EQ(fetch({.url = url, .method = "POST", .ca = ca}).status, 405);
        EXPECT_EQ(fetch({.url = url, .method = "TRACE", .ca = ca}).status, 405);
    }
    for (const char* const path : {"/x", "/index.html", "/etc/passwd", "//x"}) {
        EXPECT_EQ(get(path).status, 404) << path;
        EXPECT_EQ(get_tls(path).status, 404) << path;
    }
    const Response h2 = fetch({.url = https(), .ca = ca, .http2 = true});
    EXPECT_EQ(h2.error, "");
    EXPECT_EQ(h2.body, "Hello World!");
}

TEST_F(Conf, PrivateServerRunsOnEachMpm)
{
    for (const char* const mpm : {"event", "worker", "prefork"}) {
        if (mpm == std::string("prefork")) {
            expect_log("AH10034");  // mod_http2 says that it does not serve there
        }
        std::filesystem::remove(root() / "server.key");
        std::filesystem::remove(root() / "server.csr");
        std::filesystem::remove(root() / "server.crt");
        start_private_server({}, {std::string("HELLO_MPM ") + mpm});
        EXPECT_EQ(get("/").body, "Hello World!") << mpm;
        EXPECT_EQ(get_tls("/").body, "Hello World!") << mpm;
        stop();
    }
}

TEST_F(Conf, PrivateServerServesAsNobodyWithRights)
{
    start_private_server();
    ASSERT_EQ(get("/").status, 200);
    uid_t expected = ::getuid();
    if (expected == 0) {
        const passwd* const entry = ::getpwnam("www-data");
        ASSERT_NE(entry, nullptr);
        expected = entry->pw_uid;
    }
    const std::string wanted = "\nUid:\t" + std::to_string(expected) + "\t";
    const std::vector<pid_t> children = children_of(httpd().pid());
    EXPECT_FALSE(children.empty());
    for (const pid_t child : children) {
        const Path status = "/proc/" + std::to_string(child) + "/status";
        // One child has answered; another may not have changed its user yet.
        EXPECT_TRUE(eventually([&] { return read_file(status).find(wanted) != std::string::npos; }))
            << read_file(status);
    }
}

TEST_F(Conf, TlsVersions)
{
    start_private_server();
    // The client would refuse TLS 1.1 by itself at its default security level.
    const struct {
        const char* version;
        bool accepted;
    } cases[] = {{"-tls1_3", true}, {"-tls1_2", true}, {"-tls1_1", false}, {"-tls1", false}};
    for (const auto& [version, accepted] : cases) {
        const Finished finished = handshake({version, "-cipher", "ALL:@SECLEVEL=0"});
        EXPECT_EQ(finished.status == 0, accepted) << version << finished.out << finished.err;
        EXPECT_EQ(finished.out.find("Hello World!") != std::string::npos, accepted) << version;
        if (!accepted) {
            EXPECT_NE(finished.err.find("alert protocol version"), std::string::npos)
                << version << " was not refused by the server: " << finished.err;
        }
    }
}

TEST_F(Conf, TlsSuitesHaveForwardSecrecyUnlessTheDocumentIsAskedFor)
{
    const std::vector<std::string> without{"-tls1_2", "-cipher", "AES256-GCM-SHA384"};
    const std::vector<std::string> with{"-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"};
    start_private_server({"--key", "rsa"});
    EXPECT_NE(handshake(without).status, 0);
    EXPECT_EQ(handshake(with).status, 0);
    stop();

    start_file(conf("httpd.conf"), with_pair({"HELLO_TLS_DOCUMENT"}));
    const Finished finished = handshake(without);
    EXPECT_EQ(finished.status, 0) << finished.err;
    EXPECT_NE(finished.out.find("Hello World!"), std::string::npos);
    EXPECT_EQ(handshake(with).status, 0);
}

TEST_F(Conf, TlsGroupsAreTheUsersChoice)
{
    start_private_server();
    EXPECT_EQ(key_exchange(https_port(), root() / "server.crt"), "X25519");
    stop();
    start_file(conf("httpd.conf"), with_pair({"HELLO_TLS_GROUPS X448"}));
    EXPECT_EQ(key_exchange(https_port(), root() / "server.crt"), "X448");
}

TEST_F(Conf, TlsSessionsAreResumedFromTheCache)
{
    start_private_server();
    for (const char* const version : {"-tls1_2", "-tls1_3"}) {
        const std::string session = root() / (std::string("session") + version);
        const Finished first = handshake({version, "-sess_out", session});
        EXPECT_NE(first.out.find("\nNew, TLSv1."), std::string::npos) << first.out;
        const Finished second = handshake({version, "-sess_in", session});
        EXPECT_NE(second.out.find("\nReused, TLSv1."), std::string::npos) << second.out;
        EXPECT_NE(second.out.find("Hello World!"), std::string::npos);
    }
}

TEST_F(Conf, AKeyWithAPassPhraseIsUnlockedInTheDialog)
{
    {
        Process making({.argv = {source_dir() / "scripts/make-cert", "--dir", root(), "--encrypt"},
                        .terminal = true});
        for (const char* const prompt : {"ass phrase", "again"}) {
            ASSERT_TRUE(eventually([&] { return making.out().find(prompt) != std::string::npos; }))
                << making.out();
            making.type("correct horse\n");
        }
        ASSERT_EQ(making.wait(), 0) << making.out();
        ASSERT_NE(read_file(root() / "server.key").find("ENCRYPTED"), std::string::npos);
    }
    const std::string configuration =
        "<VirtualHost *:${HTTPS_PORT}>\nSSLEngine on\n"
        "SSLCertificateFile server.crt\n"
        "SSLCertificateKeyFile server.key\n"
        "SetHandler hello\n"
        "</VirtualHost>\n";
    ASSERT_EQ(check(configuration).status, 0);
    Process server({.argv = {httpd_path(), "-DFOREGROUND", "-f", root() / "httpd.conf"},
                    .terminal = true,
                    .under_sanitizer = true});
    const auto asks = [&] {
        return eventually(
            [&] { return server.out().ends_with("Enter pass phrase:") && !server.echoes(); });
    };
    ASSERT_TRUE(asks()) << server.out();
    server.type("wrong\n");
    ASSERT_TRUE(eventually([&] { return server.out().find("incorrect") != std::string::npos; }));
    ASSERT_TRUE(asks()) << server.out();
    const auto serves = [&] { return error_log().find("normal operations") != std::string::npos; };
    EXPECT_FALSE(serves()) << "without the pass phrase";
    server.type("correct horse\n");
    ASSERT_TRUE(eventually([&] { return server.ended() || serves(); }));
    ASSERT_FALSE(server.ended()) << server.out() << error_log();
    EXPECT_EQ(get_tls("/").body, "Hello World!");
    EXPECT_EQ(server.out().find("horse"), std::string::npos) << "the terminal shows it";
    server.signal(SIGTERM);
    EXPECT_EQ(server.wait(), 0);
}

}  // namespace
}  // namespace hello
