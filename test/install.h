// What the tests of scripts/install and scripts/uninstall share.

#pragma once

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "httpd.h"

namespace hello {

/// What lies below a folder: for each path its kind, mode, owner, target or content, and of
/// a file the time of its last change.
inline std::map<std::string, std::string> listing(const Path& folder)
{
    std::map<std::string, std::string> result;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        struct stat status {};
        EXPECT_EQ(::lstat(entry.path().c_str(), &status), 0);
        std::ostringstream what;
        what << std::oct << status.st_mode << ' ' << std::dec << status.st_uid << ' ';
        if (entry.is_symlink()) {
            what << fs::read_symlink(entry.path()).string();
        } else if (entry.is_regular_file()) {
            what << status.st_mtim.tv_sec << '.' << status.st_mtim.tv_nsec << ' '
                 << read_file(entry.path());
        }
        result[entry.path().lexically_relative(folder)] = what.str();
    }
    return result;
}

/// The paths in which two listings differ.
inline Strings differences(const std::map<std::string, std::string>& before,
                           const std::map<std::string, std::string>& after)
{
    Strings result;
    for (const auto& [path, what] : before) {
        const auto found = after.find(path);
        if (found == after.end() || found->second != what) {
            result.push_back(path);
        }
    }
    for (const auto& [path, what] : after) {
        if (!before.contains(path)) {
            result.push_back(path);
        }
    }
    return result;
}

class Install : public testing::Test {
  protected:
    explicit Install(std::vector<int> ports = free_ports(2)) : ports_(std::move(ports)) {}

    const Path& root() const { return folder_.path(); }
    Path modules() const { return root() / "modules"; }

    Command command(const std::string& script, const Strings& options) const
    {
        Command result{.argv = {source_dir() / "scripts" / script}, .environment = environment_};
        result.argv.insert(result.argv.end(), options.begin(), options.end());
        return result;
    }
    Strings with_ports(Strings options) const
    {
        options.insert(options.end(), {"--http-port", std::to_string(ports_[0]), "--https-port",
                                       std::to_string(ports_[1])});
        return options;
    }
    Finished install(const Strings& options = {}) const
    {
        await_idleness(ports_);
        return run(command("install", with_ports(options)));
    }
    Finished uninstall(const Strings& options = {}) const
    {
        await_idleness(ports_);
        return run(command("uninstall", options));
    }

    std::string url(const char* scheme, const char* host = "127.0.0.1") const
    {
        const std::size_t port = scheme == std::string("http") ? 0 : 1;
        return std::string(scheme) + "://" + host + ":" + std::to_string(ports_[port]) + "/";
    }

    TemporaryFolder folder_;
    std::vector<int> ports_;
    Strings environment_;
};

/// With a copy of Debian's /etc/apache2 that scripts/test has unpacked.
class InstallOnDebian : public Install {
  protected:
    using Install::Install;

