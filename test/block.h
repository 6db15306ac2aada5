// What the tests of <HelloMessage> and of verbatim bodies share.

#pragma once

#include <string>

#include "message.h"

namespace hello {

class Block : public Message {
  protected:
    /// Loads a module that the harness does not load.
    static std::string load(const std::string& name)
    {
        return "LoadModule " + name + "_module " +
               (httpd_modules() / ("mod_" + name + ".so")).string() + '\n';
    }

    /// A virtual host by a name of its own for each piece of a configuration.
    std::string hosts(const Strings& pieces)
    {
        std::string result = page();
        int number = 0;
        for (const std::string& piece : pieces) {
            result += "<VirtualHost *:${HTTP_PORT}>\nServerName host" + std::to_string(number++) +
                      "\n" + piece + "</VirtualHost>\n";
        }
        return result;
    }

    Response get_from(std::size_t host, const std::string& query = "") const
    {
        return fetch(
            {.url = http("/page.html" + query), .headers = {"Host: host" + std::to_string(host)}});
    }
};

}  // namespace hello
