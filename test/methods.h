// What matters of the answer to a method, and how it is asked for.

#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "httpd.h"

namespace hello {

inline constexpr const char* message = "my own body";
inline constexpr const char* type = "text/plain";
inline constexpr const char* httpds_page = "the page of httpd's own";

// In curl's words.
inline constexpr const char* closed = "Server returned nothing (no headers, no data)";

/// What matters of an answer.
struct Answer {
    long status = 0;
    std::string error{};
    std::string body{};
    std::optional<std::string> type{};
    std::optional<std::string> length{};
    std::vector<Strings> allow{};  // of each field of that name, sorted

    bool operator==(const Answer&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Answer& answer)
{
    out << answer.status << ' ' << answer.error << "\n  type " << answer.type.value_or("none")
        << "\n  length " << answer.length.value_or("none");
    for (const Strings& allow : answer.allow) {
        out << "\n  Allow";
        for (const std::string& method : allow) {
            out << ' ' << method;
        }
    }
    return out << "\n  body \"" << answer.body << '"';
}

inline Answer answer_of(const Response& response)
{
    Answer answer{.status = response.status,
                  .error = response.error.substr(0, response.error.find(':')),
                  .body = response.body,
                  .type = response.header("content-type"),
                  .length = response.header("content-length")};
    for (const auto& [name, value] : response.headers) {
        if (name == "allow") {
            answer.allow.push_back(members(value));
        }
    }
    if (response.body.find("<title>405 Method Not Allowed</title>") != std::string::npos &&
        answer.length == std::to_string(response.body.size())) {
        answer.body = httpds_page;
        answer.length.reset();
    }
    return answer;
}

class Methods : public HttpdTest {
  protected:
    Response ask_http1(const std::string& method, const std::string& path) const
    {
        return fetch({.url = http(path), .method = method});
    }

    Response ask_http2(const std::string& method, const std::string& path) const
    {
        return fetch(
            {.url = https(path), .method = method, .ca = root() / "server.crt", .http2 = true});
    }
};

}  // namespace hello
