// What the harness does where the system refuses it something: the test ends with that reason.

#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace hello {

[[noreturn]] inline void throw_errno(const std::string& what)
{
    throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace hello
