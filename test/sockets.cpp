#include "sockets.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <iomanip>
#include <random>
#include <sstream>
#include <string>

#include "errors.h"
#include "files.h"
#include "wait.h"

namespace hello {

Descriptor::Descriptor(int number) : number_(number)
{
    if (number < 0) {
        throw_errno("descriptor");
    }
}

Descriptor::~Descriptor()
{
    if (number_ >= 0) {
        ::close(number_);
    }
}

sockaddr_in address_of(int port, const char* address)
{
    sockaddr_in made{};
    made.sin_family = AF_INET;
    made.sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, address, &made.sin_addr);
    return made;
}

Descriptor tcp_socket()
{
    return Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

bool connect(const Descriptor& socket, int port)
{
    const sockaddr_in address = address_of(port);
    return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
           0;
}

bool bind(const Descriptor& socket, const sockaddr_in& address)
{
    return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

Descriptor bound_socket(int port)
{
    Descriptor socket = tcp_socket();
    if (!bind(socket, address_of(port))) {
        throw_errno("bind to port " + std::to_string(port));
    }
    return socket;
}

Descriptor listening_socket(int port)
{
    Descriptor socket = bound_socket(port);
    if (::listen(socket.get(), 8) != 0) {
        throw_errno("listen on port " + std::to_string(port));
    }
    return socket;
}

bool connects(int port)
{
    return connect(tcp_socket(), port);
}

namespace {

/// Whether the servers on some ports have closed every connection. /proc/net/tcp has a line for
/// each socket of this machine: a number, the local address and port, the remote one, and the
/// state.
bool are_idle(const std::vector<int>& ports)
{
    const std::string sockets = read_file("/proc/net/tcp");
    return std::all_of(ports.begin(), ports.end(), [&](int port) {
        std::ostringstream local;
        local << std::uppercase << std::hex << std::setfill('0') << ':' << std::setw(4) << port
              << ' ';
        for (auto at = sockets.find(local.str()); at != std::string::npos;
             at = sockets.find(local.str(), at + 1)) {
            constexpr std::size_t to_remote_port = 14;
            constexpr std::size_t to_state = 20;
            const std::string state = sockets.substr(at + to_state, 2);
            // Else it is the remote port.
            const bool is_local = sockets[at + to_remote_port] == ':';
            if (is_local && state != "0A" && state != "06") {  // LISTEN, TIME_WAIT
                return false;
            }
        }
        return true;
    });
}

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
    return bind(tcp_socket(), address_of(port));
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
            throw_errno("bind to a free port");
        }
        if (reservations.size() > kept) {
            ::close(reservations.front());
            reservations.pop_front();
        }
    }
    return ports;
}

void await_idleness(const std::vector<int>& ports)
{
    EXPECT_TRUE(eventually([&] { return are_idle(ports); }))
        << "after " << patience.count()
        << " s a connection to one of these ports is open still: " << testing::PrintToString(ports);
}

}  // namespace hello
