// What of this machine a test has for itself, whoever runs it: a network, the system's store of
// certificates, users.

#pragma once

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "httpd.h"

namespace hello {

inline bool write_to(const char* file, const std::string& text)
{
    std::ofstream out(file);
    out << text << std::flush;
    return out.good();
}

/// Gives this process, and all that it starts, a network that has nothing but 127.0.0.1.
/// Returns what stands in the way, if something does.
inline std::string enter_own_network()
{
    const std::string user = std::to_string(::getuid());
    const std::string group = std::to_string(::getgid());
    const bool is_root = ::getuid() == 0;
    if (::unshare(is_root ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) != 0) {
        return std::string("unshare: ") + std::strerror(errno);
    }
    // Whoever is not root stays who he is, and may have the ports all the same.
    if (!is_root && !(write_to("/proc/self/uid_map", user + " " + user + " 1") &&
                      write_to("/proc/self/setgroups", "deny") &&
                      write_to("/proc/self/gid_map", group + " " + group + " 1") &&
                      write_to("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0"))) {
        return std::string("a user namespace: ") + std::strerror(errno);
    }
    const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq request{};
    std::strcpy(request.ifr_name, "lo");
    request.ifr_flags = IFF_UP;
    const bool is_up = ::ioctl(socket, SIOCSIFFLAGS, &request) == 0;
    const std::string error = std::strerror(errno);
    ::close(socket);
    return is_up ? "" : "the loopback interface: " + error;
}

/// A copy of the system's store of certificates, which for some commands takes the place of the
/// real one. They, and no others, have a mount namespace of their own, in which they are root: each
/// test of a process has its own copy, and the real store is never touched.
class StoreCopy {
  public:
    explicit StoreCopy(Path folder) : folder_(std::move(folder))
    {
        for (const char* const path : {local, certificates}) {
            if (std::filesystem::exists(path)) {
                std::filesystem::create_directories(in_copy(path).parent_path());
                std::filesystem::copy(path, in_copy(path),
                                      std::filesystem::copy_options::recursive |
                                          std::filesystem::copy_options::copy_symlinks);
                places_.emplace_back(path);
            }
        }
        // For each line of it, update-ca-certificates runs several programs.
        if (Strings lines = lines_of(read_file(list)); !lines.empty()) {
            lines.resize(std::min<std::size_t>(lines.size(), 20));
            std::string some;
            for (const std::string& line : lines) {
                some += line + '\n';
            }
            write_file(in_copy(list), some);
            places_.emplace_back(list);
        }
        // Hooks write where they like, and Java's waits for dpkg.
        if (std::filesystem::exists(hooks)) {
            std::filesystem::create_directories(in_copy(hooks));
            places_.emplace_back(hooks);
        }
        std::filesystem::create_directories(folder_);
    }

    static constexpr const char* local = "/usr/local/share/ca-certificates";
    static constexpr const char* certificates = "/etc/ssl/certs";

    /// What of the copy the commands see at a path of the store.
    Path in_copy(const Path& path) const { return folder_.string() + path.string(); }

    /// Why the kernel gives this user no such namespace, if it does not.
    std::string obstacle() const
    {
        const Finished finished =
            run({.argv = apart({"mount", "--bind", folder_.string(), folder_.string()})});
        return finished.status == 0 ? "" : finished.err;
    }

    /// The command that runs this one with the copy.
    std::vector<std::string> with(const std::vector<std::string>& argv) const
    {
        std::string script;
        for (const Path& path : places_) {
            script +=
                "mount --bind '" + in_copy(path).string() + "' '" + path.string() + "' || exit\n";
        }
        std::vector<std::string> result = apart({"sh", "-c", script + "exec \"$@\"", "sh"});
        result.insert(result.end(), argv.begin(), argv.end());
        return result;
    }

  private:
    static constexpr const char* hooks = "/etc/ca-certificates/update.d";
    static constexpr const char* list = "/etc/ca-certificates.conf";

    static std::vector<std::string> apart(const std::vector<std::string>& argv)
    {
        std::vector<std::string> result{"unshare", "--mount"};
        if (::getuid() != 0) {
            result.emplace_back("--map-root-user");
        }
        result.insert(result.end(), argv.begin(), argv.end());
        return result;
    }

    Path folder_;
    std::vector<Path> places_;
};

/// How to start a command as root with other users beside, whoever this is. Nothing more is needed
/// by root himself.
///
/// On his own, nobody else gets more from the kernel than a user namespace with himself in it, and
/// then no child can be anybody other than root. The users beside come from /etc/subuid, by the
/// program newuidmap, which may hand them out.
inline std::vector<std::string> as_root_of_users()
{
    if (::getuid() == 0) {
        return {};
    }
    return {"unshare", "--user", "--map-root-user", "--map-auto"};
}

/// What stands in the way of as_root_of_users(), if something does.
inline std::string obstacle_to_users()
{
    std::vector<std::string> argv = as_root_of_users();
    argv.emplace_back("true");
    const Finished finished = run({.argv = argv});
    return finished.status == 0 ? "" : finished.err;
}

}  // namespace hello
