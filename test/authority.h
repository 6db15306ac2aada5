// A real certificate authority of a test's own, Debian's pebble.

#pragma once

#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "httpd.h"

namespace hello {

class Authority {
  public:
    /// Starts it with its files in a folder. It asks for its proof at this port, with a name
    /// service that knows every name as 127.0.0.1.
    void start(const Path& folder, int http_port)
    {
        folder_ = folder;
        make_cert(folder);
        const std::vector<int> ports = free_ports(5);
        const auto loopback = [&](std::size_t index) {
            return "127.0.0.1:" + std::to_string(ports[index]);
        };
        std::ostringstream out;
        out << R"({"pebble": {"listenAddress": ")" << loopback(0)
            << R"(", "managementListenAddress": ")" << loopback(1) << R"(", "certificate": ")"
            << certificate().string() << R"(", "privateKey": ")" << (folder / "server.key").string()
            << R"(", "httpPort": )" << http_port << R"(, "tlsPort": )" << ports[2]
            << R"(, "ocspResponderURL": ""}})";
        write_file(folder / "config.json", out.str());
        // Its options have changed: -dns01 is -dnsserver now, and -doh listens by default.
        const Finished help = run({.argv = {"pebble-challtestsrv", "-help"}});
        const auto has = [&](const std::string& option) {
            return (help.out + help.err).find("  " + option + " ") != std::string::npos;
        };
        std::vector<std::string> names{"pebble-challtestsrv",
                                       has("-dnsserver") ? "-dnsserver" : "-dns01",
                                       loopback(3),
                                       "-management",
                                       loopback(4),
                                       "-defaultIPv6",
                                       ""};
        for (const char* const other : {"-http01", "-https01", "-tlsalpn01", "-doh"}) {
            if (has(other)) {
                names.insert(names.end(), {other, ""});
            }
        }
        names_.emplace(Command{.argv = names});
        // It would refuse one request in twenty, which a client has to try again, and believe every
        // second proof that it has seen before.
        server_.emplace(Command{.argv = {"env", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0",
                                         "PEBBLE_AUTHZREUSE=0", "pebble", "-config",
                                         folder / "config.json", "-dnsserver", loopback(3)}});
        directory_ = "https://" + loopback(0) + "/dir";
        Response answer;
        ASSERT_TRUE(eventually([&] {
            // RFC 8555, section 6.1: a client says who it is.
            const auto get = [&](const std::string& url) {
                return fetch({.url = url, .headers = {"User-Agent: test"}, .ca = certificate()});
            };
            answer = get("https://" + loopback(1) + "/roots/0");
            return answer.status == 200 && get(directory_).status == 200;
        })) << answer
            << said();
        write_file(root(), answer.body);
    }

    /// Where a client begins, and whom it has to trust for that.
    const std::string& directory() const { return directory_; }
    Path certificate() const { return folder_ / "server.crt"; }

    /// The root of the certificates that it issues.
    Path root() const { return folder_ / "root.crt"; }

    std::string said() { return server_->out() + server_->err() + names_->err(); }

  private:
    Path folder_;
    std::string directory_;
    std::optional<Process> names_;
    std::optional<Process> server_;
};

}  // namespace hello
