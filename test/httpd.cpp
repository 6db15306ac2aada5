#include "httpd.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pty.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <memory>
#include <random>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace hello {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

/// A file descriptor that is closed with its scope.
class Descriptor {
  public:
    explicit Descriptor(int number) : number_(number)
    {
        if (number < 0) {
            fail("descriptor");
        }
    }
    ~Descriptor() { ::close(number_); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int get() const { return number_; }

  private:
    int number_;
};

sockaddr_in loopback(int port)
{
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

bool connects(int port)
{
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
           0;
}

std::vector<std::string> lines_of(const std::string& text)
{
    std::istringstream in(text);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

/// Whether the server on a port has closed every connection. /proc/net/tcp has a line for
/// each socket: a number, the local address and port, the remote one, and the state.
bool is_idle(int port)
{
    std::ostringstream local;
    local << std::uppercase << std::hex << std::setfill('0') << ':' << std::setw(4) << port << ' ';
    const std::vector<std::string> sockets = lines_of(read_file("/proc/net/tcp"));
    return std::none_of(sockets.begin(), sockets.end(), [&](const std::string& line) {
        constexpr std::size_t end_of_local = 20;
        constexpr std::size_t state = 34;
        return line.substr(0, end_of_local).ends_with(local.str()) &&
               line.substr(state, 2) != "0A" && line.substr(state, 2) != "06";
    });  // other than LISTEN and TIME_WAIT
}

std::string numbered(const std::string& text)
{
    std::ostringstream out;
    int number = 0;
    for (const std::string& line : lines_of(text)) {
        out << std::setw(4) << ++number << "  " << line << '\n';
    }
    return out.str();
}

}  // namespace

const Path& source_dir()
{
    static const Path path = HELLO_SOURCE_DIR;
    return path;
}

const Path& module_path()
{
    static const Path path = HELLO_MODULE;
    return path;
}

const Path& httpd_path()
{
    static const Path path = HELLO_HTTPD;
    return path;
}

const Path& httpd_modules()
{
    static const Path path = HELLO_HTTPD_MODULES;
    return path;
}

bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds deadline)
{
    const auto end = Clock::now() + deadline;
    while (!holds()) {
        if (Clock::now() >= end) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
}

void await_idleness(const std::vector<int>& ports)
{
    EXPECT_TRUE(eventually([&] { return std::all_of(ports.begin(), ports.end(), is_idle); }))
        << "after " << patience.count()
        << " s a connection to one of these ports is open still: " << testing::PrintToString(ports);
}

std::string read_file(const Path& path)
{
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

bool contains(const std::string& text, const std::string& part)
{
    return text.find(part) != std::string::npos;
}

void copy_checkout(const Path& to)
{
    fs::create_directories(to);
    for (const char* const name : {"CMakeLists.txt", "CMakePresets.json", "mod_hello.cpp",
                                   "README.md", "conf", "scripts", "test"}) {
        fs::copy(source_dir() / name, to / name,
                 fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    }
}

void write_file(const Path& path, std::string_view content)
{
    fs::create_directories(path.parent_path());
    const Path temporary = path.string() + ".new";
    std::ofstream out(temporary, std::ios::binary);
    out << content;
    out.close();
    if (!out) {
        throw std::runtime_error("cannot write " + temporary.string());
    }
    fs::permissions(temporary, fs::perms(0644));
    fs::rename(temporary, path);
}

TemporaryFolder::TemporaryFolder()
{
    std::string name = (fs::temp_directory_path() / "hello-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
        fail("mkdtemp " + name);
    }
    path_ = name;
    fs::permissions(path_, fs::perms(0755));
}

TemporaryFolder::~TemporaryFolder()
{
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

// ---------------------------------------------------------------------------
// Processes

namespace {

/// The part between fork and exec: only what is safe there.
[[noreturn]] void become(char* const* argv, char* const* environment)
{
    // The kernel ends the child if this process dies without having done so.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::signal(SIGPIPE, SIG_DFL);
    ::execvpe(argv[0], argv, environment);
    constexpr std::string_view message = "exec failed\n";
    static_cast<void>(!::write(STDERR_FILENO, message.data(), message.size()));
    ::_exit(127);
}

std::vector<std::string> environment_of(const Command& command)
{
    std::vector<std::string> environment;
    for (char** variable = environ; *variable != nullptr; ++variable) {
        environment.emplace_back(*variable);
    }
    if (command.under_sanitizer && std::strlen(HELLO_PRELOAD) > 0) {
        environment.emplace_back("LD_PRELOAD=" HELLO_PRELOAD);
        // httpd leaves its pools to the operating system at the end.
        environment.emplace_back("ASAN_OPTIONS=detect_leaks=0:abort_on_error=1");
        environment.emplace_back("UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1");
        // A child of httpd that is told to end does so in its signal handler.
        environment.emplace_back(
            "TSAN_OPTIONS=report_signal_unsafe=0:suppressions=" HELLO_SOURCE_DIR "/test/tsan.supp");
    }
    // Of two variables of one name, some programs see the first and some the last.
    for (const std::string& variable : command.environment) {
        const std::string name = variable.substr(0, variable.find('=') + 1);
        std::erase_if(environment, [&](const auto& other) { return other.starts_with(name); });
        environment.push_back(variable);
    }
    return environment;
}

std::vector<char*> pointers(std::vector<std::string>& strings)
{
    std::vector<char*> result;
    for (std::string& string : strings) {
        result.push_back(string.data());
    }
    result.push_back(nullptr);
    return result;
}

}  // namespace

Process::Process(const Command& command)
{
    // Writing to a program that has ended shall fail, and not end the test.
    std::signal(SIGPIPE, SIG_IGN);
    std::vector<std::string> arguments = command.argv;
    std::vector<std::string> variables = environment_of(command);
    const std::vector<char*> argv = pointers(arguments);
    const std::vector<char*> environment = pointers(variables);
    if (command.terminal) {
        int master = -1;
        pid_ = ::forkpty(&master, nullptr, nullptr, nullptr);
        if (pid_ < 0) {
            fail("forkpty");
        }
        if (pid_ == 0) {
            become(argv.data(), environment.data());
        }
        ::fcntl(master, F_SETFD, FD_CLOEXEC);
        in_ = ::fcntl(master, F_DUPFD_CLOEXEC, 0);
        out_ = master;
    } else {
        int in[2];
        int out[2];
        int err[2];
        if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0 ||
            ::pipe2(err, O_CLOEXEC) != 0) {
            fail("pipe2");
        }
        pid_ = ::fork();
        if (pid_ < 0) {
            fail("fork");
        }
        if (pid_ == 0) {
            ::setpgid(0, 0);
            ::dup2(in[0], STDIN_FILENO);
            ::dup2(out[1], STDOUT_FILENO);
            ::dup2(err[1], STDERR_FILENO);
            become(argv.data(), environment.data());
        }
        ::setpgid(pid_, pid_);
        ::close(in[0]);
        ::close(out[1]);
        ::close(err[1]);
        in_ = in[1];
        out_ = out[0];
        err_ = err[0];
        ::fcntl(err_, F_SETFL, O_NONBLOCK);
        type(command.input);
        ::close(in_);
        in_ = -1;
    }
    ::fcntl(out_, F_SETFL, O_NONBLOCK);
}

Process::~Process()
{
    if (!ended()) {
        signal_group(SIGKILL);
        wait();
    }
    for (const int descriptor : {in_, out_, err_}) {
        if (descriptor >= 0) {
            ::close(descriptor);
        }
    }
}

void Process::signal(int number) const
{
    ::kill(pid_, number);
}

void Process::signal_group(int number) const
{
    ::kill(-pid_, number);
}

void Process::type(std::string_view text) const
{
    while (!text.empty()) {
        const ssize_t written = ::write(in_, text.data(), text.size());
        if (written < 0 && errno == EPIPE) {
            return;
        }
        if (written < 0) {
            fail("write to child");
        }
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

bool Process::echoes() const
{
    termios settings{};
    return ::tcgetattr(in_, &settings) == 0 && (settings.c_lflag & ECHO) != 0;
}

void Process::collect()
{
    const auto drain = [](int descriptor, std::string& text) {
        char buffer[4096];
        ssize_t count = 0;
        while (descriptor >= 0 && (count = ::read(descriptor, buffer, sizeof buffer)) > 0) {
            text.append(buffer, static_cast<std::size_t>(count));
        }
    };
    drain(out_, out_text_);
    drain(err_, err_text_);
}

bool Process::ended()
{
    collect();
    int status = 0;
    if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) {
        status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        collect();
    }
    return status_.has_value();
}

int Process::wait(std::chrono::milliseconds deadline)
{
    eventually([this] { return ended(); }, deadline);
    return status();
}

bool Process::group_alive() const
{
    return is_running(-pid_);
}

const std::string& Process::out()
{
    collect();
    return out_text_;
}

const std::string& Process::err()
{
    collect();
    return err_text_;
}

Finished run(const Command& command)
{
    Process process(command);
    const int status = process.wait(std::chrono::minutes(2));
    return {status, process.out(), process.err()};
}

bool is_running(pid_t id)
{
    if (::kill(id, 0) != 0) {
        return false;
    }
    for (const auto& entry : fs::directory_iterator("/proc")) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos ||
            (id > 0 && name != std::to_string(id))) {
            continue;
        }
        // The program's name, which may hold anything, stands in parentheses; see proc(5).
        const std::string stat = read_file(entry.path() / "stat");
        std::istringstream in(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
        char state = 'Z';
        pid_t parent = 0;
        pid_t group = 0;
        in >> state >> parent >> group;
        if (state != 'Z' && state != 'X' && (id > 0 || group == -id)) {
            return true;
        }
    }
    return false;
}

std::vector<pid_t> children_of(pid_t pid)
{
    const std::string text = std::to_string(pid);
    std::istringstream in(read_file("/proc/" + text + "/task/" + text + "/children"));
    return {std::istream_iterator<pid_t>(in), {}};
}

std::string path_without(const std::string& tool, const Path& folder)
{
    fs::remove_all(folder);
    fs::create_directories(folder);
    for (const char* const from : {"/usr/local/bin", "/usr/bin", "/bin"}) {
        for (const auto& entry : fs::directory_iterator(from)) {
            const Path link = folder / entry.path().filename();
            if (entry.path().filename() != tool && !fs::exists(fs::symlink_status(link))) {
                fs::create_symlink(entry.path(), link);
            }
        }
    }
    return folder;
}

// ---------------------------------------------------------------------------
// Clients

namespace {

/// Keeps the tests of other processes from a port, by a name that only one socket of this network
/// can have, and for as long as it is open. Returns that socket, or -1 where one of them has it.
int reservation(int port)
{
    const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const std::string name = "hello-test-port-" + std::to_string(port);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // After a zero: there is no file of that name.
    std::copy(name.begin(), name.end(), address.sun_path + 1);
    const std::size_t size = offsetof(sockaddr_un, sun_path) + 1 + name.size();
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(size)) ==
        0) {
        return socket;
    }
    ::close(socket);
    return -1;
}

bool is_free(int port)
{
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(port);
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

std::vector<int> free_ports(std::size_t count)
{
    // Seconds may pass until somebody listens on them, and then again while a server is stopped. A
    // port from above these is given to whoever asks for any.
    static std::mt19937 random{std::random_device{}()};
    std::uniform_int_distribution<int> numbers(20000, 32767);
    // More than any test has. What is older was for tests that have ended.
    constexpr std::size_t kept = 64;
    static std::deque<int> reservations;
    std::vector<int> ports;
    for (int attempt = 0; ports.size() < count; ++attempt) {
        const int port = numbers(random);
        const int reserved = reservation(port);
        if (reserved >= 0) {
            reservations.push_back(reserved);
        }
        if (reserved >= 0 && is_free(port)) {
            ports.push_back(port);
        } else if (attempt == 1000) {
            fail("bind to a free port");
        }
        if (reservations.size() > kept) {
            ::close(reservations.front());
            reservations.pop_front();
        }
    }
    return ports;
}

std::optional<std::string> Response::header(std::string_view name) const
{
    std::optional<std::string> joined;
    for (const auto& [key, value] : headers) {
        if (key == name) {
            joined = joined ? *joined + ", " + value : value;
        }
    }
    return joined;
}

std::ostream& operator<<(std::ostream& out, const Response& response)
{
    out << "\nstatus " << response.status << ' ' << response.error << '\n';
    for (const auto& [name, value] : response.headers) {
        out << name << ": " << value << '\n';
    }
    return out << '\n' << response.body << '\n';
}

namespace {

std::size_t take_header(char* data, std::size_t size, std::size_t count, void* into)
{
    auto* const response = static_cast<Response*>(into);
    std::string_view line(data, size * count);
    while (line.ends_with('\n') || line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    const std::size_t colon = line.find(':');
    if (line.starts_with("HTTP/")) {
        response->headers.clear();  // what came before was a 100
    } else if (colon != std::string_view::npos) {
        std::string name(line.substr(0, colon));
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        std::string_view value = line.substr(colon + 1);
        while (value.starts_with(' ')) {
            value.remove_prefix(1);
        }
        response->headers.emplace_back(name, value);
    }
    return size * count;
}

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* into)
{
    static_cast<Response*>(into)->body.append(data, size * count);
    return size * count;
}

}  // namespace

Response fetch(const Request& request)
{
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(),
                                                                     curl_easy_cleanup);
    if (ready != CURLE_OK || !handle) {
        throw std::runtime_error("libcurl does not start");
    }
    const auto set = [&handle](CURLoption option, auto value) {
        if (curl_easy_setopt(handle.get(), option, value) != CURLE_OK) {
            throw std::runtime_error("libcurl refuses option " + std::to_string(option));
        }
    };
    using List = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;
    List headers(nullptr, curl_slist_free_all);
    for (const std::string& header : request.headers) {
        curl_slist* const longer = curl_slist_append(headers.get(), header.c_str());
        static_cast<void>(headers.release());
        headers.reset(longer);
    }
    List connect_to(nullptr, curl_slist_free_all);

    Response response;
    char reason[CURL_ERROR_SIZE] = "";
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PATH_AS_IS, 1L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_TIMEOUT, static_cast<long>(patience.count()));
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
    set(CURLOPT_NOBODY, request.method == "HEAD" ? 1L : 0L);
    set(CURLOPT_HTTPHEADER, headers.get());
    set(CURLOPT_ERRORBUFFER, static_cast<char*>(reason));
    set(CURLOPT_HEADERFUNCTION, take_header);
    set(CURLOPT_HEADERDATA, &response);
    set(CURLOPT_WRITEFUNCTION, take_body);
    set(CURLOPT_WRITEDATA, &response);
    set(CURLOPT_HTTP_VERSION,
        static_cast<long>(request.http2 ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    if (request.body) {
        set(CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body->size()));
        set(CURLOPT_COPYPOSTFIELDS, request.body->c_str());
    }
    const std::string interface = "host!" + request.from;
    if (!request.from.empty()) {
        set(CURLOPT_INTERFACE, interface.c_str());
    }
    if (request.proxied) {
        set(CURLOPT_HAPROXYPROTOCOL, 1L);
    }
    if (!request.user.empty()) {
        set(CURLOPT_USERPWD, request.user.c_str());
    }
    if (!request.ca.empty()) {
        set(CURLOPT_CAINFO, request.ca.c_str());
        set(CURLOPT_CAPATH, nullptr);
    }
    if (!request.certificate.empty()) {
        set(CURLOPT_SSLCERT, request.certificate.c_str());
        set(CURLOPT_SSLKEY, request.key.c_str());
    }
    if (!request.resolve_to.empty()) {
        connect_to.reset(curl_slist_append(nullptr, ("::" + request.resolve_to + ":").c_str()));
        set(CURLOPT_CONNECT_TO, connect_to.get());
    }
    if (const CURLcode code = curl_easy_perform(handle.get()); code != CURLE_OK) {
        response.error = std::string(curl_easy_strerror(code)) + ": " + reason;
    }
    curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &response.status);
    long version = 0;
    curl_easy_getinfo(handle.get(), CURLINFO_HTTP_VERSION, &version);
    if (request.http2 && version != CURL_HTTP_VERSION_2_0) {
        response.error += " HTTP/2 was not negotiated";
    }
    return response;
}

std::vector<std::string> members(const std::optional<std::string>& header)
{
    std::vector<std::string> result;
    std::istringstream in(header.value_or(""));
    for (std::string member; std::getline(in, member, ',');) {
        result.push_back(std::regex_replace(member, std::regex("^ +| +$"), ""));
    }
    std::sort(result.begin(), result.end());
    return result;
}

std::string key_exchange(int port, const Path& ca)
{
    const Finished finished =
        run({.argv = {"openssl", "s_client", "-tls1_3", "-brief", "-verify_return_error", "-CAfile",
                      ca, "-connect", "127.0.0.1:" + std::to_string(port)}});
    const std::string said = finished.out + finished.err;
    // 3.0, 3.5 and newer, and both of these for a group of two.
    static const std::regex line(
        "(?:Server Temp Key|Peer Temp Key|Negotiated TLS1.3 group): ([^,\n]+)");
    std::smatch found;
    return finished.status == 0 && std::regex_search(said, found, line) ? found.str(1) : said;
}

std::string best_key_exchange()
{
    const std::string version = run({.argv = {"openssl", "version"}}).out;
    int major = 0;
    int minor = 0;
    if (std::sscanf(version.c_str(), "OpenSSL %d.%d", &major, &minor) != 2) {
        fail("openssl version: " + version);
    }
    return std::pair(major, minor) >= std::pair(3, 5) ? "X25519MLKEM768" : "X25519";
}

std::string exchange(int port, std::string_view bytes)
{
    const Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{patience.count(), 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const sockaddr_in address = loopback(port);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        fail("connect to port " + std::to_string(port));
    }
    while (!bytes.empty()) {
        const ssize_t sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent < 0) {
            fail("send");
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string received;
    char buffer[4096];
    ssize_t count = 0;
    while ((count = ::recv(socket.get(), buffer, sizeof buffer, 0)) > 0) {
        received.append(buffer, static_cast<std::size_t>(count));
    }
    if (count < 0) {
        fail("the server keeps the connection open, after: " + received);
    }
    return received;
}

void make_cert(const Path& folder, const std::vector<std::string>& options)
{
    Command command{.argv = {source_dir() / "scripts/make-cert", "--dir", folder}};
    command.argv.insert(command.argv.end(), options.begin(), options.end());
    const Finished finished = run(command);
    if (finished.status != 0) {
        throw std::runtime_error("make-cert: " + finished.err);
    }
}

void make_expired(const Path& request, const std::vector<std::string>& signer,
                  const Path& certificate)
{
    // OpenSSL 3.5 takes no fewer days than none.
    Command command{.argv = {"openssl", "x509", "-req", "-in", request, "-days", "0",
                             "-copy_extensions", "copy", "-out", certificate}};
    command.argv.insert(command.argv.end(), signer.begin(), signer.end());
    const Finished finished = run(command);
    if (finished.status != 0) {
        throw std::runtime_error("openssl x509: " + finished.err);
    }
    // It is valid to the end of this very second.
    if (!eventually([&] {
            return run({.argv = {"openssl", "x509", "-in", certificate, "-noout", "-checkend",
                                 "0"}})
                       .status == 1;
        })) {
        throw std::runtime_error("it does not expire: " + certificate.string());
    }
}

// ---------------------------------------------------------------------------
// The fixture

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
    constexpr std::string_view resumed = "resuming normal operations";
    std::size_t count = 0;
    for (auto at = log.find(resumed); at != std::string::npos; at = log.find(resumed, at + 1)) {
        ++count;
    }
    return count;
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
        return std::vector<std::string>{"-f", root() / "httpd.conf"};
    });
}

