// HelloFile is live: a save is served, whole, once the file has been left alone for a tenth
// of a second. What cannot be served is logged once, and the last good version goes on being
// served, whatever becomes of the file, of a child or of the configuration.

#include <curl/curl.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <ctime>
#include <fstream>
#include <numeric>
#include <regex>
#include <sstream>
#include <thread>

#include "httpd.h"
#include "namespaces.h"

namespace hello {
namespace {

namespace fs = std::filesystem;

constexpr const char* one_file = R"(
    <Location "/">
        SetHandler hello
        Require all granted
        HelloFile body
    </Location>
)";

/// Saves a file as an editor may, by writing over it.
void write_in_place(const Path& path, std::string_view content)
{
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    // Piece by piece, so that a reader can come in between.
    while (!content.empty()) {
        out << content.substr(0, 1000) << std::flush;
        content.remove_prefix(std::min<std::size_t>(1000, content.size()));
    }
}

/// A body that tells its number, and whether a part of it is missing.
std::string version(int number)
{
    std::string text;
    while (text.size() < 8000) {
        text += std::to_string(number) + ' ';
    }
    return text + '.';
}

/// The number of a whole version, or -1.
int number_of(const std::string& body)
{
    const int number = std::atoi(body.c_str());
    return body == version(number) ? number : -1;
}

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds quiet{100};

/// What httpd may log of children that a test has killed: how one ended, that event or worker
/// wait a second since they end one after another, and that event was left without any.
constexpr const char* killed_children = "AH00052|AH10392|AH10393|AH10159";

class File : public HttpdTest {
  protected:
    /// Starts httpd, and waits until a child has begun: a file that is saved before that has no
    /// version yet, and the log says so.
    void start(const std::string& configuration)
    {
        HttpdTest::start(configuration);
        get("/");
    }

    /// How many lines of the error log hold a text.
    int logged(std::string_view text) const
    {
        std::istringstream in(error_log());
        int count = 0;
        for (std::string line; std::getline(in, line);) {
            count += line.find(text) != std::string::npos ? 1 : 0;
        }
        return count;
    }

    /// Changes what the children share of the one file that the configuration names.
    void change_shared(const std::function<void(std::string&)>& change)
    {
        const std::string child = "/proc/" + std::to_string(children_of(httpd().pid()).front());
        const std::regex shared(R"(([0-9a-f]+)-([0-9a-f]+) rw-s .*/dev/zero)");
        const std::string maps = read_file(child + "/maps");
        int count = 0;
        for (auto at = std::sregex_iterator(maps.begin(), maps.end(), shared);
             at != std::sregex_iterator(); ++at) {
            const auto begin = std::stoull((*at)[1], nullptr, 16);
            const auto size = std::stoull((*at)[2], nullptr, 16) - begin;
            if (size > (2U << 20U) && size < (3U << 20U)) {  // else mod_ssl's or the scoreboard
                std::string memory(size, '\0');
                std::fstream file(child + "/mem", std::ios::binary | std::ios::in | std::ios::out);
                file.seekg(static_cast<std::streamoff>(begin));
                file.read(memory.data(), static_cast<std::streamsize>(size));
                change(memory);
                file.seekp(static_cast<std::streamoff>(begin));
                file << memory << std::flush;
                ASSERT_TRUE(file.good());
                ++count;
            }
        }
        ASSERT_EQ(count, 1) << maps;
    }

