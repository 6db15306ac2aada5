// scripts/make-cert: what is in the pair, whom its key is open to, and what lies there when a run
// is stopped, killed, or finds somebody else at work.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "scripts.h"

namespace hello {
namespace {

class MakeCert : public testing::Test {
  protected:
    const Path& folder() const { return folder_.path(); }

    Finished make(const Strings& options) const
    {
        Command command{.argv = {script("make-cert"), "--dir", folder()}};
        command.argv.insert(command.argv.end(), options.begin(), options.end());
        return run(command);
    }

    std::string openssl(Strings arguments) const
    {
        arguments.insert(arguments.begin(), "openssl");
        const Finished finished = run({.argv = arguments});
        EXPECT_EQ(finished.status, 0) << finished.err;
        return finished.out;
    }

    std::string text() const
    {
        return openssl({"x509", "-in", folder() / "server.crt", "-noout", "-text"});
    }

    Strings files() const
    {
        Strings names;
        for (const auto& entry : fs::directory_iterator(folder())) {
            names.push_back(entry.path().filename());
        }
        std::sort(names.begin(), names.end());
        return names;
    }

    /// As a run does that was killed between the two: the files that were there are away, and some
    /// of its own are in their places.
    void leave_what_a_killed_run_does() const
    {
        const Path work = folder() / ".mod_hello.make-cert.abcdef";
        write_file(work / "files", "server.key\nserver.csr\nserver.crt\n");
        fs::create_directory(work / "old");
        for (const std::string& name : files()) {
            if (!name.starts_with(".")) {
                fs::rename(folder() / name, work / "old" / name);
            }
        }
        write_file(folder() / "server.key", "new");
        write_file(work / "new/server.csr", "new");
        write_file(work / "new/server.crt", "new");
    }

