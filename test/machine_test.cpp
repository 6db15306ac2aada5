// The scripts on a machine that is not as they would like it: without a network, without httpd,
// with a full disk, with a clock that is behind, with a checkout that has moved or is somebody
// else's. They say what is wrong and what to do, or do it.

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "namespaces.h"

namespace hello {
namespace {

/// scripts/setup with the machine's own apt, which knows of nothing that is installed and has one
/// source of packages: whatever it does, it does it in a folder.
class Setup : public testing::Test {
  protected:
    void SetUp() override
    {
        if (run({.argv = {"sh", "-c", "command -v apt-get"}}).status != 0) {
            GTEST_SKIP() << "there is no apt-get";
        }
        for (const char* const name : {"dpkg/updates", "lists/partial", "cache/archives/partial"}) {
            fs::create_directories(root() / name);
        }
        write_file(root() / "dpkg/status", "");
    }

    const Path& root() const { return folder_.path(); }

    Command setup(const std::string& source) const
    {
        const std::string folder = root().string();
        write_file(root() / "sources.list", source + "\n");
        write_file(root() / "apt.conf",
                   "Acquire::Retries \"0\";\nDir::Etc::main \"/dev/null\";\nDir::Etc::parts "
                   "\"/dev/null\";\n"
                   "Dir::Etc::sourceparts \"/dev/null\";\nDir::Etc::sourcelist \"" +
                       folder + "/sources.list\";\nDir::State \"" + folder +
                       "\";\nDir::State::status \"" + folder + "/dpkg/status\";\nDir::Cache \"" +
                       folder + "/cache\";\nDir::Log \"" + folder +
                       "\";\nDir::Bin::dpkg \"/bin/false\";\nAPT::Sandbox::User \"root\";\n");
        Command result{.argv = {source_dir() / "scripts/setup", "--run"},
                       .environment = {"APT_CONFIG=" + folder + "/apt.conf",
                                       "DPKG_ADMINDIR=" + folder + "/dpkg", "TMPDIR=" + folder,
                                       "http_proxy=", "HTTP_PROXY="}};
        if (::getuid() != 0) {
            result.argv.insert(result.argv.begin(), {"unshare", "--map-root-user"});
        }
        return result;
    }

    static Command without_network(Command command)
    {
        command.argv.insert(command.argv.begin() + (::getuid() == 0 ? 0 : 2), {"unshare", "--net"});
        return command;
    }

    /// What is wrong with it, said within a few lines.
    static void expect_a_sentence(const Finished& finished, const std::string& what)
    {
        EXPECT_EQ(finished.status, 1);
        EXPECT_EQ(finished.out, "");
        EXPECT_TRUE(contains(finished.err, "apt-get could not install: apache2-bin"))
            << finished.err;
        EXPECT_TRUE(contains(finished.err, what)) << finished.err;
        EXPECT_LT(std::count(finished.err.begin(), finished.err.end(), '\n'), 9) << finished.err;
    }

