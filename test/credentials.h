// What the tests of the recipes share that are about TLS and about who is asking.

#pragma once

#include <algorithm>
#include <cctype>
#include <string>

#include "examples.h"

namespace hello {

class Credentials : public ExampleTest {
  protected:
    std::string port() const { return ":" + std::to_string(https_port()); }

    /// Adds a user to the password file, by the command in the head of the recipes.
    void add_user(const std::string& name, const std::string& password)
    {
        const Finished made = run(
            {.argv = {"htpasswd", "-n", "-i", "-B", "-C", "10", name}, .input = password + "\n"});
        ASSERT_EQ(made.status, 0) << made.err;
        ASSERT_NE(made.out.find(":$2y$10$"), std::string::npos) << "is not bcrypt: " << made.out;
        write("passwords", read_file(root() / "passwords") + made.out);
    }

    Response ask(Request request) const
    {
        request.ca = root() / "server.crt";
        return fetch(request);
    }
};

/// The same URL with its percent-encoded octets in lower case, which httpd has written in either:
/// they are equivalent (RFC 3986, section 6.2.2.1).
inline std::string with_lower_hex(std::string url)
{
    for (std::size_t at = 0; (at = url.find('%', at)) != std::string::npos; ++at) {
        for (std::size_t digit = at + 1; digit < std::min(at + 3, url.size()); ++digit) {
            url[digit] = static_cast<char>(std::tolower(static_cast<unsigned char>(url[digit])));
        }
    }
    return url;
}

}  // namespace hello
