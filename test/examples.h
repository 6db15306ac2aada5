// What the tests of the recipes in conf/examples share.

#pragma once

#include <stdexcept>
#include <string>
#include <vector>

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

/// A CA and a client's pair made by scripts/make-client-cert.
inline void make_client_cert(const Path& folder, const std::string& name,
                             const std::vector<std::string>& options = {})
{
    Command command{.argv = {source_dir() / "scripts/make-client-cert", "--dir", folder, "--name",
                             name, "--no-passphrase"}};
    command.argv.insert(command.argv.end(), options.begin(), options.end());
    const Finished finished = run(command);
    if (finished.status != 0) {
        throw std::runtime_error("make-client-cert: " + finished.err);
    }
}

}  // namespace hello