  private:
    TemporaryFolder folder_;
};

TEST_F(Setup, SaysThatThereIsNoNetwork)
{
    for (const char* const host : {"127.0.0.1:9", "mirror.invalid"}) {
        std::string sources;
        for (int i = 0; i < 20; ++i) {
            sources +=
                "deb http://" + std::string(host) + "/" + std::to_string(i) + " stable main\n";
        }
        expect_a_sentence(run(without_network(setup(sources))),
                          "Next: connect this machine to the network");
    }
}

TEST_F(Setup, SaysThatTheClockIsBehind)
{
    const Finished when = run({.argv = {"date", "-u", "-d", "+3 days", "+%a, %d %b %Y %T UTC"}});
    write_file(root() / "archive/Packages", "");
    write_file(root() / "archive/Release", "Origin: test\nSuite: stable\nDate: " + when.out +
                                               "MD5Sum:\n d41d8cd98f00b204e9800998ecf8427e 0 "
                                               "Packages\nSHA256:\n "
                                               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca49"
                                               "5991b7852b855 0 Packages\n");
    expect_a_sentence(run(setup("deb [trusted=yes] file:" + (root() / "archive").string() + " ./")),
                      "Next: set the clock, which says ");
}

TEST_F(Setup, SaysThatTheDatabaseOfPackagesCannotBeRead)
{
    Command command = setup("");
    write_file(root() / "dpkg/status", "no such field\n");
    const Finished finished = run(command);
    EXPECT_EQ(finished.status, 1);
    EXPECT_TRUE(contains(finished.err, "dpkg-query")) << finished.err;
    EXPECT_TRUE(contains(finished.err, "\nNext: ")) << finished.err;
}

TEST_F(Setup, KnowsWhatEachPurposeNeeds)
{
    for (const auto& [purpose, package] :
         std::vector<std::pair<std::string, std::string>>{{"--run", "apache2-dev"},
                                                          {"--install", " apache2\n"},
                                                          {"--test", "libgtest-dev"},
                                                          {"--scan", "sslscan"},
                                                          {"--bench", "wrk"},
                                                          {"--cluster", "haproxy"}}) {
        Command command = setup("");
        command.argv.back() = purpose;
        command.argv.emplace_back("--dry-run");
        const Finished finished = run(command);
        EXPECT_EQ(finished.status, 0) << finished.err;
        EXPECT_TRUE(contains(finished.out, package)) << purpose << finished.out;
    }
}

TEST_F(Setup, EndsAtOnceAtCtrlC)
{
    // A mirror that takes the connection and says nothing.
    const int port = free_ports(1).front();
    const Descriptor mirror = listening_socket(port);
    Process process(setup("deb http://127.0.0.1:" + std::to_string(port) + "/ stable main"));
    pollfd asked{mirror.get(), POLLIN, 0};
    ASSERT_EQ(::poll(&asked, 1, static_cast<int>(std::chrono::milliseconds(patience).count())), 1)
        << process.err();
    process.signal_group(SIGINT);
    EXPECT_EQ(process.wait(std::chrono::seconds(5)), 130) << process.err();
    EXPECT_FALSE(contains(process.err(), "installing")) << process.err();
}

// Nothing need be installed to see what would be done; or no more than what scripts/run needs.
TEST(Machine, WithoutHttpdADryRunOfInstallSaysWhatItWouldDo)
{
    for (const bool is_apxs_there : {false, true}) {
        const TemporaryFolder folder;
        const Path path = path_without("a2enmod", folder.path() / "bin");
        for (const char* const name : {"apxs", "apxs2"}) {
            if (!is_apxs_there) {
                fs::remove(path / name);
            }
        }
        write_file(folder.path() / "dpkg/status", "");
        const Finished finished =
            run({.argv = {source_dir() / "scripts/install", "--dry-run"},
                 .environment = {"PATH=" + path.string(),
                                 "DPKG_ADMINDIR=" + (folder.path() / "dpkg").string(),
                                 "APACHE_CONFDIR=" + (folder.path() / "etc").string()}});
        EXPECT_EQ(finished.status, 0) << finished.err;
        for (const std::string part : {"apt-get -q -y", "/usr/lib/apache2/modules/mod_hello.so",
                                       "/etc/sites-available/hello.conf",
                                       "/etc/hello/server.key' (mode 600)", "a2ensite hello"}) {
            EXPECT_TRUE(contains(finished.out, part)) << part << "\n" << finished.out;
        }
        EXPECT_FALSE(fs::exists(folder.path() / "etc"));
    }
}

/// A checkout of its own, in which nothing has been built.
class Checkout : public testing::Test {
  protected:
    void SetUp() override
    {
        copy_checkout(here());
        ports_ = free_ports(2);
    }

    Path here(const char* name = "here") const { return folder_.path() / name; }

    Command server(const Path& checkout) const
    {
        fs::create_directories(folder_.path() / "tmp");
        return {.argv = {checkout / "scripts/run", "--http-port", std::to_string(ports_[0]),
                         "--https-port", std::to_string(ports_[1])},
                .environment = {"TMPDIR=" + (folder_.path() / "tmp").string()}};
    }