void HttpdTest::start_file(const Path& configuration, const std::vector<std::string>& defines)
{
    configuration_ = read_file(configuration);
    launch([&] {
        std::vector<std::string> arguments{"-f", configuration};
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
void HttpdTest::launch(const std::function<std::vector<std::string>()>& arguments)
{
    for (int attempt = 1;; ++attempt) {
        const std::vector<int> ports = free_ports(2);
        http_port_ = ports[0];
        https_port_ = ports[1];
        Command command{.argv = starter_, .under_sanitizer = true};
        command.argv.insert(command.argv.end(), {httpd_path(), "-DFOREGROUND"});
        const std::vector<std::string> more = arguments();
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

std::vector<std::string> HttpdTest::unexpected_lines() const
{
    const std::regex remarkable(
        R"(\[[^\]]*:(emerg|alert|crit|error|warn)\]|Sanitizer|runtime error:|exit signal|core dump)");
    // Two that speak of the machine: the newer OpenSSL that mod_ssl was built with, and
    // one of its own certificates being used by a name that the test does not ask for.
    const std::regex harmless("AH01882");
    std::vector<std::string> unexpected;
    for (const std::string& line : lines_of(error_log())) {
        const auto matches = [&line](const std::string& pattern) {
            return std::regex_search(line, std::regex(pattern));
        };
        const bool known = std::any_of(announced_.begin(), announced_.end(), matches) ||
                           std::any_of(tolerated_.begin(), tolerated_.end(), matches);
        if (std::regex_search(line, remarkable) && !std::regex_search(line, harmless) && !known) {
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
        EXPECT_TRUE(std::regex_search(error_log(), std::regex(pattern)))
            << "the error log lacks: " << pattern;
    }
    if (HasFailure()) {
        std::cerr << "--- configuration\n"
                  << numbered(configuration_) << "--- error log\n"
                  << error_log();
    }
}

std::string HttpdTest::tls()
{
    make_cert(root());
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