    std::size_t resident_kilobytes()
    {
        std::size_t sum = 0;
        for (const pid_t child : children_of(httpd().pid())) {
            const std::string status = read_file("/proc/" + std::to_string(child) + "/status");
            const std::size_t at = status.find("VmRSS:");
            sum += at == std::string::npos ? 0 : std::stoul(status.substr(at + 6));
        }
        return sum;
    }
};

class FileOn : public File, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(, FileOn, testing::Values("event", "worker", "prefork"),
                         [](const auto& mpm) { return std::string(mpm.param); });

/// A way of saving that people's tools have.
struct Save {
    const char* name;
    std::function<void(const Path&, const std::string&)> to;
};

const Save saves[] = {
    {"renamed into place", write_file},
    {"written in place", write_in_place},
    {"unlinked and created anew, as git and cp --remove-destination do",
     [](const Path& path, const std::string& content) {
         fs::remove(path);
         write_in_place(path, content);
     }},
    {"by a link to a folder that is switched, as a ConfigMap is",
     [](const Path& path, const std::string& content) {
         const Path folder =
             path.string() + "-" + std::to_string(std::hash<std::string>{}(content));
         const Path link = path.string() + ".link";
         write_file(folder, content);
         fs::remove(link);
         fs::create_symlink(folder, link);
         fs::rename(link, path);
     }},
};

TEST_P(FileOn, ASaveIsServedOnceItHasBeenLeftAlone)
{
    use_mpm(GetParam());
    write("body", version(0));
    start(one_file);
    ASSERT_TRUE(eventually([&] { return number_of(get("/").body) == 0; }));
    int number = 0;
    for (const Save& save : saves) {
        for (int i = 0; i < 5; ++i) {
            SCOPED_TRACE(std::string(save.name) + ", " + std::to_string(++number));
            const auto begun = Clock::now();
            save.to(root() / "body", version(number));
            const int seen = number_of(get("/").body);
            if (Clock::now() - begun < quiet) {
                EXPECT_EQ(seen, number - 1) << "not left alone yet";
            }
            EXPECT_TRUE(eventually([&] { return number_of(get("/").body) == number; }));
        }
    }
}

TEST_P(FileOn, AThousandSavesUnderSixteenClientsAreWholeAndInOrder)
{
    use_mpm(GetParam());
    write("body", version(0));
    // A fixed number of children, so that their memory can be compared.
    start((GetParam() == std::string("prefork")
               ? std::string("StartServers 20\nMinSpareServers 1\nMaxSpareServers 20\n"
                             "MaxRequestWorkers 20\n")
               : std::string("ServerLimit 2\nStartServers 2\nThreadsPerChild 25\n"
                             "MaxRequestWorkers 50\nMinSpareThreads 1\nMaxSpareThreads 50\n")) +
          one_file);
    ASSERT_EQ(number_of(get("/").body), 0);
    std::atomic<bool> done = false;
    std::atomic<int> torn = 0;
    std::atomic<int> backward = 0;
    std::atomic<int> answers = 0;
    std::atomic<int> newest = 0;  // that anybody was given
    std::vector<std::thread> clients;
    for (int i = 0; i < 16; ++i) {
        clients.emplace_back([&] {
            while (!done) {
                // Nobody is given an older version than somebody was before.
                const int before = newest;
                const int seen = number_of(get("/").body);
                torn += seen < 0 ? 1 : 0;
                backward += seen >= 0 && seen < before ? 1 : 0;
                for (int known = newest;
                     known < seen && !newest.compare_exchange_weak(known, seen);) {
                }
                ++answers;
            }
        });
    }
    int number = 0;
    std::size_t resident = 0;
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 50; ++i) {
            write("body", version(++number));
        }
        EXPECT_TRUE(eventually([&] { return newest == number; })) << number << " is not served";
        if (round == 9) {
            resident = resident_kilobytes();
        }
    }
    const std::size_t resident_then = resident_kilobytes();
    done = true;
    for (std::thread& client : clients) {
        client.join();
    }
    EXPECT_EQ(torn, 0);
    EXPECT_EQ(backward, 0);
    EXPECT_GT(answers, 1000);
    if (std::string_view(HELLO_PRELOAD).empty()) {
        // The versions of five hundred saves would be some 16 MiB in each child. A
        // sanitizer's memory grows by itself.
        EXPECT_LT(resident_then, resident + 5000) << "kilobytes";
    }
}

