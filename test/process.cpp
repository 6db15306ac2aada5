#include "process.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iterator>
#include <sstream>

#include "errors.h"

namespace hello {

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
            throw_errno("forkpty");
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
            throw_errno("pipe2");
        }
        pid_ = ::fork();
        if (pid_ < 0) {
            throw_errno("fork");
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
            throw_errno("write to child");
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

std::size_t kilobytes(pid_t pid, const std::string& figure)
{
    const std::string status = read_file("/proc/" + std::to_string(pid) + "/status");
    const std::size_t at = status.find('\n' + figure + ':');
    return at == std::string::npos ? 0 : std::stoul(status.substr(at + figure.size() + 2));
}

}  // namespace hello
