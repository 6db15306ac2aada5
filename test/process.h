// The programs that a test starts, and what /proc knows of those that others have started.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "files.h"
#include "wait.h"

namespace hello {

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

/// A figure of /proc/PID/status, such as VmRSS, in kilobytes; 0 where there is none.
std::size_t kilobytes(pid_t pid, const std::string& figure);

}  // namespace hello
