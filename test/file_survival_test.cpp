// The last good version of a HelloFile outlives restarts, children that are killed, and what one of
// them writes where all share; and who reads it.

#include <algorithm>
#include <atomic>
#include <csignal>
#include <thread>

#include "file.h"
#include "namespaces.h"

namespace hello {
namespace {

class FileOn : public File, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(, FileOn, testing::Values("event", "worker", "prefork"),
                         [](const auto& mpm) { return std::string(mpm.param); });

/// The parent is root, and the children are not.
class FileOfRoot : public File {
  protected:
    void SetUp() override
    {
        if (const std::string obstacle = obstacle_to_users(); !obstacle.empty()) {
            GTEST_SKIP() << "only root, or somebody for whom /etc/subuid and newuidmap have other "
                            "users, can start an httpd whose children may read less than he: "
                         << obstacle;
        }
        start_by(as_root_of_users());
    }
};

TEST_F(FileOfRoot, WhatOnlyRootMayReadIsNeverServed)
{
    // Whoever may write the folder puts a link there to what root alone may read.
    write("secret", "the secret");
    fs::permissions(root() / "secret", fs::perms(0600));
    write("body", "good");
    start(one_file);
    ASSERT_EQ(get("/").body, "good");
    fs::remove(root() / "body");
    fs::create_symlink(root() / "secret", root() / "body");
    expect_log(R"(Permission denied \(as www-data\); the last good version goes on being served)");
    for (const int signal : {0, SIGUSR1, SIGHUP}) {
        if (signal != 0) {
            restart(signal);
        }
        for (int i = 0; i < 20; ++i) {
            EXPECT_EQ(get("/").body, "good");
        }
    }
}

TEST_F(FileOfRoot, AChildThatIsMightyUntilARequestComesReadsNothingBefore)
{
    // The children of mpm_itk are not root, and may read whatever root may.
    const Path mpm = source_dir() / "build/debian/usr/lib/apache2/modules/mpm_itk.so";
    if (!fs::exists(mpm)) {
        GTEST_SKIP() << "scripts/test unpacks mpm_itk there where there is apt-get: " << mpm;
    }
    write("body", "for root alone");
    fs::permissions(root() / "body", fs::perms(0600));
    write("other", "for everybody");
    expect_log(
        R"(/body" cannot be read.*Permission denied \(as www-data\); there is no good version)");
    tolerate_log("was refused a moment ago");  // by a child before the restart
    use_mpm("prefork");
    HttpdTest::start("LoadModule mpm_itk_module " + mpm.string() + one_file +
                     "<Location /other>\nHelloFile other\n</Location>\n");
    for (const int signal : {0, SIGUSR1, SIGHUP}) {
        if (signal != 0) {
            restart(signal);
        }
        for (int i = 0; i < 5; ++i) {
            EXPECT_EQ(get("/").status, 500);
            EXPECT_EQ(get("/other").body, "for everybody");
        }
    }
}

TEST_F(FileOfRoot, WhatTheChildrenCannotReadIsLoggedWhenTheyBegin)
{
    write("body", "for root alone");
    fs::permissions(root() / "body", fs::perms(0600));
    expect_log(
        R"(/body" cannot be read.*Permission denied \(as www-data\); there is no good version)");
    start(std::string(one_file) + "<Location /other>\nHelloMessage other\n</Location>\n");
    EXPECT_TRUE(eventually([&] { return logged("Permission denied") == 1; }));
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(get("/").status, 500);
        EXPECT_EQ(get("/other").body, "other");
    }
    EXPECT_EQ(logged("Permission denied"), 1);
    fs::permissions(root() / "body", fs::perms(0644));
    EXPECT_TRUE(eventually([&] { return get("/").body == "for root alone"; }));
}

TEST_F(File, ABadFileEndsNoRestart)
{
    const Path body = root() / "body";
    const struct {
        const char* what;
        std::function<void()> spoil;
        const char* logged;
    } cases[] = {
        {"deleted", [&] { fs::remove(body); }, "No such file"},
        {"empty", [&] { write("body", ""); }, "is empty"},
        {"malformed", [&] { write("body", "%{NO_SUCH}"); }, "bad expression"},
    };
    write("body", "good");
    const std::string other = "<Location /other>\nHelloMessage other\n</Location>\n";
    start(one_file + other);
    for (const auto& bad : cases) {
        const std::string reason = bad.logged;
        for (const int signal : {SIGUSR1, SIGHUP}) {
            SCOPED_TRACE(std::string(bad.what) + (signal == SIGHUP ? ", hard" : ", graceful"));
            write("body", "good");
            ASSERT_TRUE(eventually([&] { return get("/").body == "good"; }));
            expect_log(reason);
            const std::ptrdiff_t before = logged(reason);
            bad.spoil();
            restart(signal);
            EXPECT_TRUE(eventually([&] { return logged(reason) > before; })) << error_log();
            for (int i = 0; i < 20; ++i) {
                EXPECT_EQ(get("/").body, "good");
                EXPECT_EQ(get("/other").body, "other");
            }
            EXPECT_EQ(logged(reason), before + 1) << error_log();
        }
    }
    // One of which there never was a good version.
    expect_log("there is no good version, so the answer is 500");
    reload(one_file + other + "<Location /new>\nHelloFile new\n</Location>\n");
    EXPECT_EQ(get("/new").status, 500);
    EXPECT_EQ(get("/other").body, "other");
    write("new", "new");
    EXPECT_TRUE(eventually([&] { return get("/new").body == "new"; }));
    write("body", "better");
    EXPECT_TRUE(eventually([&] { return get("/").body == "better"; }));
}

TEST_F(File, ANewFileIsServedFromTheFirstRequestOn)
{
    write("body", "body");
    start(one_file);
    for (int i = 0; i < 3; ++i) {
        const std::string name = "new" + std::to_string(i);
        write(name, name);
        reload(std::string(one_file) + "<Location /x>\nHelloFile " + name + "\n</Location>\n");
        EXPECT_EQ(get("/x").body, name);
    }
}

TEST_P(FileOn, TheLastGoodVersionOutlivesTheChildren)
{
    use_mpm(GetParam());
    write("body", version(0));
    start("StartServers 2\n" + std::string(one_file));
    ASSERT_EQ(number_of(get("/").body), 0);
    write("body", version(1));
    ASSERT_TRUE(eventually([&] { return number_of(get("/").body) == 1; }));
    expect_log("No such file");
    fs::remove(root() / "body");
    for (int i = 0; i < 3; ++i) {
        const auto before = children_of(httpd().pid());
        for (const pid_t child : before) {
            ::kill(child, SIGKILL);
        }
        tolerate_log(killed_children);
        ASSERT_TRUE(eventually([&] {
            const auto now = children_of(httpd().pid());
            return !now.empty() && std::none_of(now.begin(), now.end(), [&](pid_t child) {
                return std::find(before.begin(), before.end(), child) != before.end();
            });
        }));
        for (int j = 0; j < 20; ++j) {
            EXPECT_EQ(number_of(get("/").body), 1);
        }
        restart(SIGUSR1);
        EXPECT_EQ(number_of(get("/").body), 1);
    }
}

TEST_F(File, ChildrenThatAreKilledOrStoppedWhileTheyLoadHarmNobody)
{
    // Large, so that it takes a while.
    const auto large = [](int number) {
        return std::string(1'000'000, static_cast<char>('a' + number % 26));
    };
    write("body", large(0));
    start("ServerLimit 3\nStartServers 3\nThreadsPerChild 5\nMaxRequestWorkers 15\n" +
          std::string(one_file));
    tolerate_log(killed_children);
    ASSERT_EQ(get("/").body, large(0));
    std::atomic<bool> done = false;
    std::atomic<int> torn = 0;
    std::vector<std::thread> clients;
    for (int i = 0; i < 4; ++i) {
        clients.emplace_back([&] {
            while (!done) {
                const Response response = get("/");
                torn +=
                    response.error.empty() &&
                            (response.body.size() != 1'000'000 ||
                             response.body.find_first_not_of(response.body[0]) != std::string::npos)
                        ? 1
                        : 0;
            }
        });
    }
    for (int i = 1; i <= 12; ++i) {
        const auto children = children_of(httpd().pid());
        ASSERT_FALSE(children.empty());
        const pid_t victim = children[static_cast<std::size_t>(i) % children.size()];
        write("body", large(i));
        const auto saved = Clock::now();
        // When it is read, more or less.
        ASSERT_TRUE(eventually(
            [&] { return Clock::now() - saved > quiet + i * std::chrono::microseconds(400); }));
        ::kill(victim, i % 2 == 0 ? SIGKILL : SIGSTOP);
        // Until it has, it may take one more connection.
        ASSERT_TRUE(eventually([&] {
            const std::string state = read_file("/proc/" + std::to_string(victim) + "/stat");
            const auto at = state.rfind(") ");
            return at == std::string::npos || state[at + 2] == 'T' || state[at + 2] == 'Z';
        }));
        EXPECT_TRUE(eventually([&] { return get("/").body == large(i); })) << i << " is not served";
        ::kill(victim, SIGCONT);
    }
    done = true;
    for (std::thread& client : clients) {
        client.join();
    }
    EXPECT_EQ(torn, 0);
}

TEST_F(File, WhateverAChildWritesWhereAllShareTheParentGoesOn)
{
    write("body", "good");
    start(one_file);
    ASSERT_EQ(get("/").body, "good");
    tolerate_log("has just changed");  // of what is left there nothing counts
    // A child that somebody has taken over can write there what it likes, while the parent,
    // which is root, comes back to it at each restart.
    change_shared([](std::string& memory) { memory.assign(memory.size(), '\xA5'); });
    for (const int signal : {SIGUSR1, SIGHUP}) {
        restart(signal);
        write("body", "saved before " + std::to_string(signal));
        EXPECT_TRUE(
            eventually([&] { return get("/").body == "saved before " + std::to_string(signal); }));
    }
}

TEST_F(File, AVersionThatAStoppedWriterSpoiltIsNotServed)
{
    write("body", "the first");
    start(one_file);
    ASSERT_EQ(get("/").body, "the first");
    write("body", "the second");
    ASSERT_TRUE(eventually([&] { return get("/").body == "the second"; }));
    // A writer that went on too late left a part of its own text in the newest version's place.
    change_shared([](std::string& memory) {
        const std::size_t at = memory.find("the second");
        ASSERT_NE(at, std::string::npos);
        memory.replace(at, 3, "my ");
    });
    expect_log("No such file or directory .*; the last good version goes on being served");
    fs::remove(root() / "body");
    restart(SIGUSR1);
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(get("/").body, "the first");
    }
    write("body", "the third");
    EXPECT_TRUE(eventually([&] { return get("/").body == "the third"; }));
}

