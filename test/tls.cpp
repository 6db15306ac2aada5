#include "tls.h"

#include <cstdio>
#include <stdexcept>
#include <utility>

#include "process.h"
#include "wait.h"

namespace hello {

namespace {

/// Runs one that has to succeed.
void succeed(const std::string& name, Command command, const Strings& options)
{
    command.argv.insert(command.argv.end(), options.begin(), options.end());
    const Finished finished = run(command);
    if (finished.status != 0) {
        throw std::runtime_error(name + ": " + finished.err);
    }
}

}  // namespace

std::string key_exchange(int port, const Path& ca)
{
    const Finished finished =
        run({.argv = {"openssl", "s_client", "-tls1_3", "-brief", "-verify_return_error", "-CAfile",
                      ca, "-connect", "127.0.0.1:" + std::to_string(port)}});
    const std::string said = finished.out + finished.err;
    // 3.0, 3.5 and newer, and both of these for a group of two.
    const std::string group =
        first_match(said, "(?:Server Temp Key|Peer Temp Key|Negotiated TLS1.3 group): ([^,\n]+)");
    return finished.status == 0 && !group.empty() ? group : said;
}

std::string best_key_exchange()
{
    const std::string version = run({.argv = {"openssl", "version"}}).out;
    int major = 0;
    int minor = 0;
    if (std::sscanf(version.c_str(), "OpenSSL %d.%d", &major, &minor) != 2) {
        throw std::runtime_error("openssl version: " + version);
    }
    return std::pair(major, minor) >= std::pair(3, 5) ? "X25519MLKEM768" : "X25519";
}

void make_cert(const Path& folder, const Strings& options)
{
    succeed("make-cert", {.argv = {source_dir() / "scripts/make-cert", "--dir", folder}}, options);
}

void make_quick_cert(const Path& folder)
{
    succeed("openssl req",
            {.argv = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                      "ec_paramgen_curve:P-256", "-nodes", "-config", "/dev/null", "-subj",
                      "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                      "-addext", "basicConstraints=critical,CA:FALSE", "-days", "2"}},
            {"-keyout", folder / "server.key", "-out", folder / "server.crt"});
}

void make_client_cert(const Path& folder, const std::string& name, const Strings& options)
{
    succeed("make-client-cert",
            {.argv = {source_dir() / "scripts/make-client-cert", "--dir", folder, "--name", name,
                      "--no-passphrase"}},
            options);
}

void make_expired(const Path& request, const Strings& signer, const Path& certificate)
{
    // OpenSSL 3.5 takes no fewer days than none.
    succeed("openssl x509",
            {.argv = {"openssl", "x509", "-req", "-in", request, "-days", "0", "-copy_extensions",
                      "copy", "-out", certificate}},
            signer);
    // It is valid to the end of this very second.
    if (!eventually([&] {
            return run({.argv = {"openssl", "x509", "-in", certificate, "-noout", "-checkend",
                                 "0"}})
                       .status == 1;
        })) {
        throw std::runtime_error("it does not expire: " + certificate.string());
    }
}

}  // namespace hello
