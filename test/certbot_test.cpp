// The real certbot with its Apache plugin and a real authority, Debian's pebble, on the site that
// scripts/install makes, with a copy of Debian's /etc/apache2.
//
// The plugin knows no other ports than 80 and 443: it has httpd listen on 443 whatever the
// options say. So this test has a network of its own, in which nobody has them.

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>

#include "authority.h"
#include "install.h"
#include "namespaces.h"

namespace hello {
namespace {

class Certbot : public InstallOnDebian {
  protected:
    Certbot() : InstallOnDebian({80, 443}) {}

    void SetUp() override
    {
        const Path plugin = source_dir() / "build/debian/usr/lib/python3/dist-packages";
        if (!fs::exists(plugin)) {
            GTEST_SKIP() << "scripts/test unpacks certbot's plugin there where there is apt-get: "
                         << plugin;
        }
        if (const std::string obstacle = enter_own_network(); !obstacle.empty()) {
            GTEST_SKIP() << "only root, or somebody who may make user namespaces, can have a "
                            "network with the ports 80 and 443: "
                         << obstacle;
        }
        InstallOnDebian::SetUp();
        // certbot would make it for itself alone, and httpd reads the proof that lies in it.
        fs::create_directory(root() / "certbot");
        environment_.push_back("PYTHONPATH=" + plugin.string());
        environment_.push_back("no_proxy=*");
        if (!contains(
                run({.argv = with_folders({"certbot", "plugins"}), .environment = environment_})
                    .out,
                "* apache")) {
            GTEST_SKIP() << "certbot does not take the plugin of " << plugin;
        }
        ASSERT_NO_FATAL_FAILURE(authority_.start(root() / "pebble", 80));
    }

    void TearDown() override
    {
        if (!IsSkipped()) {
            InstallOnDebian::TearDown();
        }
    }

    Strings with_folders(Strings argv) const
    {
        for (const char* const name : {"config", "work", "logs"}) {
            argv.insert(argv.end(), {std::string("--") + name + "-dir", root() / "certbot" / name});
        }
        return argv;
    }

    /// certbot, as a person calls it, but for where things lie in this test.
    void certbot(Strings argv)
    {
        argv.insert(argv.begin(), "certbot");
        argv = with_folders(argv);
        argv.insert(argv.end(),
                    {"--non-interactive", "--apache-server-root", etc(),
                     "--apache-challenge-location", etc(), "--apache-logs-root", root() / "log",
                     "--apache-ctl", source_dir() / "build/debian/usr/sbin/apachectl",
                     "--apache-bin", httpd_path(), "--server", authority_.directory()});
        // What the plugin reads with takes a file that was changed twice in one second for the
        // first of the two; a person is not so fast.
        for (const auto& entry : fs::directory_iterator(etc() / "sites-available")) {
            fs::last_write_time(entry.path(),
                                fs::file_time_type::clock::now() - std::chrono::hours(1));
        }
        Strings environment = environment_;
        environment.push_back("REQUESTS_CA_BUNDLE=" + authority_.certificate().string());
        await_idleness(ports_);
        const Finished finished = run({.argv = argv, .environment = environment});
        EXPECT_EQ(finished.status, 0)
            << testing::PrintToString(argv) << finished.out << finished.err << authority_.said();
    }

    /// A page, as somebody sees it who trusts this issuer and nobody else.
    static Response visit(const std::string& url, const Path& issuer)
    {
        return fetch({.url = url, .ca = issuer, .resolve_to = "127.0.0.1"});
    }

    /// The serial number of the certificate that is served, as openssl shows it.
    static std::string serial()
    {
        const Finished shown =
            run({.argv = {"sh", "-c",
                          "openssl s_client -connect 127.0.0.1:443 -servername hello.test "
                          "</dev/null 2>/dev/null | openssl x509 -noout -serial"}});
        EXPECT_EQ(shown.status, 0) << shown.err;
        return shown.out;
    }

    /// How often the authority has seen a proof.
    std::size_t proofs() { return count(authority_.said(), "set VALID by completed challenge"); }

    /// What is different from a state, with no regard to the time of a change: certbot edits each
    /// site for a proof, and puts it back.
    Strings changes(std::map<std::string, std::string> before) const
    {
        std::map<std::string, std::string> after = state();
        for (auto* const listing : {&before, &after}) {
            for (auto& [path, what] : *listing) {
                // Of a file, its mode, its owner, and then the time.
                if (const std::string time = first_match(what, "^[0-9]+ [0-9]+ ([0-9]+\\.[0-9]+ )");
                    !time.empty()) {
                    what.erase(what.find(time), time.size());
                }
            }
        }
        Strings result = differences(before, after);
        std::sort(result.begin(), result.end());
        return result;
    }

