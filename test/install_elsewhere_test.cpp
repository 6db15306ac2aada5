// scripts/install and scripts/uninstall with an httpd that is laid out in another way than
// Debian's.

#include <csignal>
#include <map>

#include "install.h"

namespace hello {
namespace {

class InstallElsewhere : public Install {
  protected:
    void SetUp() override
    {
        for (const char* const name : {"modules", "conf", "logs"}) {
            fs::create_directories(root() / name);
        }
        for (const auto& entry : fs::directory_iterator(httpd_modules())) {
            fs::create_symlink(entry.path(), modules() / entry.path().filename());
        }
        const auto says = [](const std::string& name, const Path& value) {
            return "[ \"$1 $2\" != '-q " + name + "' ] || { echo '" + value.string() +
                   "'; exit; }\n";
        };
        write_program(root() / "bin/apxs", says("LIBEXECDIR", modules()) +
                                               says("SYSCONFDIR", root() / "conf") +
                                               says("SBINDIR", root() / "bin") +
                                               says("PROGNAME", "httpd") + "exec apxs \"$@\"\n");
        write_program(root() / "bin/httpd", "exec '" + httpd_path().string() + "' -d '" +
                                                root().string() + "' -f conf/httpd.conf \"$@\"\n");
        environment_ = {"APXS=" + (root() / "bin/apxs").string()};
        configuration_ = "ServerRoot \"" + root().string() +
                         "\"\nServerName localhost\nPidFile httpd.pid\nErrorLog logs/error_log\n"
                         "DefaultRuntimeDir \"" +
                         root().string() +
                         "\"\nUser www-data\nGroup www-data\n"
                         "LoadModule mpm_event_module modules/mod_mpm_event.so\n"
                         "LoadModule authz_core_module modules/mod_authz_core.so\n"
                         "LoadModule mime_module modules/mod_mime.so\n"
                         "TypesConfig /dev/null\n"
                         "Listen 127.0.0.1:" +
                         std::to_string(ports_[0]) + "\n";
        write_configuration("");
    }

    void write_configuration(const std::string& more)
    {
        write_file(root() / "conf/httpd.conf", configuration_ + more);
    }

    std::map<std::string, std::string> state() const
    {
        auto result = listing(root());
        std::erase_if(result, [](const auto& entry) {
            return entry.first == "conf/httpd.conf" || entry.first.starts_with("logs");
        });
        return result;
    }

    std::string configuration_;
};

TEST_F(InstallElsewhere, PrintsTheLinesThatServe)
{
    const auto before = state();
    EXPECT_EQ(install({"--dry-run"}).status, 0);
    EXPECT_EQ(differences(before, state()), Strings{});

    const Finished installed = install();
    ASSERT_EQ(installed.status, 0) << installed.err;
    const auto from = installed.out.find("\n\n") + 2;
    std::string lines = installed.out.substr(from, installed.out.find("\n\n", from) - from + 1);
    EXPECT_FALSE(contains(lines, "authz_core")) << "it is loaded already: " << lines;
    EXPECT_FALSE(contains(lines, "Listen " + std::to_string(ports_[0]))) << lines;
    // This machine alone shall see the test.
    const std::string port = std::to_string(ports_[1]);
    ASSERT_TRUE(contains(lines, "Listen " + port)) << lines;
    lines = replaced(lines, "Listen " + port, "Listen 127.0.0.1:" + port);
    write_configuration(lines);

    const Path certificate = root() / "conf/hello/server.crt";
    const auto answer = [&] { return fetch({.url = url("https"), .ca = certificate}).body; };
    {
        Process server({.argv = {root() / "bin/httpd", "-DFOREGROUND"}});
        EXPECT_TRUE(eventually([&] { return server.ended() || answer() == "Hello World!"; }));
        EXPECT_FALSE(server.ended()) << server.err() << read_file(root() / "logs/error_log");
        EXPECT_EQ(fetch({.url = url("http")}).body, "Hello World!");

        const Finished again = install();
        EXPECT_EQ(again.status, 0) << again.err;
        EXPECT_FALSE(contains(again.out, "Include")) << again.out;

        const Finished refused = uninstall();
        EXPECT_EQ(refused.status, 1);
        EXPECT_TRUE(contains(refused.err, "httpd.conf")) << refused.err;
        EXPECT_TRUE(fs::exists(modules() / "mod_hello.so"));
        await_idleness(ports_);
        server.signal(SIGTERM);
        EXPECT_EQ(server.wait(), 0);
    }
    write_configuration("");
    const Finished removed = uninstall();
    EXPECT_EQ(removed.status, 0) << removed.err;
    EXPECT_EQ(differences(before, state()), Strings{});
}

TEST_F(InstallElsewhere, PrintsTheLinesThatServeRecipes)
{
    const auto before = state();
    const Finished installed = install({"--example", "redirect", "--example", "whoami", "--example",
                                        "matrix", "--define", "HELLO_MATRIX=chat.example.org"});
    ASSERT_EQ(installed.status, 0) << installed.err;
    const auto from = installed.out.find("\n\n") + 2;
    std::string lines = installed.out.substr(from, installed.out.find("\n\n", from) - from + 1);
    EXPECT_TRUE(contains(lines, "LoadModule rewrite_module")) << lines;
    const std::string port = std::to_string(ports_[1]);
    lines = replaced(lines, "Listen " + port, "Listen 127.0.0.1:" + port);
    write_configuration(lines);
    {
        Process server({.argv = {root() / "bin/httpd", "-DFOREGROUND"}});
        const auto answer = [&](const std::string& path) {
            return fetch({.url = url("https") + path, .ca = root() / "conf/hello/server.crt"}).body;
        };
        EXPECT_TRUE(eventually([&] { return server.ended() || answer("") == "Hello World!"; }));
        EXPECT_FALSE(server.ended()) << server.err() << read_file(root() / "logs/error_log");
        EXPECT_EQ(fetch({.url = url("http")}).status, 308);
        EXPECT_TRUE(contains(answer("whoami"), R"("path": "/whoami")"));
        EXPECT_TRUE(contains(answer(".well-known/matrix/server"), "chat.example.org"));
        await_idleness(ports_);
        server.signal(SIGTERM);
        EXPECT_EQ(server.wait(), 0);
    }
    write_configuration("");
    ASSERT_EQ(uninstall().status, 0);
    EXPECT_EQ(differences(before, state()), Strings{});
}

TEST_F(InstallElsewhere, NoSiteIsTheModuleAlone)
{
    const auto before = state();
    const Finished installed = install({"--no-site"});
    ASSERT_EQ(installed.status, 0) << installed.err;
    EXPECT_EQ(differences(before, state()),
              (Strings{"conf/hello", "conf/hello/manifest", "modules/mod_hello.so"}));
    EXPECT_TRUE(contains(installed.out, "LoadModule hello_module")) << installed.out;
    EXPECT_FALSE(contains(installed.out, "ssl_module")) << installed.out;
    ASSERT_EQ(uninstall().status, 0);
    EXPECT_EQ(differences(before, state()), Strings{});
}

TEST_F(InstallElsewhere, NeverOverwritesAModuleOfSomebodyElse)
{
    write_file(modules() / "mod_hello.so", "mine");
    const auto before = state();
    const Finished finished = install();
    EXPECT_EQ(finished.status, 1);
    EXPECT_TRUE(contains(finished.err, modules() / "mod_hello.so")) << finished.err;
    EXPECT_EQ(differences(before, state()), Strings{});
}

}  // namespace
}  // namespace hello
