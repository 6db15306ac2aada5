// Real clients: libcurl, and bytes as they stand.

#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "files.h"
#include "text.h"

namespace hello {

/// What to ask for, and how.
struct Request {
    std::string url{};
    std::string method = "GET";
    Strings headers{};  // "Name: value"
    std::optional<std::string> body{};
    std::string user{};        // "name:password", by Basic authentication
    Path ca{};                 // the certificate to verify https against
    Path certificate{};        // the client's
    Path key{};                // the client's
    bool http2 = false;        // offer h2 and insist on it
    std::string resolve_to{};  // connect to this address whatever the URL's host is
    std::string from{};        // connect from this address of this machine
    bool proxied = false;      // begin with a PROXY header, which says what is true
};

struct Response {
    long status = 0;
    std::vector<std::pair<std::string, std::string>> headers{};  // names in lower case
    std::string body{};
    std::string error{};  // why there is no response, in curl's words

    /// The values of a header, joined by ", "; none if it is absent.
    std::optional<std::string> header(std::string_view name) const;
};
std::ostream& operator<<(std::ostream& out, const Response& response);

/// Asks once, over a new connection, through libcurl with verification on.
Response fetch(const Request& request);

/// The comma-separated members of a header, sorted.
Strings members(const std::optional<std::string>& header);

/// Sends bytes to a port of 127.0.0.1 as they stand, and returns all that comes back
/// until the server closes the connection.
std::string exchange(int port, std::string_view bytes);

}  // namespace hello