TEST_F(File, HalfASaveIsNotServedWhateverTheClockSays)
{
    const struct {
        const char* what;
        std::optional<int> shift;  // of the file's mtime, in seconds
    } clocks[] = {{"right", {}}, {"ahead", 100}, {"behind", -1}, {"far behind", -3600}};
    const Path body = root() / "body";
    write("body", version(0));
    start(one_file);
    int number = 0;
    bool was_in_time = false;
    const auto put = [&](std::ofstream& out, const std::string& part, std::optional<int> shift) {
        out << part << std::flush;
        if (shift) {
            const std::time_t date = std::time(nullptr) + *shift;
            const timespec times[] = {{date, 0}, {date, 0}};
            ASSERT_EQ(::utimensat(AT_FDCWD, body.c_str(), times, 0), 0);
        }
    };
    for (const auto& clock : clocks) {
        const std::optional<int> shift = clock.shift;
        for (const bool is_new : {false, true}) {
            SCOPED_TRACE(std::string("a clock that is ") + clock.what +
                         (is_new ? ", a new file" : ""));
            const auto save_in_halves = [&] {
                ASSERT_TRUE(eventually([&] { return number_of(get("/").body) == number; }));
                if (is_new) {
                    fs::remove(body);
                }
                const std::string text = version(++number);
                std::ofstream out(body, std::ios::binary | std::ios::trunc);
                const auto begun = Clock::now();
                put(out, text.substr(0, 1000), shift);
                std::vector<int> seen;
                while (Clock::now() - begun < quiet * 2 / 5) {
                    seen.push_back(number_of(get("/").body));
                }
                put(out, text.substr(1000), shift);
                // Where the machine is slow, the first half may have been left alone.
                was_in_time = Clock::now() - begun < quiet;
                if (was_in_time) {
                    EXPECT_EQ(seen, std::vector<int>(seen.size(), number - 1));
                }
            };
            do {
                ASSERT_NO_FATAL_FAILURE(save_in_halves());
            } while (!was_in_time);
        }
    }
}

TEST_F(File, AChangeThatHidesIsNoticed)
{
    write("body", "one");
    start(one_file);
    struct stat before {};
    ASSERT_EQ(::stat((root() / "body").c_str(), &before), 0);
    EXPECT_EQ(get("/").body, "one");
    // The same inode, size and mtime.
    std::fstream(root() / "body", std::ios::binary | std::ios::in | std::ios::out) << "two";
    const timespec times[] = {before.st_atim, before.st_mtim};
    ASSERT_EQ(::utimensat(AT_FDCWD, (root() / "body").c_str(), times, 0), 0);
    EXPECT_TRUE(eventually([&] { return get("/").body == "two"; }));
}

TEST_F(File, NoRequestWaitsForAWriter)
{
    write("body", "good");
    write("other", "other");
    start(std::string(one_file) + "<Location /other>\nHelloFile other\n</Location>\n");
    ASSERT_EQ(get("/").body, "good");
    for (int i = 0; i < 5; ++i) {
        std::ofstream writer(root() / "body", std::ios::trunc);  // that has just begun
        writer.flush();
        std::vector<std::thread> clients;
        std::atomic<int> good = 0;
        const auto begun = Clock::now();
        for (int client = 0; client < 4; ++client) {
            clients.emplace_back([&] { good += get("/").body == "good" ? 1 : 0; });
        }
        for (std::thread& client : clients) {
            client.join();
        }
        const auto took = std::chrono::duration<double>(Clock::now() - begun);
        EXPECT_EQ(good, 4);
        EXPECT_LT(took.count(), 0.3) << "seconds";
        writer << "good" << std::flush;
    }
    tolerate_log("is empty");  // where that took longer than it should
}

