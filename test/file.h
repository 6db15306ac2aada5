// What the tests of HelloFile share: bodies that tell their number, and what the children hold.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <numeric>
#include <string>

#include "httpd.h"

namespace hello {

inline constexpr const char* one_file = R"(
    <Location "/">
        SetHandler hello
        Require all granted
        HelloFile body
    </Location>
)";

/// A body that tells its number, and whether a part of it is missing.
inline std::string version(int number)
{
    std::string text;
    while (text.size() < 8000) {
        text += std::to_string(number) + ' ';
    }
    return text + '.';
}

/// The number of a whole version, or -1.
inline int number_of(const std::string& body)
{
    const int number = std::atoi(body.c_str());
    return body == version(number) ? number : -1;
}

using Clock = std::chrono::steady_clock;

inline constexpr std::chrono::milliseconds quiet{100};

/// What httpd may log of children that a test has killed: how one ended, that event or worker
/// wait a second since they end one after another, and that event was left without any.
inline constexpr const char* killed_children = "AH00052|AH10392|AH10393|AH10159";

class File : public HttpdTest {
  protected:
    /// Starts httpd, and waits until a child has begun: a file that is saved before that has no
    /// version yet, and the log says so.
    void start(const std::string& configuration)
    {
        HttpdTest::start(configuration);
        get("/");
    }

    /// How many lines of the error log hold it.
    std::ptrdiff_t logged(const std::string& part) const
    {
        const Strings lines = lines_of(error_log());
        return std::count_if(lines.begin(), lines.end(),
                             [&](const std::string& line) { return contains(line, part); });
    }

    /// Changes what the children share of the one file that the configuration names.
    void change_shared(const std::function<void(std::string&)>& change)
    {
        const std::string child = "/proc/" + std::to_string(children_of(httpd().pid()).front());
        const std::string maps = read_file(child + "/maps");
        int count = 0;
        for (const Strings& shared :
             matches_of(maps, R"(([0-9a-f]+)-([0-9a-f]+) rw-s .*/dev/zero)")) {
            const auto begin = std::stoull(shared[1], nullptr, 16);
            const auto size = std::stoull(shared[2], nullptr, 16) - begin;
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
        const std::vector<pid_t> children = children_of(httpd().pid());
        return std::accumulate(
            children.begin(), children.end(), std::size_t{0},
            [](std::size_t sum, pid_t child) { return sum + kilobytes(child, "VmRSS"); });
    }
};

}  // namespace hello
