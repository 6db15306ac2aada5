// What the tests of HelloFirst share: virtual hosts of a front, a backend, and answers in short.

#pragma once

#include <string>

#include "httpd.h"

namespace hello {

inline std::string load(const Strings& names)
{
    std::string directives;
    for (const std::string& name : names) {
        directives += "LoadModule " + name + "_module \"" +
                      (httpd_modules() / ("mod_" + name + ".so")).string() + "\"\n";
    }
    return directives;
}

inline std::string location(const std::string& path, const std::string& directives)
{
    return "<Location \"" + path + "\">\n" + directives + "\n</Location>\n";
}

/// The name of one of several virtual hosts.
inline std::string numbered_host(std::size_t number)
{
    return std::to_string(number) + ".front.test";
}

/// A virtual host that nobody but whoever asks for its name gets.
inline std::string host(const std::string& name, const std::string& directives,
                        const std::string& port = "${HTTP_PORT}")
{
    return "<VirtualHost *:" + port + ">\nServerName " + name + '\n' + directives +
           "</VirtualHost>\n";
}

/// An answer in short: the status, and the path of Location or else the body.
inline std::string outcome(const Response& response)
{
    const std::string where = response.header("location").value_or("");
    const std::string shown = !where.empty() ? substituted(where, "^https?://[^/]*", "")
                              : response.body.starts_with("<!DOCTYPE HTML")
                                  ? ""  // what httpd says of an error
                                  : response.body;
    return std::to_string(response.status) + ' ' + shown + response.error;
}

// No other module answers with such a status.
inline constexpr const char* the_answer = R"(
    SetHandler hello
    HelloStatus 222
    HelloMessage "the answer"
)";
inline constexpr const char* ours = "222 the answer";

class First : public HttpdTest {
  protected:
    /// What is proxied to: it says what it was asked for.
    static std::string backend(const std::string& port = "${HTTPS_PORT}")
    {
        return host("127.0.0.1", R"(
            AllowEncodedSlashes NoDecode
            <Location "/">
                SetHandler hello
                HelloMethods any
                HelloType text/plain
                HelloMessage "backend %{REQUEST_METHOD} %{REQUEST_URI}"
            </Location>
            <Location "/missing">
                HelloStatus 404
            </Location>
            )",
                    port);
    }

    Request at(const std::string& name, const std::string& path, Strings headers = {}) const
    {
        headers.push_back("Host: " + name);
        return {.url = http(path), .headers = headers};
    }

    std::string ask(const std::string& name, const std::string& path,
                    const Strings& headers = {}) const
    {
        return outcome(fetch(at(name, path, headers)));
    }
};

}  // namespace hello