TEST_F(File, WhatCannotBeServedIsLoggedOnceAndTheLastGoodOneStays)
{
    const Path body = root() / "body";
    const std::string user = ::getuid() == 0 ? "www-data" : ::getpwuid(::getuid())->pw_name;
    const struct {
        const char* what;
        std::function<void()> spoil;
        std::string logged;
    } cases[] = {
        {"deleted", [&] { fs::remove(body); }, "No such file or directory \\(as " + user + "\\)"},
        {"malformed", [&] { write("body", "a\n%{NO_SUCH}"); },
         R"(/body:2: bad expression "%\{NO_SUCH\}")"},
        {"a quote that ends httpd's scanner", [&] { write("body", "%{tolower:it's}"); },
         "a quote in it needs a backslash"},
        {"unclosed", [&] { write("body", "%{REMOTE_ADDR"); }, "no closing brace"},
        {"reads another file", [&] { write("body", "%{base64:%{file:/etc/passwd}}"); },
         "none that reads a file"},
        {"empty", [&] { write("body", ""); }, "is empty"},
        {"too large", [&] { write("body", std::string(1024 * 1024 + 1, 'x')); }, "expected 1 MiB"},
        {"a folder",
         [&] {
             fs::remove(body);
             fs::create_directory(body);
         },
         "not a regular file"},
        {"a pipe",
         [&] {
             fs::remove(body);
             ASSERT_EQ(::mkfifo(body.c_str(), 0644), 0);
         },
         "not a regular file"},
        {"shorter than its size",
         [&] {
             fs::remove(body);
             fs::create_symlink("/sys/devices/system/cpu/online", body);
         },
         // Where sysfs is not mounted, it is a link to nothing.
         fs::exists("/sys/devices/system/cpu/online") ? "End of file found" : "No such file"},
        {"unreadable",
         [&] {
             write("new", "secret");
             fs::permissions(root() / "new", fs::perms(0));
             fs::rename(root() / "new", body);
         },
         "Permission denied"},
    };
    write("body", "good");
    start(one_file);
    int number = 0;
    for (const auto& [what, spoil, logged] : cases) {
        SCOPED_TRACE(what);
        const std::string good = "good " + std::to_string(++number);
        write("good", good);
        fs::remove_all(body);
        fs::rename(root() / "good", body);
        ASSERT_TRUE(eventually([&] { return get("/").body == good; }));
        const std::size_t before = error_log().size();
        spoil();
        EXPECT_TRUE(eventually([&] {
            EXPECT_EQ(get("/").body, good);
            return error_log().size() > before;
        }));
        for (int i = 0; i < 20; ++i) {  // so that every child has its turn
            EXPECT_EQ(get("/").body, good);
        }
        expect_log(std::string("HelloFile at .*/httpd.conf:\\d+: .*") + logged);
        const std::string log = error_log().substr(before);
        EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 1) << log;
        EXPECT_NE(log.find("the last good version goes on being served"), std::string::npos);
    }
    // The last one needs no other version to become good.
    fs::permissions(body, fs::perms(0644));
    EXPECT_TRUE(eventually([&] { return get("/").body == "secret"; }));
    write("body", "good again");
    EXPECT_TRUE(eventually([&] { return get("/").body == "good again"; }));
}

TEST_F(File, OfOneThatIsNeverLeftAloneTheLogSaysSo)
{
    write("body", "body 0");
    expect_log("the file has just changed.*; there is no good version, so the answer is 500");
    std::atomic<bool> ends = false;
    std::thread writer([&] {
        for (int i = 1; !ends; ++i) {
            write("body", "body " + std::to_string(i));
            std::this_thread::sleep_for(quiet / 10);
        }
    });
    HttpdTest::start(one_file);
    EXPECT_TRUE(eventually([&] {
        get("/");
        return logged("has just changed") > 0;
    }));
    ends = true;
    writer.join();
    EXPECT_TRUE(eventually([&] { return get("/").status == 200; }));
}

TEST_F(File, EachDisappearanceIsLogged)
{
    write("body", "good");
    start(one_file);
    ASSERT_TRUE(eventually([&] { return get("/").body == "good"; }));
    expect_log("No such file");
    std::string good = "good";
    for (int i = 1; i <= 3; ++i) {
        fs::remove(root() / "body");
        EXPECT_TRUE(eventually([&] {
            EXPECT_EQ(get("/").body, good);
            return logged("No such file") == i;
        })) << error_log();
        const std::string better = "good" + std::to_string(i);
        write("body", better);
        EXPECT_TRUE(eventually([&] { return get("/").body == better; }));
        good = better;
    }
}

TEST_F(File, BadVersionsInALoopDoNotFloodTheLog)
{
    write("body", "good");
    start(one_file);
    ASSERT_EQ(get("/").body, "good");
    expect_log("bad expression");
    const auto begun = Clock::now();
    int number = 0;
    while (Clock::now() - begun < std::chrono::milliseconds(2500)) {
        const std::string bad = "%{NO_SUCH_" + std::to_string(++number) + "}";
        write("body", bad);
        const auto saved = Clock::now();
        ASSERT_TRUE(eventually([&] {
            EXPECT_EQ(get("/").body, "good");
            return Clock::now() - saved > quiet * 5 / 4;
        }));
    }
    EXPECT_GE(number, 8);
    // The last one is not forgotten.
    EXPECT_TRUE(eventually([&] {
        EXPECT_EQ(get("/").body, "good");
        return logged("NO_SUCH_" + std::to_string(number) + "}") == 1;
    })) << error_log();
    const auto seconds = std::chrono::duration<double>(Clock::now() - begun).count();
    EXPECT_LE(logged("bad expression"), 1 + seconds) << error_log();
}

// ---------------------------------------------------------------------------
// Who reads, and what outlives a restart and a child

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
            const int before = logged(reason);
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

