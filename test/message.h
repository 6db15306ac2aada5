// What the tests of bodies and of their directives share.

#pragma once

#include <string>

#include "httpd.h"

namespace hello {

/// A location of its own for each case of a table.
inline std::string numbered_path(int number)
{
    std::string path = "/";
    return path += std::to_string(number);
}

/// What directives of a body may stand in.
struct Place {
    const char* name;
    const char* open;
    const char* close;
};

class Message : public HttpdTest {
  protected:
    /// A page, whose handler is set for a file, so that sections of files count as well.
    std::string page()
    {
        write("htdocs/page.html", "the file");
        return R"(
            DocumentRoot "${ROOT}/htdocs"
            <Directory "${ROOT}/htdocs">
                Require all granted
                SetHandler hello
            </Directory>
        )";
    }
};

}  // namespace hello
