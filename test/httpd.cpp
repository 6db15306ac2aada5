#include "httpd.h"

#include <algorithm>
#include <csignal>
#include <iostream>
#include <sstream>
#include <stdexcept>

namespace hello {

namespace {

// Every module that a test's configuration may use. watchdog, log_config, unixd and
// version are built into Debian's httpd.
constexpr const char* const modules[] = {
    "access_compat",
    "alias",
    "allowmethods",
    "auth_basic",
    "auth_form",
    "authn_core",
    "authn_file",
    "authz_core",
    "authz_host",
    "authz_user",
    "autoindex",
    "deflate",
    "dir",
    "env",
    "filter",
    "headers",
    "http2",
    "include",
    "mime",
    "negotiation",
    "proxy",
    "proxy_http",
    "remoteip",
    "reqtimeout",
    "request",
    "rewrite",
    "session",
    "session_cookie",
    "session_crypto",
    "setenvif",
    "socache_shmcb",
    "ssl",
    "substitute",
};

/// How often httpd has said that it serves. Before that it has no signal handlers yet.
std::size_t generations(std::string_view log)
{
    return count(log, "resuming normal operations");
}

}  // namespace

HttpdTest::HttpdTest()
{
    write("empty", "");
    fs::create_directory(root() / "nothing");
}

std::string HttpdTest::preamble() const
{
    std::ostringstream out;
    out << "Define ROOT \"" << root().string() << "\"\n"
        << "Define HTTP_PORT " << http_port_ << '\n'
        << "Define HTTPS_PORT " << https_port_ << '\n'
        << "ServerRoot \"${ROOT}\"\n"
        << "DefaultRuntimeDir \"${ROOT}\"\n"
        << "PidFile httpd.pid\n"
        << "ErrorLog error.log\n"
        << "LogLevel warn\n"
        << "ServerName localhost\n"
        // The one that is built in may be somebody's, and hold what it likes.
        << "DocumentRoot nothing\n"
        << "LoadModule mpm_" << mpm_ << "_module " << httpd_modules().string() << "/mod_mpm_"
        << mpm_ << ".so\n";
    for (const std::string_view name : modules) {
        if (name == "http2" && mpm_ == "prefork") {
            continue;  // mod_http2 wants threads
        }
        out << "LoadModule " << name << "_module " << httpd_modules().string() << "/mod_" << name
            << ".so\n";
    }
    out << "LoadModule hello_module " << module_path().string() << '\n'
        << "TypesConfig empty\n"
        << "SSLSessionCache shmcb:ssl_scache(512000)\n"
        << "CustomLog access.log \"%m %U %>s\"\n"
        << "User www-data\n"
        << "Group www-data\n"
        << "Listen 127.0.0.1:${HTTP_PORT}\n"
        << "Listen 127.0.0.1:${HTTPS_PORT}\n";
    return out.str();
}

void HttpdTest::start(const std::string& configuration)
{
    launch([&] {
        configuration_ = preamble() + configuration;
        write("httpd.conf", configuration_);
        return Strings{"-f", root() / "httpd.conf"};
    });
}

void HttpdTest::start_file(const Path& configuration, const Strings& defines)
{
    configuration_ = read_file(configuration);
    launch([&] {
        Strings arguments{"-f", configuration};
        for (const std::string& define :
             {"HELLO_ROOT " + root().string(), "HELLO_MODULE " + module_path().string(),
              "HELLO_MODULES " + httpd_modules().string(),
              "HELLO_CONF " + (source_dir() / "conf").string(),
              "HELLO_HTTP_PORT " + std::to_string(http_port_),
              "HELLO_HTTPS_PORT " + std::to_string(https_port_)}) {
            arguments.insert(arguments.end(), {"-C", "Define " + define});
        }
        for (const std::string& define : defines) {
            arguments.insert(arguments.end(), {"-C", "Define " + define});
        }
        return arguments;
    });
}

/// Chooses ports, starts httpd with what `arguments` then says, and waits until it
/// listens. Somebody may take a port meanwhile: then it tries other ones.
void HttpdTest::launch(const std::function<Strings()>& arguments)
{
    for (int attempt = 1;; ++attempt) {
        const std::vector<int> ports = free_ports(2);
        http_port_ = ports[0];
        https_port_ = ports[1];
        Command command{.argv = starter_, .under_sanitizer = true};
        command.argv.insert(command.argv.end(), {httpd_path(), "-DFOREGROUND"});
        const Strings more = arguments();
        command.argv.insert(command.argv.end(), more.begin(), more.end());
        httpd_.emplace(command);
        const bool settled = eventually([&] {
            return httpd_->ended() ||
                   (generations(error_log()) > 0 && connects(http_port_) && connects(https_port_));
        });
        if (settled && !httpd_->ended()) {
            return;
        }
        const std::string said = httpd_->err() + error_log();
        httpd_.reset();
        if (said.find("Address already in use") == std::string::npos || attempt == 3) {
            throw std::runtime_error("httpd does not start:\n" + said + '\n' +
                                     numbered(configuration_));
        }
        fs::remove(root() / "error.log");
    }
}

Finished HttpdTest::check(const std::string& configuration)
{
    const std::vector<int> ports = free_ports(2);
    http_port_ = ports[0];
    https_port_ = ports[1];
    configuration_ = preamble() + configuration;
    write("httpd.conf", configuration_);
    return run(
        {.argv = {httpd_path(), "-t", "-f", root() / "httpd.conf"}, .under_sanitizer = true});
}

void HttpdTest::expect_refusal(const std::string& configuration, const std::string& line,
                               const Strings& explained)
{
    SCOPED_TRACE(configuration);
    const Finished checked = check(configuration);
    EXPECT_NE(checked.status, 0);
    for (const std::string& part : explained) {
        EXPECT_TRUE(contains(checked.err, part)) << part << '\n' << checked.err;
    }
    const std::size_t number = 1 + count(configuration_.substr(0, configuration_.find(line)), "\n");
    EXPECT_TRUE(contains(checked.err, "line " + std::to_string(number) + " of " +
                                          (root() / "httpd.conf").string() + ":"))
        << number << '\n'
        << checked.err;
}

void HttpdTest::reload(const std::string& configuration)
{
    configuration_ = preamble() + configuration;
    write("httpd.conf", configuration_);
    restart(SIGHUP);
}

void HttpdTest::restart(int signal)
{
    const std::size_t before = generations(error_log());
    await_idleness();
    const std::vector<pid_t> old = children_of(httpd_->pid());
    httpd_->signal(signal);
    // After a graceful restart a child of before still accepts, until it has heard of it.
    const auto is_new = [&] {
        const std::vector<pid_t> now = children_of(httpd_->pid());
        return generations(error_log()) > before &&
               std::find_first_of(old.begin(), old.end(), now.begin(), now.end()) == old.end();
    };
    if (!eventually([&] { return httpd_->ended() || is_new(); }) || httpd_->ended()) {
        throw std::runtime_error("httpd does not restart:\n" + error_log() + '\n' +
                                 numbered(configuration_));
    }
}

void HttpdTest::stop()
{
    if (!httpd_) {
        return;
    }
    await_idleness();
    httpd_->signal(SIGTERM);
    EXPECT_EQ(httpd_->wait(), 0) << "httpd did not end well: " << httpd_->err();
    EXPECT_TRUE(eventually([this] { return !httpd_->group_alive(); })) << "a process is left";
    httpd_.reset();
}

Strings HttpdTest::unexpected_lines() const
{
    constexpr const char* remarkable =
        R"(\[[^\]]*:(emerg|alert|crit|error|warn)\]|Sanitizer|runtime error:|exit signal|core dump)";
    // This one speaks of the machine: of the newer OpenSSL that mod_ssl was built with.
    constexpr const char* harmless = "AH01882";
    Strings unexpected;
    for (const std::string& line : lines_of(error_log())) {
        const auto is_of = [&line](const std::string& pattern) { return finds(line, pattern); };
        const bool known = contains(line, harmless) ||
                           std::any_of(announced_.begin(), announced_.end(), is_of) ||
                           std::any_of(tolerated_.begin(), tolerated_.end(), is_of);
        if (finds(line, remarkable) && !known) {
            unexpected.push_back(line);
        }
    }
    return unexpected;
}

void HttpdTest::TearDown()
{
    stop();
    for (const std::string& line : unexpected_lines()) {
        ADD_FAILURE() << "the error log has a line that nobody announced:\n" << line;
    }
    for (const std::string& pattern : announced_) {
        EXPECT_TRUE(finds(error_log(), pattern)) << "the error log lacks: " << pattern;
    }
    if (HasFailure()) {
        std::cerr << "--- configuration\n"
                  << numbered(configuration_) << "--- error log\n"
                  << error_log();
    }
}

std::string HttpdTest::tls()
{
    make_quick_cert(root());
    return "SSLEngine on\n"
           "SSLCertificateFile server.crt\n"
           "SSLCertificateKeyFile server.key\n";
}

std::string HttpdTest::http(std::string_view path) const
{
    return "http://127.0.0.1:" + std::to_string(http_port_) + std::string(path);
}

std::string HttpdTest::https(std::string_view path) const
{
    return "https://127.0.0.1:" + std::to_string(https_port_) + std::string(path);
}

}  // namespace hello
