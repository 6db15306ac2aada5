// Many connections from one address.

#pragma once

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

#include "httpd.h"
#include "sockets.h"

namespace hello {

/// Connections from an address, which have sent something and then say nothing.
class Crowd {
  public:
    Crowd(const char* from, int port, int count, std::string_view said)
    {
        for (int i = 0; i < count; ++i) {
            Descriptor socket = tcp_socket();
            if (!bind(socket, address_of(0, from)) || !connect(socket, port)) {
                ADD_FAILURE() << "connection " << i << " from " << from << ": " << errno;
            }
            ::send(socket.get(), said.data(), said.size(), MSG_NOSIGNAL);
            sockets_.push_back(std::move(socket));
        }
    }

    /// How many of them the server has not closed, and has sent nothing on.
    int held() const
    {
        int count = 0;
        for (const Descriptor& socket : sockets_) {
            pollfd state{socket.get(), POLLIN, 0};
            count += ::poll(&state, 1, 0) == 0 ? 1 : 0;
        }
        return count;
    }

  private:
    std::vector<Descriptor> sockets_;
};

}  // namespace hello
