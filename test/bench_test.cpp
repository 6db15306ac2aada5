// scripts/bench, with what is there without its peers: it measures, and leaves nothing behind.

#include <csignal>
#include <fstream>

#include "scripts.h"

namespace hello {
namespace {

class Bench : public testing::Test {
  protected:
    Bench() { fs::create_directories(folder_.path() / "tmp"); }

    // What it needs beside httpd and Python is not installed for these.
    Command command(const Strings& more = {}) const
    {
        Command result{
            .argv = {script("bench"), "--quick", "--case", "full,resumed", "--peer",
                     "mod_hello-event,mod_hello-prefork", "--output", folder_.path() / "out"},
            .environment = {"TMPDIR=" + (folder_.path() / "tmp").string()}};
        result.argv.insert(result.argv.end(), more.begin(), more.end());
        return result;
    }

    bool left_nothing() const { return fs::is_empty(folder_.path() / "tmp"); }

    TemporaryFolder folder_;
};

TEST_F(Bench, MeasuresAndLeavesNothing)
{
    const Finished finished = run(command());
    ASSERT_EQ(finished.status, 0) << finished.out << finished.err;
    EXPECT_NE(finished.out.find("mod_hello, prefork"), std::string::npos) << finished.out;
    const std::string json = read_file(folder_.path() / "out/bench.json");
    for (const char* const text : {R"("case": "resumed")", R"("server": "mod_hello-prefork")"}) {
        EXPECT_NE(json.find(text), std::string::npos) << text << json;
    }
    EXPECT_TRUE(left_nothing());
}

TEST_F(Bench, EndsAllItHasStartedWhenItIsStopped)
{
    Process process(command({"--seconds", "60"}));
    ASSERT_TRUE(eventually(
        [&] { return process.ended() || process.err().find("round 1") != std::string::npos; },
        std::chrono::minutes(2)))
        << process.err();
    process.signal_group(SIGINT);
    EXPECT_EQ(process.wait(), 130) << process.err();
    EXPECT_TRUE(left_nothing());
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
        // The servers have the path of their temporary folder among their arguments.
        std::ifstream file(entry.path() / "cmdline");
        const std::string line{std::istreambuf_iterator<char>(file), {}};
        EXPECT_EQ(line.find(folder_.path() / "tmp"), std::string::npos) << entry.path() << line;
    }
}

TEST_F(Bench, RefusesWhatCannotBeRight)
{
    for (const Strings& options :
         {Strings{"--case", "htps-16"}, Strings{"--peer", "ngnix"}, Strings{"--rounds", "0"},
          Strings{"--seconds", "long"}, Strings{"--case", "latency"}, Strings{"--rounds"}}) {
        const Finished finished = run(command(options));
        EXPECT_EQ(finished.status, 2) << options.front() << finished.err;
        EXPECT_NE(finished.err.find("expected"), std::string::npos) << finished.err;
        EXPECT_TRUE(left_nothing());
    }
}

}  // namespace
}  // namespace hello
