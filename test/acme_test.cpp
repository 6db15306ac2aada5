// conf/examples/acme.conf with a real authority, Debian's pebble: from no certificate to a trusted
// page, and one renewal, with no restart but the timer's.

#include <sys/stat.h>

#include <cstdlib>

#include "authority.h"
#include "examples.h"

namespace hello {
namespace {

/// Everything here may wait for mod_md, which looks what is to do every few seconds.
constexpr std::chrono::seconds long_patience{60};

class Acme : public ExampleTest {
  protected:
    void SetUp() override
    {
        // A proxy of the machine's would come between mod_md and the authority.
        ::setenv("no_proxy", "*", 1);
    }

    std::string with_authority(const std::string& defines = "") const
    {
        return md_module() +
               "Define HELLO_DOMAIN hello.test\n"
               "Define HELLO_ACME_CONTACT webmaster@hello.test\n"
               "Define HELLO_ACME_DIRECTORY " +
               authority_.directory() + "\nDefine HELLO_ACME_CA \"" +
               authority_.certificate().string() + "\"\n" + defines + recipe("acme.conf");
    }

    /// The page, as somebody sees it who trusts the authority and nobody else.
    Response page() const
    {
        return fetch({.url = "https://hello.test:" + std::to_string(https_port()) + "/",
                      .ca = authority_.root(),
                      .resolve_to = "127.0.0.1"});
    }

    /// The line that the recipe has for cron, for this server instead of Debian's.
    std::string timer()
    {
        const std::string text = read_file(source_dir() / "conf/examples/acme.conf");
        std::string line = first_match(text, "\n#   \\* \\* \\* \\* \\* root (.*)\n");
        EXPECT_NE(line, "") << "the recipe has no line for cron";
        line = replaced(line, "/etc/apache2", root().string());
        line = replaced(line, "/usr/sbin/apachectl graceful",
                        "kill -USR1 " + std::to_string(httpd().pid()));
        EXPECT_NE(line.find(root().string()), std::string::npos) << line;
        EXPECT_NE(line.find("kill"), std::string::npos) << line;
        return line;
    }

    bool timer_restarts()
    {
        await_idleness();
        return run({.argv = {"sh", "-c", timer()}}).status == 0;
    }

    /// Whether something comes true while the timer runs, every second instead of every minute.
    bool with_timer(const std::function<bool()>& holds)
    {
        return eventually(
            [&] {
                timer_restarts();
                return eventually(holds, std::chrono::seconds(1));
            },
            long_patience);
    }

    /// The serial number of the certificate that is served.
    std::string serial() const
    {
        const Finished shown =
            run({.argv = {"sh", "-c",
                          "openssl s_client -connect 127.0.0.1:" + std::to_string(https_port()) +
                              " -servername hello.test </dev/null 2>/dev/null | "
                              "openssl x509 -noout -serial"}});
        EXPECT_EQ(shown.status, 0) << shown.err;
        return shown.out;
    }

    void expect_no_key_for_others() const
    {
        int count = 0;
        for (const auto& entry : fs::recursive_directory_iterator(root())) {
            const std::string text =
                entry.is_regular_file() ? read_file(entry.path()) : std::string();
            // What waits to be put in place is encrypted, by a password in md_store.json.
            const bool key = text.find("BEGIN PRIVATE KEY") != std::string::npos ||
                             text.find("BEGIN EC PRIVATE KEY") != std::string::npos ||
                             text.find("BEGIN RSA PRIVATE KEY") != std::string::npos;
            if (key || entry.path().filename() == "md_store.json") {
                ++count;
                struct stat status {};
                ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
                EXPECT_EQ(status.st_mode & 0077, 0U) << entry.path();
            }
        }
        EXPECT_GE(count, 3);
    }

    Authority authority_;
};

TEST_F(Acme, FromNoCertificateToATrustedPageAndARenewal)
{
    expect_log("AH10085");  // there is no certificate as yet
    start(md_module());
    ASSERT_NO_FATAL_FAILURE(authority_.start(root() / "pebble", http_port()));
    reload(with_authority());
    EXPECT_NE(page().error.find("certificate"), std::string::npos) << page();
    EXPECT_EQ(get("/").status, 308);
    EXPECT_EQ(get("/").header("location"), "https://hello.test/");

    EXPECT_TRUE(with_timer([this] { return page().status == 200; })) << page() << authority_.said();
    EXPECT_EQ(page().body, "Hello World!");
    EXPECT_EQ(
        run({.argv = {"openssl", "s_client", "-tls1_2", "-connect",
                      "127.0.0.1:" + std::to_string(https_port()), "-servername", "hello.test"}})
            .out.find("TLS session ticket"),
        std::string::npos);
    const std::string first = serial();
    EXPECT_FALSE(timer_restarts()) << "nothing is waiting now";
    expect_no_key_for_others();

    // A certificate of pebble's lives for five years, and this is its end.
    reload(with_authority("Define HELLO_ACME_RENEW 4000d\n"));
    EXPECT_EQ(serial(), first);
    EXPECT_TRUE(with_timer([&] { return serial() != first; })) << authority_.said();
    EXPECT_EQ(page().body, "Hello World!");
    expect_no_key_for_others();

    // This end is always near, so the next renewal is under way. A child that is told to end in
    // the middle of it can crash in mod_md.
    EXPECT_TRUE(eventually(
        [&] {
            const std::string log = error_log();
            const std::size_t is_set_up = log.rfind("AH10059");
            return is_set_up != std::string::npos && is_set_up > log.rfind("resuming normal");
        },
        long_patience))
        << authority_.said();
}

}  // namespace
}  // namespace hello