TEST_F(File, WhatIsNotNamedAnyMoreIsGivenBack)
{
    const auto mappings = [&] {
        const std::string maps = read_file("/proc/" + std::to_string(httpd().pid()) + "/maps");
        return std::count(maps.begin(), maps.end(), '\n');
    };
    const auto many = [&](const std::string& prefix) {
        std::string configuration = one_file;
        for (int i = 0; i < 20; ++i) {
            const std::string name = prefix + std::to_string(i);
            write(name, name);
            configuration += "<Location /" + name + ">\nHelloFile " + name + "\n</Location>\n";
        }
        return configuration;
    };
    write("body", "good");
    start(many("a"));
    reload(many("b"));
    const auto before = mappings();
    const auto descriptors = [&] {
        return std::distance(
            fs::directory_iterator("/proc/" + std::to_string(httpd().pid()) + "/fd"),
            fs::directory_iterator());
    };
    const auto open = descriptors();
    for (const char* const prefix : {"c", "d", "e", "f"}) {
        reload(many(prefix));
        EXPECT_EQ(get(std::string("/") + prefix + "7").body, prefix + std::string("7"));
        EXPECT_EQ(get("/").body, "good");
    }
    if (std::string_view(HELLO_PRELOAD).empty()) {  // a sanitizer maps by itself
        EXPECT_LE(mappings(), before + 5);
    }
    EXPECT_EQ(descriptors(), open);
}

}  // namespace
}  // namespace hello
