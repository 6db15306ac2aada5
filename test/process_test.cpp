// The harness itself, where a test could fail for its sake.

#include "httpd.h"

namespace hello {
namespace {

// A handshake that fails ends openssl before it has read its input, and sometimes before it was
// written.
TEST(Harness, OutlivesAProgramThatReadsNothing)
{
    EXPECT_EQ(run({.argv = {"true"}, .input = std::string(1 << 20, 'x')}).status, 0);
}

}  // namespace
}  // namespace hello