    /// The other site, which shares tls.conf, has its own certificate all the time, and names
    /// that nobody has are the first site's.
    void expect_others_as_ever() const
    {
        EXPECT_EQ(visit("https://second.test/", root() / "second/server.crt").body, "a page");
        EXPECT_EQ(visit("http://other.test/", {}).body, "a page");
    }

    Authority authority_;
};

TEST_F(Certbot, ObtainsRedirectsRenewsAndIsNoneOfUninstallsBusiness)
{
    expected_ = "AH01909";  // the name is new, and the certificate is still that of localhost
    start();
    const auto bare = state();
    const Finished installed = install();
    ASSERT_EQ(installed.status, 0) << installed.err;
    make_cert(root() / "second", {"--name", "second.test"});
    const Path second = etc() / "sites-enabled/second.conf";
    write_file(second, "<VirtualHost *:443>\nServerName second.test\nDocumentRoot " +
                           (root() / "www").string() + "\nInclude " +
                           (etc() / "hello/tls.conf").string() + "\nSSLCertificateFile " +
                           (root() / "second/server.crt").string() + "\nSSLCertificateKeyFile " +
                           (root() / "second/server.key").string() + "\n</VirtualHost>\n");
    // What a person does: certbot goes by the name.
    edit("sites-available/hello.conf", "ServerName localhost", "ServerName hello.test");
    const auto named = state();

    certbot({"--apache", "--domain", "hello.test", "--agree-tos",
             "--register-unsafely-without-email", "--no-redirect"});
    EXPECT_EQ(proofs(), 1U);
    for (const char* const url : {"http://hello.test/", "https://hello.test/"}) {
        EXPECT_EQ(visit(url, authority_.root()).body, "Hello World!") << url;
    }
    // The other is a note that rewrite is off again, which the proof took.
    EXPECT_EQ(changes(named),
              (Strings{"sites-available/hello.conf", "state/module/disabled_by_admin/rewrite"}));
    expect_others_as_ever();

    certbot({"--apache", "--domain", "hello.test", "--keep", "--redirect"});
    struct {
        const char* url;
        long status;
        const char* location;
    } const answers[] = {
        {"http://hello.test/", 301, "https://hello.test/"},
        {"http://hello.test/x?y=%3F", 301, "https://hello.test/x?y=%3F"},
        {"https://hello.test/", 200, ""},
        {"https://hello.test/x", 404, ""},
    };
    const auto expect_answers = [&] {
        for (const auto& [url, status, location] : answers) {
            const Response response = visit(url, authority_.root());
            EXPECT_EQ(response.status, status) << url << response;
            EXPECT_EQ(response.header("location").value_or(""), location) << url;
            EXPECT_EQ(response.body == "Hello World!", status == 200) << url << response;
        }
        expect_others_as_ever();
    };
    expect_answers();

    const std::string first = serial();
    certbot({"renew", "--force-renewal", "--no-random-sleep-on-renew"});
    EXPECT_EQ(proofs(), 2U);
    EXPECT_NE(serial(), first);
    EXPECT_EQ(serial(), run({.argv = {"openssl", "x509", "-noout", "-serial", "-in",
                                      root() / "certbot/config/live/hello.test/cert.pem"}})
                            .out);
    expect_answers();
    stop();
    start();
    expect_answers();
    const Strings of_certbot{"mods-enabled/rewrite.load", "sites-available/hello.conf",
                             "state/module/enabled_by_admin/rewrite"};
    EXPECT_EQ(changes(named), of_certbot);

    // A newer module goes in beside all that, and a recipe, which is asked by the site's new name.
    const Finished again = install({"--example", "health"});
    EXPECT_EQ(again.status, 0) << again.err;
    EXPECT_TRUE(contains(again.out, "https://hello.test/")) << again.out;
    EXPECT_EQ(visit("https://hello.test/healthz", authority_.root()).body, "ok");
    expect_answers();

    // The second site cannot do without tls.conf.
    const auto with_both = state();
    const Finished refused = uninstall();
    EXPECT_EQ(refused.status, 1) << refused.out;
    EXPECT_TRUE(contains(refused.err, second)) << refused.err;
    EXPECT_EQ(changes(with_both), Strings{});
    expect_answers();

    fs::remove(second);
    const Finished removed = uninstall();
    EXPECT_EQ(removed.status, 0) << removed.err;
    EXPECT_EQ(removed.err, "");
    EXPECT_TRUE(contains(removed.out, "Left, since somebody has changed it: '" +
                                          (etc() / "sites-available/hello.conf").string()))
        << removed.out;
    tool({"apachectl", "configtest"});
    EXPECT_EQ(changes(bare), of_certbot);
    EXPECT_EQ(visit("http://hello.test/", {}).body, "a page");
}

}  // namespace
}  // namespace hello
