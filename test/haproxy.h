// A real HAProxy with conf/examples/haproxy.cfg.

#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "httpd.h"

namespace hello {

/// The command that starts HAProxy. Where it is not installed, scripts/test has unpacked it, and
/// its libraries with it.
inline Command haproxy(const std::vector<std::string>& arguments)
{
    const Path program(HELLO_HAPROXY);
    Command command{.argv = {program}};
    command.argv.insert(command.argv.end(), arguments.begin(), arguments.end());
    std::string libraries;
    for (const auto& folder :
         std::filesystem::directory_iterator(program.parent_path().parent_path() / "lib")) {
        if (folder.path().string().ends_with("-linux-gnu")) {
            libraries += folder.path().string() + ':';
        }
    }
    command.environment.push_back("LD_LIBRARY_PATH=" + libraries);
    return command;
}

/// Ports of 127.0.0.1: the balancer's, and its node's.
struct Balanced {
    int http;
    int https;
    int node_http;
    int node_https;
};

/// The recipe with one node, which sees it come from 127.0.0.7, and without what only root may do.
/// TLS ends there by pair.pem in the folder, or passes, by server.crt in it.
inline std::string haproxy_configuration(const Path& folder, const Balanced& ports, bool ends_tls)
{
    std::string text = read_file(source_dir() / "conf/examples/haproxy.cfg");
    const auto at = [](int port) { return "127.0.0.1:" + std::to_string(port); };
    for (const auto& [pattern, replacement] : std::vector<std::pair<std::string, std::string>>{
             {"\n    (user|group|log) [^\n]*", ""},
             {"\n    server node[23] [^\n]*", ""},
             {"stats socket [^ ]*", "stats socket " + (folder / "admin").string()},
             {"setenv HELLO_HOST [^\n]*", "setenv HELLO_HOST localhost"},
             {"setenv HELLO_CA [^\n]*", "setenv HELLO_CA " + (folder / "server.crt").string()},
             {"#   setenv HELLO_ENDS_TLS [^\n]*",
              ends_tls ? "    setenv HELLO_ENDS_TLS " + (folder / "pair.pem").string() : ""},
             {"bind :80", "bind " + at(ports.http)},
             {"bind :443", "bind " + at(ports.https)},
             {"10.0.0.11:80", at(ports.node_http) + " source 127.0.0.7"},
             {"10.0.0.11:443", at(ports.node_https) + " source 127.0.0.7"}}) {
        text = substituted(text, pattern, replacement);
    }
    return text;
}

}  // namespace hello
