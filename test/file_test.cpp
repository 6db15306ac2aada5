// HelloFile is live: a save is served, whole, once the file has been left alone for a tenth of a
// second. What cannot be served is logged once, and the last good version goes on being served.

#include <curl/curl.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <fstream>
#include <thread>

#include "file.h"

namespace hello {
namespace {

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
                // Sixteen that do nothing else would take the cores from who saves.
                std::this_thread::sleep_for(std::chrono::milliseconds(2));
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
