// What the tests of the scripts share.

#pragma once

#include <cstdlib>
#include <string>

#include "httpd.h"

namespace hello {

inline std::string script(const char* name)
{
    return source_dir() / "scripts" / name;
}

/// Types pass phrases into a script that asks for them, past an openssl that writes down who
/// sees what: its arguments, its environment, and the rights of what has been made so far.
inline void type_unseen(Command asking, const Path& folder, const Strings& phrases, int status)
{
    write_program(folder / "bin/openssl",
                  "PATH=${PATH#*:}\n"
                  "umask >\"$WITNESS/umask\"\n"
                  "{ printf '%s\\n' \"$@\"; env; } >>\"$WITNESS/said\"\n"
                  "openssl \"$@\"\n"
                  "status=$?\n"
                  "find \"$WITNESS/tls\" -type f \\( -name '*.key' -o -name '*.p12' \\) -perm /077 "
                  ">>\"$WITNESS/open\"\n"
                  "find \"$WITNESS/tls\" -type f -name '*.key' >>\"$WITNESS/keys\"\n"
                  "exit $status\n");
    asking.terminal = true;
    asking.environment = {"PATH=" + (folder / "bin").string() + ":" + std::getenv("PATH"),
                          "WITNESS=" + folder.string(), "pass_phrase=exported", "again=exported",
                          "SHELLOPTS=allexport:xtrace"};
    Process making(asking);
    std::size_t asked = 0;
    for (const std::string& phrase : phrases) {
        const char* const prompt = asked++ == 0 ? "Pass phrase for " : "The same again: ";
        ASSERT_TRUE(eventually([&] { return making.out().find(prompt) != std::string::npos; }))
            << making.out();
        EXPECT_FALSE(making.echoes());
        making.type(phrase + "\n");
    }
    ASSERT_EQ(making.wait(), status) << making.out();
    const std::string said = read_file(folder / "said");
    for (const std::string& phrase : phrases) {
        EXPECT_EQ(making.out().find(phrase), std::string::npos) << making.out();
        EXPECT_EQ(said.find(phrase), std::string::npos) << said;
    }
    EXPECT_EQ(read_file(folder / "open"), "");
    if (status == 0) {
        EXPECT_NE(said.find("fd:3"), std::string::npos) << said;
        EXPECT_NE(read_file(folder / "keys"), "");
        // This openssl opens keys to nobody by itself; another one need not.
        EXPECT_EQ(read_file(folder / "umask"), "0077\n");
    } else {
        EXPECT_NE(making.out().find("Next: "), std::string::npos) << making.out();
    }
}

}  // namespace hello
