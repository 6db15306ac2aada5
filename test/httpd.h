// The test harness: a real httpd of the test's own, and real clients to talk to it.
//
// HttpdTest is the fixture of nearly every test: write files below root(), start()
// the configuration at hand, fetch() answers. It fails a test whose error log holds
// a warning, an error, a crash or a sanitizer's report that the test did not
// announce with expect_log(), and then shows the configuration and the log.

#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hello {

using Path = std::filesystem::path;

/// The checkout, and what CMake found or built.
const Path& source_dir();
const Path& module_path();
const Path& httpd_path();
const Path& httpd_modules();

/// How long anything here may take before it counts as hung.
constexpr std::chrono::seconds patience{30};

/// Polls a condition until it holds.
/// Returns whether it did within the deadline.
bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds deadline = patience);

/// Waits until what serves these ports has closed every connection, before it is told to
/// end or to restart: a child of the event MPM that is told so while it closes one can
/// crash, with and without mod_hello. The test fails where the deadline passes.
void await_idleness(const std::vector<int>& ports);

std::string read_file(const Path& path);

bool contains(const std::string& text, const std::string& part);

/// Makes a checkout of its own, in which nothing has been built.
void copy_checkout(const Path& to);

/// Writes a file that everybody may read, through a temporary name and a rename; makes
/// the folders above it.
void write_file(const Path& path, std::string_view content);

/// A folder that lives as long as this object and that everybody may enter.
class TemporaryFolder {
  public:
    TemporaryFolder();
    ~TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const Path& path() const { return path_; }

  private:
    Path path_;
};

/// How to start a process.
struct Command {
    std::vector<std::string> argv;
    std::vector<std::string> environment{};  // "NAME=value", on top of this process's
    std::string input{};                     // what its standard input holds
    bool terminal = false;                   // a pseudo-terminal instead of pipes
    bool under_sanitizer = false;            // preload what an instrumented module needs
};

/// A child process in a process group of its own, killed with the whole group when
/// this object ends. Its standard output and error are collected while it runs.
class Process {
  public:
    explicit Process(const Command& command);
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    pid_t pid() const { return pid_; }
    void signal(int number) const;
    /// Sends a signal to every process of the group, as a terminal's Ctrl-C does.
    void signal_group(int number) const;
    /// Types at the terminal (or writes to standard input). What a program that has ended, or
    /// reads no more, leaves unread is no failure: its status says how it went.
    void type(std::string_view text) const;
    /// Whether its terminal shows what is typed.
    bool echoes() const;
    /// Whether it has ended; then status() is what a shell would show: the exit status,
    /// or 128 and the signal.
    bool ended();
    int status() const { return status_.value_or(-1); }
    /// Waits for its end. Returns status(), or -1 at the deadline.
    int wait(std::chrono::milliseconds deadline = patience);
    /// Whether any process of its group is left.
    bool group_alive() const;
    /// What it has written until now; a terminal has both in out().
    const std::string& out();
    const std::string& err();

  private:
    void collect();

    pid_t pid_ = -1;
    int in_ = -1;
    int out_ = -1;
    int err_ = -1;
    std::string out_text_;
    std::string err_text_;
    std::optional<int> status_;
};

struct Finished {
    int status;
    std::string out;
    std::string err;
};

/// Runs a command to its end.
Finished run(const Command& command);

/// Whether a process or, where the number is negative, any of a group is there and has not ended.
/// In a container without an init, nobody waits for one whose parent is gone.
bool is_running(pid_t id);

/// The processes that a process has started and that have not been waited for.
std::vector<pid_t> children_of(pid_t pid);

/// A PATH on which everything is but one tool, by links in a folder that is made for it.
std::string path_without(const std::string& tool, const Path& folder);

/// Ports of 127.0.0.1 that nobody listens on, and that no test of another process is given before
/// this one ends.
std::vector<int> free_ports(std::size_t count);

/// What to ask for, and how.
struct Request {
    std::string url{};
    std::string method = "GET";
    std::vector<std::string> headers{};  // "Name: value"
    std::optional<std::string> body{};
    std::string user{};        // "name:password", by Basic authentication
    Path ca{};                 // the certificate to verify https against
    Path certificate{};        // the client's
    Path key{};                // the client's
    bool http2 = false;        // offer h2 and insist on it
    std::string resolve_to{};  // connect to this address whatever the URL's host is
    std::string from{};        // connect from this address of this machine
    bool proxied = false;      // begin with a PROXY header, which says what is true
};

struct Response {
    long status = 0;
    std::vector<std::pair<std::string, std::string>> headers{};  // names in lower case
    std::string body{};
    std::string error{};  // why there is no response, in curl's words

    /// The values of a header, joined by ", "; none if it is absent.
    std::optional<std::string> header(std::string_view name) const;
};
std::ostream& operator<<(std::ostream& out, const Response& response);

/// Asks once, over a new connection, through libcurl with verification on.
Response fetch(const Request& request);

/// The comma-separated members of a header, sorted.
std::vector<std::string> members(const std::optional<std::string>& header);

/// Sends bytes to a port of 127.0.0.1 as they stand, and returns all that comes back
/// until the server closes the connection.
std::string exchange(int port, std::string_view bytes);

/// The group of a verified TLS 1.3 handshake with 127.0.0.1, by the name that openssl
/// has for it, such as "X25519"; or all that openssl says, where it fails.
std::string key_exchange(int port, const Path& ca);

/// The first group of HELLO_TLS_GROUPS that openssl's own client and this machine's
/// mod_ssl have in common: X25519MLKEM768 from OpenSSL 3.5 on, else X25519.
std::string best_key_exchange();

/// A key and a certificate made by scripts/make-cert: server.key and server.crt.
void make_cert(const Path& folder, const std::vector<std::string>& options = {});

/// Signs server.csr or the like as a certificate that has expired when this returns; signer is by
/// whom, as "openssl x509" takes it: {"-signkey", key} or {"-CA", …, "-CAkey", …}. Throws where
/// openssl fails.
void make_expired(const Path& request, const std::vector<std::string>& signer,
                  const Path& certificate);

class HttpdTest : public testing::Test {
  protected:
    HttpdTest();
    void TearDown() override;

    /// ServerRoot. The configuration knows it as ${ROOT}.
    const Path& root() const { return folder_.path(); }
    void write(const Path& name, std::string_view content) { write_file(root() / name, content); }

    /// event, worker or prefork, for the next start().
    void use_mpm(std::string mpm) { mpm_ = std::move(mpm); }

    /// What starts httpd, for the next start(), and becomes it: a program and its arguments.
    void start_by(std::vector<std::string> argv) { starter_ = std::move(argv); }

    /// Starts httpd with a configuration and waits until it listens. It has the modules
    /// of `modules()`, mod_hello, and listens on ${HTTP_PORT} and ${HTTPS_PORT}.
    void start(const std::string& configuration);

    /// Starts httpd with one of the project's own configurations, which takes Defines.
    void start_file(const Path& configuration, const std::vector<std::string>& defines);

    /// What "httpd -t" says of a configuration that start() would take.
    Finished check(const std::string& configuration);

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
    void launch(const std::function<std::vector<std::string>()>& arguments);
    std::vector<std::string> unexpected_lines() const;

    TemporaryFolder folder_;
    std::string mpm_ = "event";
    std::vector<std::string> starter_;
    int http_port_ = 0;
    int https_port_ = 0;
    std::string configuration_;
    std::optional<Process> httpd_;
    std::vector<std::string> announced_;
    std::vector<std::string> tolerated_;
};

}  // namespace hello
