// What the tests of the recipes in conf/examples share.

#pragma once

#include <map>
#include <stdexcept>
#include <string>

#include "httpd.h"

namespace hello {

class ExampleTest : public HttpdTest {
  protected:
    static Path folder() { return source_dir() / "conf/examples"; }

    // The checkout may lie where httpd's children cannot go.
    ExampleTest()
    {
        for (const auto& entry : std::filesystem::directory_iterator(folder())) {
            write(Path("examples") / entry.path().filename(), read_file(entry.path()));
        }
    }

    /// Includes a recipe. What it needs beside it lies below root(), and is the test's to make.
    static std::string recipe(const std::string& name)
    {
        return "Define HELLO_EXAMPLES examples\n"
               "Define HELLO_CONF \"" +
               (source_dir() / "conf").string() +
               "\"\n"
               "Define HELLO_HTTP_PORT ${HTTP_PORT}\n"
               "Define HELLO_HTTPS_PORT ${HTTPS_PORT}\n"
               "Define HELLO_CERTIFICATE server.crt\n"
               "Define HELLO_KEY server.key\n"
               "Define HELLO_DRAIN \"${ROOT}/drain\"\n"
               "Define HELLO_MAINTENANCE \"${ROOT}/maintenance\"\n"
               "Define HELLO_PASSWORDS passwords\n"
               "Define HELLO_SESSION_KEY session.key\n"
               "Define HELLO_ACME \"${ROOT}/challenges\"\n"
               "Define HELLO_CLIENT_CA clients/ca.crt\n"
               "Define HELLO_CLIENT_CRL clients/ca.crl\n"
               "Include \"" +
               (folder() / name).string() + "\"\n";
    }

    /// What recipes want to be told, which have no default for it.
    static std::string required()
    {
        return "Define HELLO_MATRIX chat.example.org\n"
               "Define HELLO_ACME_THUMBPRINT thumb\n"
               "Define HELLO_BALANCER 127.0.0.7\n"
               "Define HELLO_DOMAIN www.example.org\n"
               "Define HELLO_ACME_CONTACT webmaster@example.org\n";
    }

    /// Loads mod_md, which would look after every test's server if the harness loaded it.
    static std::string md_module()
    {
        return "LoadModule md_module \"" + (httpd_modules() / "mod_md.so").string() + "\"\n";
    }

    std::string tls_host(const std::string& more = "")
    {
        return "<VirtualHost *:${HTTPS_PORT}>\n" + tls() + more + "</VirtualHost>\n";
    }
};

/// What the commands in a recipe's head print, as an ECMAScript pattern.
inline std::string trial_result(const std::string& name)
{
    const std::map<std::string, std::string> results{
        {"acme-answer", "a-token\\.[a-z]"},
        {"balancer", "HTTP/1.1 200"},
        {"basic-auth", "<h1>Hello ada!</h1>"},
        {"client-cert", "<h1>Hello Ada!</h1>"},
        {"drain", "200 OK[^]*\nok[^]*503 [^]*draining"},
        {"errors", "application/problem.json[^]*\"status\": (404|403)"},
        {"health", "200 OK[^]*\nok"},
        {"login", "location: /login[?]to=/private"},
        {"maintenance", "503 [^]*We are back soon"},
        {"matrix", R"("m.server": "[a-z.]*example.org:443")"},
        {"node", "200[^]*\nok[^]*404[^]*draining"},
        {"production", "max-age=63072000[^]*Hello World!"},
        {"redirect", "308 [^]*max-age=300[^]*Hello World!"},
        {"routes", "<h1>Hello Ada!</h1>"},
        {"whoami", R"("path": "/whoami")"},
    };
    return results.at(name);
}

/// Runs the commands of a recipe's head in a shell, as they stand there, after the assignments
/// that run and install print. Returns what they print.
inline std::string trial(const std::string& name, const std::string& printed)
{
    const std::string head = read_file(source_dir() / "conf/examples" / (name + ".conf"));
    const std::string commands = first_match(head, "# See it work: (.*)\n");
    if (commands.empty()) {
        throw std::runtime_error(name + " has no commands in its head");
    }
    // As in a checkout, whose paths they have.
    const std::string script = "cd '" + source_dir().string() + "'\n" +
                               first_match(printed, "as they stand there: (.*)\n") + "\n" +
                               commands;
    const Finished finished = run({.argv = {"sh", "-c", script}});
    return replaced(finished.out, "\r", "") + finished.err;
}

}  // namespace hello