    /// Whether it came to serve. Ended by Ctrl-C then; "while_it_serves" is called before.
    template <typename Function>
    void expect_to_serve(const Command& command, Function while_it_serves)
    {
        Process process(command);
        ASSERT_TRUE(eventually([&] { return process.ended() || contains(process.out(), "Ctrl-C"); },
                               std::chrono::minutes(2)));
        ASSERT_FALSE(process.ended()) << process.err();
        EXPECT_EQ(fetch({.url = "http://127.0.0.1:" + std::to_string(ports_[0]) + "/"}).body,
                  "Hello World!");
        while_it_serves();
        process.signal_group(SIGINT);
        EXPECT_EQ(process.wait(), 0) << process.err();
    }

    const Path& root() const { return folder_.path(); }

  private:
    TemporaryFolder folder_;
    std::vector<int> ports_;
};

// Root builds as its owner, who could not build over what belongs to root.
TEST_F(Checkout, OfSomebodyElseStaysTheirs)
{
    if (const std::string obstacle = obstacle_to_users(); !obstacle.empty()) {
        GTEST_SKIP() << "only one user: " << obstacle;
    }
    Strings as_root = as_root_of_users();
    const auto in_namespace = [&](Strings argv) {
        argv.insert(argv.begin(), as_root.begin(), as_root.end());
        return argv;
    };
    ASSERT_EQ(run({.argv = in_namespace({"chown", "-R", "1:1", here()})}).status, 0);
    Command command = server(here());
    command.argv = in_namespace(command.argv);
    expect_to_serve(command, [&] {
        for (const auto& entry : fs::directory_iterator(root() / "tmp")) {
            struct stat status {};
            EXPECT_EQ(::stat(entry.path().c_str(), &status), 0);
            EXPECT_EQ(status.st_mode & 07066U, 0U) << entry.path();
        }
    });
    const Finished of_others =
        run({.argv = in_namespace({"find", here(), "!", "-uid", "1", "-o", "!", "-gid", "1"})});
    EXPECT_EQ(of_others.status, 0) << of_others.err;
    EXPECT_EQ(of_others.out, "");
    EXPECT_EQ(run({.argv = in_namespace({"rm", "-rf", here()})}).status, 0);
}

TEST_F(Checkout, ThatHasMovedIsConfiguredAnew)
{
    expect_to_serve(server(here()), [] {});
    fs::rename(here(), here("there"));
    expect_to_serve(server(here("there")), [] {});
}

TEST_F(Checkout, OnAFullDiskSaysThatItIsFull)
{
    fs::create_directories(here() / "build");
    Command command = server(here());
    const Strings full{
        "unshare",
        "--mount",
        "sh",
        "-c",
        "mount -t tmpfs -o size=64k none '" + (here() / "build").string() + "' && exec \"$@\"",
        "sh"};
    command.argv.insert(command.argv.begin(), full.begin(), full.end());
    if (::getuid() != 0) {
        command.argv.insert(command.argv.begin() + 1, "--map-root-user");
    }
    const Finished finished = run(command);
    EXPECT_EQ(finished.status, 1);
    EXPECT_TRUE(contains(finished.err, "no space left in '" + (here() / "build").string()))
        << finished.err;
    EXPECT_TRUE(contains(finished.err, "\nNext: ")) << finished.err;
}

TEST_F(Checkout, FromTheFutureIsNotBuiltForEver)
{
    const Path file = here() / "mod_hello.cpp";
    ASSERT_EQ(run({.argv = {"touch", "-d", "+1 day", file}}).status, 0);
    const Finished finished = run(server(here()));
    EXPECT_EQ(finished.status, 1);
    EXPECT_TRUE(contains(finished.err, "'" + file.string() + "' is from the future"))
        << finished.err;
    EXPECT_TRUE(contains(finished.err, "\nNext: set the clock; or, ")) << finished.err;
}

}  // namespace
}  // namespace hello
