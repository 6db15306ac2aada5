// The fixture of nearly every test: a real httpd of its own, and with it all that the tests have
// to talk to it.
//
// Write files below root(), start() the configuration at hand, fetch() answers. HttpdTest fails a
// test whose error log holds a warning, an error, a crash or a sanitizer's report that the test did
// not announce with expect_log(), and then shows the configuration and the log.

#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "client.h"
#include "files.h"
#include "process.h"
#include "sockets.h"
#include "text.h"
#include "tls.h"
#include "wait.h"

namespace hello {

class HttpdTest : public testing::Test {
  protected:
    HttpdTest();
    void TearDown() override;

    /// One child instead of three, for what restarts httpd time and again.
    static constexpr const char* one_child = "StartServers 1\nMinSpareThreads 1\n";

    /// Everything is the handler's, and everybody's.
    static constexpr const char* open_location = R"(
        <Location "/">
            SetHandler hello
            Require all granted
        </Location>
    )";

    /// ServerRoot. The configuration knows it as ${ROOT}.
    const Path& root() const { return folder_.path(); }
    void write(const Path& name, std::string_view content) { write_file(root() / name, content); }

    /// event, worker or prefork, for the next start().
    void use_mpm(std::string mpm) { mpm_ = std::move(mpm); }

    /// What starts httpd, for the next start(), and becomes it: a program and its arguments.
    void start_by(Strings argv) { starter_ = std::move(argv); }

    /// Starts httpd with a configuration and waits until it listens. It has the modules
    /// of `modules()`, mod_hello, and listens on ${HTTP_PORT} and ${HTTPS_PORT}.
    void start(const std::string& configuration);

    /// Starts httpd with one of the project's own configurations, which takes Defines.
    void start_file(const Path& configuration, const Strings& defines);

    /// What "httpd -t" says of a configuration that start() would take.
    Finished check(const std::string& configuration);

    /// Expects that httpd does not start with a configuration, and that it explains why, in these
    /// words, and names the line of the file: the first one that holds a text.
    void expect_refusal(const std::string& configuration, const std::string& line,
                        const Strings& explained);

    /// Starts it with the first configuration of several, and restarts it with the others.
    void start_or_reload(const std::string& configuration)
    {
        httpd_ ? reload(configuration) : start(configuration);
    }

    /// Restarts with another configuration, and waits until it serves. Nobody of the
    /// generation before answers then.
    void reload(const std::string& configuration);

    /// Restarts, by SIGHUP or gracefully by SIGUSR1, with what httpd.conf holds now, and
    /// waits until the new generation serves.
    void restart(int signal);

    /// Announces that the error log may hold such a line (an ECMAScript pattern), and
    /// that it must hold one at the end.
    void expect_log(const std::string& pattern) { announced_.push_back(pattern); }

    /// Says that the error log may hold such a line, or not.
    void tolerate_log(const std::string& pattern) { tolerated_.push_back(pattern); }

    /// The same for this httpd. reload and stop do it by themselves.
    void await_idleness() const { hello::await_idleness({http_port_, https_port_}); }

    /// Stops httpd and waits until nothing of it is left. TearDown does this too.
    void stop();

    /// Makes a pair for 127.0.0.1 and localhost below root(), and returns the directives
    /// that a TLS virtual host needs.
    std::string tls();

    std::string http(std::string_view path = "/") const;
    std::string https(std::string_view path = "/") const;
    /// Fetches over http, or over verified https.
    Response get(std::string_view path) const { return fetch({.url = http(path)}); }
    Response get_tls(std::string_view path) const
    {
        return fetch({.url = https(path), .ca = root() / "server.crt"});
    }

    std::string error_log() const { return read_file(root() / "error.log"); }
    std::string access_log() const { return read_file(root() / "access.log"); }
    Process& httpd() { return *httpd_; }
    int http_port() const { return http_port_; }
    int https_port() const { return https_port_; }

  private:
    std::string preamble() const;
    void launch(const std::function<Strings()>& arguments);
    Strings unexpected_lines() const;

    TemporaryFolder folder_;
    std::string mpm_ = "event";
    Strings starter_;
    int http_port_ = 0;
    int https_port_ = 0;
    std::string configuration_;
    std::optional<Process> httpd_;
    Strings announced_;
    Strings tolerated_;
};

}  // namespace hello
