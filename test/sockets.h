// Sockets and ports of 127.0.0.1.

#pragma once

#include <netinet/in.h>

#include <cstddef>
#include <utility>
#include <vector>

namespace hello {

/// A file descriptor that is closed with its scope.
class Descriptor {
  public:
    /// Throws where the number is that of a call that has failed.
    explicit Descriptor(int number);
    ~Descriptor();
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    Descriptor& operator=(Descriptor&&) = delete;
    int get() const { return number_; }

  private:
    int number_;
};

/// An address of this machine.
sockaddr_in address_of(int port, const char* address = "127.0.0.1");

Descriptor tcp_socket();
/// Return whether it could be.
bool connect(const Descriptor& socket, int port);
bool bind(const Descriptor& socket, const sockaddr_in& address);

/// A socket that has a port, and one that listens there too.
Descriptor bound_socket(int port);
Descriptor listening_socket(int port);

/// Whether somebody listens there.
bool connects(int port);

/// Ports of 127.0.0.1 that nobody listens on, and that no test of another process is given before
/// this one ends.
std::vector<int> free_ports(std::size_t count);

/// Waits until what serves these ports has closed every connection, before it is told to
/// end or to restart: a child of the event MPM that is told so while it closes one can
/// crash, with and without mod_hello. The test fails where the deadline passes.
void await_idleness(const std::vector<int>& ports);

}  // namespace hello