TEST_F(File, HasTheValidatorsOfAFile)
{
    write("body", "one");
    start(one_file);
    const Response first = get("/");
    const std::string tag = first.header("etag").value_or("");
    const std::string date = first.header("last-modified").value_or("");
    EXPECT_NE(tag, "");
    EXPECT_TRUE(date.ends_with(" GMT")) << date;
    EXPECT_EQ(first.header("cache-control"), std::nullopt);
    const struct {
        std::string header;
        long status;
    } cases[] = {
        {"If-None-Match: " + tag, 304},
        {"If-Modified-Since: " + date, 304},
        {"If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT", 200},
        {"If-Unmodified-Since: Sat, 01 Jan 2000 00:00:00 GMT", 412},
        {"If-Unmodified-Since: " + date, 200},
        {"Range: bytes=0-1", 206},
    };
    for (const auto& [header, status] : cases) {
        EXPECT_EQ(fetch({.url = http(), .headers = {header}}).status, status) << header;
    }
    write("body", "two");
    EXPECT_TRUE(eventually([&] { return get("/").body == "two"; }));
    EXPECT_NE(get("/").header("etag"), tag);
    EXPECT_EQ(fetch({.url = http(), .headers = {"If-None-Match: " + tag}}).body, "two");
}

TEST_F(File, ADateFromTheFutureIsNotHandedOn)
{
    constexpr std::time_t year = 31'536'000;
    // By the clock that httpd reads: std::time() may still be in the second before.
    const auto clock = [] {
        return std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    };
    const std::time_t now = clock();
    write("body", "of today");
    start(one_file);
    for (const std::time_t date : {now + 3600, now + 400 * year}) {
        SCOPED_TRACE(date);
        write("body", "of " + std::to_string(date));
        const timespec times[] = {{.tv_sec = date, .tv_nsec = 0}, {.tv_sec = date, .tv_nsec = 0}};
        ASSERT_EQ(::utimensat(AT_FDCWD, (root() / "body").c_str(), times, 0), 0);
        EXPECT_TRUE(eventually([&] { return get("/").body == "of " + std::to_string(date); }));
        const Response response = get("/");
        const std::time_t sent =
            ::curl_getdate(response.header("last-modified").value_or("").c_str(), nullptr);
        EXPECT_GE(sent, now) << response;
        EXPECT_LE(sent, clock()) << response;
    }
}

TEST_F(File, MayHoldExpressionsAndAnyBytes)
{
    const std::string bytes("\0\xFF\r\n<%", 6);
    write("body", bytes + "%{REQUEST_METHOD} \\%{x}" + bytes);
    start(one_file);
    const Response response = get("/");
    EXPECT_EQ(response.body, bytes + "GET %{x}" + bytes);
    EXPECT_EQ(response.header("etag"), std::nullopt);
    EXPECT_EQ(response.header("last-modified"), std::nullopt);
    EXPECT_EQ(response.header("cache-control"), "no-store");
    write("body", bytes);
    EXPECT_TRUE(eventually([&] { return get("/").body == bytes; }));
    EXPECT_TRUE(get("/").header("etag").has_value());
}

TEST_F(File, AnExpressionInItThatFailsIsNamed)
{
    // Deeper than httpd evaluates.
    std::string deep = "%{REQUEST_METHOD}";
    for (int i = 0; i < 30; ++i) {
        deep = "%{tolower:" + deep + "}";
    }
    write("body", "one\n" + deep);
    expect_log(R"(.*/body:2: %\{tolower:.*\}: Recursion)");
    expect_log("Evaluation of expression from .*/body:2 failed");
    start(one_file);
    EXPECT_EQ(get("/").status, 500);
}

TEST_F(File, IsLiveOverHttp2)
{
    write("body", version(0));
    start(std::string(one_file) + "\n<VirtualHost *:${HTTPS_PORT}>\nProtocols h2\n" + tls() +
          "</VirtualHost>\n");
    ASSERT_EQ(number_of(get("/").body), 0);
    for (int i = 1; i <= 5; ++i) {
        write("body", version(i));
        EXPECT_TRUE(eventually([&] {
            const Response response =
                fetch({.url = https(), .ca = root() / "server.crt", .http2 = true});
            return number_of(response.body) == i;
        }));
    }
}

}  // namespace
}  // namespace hello