    void SetUp() override
    {
        const Path package = source_dir() / "build/debian";
        if (!fs::exists(package)) {
            GTEST_SKIP() << "scripts/test unpacks Debian's apache2 there where there is apt-get: "
                         << package;
        }
        for (const char* const name : {"modules", "state", "run", "lock", "log"}) {
            fs::create_directories(root() / name);
        }
        // The one that httpd loads.
        fs::create_symlink(httpd_modules() / "mod_ssl.so", modules() / "mod_ssl.so");
        fs::copy(package / "etc/apache2", etc(),
                 fs::copy_options::recursive | fs::copy_options::copy_symlinks);
        const passwd* const user = ::getpwuid(::getuid());
        // What stands in it before is of the release; the last word counts.
        std::ostringstream variables;
        variables << read_file(etc() / "envvars") << "export APACHE_HTTPD=" << httpd_path().string()
                  << "\nexport APACHE_PID_FILE=" << (root() / "run/apache2.pid").string()
                  << "\nexport APACHE_RUN_DIR=" << (root() / "run").string()
                  << "\nexport APACHE_LOCK_DIR=" << (root() / "lock").string()
                  << "\nexport APACHE_LOG_DIR=" << (root() / "log").string() << '\n';
        if (::getuid() != 0) {
            // His group need not be called as he is.
            variables << "export APACHE_RUN_USER=" << user->pw_name << "\nexport APACHE_RUN_GROUP=#"
                      << ::getgid() << '\n';
        }
        write_file(etc() / "envvars", variables.str());
        edit("ports.conf", "Listen 80", "Listen 127.0.0.1:" + std::to_string(ports_[0]));
        edit("ports.conf", "Listen 443", "Listen 127.0.0.1:" + std::to_string(ports_[1]));
        edit("sites-available/000-default.conf", "*:80", "*:" + std::to_string(ports_[0]));
        // Where apache2 is not installed, there is no such folder.
        write_file(root() / "www/index.html", "a page");
        edit("sites-available/000-default.conf", "/var/www/html", root() / "www");
        edit("apache2.conf", "/var/www/", root() / "www");
        edit("mods-available/ssl.conf", "/usr/share/apache2", package / "usr/share/apache2");
        write_file(etc() / "conf-available/name.conf", "ServerName person.example\n");
        write_program(root() / "bin/apxs", "[ \"$1 $2\" != '-q LIBEXECDIR' ] || { echo '" +
                                               modules().string() +
                                               "'; exit; }\nexec apxs \"$@\"\n");
        // Where systemd is in charge, it asks systemd, for the httpd of this machine.
        const std::string apachectl = read_file(package / "usr/sbin/apache2ctl");
        EXPECT_TRUE(contains(apachectl, "*systemd*)"));
        write_file(root() / "sbin/apachectl", replaced(apachectl, "*systemd*)", "*no-init*)"));
        fs::permissions(root() / "sbin/apachectl", fs::perms(0755));
        environment_ = {"PATH=" + (root() / "sbin").string() + ":" +
                            (package / "usr/sbin").string() + ":" + std::getenv("PATH"),
                        "APXS=" + (root() / "bin/apxs").string(),
                        "APACHE_CONFDIR=" + etc().string(),
                        "APACHE_STATE_DIRECTORY=" + (root() / "state").string()};
        tool({"a2enmod", "-q", "mpm_event", "alias", "authz_core", "authz_host", "authn_core",
              "dir", "mime", "reqtimeout", "setenvif"});
        tool({"a2ensite", "-q", "000-default"});
        tool({"a2enconf", "-q", "name"});
    }

    void TearDown() override
    {
        stop();
        for (const std::string& line : lines_of(read_file(root() / "log/error.log"))) {
            // AH03093: httpd ended between an answer and the wait for the next request.
            const bool known = contains(line, "AH01882") || contains(line, "AH03093") ||
                               (!expected_.empty() && finds(line, expected_));
            const bool is_remarkable =
                finds(line, R"(:(emerg|alert|crit|error|warn)\]|exit signal)");
            EXPECT_FALSE(is_remarkable && !known) << line;
        }
    }

    Path etc() const { return root() / "etc"; }

    void edit(const char* file, const std::string& from, const std::string& to)
    {
        const std::string text = read_file(etc() / file);
        ASSERT_TRUE(contains(text, from)) << file;
        write_file(etc() / file, replaced(text, from, to));
    }

    void tool(Strings argv) const
    {
        argv.insert(argv.begin(), "env");  // which looks it up on the tree's own PATH
        const Finished finished = run({.argv = argv, .environment = environment_});
        ASSERT_EQ(finished.status, 0) << argv[1] << finished.out << finished.err;
    }

    pid_t server() const
    {
        const std::string text = read_file(root() / "run/apache2.pid");
        return text.empty() ? 0 : std::stoi(text);
    }
    bool serves() const { return server() != 0 && is_running(server()); }

    void start()
    {
        tool({"apachectl", "start"});
        ASSERT_TRUE(eventually([this] { return fetch({.url = url("http")}).status != 0; }));
    }

    void stop() const
    {
        await_idleness(ports_);
        if (const pid_t pid = server(); pid != 0 && ::kill(pid, SIGTERM) == 0) {
            EXPECT_TRUE(eventually([&] { return !is_running(pid); }));
        }
    }

    std::map<std::string, std::string> state() const
    {
        auto result = listing(etc());
        for (const char* const name : {"modules", "state"}) {
            for (auto& [path, what] : listing(root() / name)) {
                // a2enmod makes folders for its notes, and leaves them empty.
                if (!fs::is_directory(root() / name / path)) {
                    result[std::string(name) + "/" + path] = what;
                }
            }
        }
        return result;
    }

    Response ask(const char* host = "127.0.0.1") const
    {
        return fetch({.url = url("https", host), .ca = etc() / "hello/server.crt"});
    }

    std::string expected_;  // what a line of the error log may say, an ECMAScript pattern
};

}  // namespace hello