    TemporaryFolder folder_;
};

const Strings all_three{"server.crt", "server.csr", "server.key"};

TEST_F(MakeCert, MakesWhatBrowsersTake)
{
    ASSERT_EQ(make({}).status, 0);
    EXPECT_EQ(files(), all_three);
    const std::string certificate = text();
    for (const char* const part :
         {"Version: 3", "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
          "CA:FALSE", "Digital Signature", "TLS Web Server Authentication", "NIST CURVE: P-256",
          "ecdsa-with-SHA256"}) {
        EXPECT_NE(certificate.find(part), std::string::npos) << part << '\n' << certificate;
    }
    EXPECT_EQ(certificate.find("Key Encipherment"), std::string::npos);
    struct stat status {};
    ASSERT_EQ(::stat((folder() / "server.key").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600U);
    const Finished verified =
        run({.argv = {"openssl", "verify", "-CAfile", folder() / "server.crt", "-purpose",
                      "sslserver", "-verify_hostname", "localhost", folder() / "server.crt"}});
    EXPECT_EQ(verified.status, 0) << verified.err;
    EXPECT_EQ(openssl({"req", "-in", folder() / "server.csr", "-noout", "-pubkey"}),
              openssl({"pkey", "-in", folder() / "server.key", "-pubout"}));
    EXPECT_EQ(openssl({"x509", "-in", folder() / "server.crt", "-noout", "-pubkey"}),
              openssl({"pkey", "-in", folder() / "server.key", "-pubout"}));
}

TEST_F(MakeCert, TakesNamesDaysAndKind)
{
    ASSERT_EQ(make({"--name", "www.example.org", "--name", "192.0.2.7", "--name", "2001:db8::7",
                    "--name", "*.example.net", "--days", "397", "--key", "rsa"})
                  .status,
              0);
    const std::string certificate = text();
    for (const char* const part :
         {"DNS:www.example.org, IP Address:192.0.2.7, IP "
          "Address:2001:DB8:0:0:0:0:0:7, DNS:*.example.net",
          "Public-Key: (3072 bit)", "Digital Signature, Key Encipherment"}) {
        EXPECT_NE(certificate.find(part), std::string::npos) << part << '\n' << certificate;
    }
    EXPECT_EQ(openssl({"x509", "-in", folder() / "server.crt", "-noout", "-subject", "-nameopt",
                       "RFC2253"}),
              "subject=CN=www.example.org\n");
    EXPECT_EQ(run({.argv = {"openssl", "x509", "-in", folder() / "server.crt", "-noout",
                            "-checkend", std::to_string(396 * 86'400)}})
                  .status,
              0);
}

TEST_F(MakeCert, RefusesWhatCannotBeRight)
{
    const struct {
        Strings options;
        const char* shown;
    } cases[] = {
        {{"--days", "398"}, "398"},
        {{"--days", "0"}, "0"},
        {{"--days", "soon"}, "soon"},
        {{"--key", "dsa"}, "dsa"},
        {{"--name", "two words"}, "two words"},
        {{"--name", "-x.example"}, "-x.example"},
        {{"--name", "1.2.3.999"}, "1.2.3.999"},
        {{"--name", "::zz"}, "::zz"},
        {{"--name"}, "--name"},
        {{"--name", "a,DNS:b"}, "a,DNS:b"},
        {{"surplus"}, "surplus"},
    };
    for (const auto& [options, shown] : cases) {
        const Finished finished = make(options);
        EXPECT_EQ(finished.status, 2) << shown;
        EXPECT_NE(finished.err.find(shown), std::string::npos) << finished.err;
        EXPECT_NE(finished.err.find("expected"), std::string::npos) << finished.err;
    }
    EXPECT_EQ(files(), Strings{});
}

TEST_F(MakeCert, AsksForThePassPhraseAndShowsItToNobody)
{
    for (const char* const kind : {"ec", "rsa"}) {
        const Path tls = folder() / "tls";
        const Command encrypting{
            .argv = {script("make-cert"), "--dir", tls, "--encrypt", "--key", kind}};
        type_unseen(encrypting, folder(), {"correct horse", "wrong horse"}, 1);
        type_unseen(encrypting, folder(), {"odd", "odd"}, 1);
        EXPECT_FALSE(fs::exists(tls));
        type_unseen(encrypting, folder(), {"correct horse", "correct horse"}, 0);
        const auto unlocks = [&](const char* phrase) {
            return run({.argv = {"openssl", "pkey", "-in", tls / "server.key", "-noout", "-passin",
                                 phrase}})
                       .status == 0;
        };
        EXPECT_TRUE(unlocks("pass:correct horse"));
        EXPECT_FALSE(unlocks("pass:"));
        fs::remove_all(tls);
    }
}

// Whoever can rename the folder that root works in says what root reads and writes there.
TEST_F(MakeCert, WorksInNoFolderThatSomebodyElseMayChange)
{
    const Path theirs = folder() / "theirs";
    fs::create_directories(theirs / "mine");
    const auto refuse = [&](const Path& where, const std::string& why) {
        for (const char* const name : {"make-cert", "make-client-cert"}) {
            Command command{.argv = {script(name), "--dir", where}};
            if (name == std::string("make-client-cert")) {
                command.argv.insert(command.argv.end(), {"--name", "Ada", "--no-passphrase"});
            }
            const Finished finished = run(command);
            EXPECT_EQ(finished.status, 1) << name << where << finished.out;
            EXPECT_NE(finished.err.find("'" + theirs.string() + "' " + why), std::string::npos)
                << finished.err;
            EXPECT_NE(finished.err.find("Next: "), std::string::npos) << finished.err;
        }
        EXPECT_TRUE(fs::is_empty(theirs / "mine"));
        EXPECT_FALSE(fs::exists(theirs / "new"));
    };
    fs::permissions(theirs, fs::perms(0777));
    refuse(theirs / "mine", "may be written by everybody");
    refuse(theirs / "new", "may be written by everybody");
    // Everybody may put something there, and nobody may move it.
    fs::permissions(theirs, fs::perms(01777));
    EXPECT_EQ(run({.argv = {script("make-cert"), "--dir", theirs / "sticky"}}).status, 0);
    fs::permissions(theirs, fs::perms(0755));
    if (::getuid() == 0) {
        ASSERT_EQ(run({.argv = {"chgrp", "www-data", theirs}}).status, 0);
        fs::permissions(theirs, fs::perms(0775));
        for (int i = 0; i < 20; ++i) {
            refuse(theirs / "mine", "may be written by the group www-data");
        }
        fs::permissions(theirs, fs::perms(0755));
        ASSERT_EQ(run({.argv = {"chown", "www-data", theirs}}).status, 0);
        refuse(theirs / "mine", "belongs to www-data");
        refuse(theirs / "new", "belongs to www-data");
        const Finished temporary =
            run({.argv = {script("trust-cert"), "--remove", "--store", "nss", "nothing.crt"},
                 .environment = {"TMPDIR=" + theirs.string()}});
        EXPECT_EQ(temporary.status, 1);
        EXPECT_NE(temporary.err.find("belongs to www-data"), std::string::npos) << temporary.err;
    }
}

TEST_F(MakeCert, SaysWhoHasTheFolderLocked)
{
    Process holder({.argv = {"flock", folder(), "sh", "-c", "echo held; exec sleep 60"}});
    ASSERT_TRUE(eventually([&] { return holder.out() == "held\n"; }));
    Process making({.argv = {script("make-cert"), "--dir", folder()}});
    EXPECT_TRUE(eventually([&] {
        return making.err().find("waiting for it, for 30 s") != std::string::npos;
    })) << making.err();
    EXPECT_NE(making.err().find("process " + std::to_string(holder.pid())), std::string::npos)
        << making.err();
    holder.signal_group(SIGKILL);
    EXPECT_EQ(making.wait(), 0) << making.err();
    EXPECT_EQ(files(), all_three);
}

// A run that is killed outright can put nothing back; the next one does.
TEST_F(MakeCert, TheNextRunPutsBackAndRemovesWhatAKilledOneLeft)
{
    ASSERT_EQ(make({}).status, 0);
    const auto left = [&] {
        const Strings names = files();
        return std::any_of(names.begin(), names.end(),
                           [](const std::string& name) { return name.starts_with("."); });
    };
    int killed = 0;
    for (int delay = 0; delay < 40; ++delay) {
        {
            Process making({.argv = {script("make-cert"), "--dir", folder(), "--force"}});
            eventually([&] { return making.ended(); }, std::chrono::milliseconds(10 * delay));
            making.signal_group(SIGKILL);
            making.wait();
        }
        killed += left() ? 1 : 0;
        // What is there, is left alone, so that only what was left is seen to.
        const Finished next = make({});
        EXPECT_EQ(next.status, 1) << delay << next.out;
        EXPECT_NE(next.err.find("exists, and nothing was changed"), std::string::npos)
            << delay << next.err;
        EXPECT_EQ(files(), all_three) << delay;
        EXPECT_EQ(openssl({"x509", "-in", folder() / "server.crt", "-noout", "-pubkey"}),
                  openssl({"pkey", "-in", folder() / "server.key", "-pubout"}))
            << delay;
    }
    EXPECT_GT(killed, 0) << "no run was killed at the right moment";

    const std::string key = read_file(folder() / "server.key");
    const std::string certificate = read_file(folder() / "server.crt");
    leave_what_a_killed_run_does();
    const Finished next = make({});
    EXPECT_NE(next.err.find("back as they were before a run that was killed"), std::string::npos)
        << next.err;
    EXPECT_EQ(files(), all_three);
    EXPECT_EQ(read_file(folder() / "server.key"), key);
    EXPECT_EQ(read_file(folder() / "server.crt"), certificate);
}

// After each step of the recovery, with the tool that was at it.
TEST_F(MakeCert, CtrlCDuringTheRecoveryEndsItAndLosesNothing)
{
    ASSERT_EQ(make({}).status, 0);
    const std::string key = read_file(folder() / "server.key");
    const std::string certificate = read_file(folder() / "server.crt");
    const TemporaryFolder tools;
    const Path mv = tools.path() / "mv";
    const Path count = tools.path() / "count";
    write_program(mv,
                  "PATH=${PATH#*:}\nmv \"$@\" || exit\necho >>\"$COUNT\"\n"
                  "[ \"$(wc -l <\"$COUNT\")\" -ne \"$STEP\" ] || kill -INT 0\n");
    constexpr int steps = 4;  // one that goes away again, and three that come back
    for (int step = 1; step <= steps; ++step) {
        SCOPED_TRACE(step);
        leave_what_a_killed_run_does();
        write_file(count, "");
        const Finished stopped =
            run({.argv = {script("make-cert"), "--dir", folder(), "--force"},
                 .environment = {"PATH=" + mv.parent_path().string() + ":" + std::getenv("PATH"),
                                 "COUNT=" + count.string(), "STEP=" + std::to_string(step)}});
        EXPECT_EQ(stopped.status, 128 + SIGINT) << stopped.out << stopped.err;
        EXPECT_EQ(read_file(count), std::string(steps, '\n'));
        EXPECT_EQ(files(), all_three);
        EXPECT_EQ(read_file(folder() / "server.key"), key);
        EXPECT_EQ(read_file(folder() / "server.crt"), certificate);
    }
}

TEST_F(MakeCert, TakesAFolderByItsWholeName)
{
    const Finished finished =
        run({.argv = {script("make-cert"), "--dir", folder().string() + "/a\n"}});
    EXPECT_EQ(finished.status, 2) << finished.out;
    EXPECT_NE(finished.err.find("line break"), std::string::npos) << finished.err;
    // A link to such a name, and being in it.
    fs::create_directory(folder() / "b\n");
    fs::create_directory(folder() / "b");
    fs::create_directory_symlink("b\n", folder() / "link");
    for (const std::string& argument : {std::string("link"), std::string("b\n/.")}) {
        EXPECT_EQ(run({.argv = {"sh", "-c", "cd \"$0\" && \"$1\"", folder() / argument,
                                script("make-cert")}})
                      .status,
                  2)
            << argument;
    }
    EXPECT_TRUE(fs::is_empty(folder() / "b"));
    EXPECT_TRUE(fs::is_empty(folder() / "b\n"));
}

TEST_F(MakeCert, OnlyOneOfTwoAtOnceMakesThem)
{
    const Command command{.argv = {script("make-cert"), "--dir", folder()}};
    Process one(command);
    Process other(command);
    EXPECT_EQ(one.wait() + other.wait(), 1) << one.err() << other.err();
    EXPECT_EQ(files(), all_three);
}

TEST_F(MakeCert, NeverOverwritesUnasked)
{
    ASSERT_EQ(make({}).status, 0);
    const std::string key = read_file(folder() / "server.key");
    const Finished again = make({});
    EXPECT_EQ(again.status, 1);
    EXPECT_NE(again.err.find("--force"), std::string::npos) << again.err;
    EXPECT_EQ(read_file(folder() / "server.key"), key);

    ASSERT_EQ(make({"--force"}).status, 0);
    EXPECT_NE(read_file(folder() / "server.key"), key);
    EXPECT_EQ(files(), all_three);
}

TEST_F(MakeCert, PutsEverythingBackWhenItFails)
{
    ASSERT_EQ(make({}).status, 0);
    const std::string key = read_file(folder() / "server.key");
    const std::string certificate = read_file(folder() / "server.crt");
    // An openssl that makes the key and the request, and then fails.
    write_program(folder() / "bin/openssl",
                  "[ \"$1\" != x509 ] || exit 1\nPATH=${PATH#*:} exec openssl \"$@\"\n");
    const Finished failed =
        run({.argv = {script("make-cert"), "--dir", folder(), "--force"},
             .environment = {"PATH=" + (folder() / "bin").string() + ":" + std::getenv("PATH")}});
    fs::remove_all(folder() / "bin");
    EXPECT_EQ(failed.status, 1) << failed.out;
    EXPECT_EQ(files(), all_three);
    EXPECT_EQ(read_file(folder() / "server.key"), key);
    EXPECT_EQ(read_file(folder() / "server.crt"), certificate);
}

TEST_F(MakeCert, LeavesNothingHalfDoneWhenItIsStopped)
{
    ASSERT_EQ(make({}).status, 0);
    const auto public_key_of = [&](const char* tool, const char* name, const char* option) {
        return openssl(tool == std::string("pkey")
                           ? Strings{"pkey", "-in", folder() / name, "-pubout"}
                           : Strings{tool, "-in", folder() / name, "-noout", option});
    };
    // Stopped at one moment after the other, over the whole of its work.
    for (int milliseconds = 0; milliseconds < 120; milliseconds += 6) {
        Process process({.argv = {script("make-cert"), "--dir", folder(), "--force"}});
        process.wait(std::chrono::milliseconds(milliseconds));
        process.signal_group(SIGTERM);
        ASSERT_TRUE(eventually([&] { return process.ended(); }));
        ASSERT_TRUE(eventually([&] { return !process.group_alive(); }));
        EXPECT_EQ(files(), all_three) << milliseconds;
        EXPECT_EQ(public_key_of("x509", "server.crt", "-pubkey"),
                  public_key_of("pkey", "server.key", ""))
            << milliseconds;
    }
}

}  // namespace
}  // namespace hello
