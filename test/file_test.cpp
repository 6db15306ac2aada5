// HelloFile is live: a save is served by the next request, whole, and what cannot be
// served is logged once while the last good version goes on being served.

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <ctime>
#include <fstream>
#include <numeric>
#include <regex>
#include <sstream>
#include <thread>

#include "httpd.h"

namespace hello {
namespace {

namespace fs = std::filesystem;

constexpr const char* one_file = R"(
    <Location "/">
        SetHandler hello
        Require all granted
        HelloFile body
    </Location>)";

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

class File : public HttpdTest {
  protected:
    std::size_t resident_kilobytes()
    {
        const std::string pid = std::to_string(httpd().pid());
        std::istringstream children(read_file("/proc/" + pid + "/task/" + pid + "/children"));
        std::size_t sum = 0;
        for (std::string child; children >> child;) {
            const std::string status = read_file("/proc/" + child + "/status");
            const std::size_t at = status.find("VmRSS:");
            sum += at == std::string::npos ? 0 : std::stoul(status.substr(at + 6));
        }
        return sum;
    }
};

class FileOn : public File, public testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(, FileOn, testing::Values("event", "worker", "prefork"),
                         [](const auto& mpm) { return std::string(mpm.param); });

TEST_P(FileOn, ASaveIsServedByTheNextRequest)
{
    use_mpm(GetParam());
    write("body", version(0));
    start(one_file);
    for (int i = 1; i <= 50; ++i) {
        write("body", version(i));
        EXPECT_EQ(number_of(get("/").body), i);
    }
    for (int i = 51; i <= 80; ++i) {
        write_in_place(root() / "body", version(i));
        EXPECT_EQ(number_of(get("/").body), i) << "written in place";
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
    std::atomic<int> saving = 0;  // the version that is about to be saved
    std::atomic<int> torn = 0;
    std::atomic<int> backward = 0;
    std::atomic<int> answers = 0;
    constexpr int saves = 1000;
    std::vector<std::thread> clients;
    for (int i = 0; i < 16; ++i) {
        clients.emplace_back([&] {
            int last = 0;
            for (int known = 0; known < saves; known = saving) {
                saving.wait(known);  // so that the requests and the save meet
                const int seen = number_of(get("/").body);
                torn += seen < 0 ? 1 : 0;
                backward += seen >= 0 && seen < last ? 1 : 0;
                last = std::max(last, seen);
                ++answers;
            }
        });
    }
    int stale = 0;
    std::size_t resident = 0;
    for (int i = 1; i <= saves; ++i) {
        saving = i;
        saving.notify_all();
        write("body", version(i));
        stale += number_of(get("/").body) != i ? 1 : 0;
        if (i == saves / 2) {
            resident = resident_kilobytes();
        }
    }
    const std::size_t resident_then = resident_kilobytes();
    for (std::thread& client : clients) {
        client.join();
    }
    EXPECT_EQ(torn, 0);
    EXPECT_EQ(backward, 0);
    EXPECT_EQ(stale, 0);
    EXPECT_GT(answers, 1000);
    if (std::string_view(HELLO_PRELOAD).empty()) {
        // Five hundred versions that were kept would be some 16 MiB in each child. A
        // sanitizer's memory grows by itself.
        EXPECT_LT(resident_then, resident + 5000) << "kilobytes";
    }
}

TEST_F(File, WrittenInPlaceIsNeverServedInPart)
{
    write("body", version(0));
    start(one_file);
    std::atomic<bool> done = false;
    std::thread writer([&] {
        for (int i = 1; i <= 20; ++i) {
            write_in_place(root() / "body", version(i));
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        }
        done = true;
    });
    int last = 0;
    int torn = 0;
    int backward = 0;
    while (!done) {
        const int seen = number_of(get("/").body);
        torn += seen < 0 ? 1 : 0;
        backward += seen >= 0 && seen < last ? 1 : 0;
        last = std::max(last, seen);
    }
    writer.join();
    EXPECT_EQ(torn, 0);
    EXPECT_EQ(backward, 0);
    EXPECT_EQ(number_of(get("/").body), 20);
}

TEST_F(File, WhatCannotBeServedIsLoggedOnceAndTheLastGoodOneStays)
{
    const Path body = root() / "body";
    const struct {
        const char* what;
        std::function<void()> spoil;
        const char* logged;
    } cases[] = {
        {"deleted", [&] { fs::remove(body); }, "No such file"},
        {"malformed", [&] { write("body", "a\n%{NO_SUCH}"); },
         R"(/body:2: bad expression "%\{NO_SUCH\}")"},
        {"a quote that ends httpd's scanner", [&] { write("body", "%{tolower:it's}"); },
         "a quote in it needs a backslash"},
        {"unclosed", [&] { write("body", "%{REMOTE_ADDR"); }, "no closing brace"},
        {"empty", [&] { write("body", ""); }, "is empty"},
        {"too large", [&] { write("body", std::string(1024 * 1024 + 1, 'x')); }, "expected 1 MiB"},
        {"a folder",
         [&] {
             fs::remove(body);
             fs::create_directory(body);
         },
         "not a regular file"},
        {"shorter than its size",
         [&] {
             fs::remove(body);
             fs::create_symlink("/sys/devices/system/cpu/online", body);
         },
         // Where sysfs is not mounted, it is a link to nothing.
         fs::exists("/sys/devices/system/cpu/online") ? "ends before its size" : "No such file"},
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
        EXPECT_EQ(get("/").body, good);
        const std::size_t before = error_log().size();
        spoil();
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
    EXPECT_EQ(get("/").body, "secret");
    write("body", "good again");
    EXPECT_EQ(get("/").body, "good again");
}

TEST_F(File, EachDisappearanceIsLogged)
{
    write("body", "good");
    start(one_file);
    for (int i = 0; i < 3; ++i) {
        fs::rename(root() / "body", root() / "away");
        EXPECT_EQ(get("/").body, "good");
        fs::rename(root() / "away", root() / "body");
        EXPECT_EQ(get("/").body, "good");
    }
    expect_log("No such file");
    const std::string log = error_log();
    const std::regex line("No such file");
    EXPECT_EQ(
        std::distance(std::sregex_iterator(log.begin(), log.end(), line), std::sregex_iterator()),
        3)
        << log;
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
    EXPECT_NE(get("/").header("etag"), tag);
    EXPECT_EQ(fetch({.url = http(), .headers = {"If-None-Match: " + tag}}).body, "two");
}

TEST_F(File, ADateFromTheFutureIsNotHandedOn)
{
    constexpr std::time_t year = 31'536'000;
    const std::time_t now = std::time(nullptr);
    write("body", "of today");
    start(one_file);
    for (const std::time_t date : {now + 3600, now + 400 * year}) {
        SCOPED_TRACE(date);
        write("body", "of " + std::to_string(date));
        const timespec times[] = {{.tv_sec = date, .tv_nsec = 0}, {.tv_sec = date, .tv_nsec = 0}};
        ASSERT_EQ(::utimensat(AT_FDCWD, (root() / "body").c_str(), times, 0), 0);
        const Response response = get("/");
        EXPECT_EQ(response.body, "of " + std::to_string(date));
        const std::time_t sent =
            ::curl_getdate(response.header("last-modified").value_or("").c_str(), nullptr);
        EXPECT_GE(sent, now) << response;
        EXPECT_LE(sent, std::time(nullptr)) << response;
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
    EXPECT_EQ(get("/").body, bytes);
    EXPECT_TRUE(get("/").header("etag").has_value());
}

TEST_F(File, AnExpressionInItThatFailsIsNamed)
{
    write("body", "one\n%{file:" + (root() / "gone").string() + "}");
    expect_log(R"(HelloFile at .*/httpd\.conf:\d+: .*/body:2: %\{file:.*/gone\}: Cannot open)");
    expect_log("Evaluation of expression from .*/body:2 failed");
    start(one_file);
    EXPECT_EQ(get("/").status, 500);
}

TEST_F(File, IsLiveOverHttp2)
{
    write("body", version(0));
    start(std::string(one_file) + "\n<VirtualHost *:${HTTPS_PORT}>\nProtocols h2\n" + tls() +
          "</VirtualHost>\n");
    for (int i = 1; i <= 20; ++i) {
        write("body", version(i));
        const Response response =
            fetch({.url = https(), .ca = root() / "server.crt", .http2 = true});
        EXPECT_EQ(number_of(response.body), i) << response.error;
    }
}

}  // namespace
}  // namespace hello
